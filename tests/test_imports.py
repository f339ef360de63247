"""The arrows between modules run one way, and what must answer at once imports nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "restore_cli"

LAYERS = (
    ("__main__",),
    ("cli",),
    ("display",),
    ("supervision",),
    ("service",),
    ("in_turn", "pipeline"),
    ("training", "worker"),
    ("batch_status", "output"),
    ("backlog", "deaths", "manifest", "report"),
    ("database", "totals"),
    ("batch",),
    ("planning",),
    ("targets", "watching"),
    ("changes", "sources"),
    ("chain", "matching"),
    ("benchmark",),
    ("enhance", "upscale"),
    ("upscaling",),
    ("row_resizer",),
    ("ensemble", "light", "row_buffer", "task"),
    ("restorer",),
    ("stack_pass", "step_pass"),
    ("bands", "tile_pass"),
    ("recordings", "tile_queue"),
    ("link", "stack_plan", "tile_plan"),
    ("weights",),
    ("download", "checkpoint"),
    ("networks",),
    ("layers",),
    ("metrics", "resampling"),
    ("planes",),
    ("picture",),
    ("kernel", "padding", "scratch"),
    ("tiling", "device", "sizing", "steps"),
    ("memory",),
    ("catalog", "places"),
    ("cards",),
    ("card",),
    ("errors", "importing", "telling"),
)
"""Modules and packages from the top down; each may import from those below it, and from itself."""
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def arrows() -> list[tuple[str, str]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("restore_cli."):
                found.append((source, str(node.module).split(".")[1]))
            elif isinstance(node, ast.Import):
                found += [
                    (source, name.name.split(".")[1]) for name in node.names if name.name.startswith("restore_cli.")
                ]
            assert not isinstance(node, ast.ImportFrom) or node.level == 0, f"{path} imports relatively"
    return found


def test_every_module_has_its_place() -> None:
    modules = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules - {"__init__", "__pycache__", "embedded"} == RANK.keys()


@pytest.mark.parametrize(("source", "target"), sorted(set(arrows())))
def test_imports_run_downwards(source: str, target: str) -> None:
    assert source == target or RANK[source] < RANK[target]


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("typer", {"cli"}),
        ("rich", {"display"}),
        ("huggingface_hub", {"download"}),
        ("pyvips", {"picture"}),
        ("filelock", {"picture"}),
        ("spandrel", {"networks"}),
        ("watchfiles", {"changes"}),
        ("jinja2", {"report"}),
        ("matplotlib", {"benchmark", "training"}),
        ("pytorch_msssim", {"training"}),
    ],
)
def test_a_library_is_known_in_one_place(library: str, users: set[str]) -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == library for name in names):
                found.add(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    assert found == users


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("upscale --help", 0),
        ("models list", 0),
        ("upscale nosuch.png", 1),
        ("upscale x.png --scale 0", 2),
        ("upscale x.png --model safmn-4x", 2),
        ("upscale x.png --no-such-option", 2),
        ("upscale x.png --tile 3", 2),
    ],
)
def test_help_and_argument_errors_import_nothing_heavy(arguments: str, code: int) -> None:
    program = (
        "import sys; from restore_cli.cli import run; code = run(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'PIL', 'pyvips', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments.split()], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
