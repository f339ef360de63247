"""The wheel holds all that an installation needs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import restore_cli
from restore_cli.cards import CARDS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel of this checkout would put into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_carries_weights_and_licences(installed: Path) -> None:
    for card in CARDS:
        if card.embedded:
            assert (installed / "restore_cli" / "embedded" / card.file).stat().st_size == card.bytes
    (information,) = installed.glob("*.dist-info")
    assert {path.name for path in information.rglob("*")} >= {"LICENSE", "NOTICE", "METADATA"}
    assert f"Version: {restore_cli.__version__}" in (information / "METADATA").read_text()


def test_the_wheel_carries_the_parts_of_a_report(installed: Path, tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from restore_cli.report.page import write_report;"
        "write_report(Path('page.html'), [], title='restore', seconds=1.0, interrupted=False)"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    assert "0 pictures restored" in (tmp_path / "page.html").read_text()


def test_the_wheel_runs_from_any_folder(installed: Path, photo: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "restore_cli", "upscale", photo.name, "-q"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(photo.with_name("photo_x4.png")) as result:
        assert result.size == (180, 148)
