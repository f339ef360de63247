from __future__ import annotations

from pathlib import Path

from restore_cli.batch.outcome import done, skipped
from restore_cli.batch.planning import Job
from restore_cli.cli.ledger import Ledger
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, ReportOptions
from restore_cli.cli.request import Request
from restore_cli.picture.formats import format_by_name


def test_a_picture_that_was_skipped_is_left_alone_until_it_is_restored() -> None:
    request = Request(None, FileOptions(), BatchOptions(watch=True), EngineOptions(), ReportOptions(quiet=True))
    ledger = Ledger(request, None, alone=False)
    job = Job(Path("a.png"), Path("out/a.png"), format_by_name("png"))
    ledger.note(skipped(job, "its target exists"), job)
    assert ledger.left_alone == {job.source}
    ledger.note(done(job, (4, 4), (16, 16)), job)
    assert ledger.left_alone == set()
