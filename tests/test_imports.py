"""The arrows between modules run one way, and what must answer at once imports nothing heavy."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.cli.choice import choose_enhancer, choose_upscaler
from restore_cli.cli.engine_settings import EngineSettings
from restore_cli.cli.tasks import load_chain, load_enhancer, load_upscaler
from restore_cli.tasks.traits import Alpha

PACKAGE = Path(__file__).resolve().parents[1] / "restore_cli"

TABLE = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)
ARCHITECTURE = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
LAYERS = [re.findall(r"\w+", row) for row in TABLE.findall(ARCHITECTURE)]
"""Modules and packages from the top down; each may import from those below it, and from itself."""
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def module_arrows() -> set[tuple[str, str]]:
    """Return who imports whom, as modules below the package: `batch.worker` imports `scratch`."""
    modules = {_name(path) for path in PACKAGE.rglob("*.py")}
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.ImportFrom) or node.level == 0, f"{path} imports relatively"
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                imported += [f"{node.module}.{alias.name}" for alias in node.names]
            for name in imported:
                if name.startswith("restore_cli."):
                    below = name.removeprefix("restore_cli.")
                    target = below if below in modules else below.rpartition(".")[0]
                    found |= {(_name(path), target)} if target else set()
    return found


def _name(path: Path) -> str:
    """Return the name below the package of the module in a file."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


ARROWS = sorted({(source.split(".")[0], target.split(".")[0]) for source, target in module_arrows()})


def test_no_module_imports_itself_in_a_circle() -> None:
    imported: dict[str, set[str]] = {}
    for source, target in module_arrows():
        imported.setdefault(source, set()).add(target)
    order = list(TopologicalSorter(imported).static_order())  # raises CycleError
    assert order.index("errors") < order.index("batch.worker") < order.index("cli.app")


def test_every_module_has_its_place() -> None:
    modules = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules - {"__pycache__", "embedded"} == RANK.keys()


@pytest.mark.parametrize(("source", "target"), ARROWS)
def test_imports_run_downwards(source: str, target: str) -> None:
    assert source == target or RANK[source] < RANK[target]


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("typer", {"cli"}),
        ("rich", {"display"}),
        ("huggingface_hub", {"download"}),
        ("psutil", {"memory"}),
        ("pyvips", {"picture"}),
        ("pillow_heif", {"picture"}),
        ("filelock", {"batch"}),
        ("spandrel", {"networks"}),
        ("watchfiles", {"batch"}),
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
        "import sys; from restore_cli.cli.app import run; code = run(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'PIL', 'pillow_heif', 'psutil', 'pyvips', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments.split()], capture_output=True, text=True)
    assert done.returncode == code, done.stderr


WORKER = """
import pickle, sys
from multiprocessing import Pipe
from restore_cli.batch.worker_process import Finish, serve

ours, theirs = Pipe()
ours.send(Finish(abandons=False))
serve(theirs, pickle.load(sys.stdin.buffer))
told = [ours.recv() for _ in range(2)]
print([type(message).__name__ for message in told], {"click", "rich", "typer"} & set(sys.modules))
"""
"""Is a worker that finds nothing to do."""
UPSCALE = partial(
    load_upscaler, EngineSettings(), choice=choose_upscaler(EngineSettings(), None), settings={"alpha": Alpha.DATA}
)
DENOISE = partial(
    load_enhancer, EngineSettings(), task="denoise", card=choose_enhancer(None, "denoise"), settings={"strength": 0.5}
)
CHAIN = partial(load_chain, steps=[UPSCALE, DENOISE])


@pytest.mark.parametrize("load", [UPSCALE, DENOISE, CHAIN], ids=lambda load: load.func.__name__)
def test_workers_import_nothing_of_the_command_line(load: Any) -> None:
    config = WorkerConfig(load_task=load, max_pixels=10**6, device="cpu")
    done = subprocess.run([sys.executable, "-c", WORKER], input=pickle.dumps(config), capture_output=True)
    assert done.stdout.decode().splitlines() == ["['WorkerReady', 'JobWanted'] set()"], done.stderr.decode()


@pytest.mark.parametrize("module", ["batch.supervision", "batch.status"])
def test_who_only_supervises_imports_nothing_heavy(module: str) -> None:
    program = (
        f"import sys, restore_cli.{module};"
        "heavy = {'torch', 'numpy', 'PIL', 'pillow_heif', 'psutil', 'pyvips', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
