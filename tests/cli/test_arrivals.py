"""Pictures that come or change while a run goes on: which of them replace a result."""

from __future__ import annotations

import os
from pathlib import Path

from restore_cli.batch.planning import Job
from restore_cli.cli.arrivals import renewed
from restore_cli.picture.formats import format_by_name


def test_a_result_older_than_its_picture_is_replaced(tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    job = Job(source, target, format_by_name("png"))
    source.touch()
    assert not renewed(job).replaces
    target.touch()
    os.utime(source, (1000, 1000))
    assert not renewed(job).replaces
    os.utime(target, (999, 999))
    assert renewed(job).replaces
