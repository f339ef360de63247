from __future__ import annotations

import pytest

from restore_cli.batch.outcome import Outcome, Seconds
from restore_cli.batch.totals import LISTED_FAILURES, add_up


def test_only_what_was_done_adds_pixels_and_seconds() -> None:
    size, seconds = (100, 50), Seconds(1, 2, 1)
    totals = add_up(
        [
            Outcome("a", "b", "done", input_size=size, output_size=(200, 100), seconds=seconds, notes=("x", "y")),
            Outcome("a", "b", "done", input_size=size, output_size=(200, 100), seconds=seconds),
            Outcome("c", "b", "failed", input_size=size, seconds=seconds, notes=("z",)),
            Outcome("d", "b", "skipped"),
        ]
    )
    assert (totals.done, totals.skipped, totals.failed, totals.notes) == (2, 1, 1, 3)
    assert (totals.pixels_read, totals.pixels_written) == (10_000, 40_000)
    assert totals.seconds == Seconds(2, 4, 2)
    assert totals.shares == pytest.approx((0.25, 0.5, 0.25))


def test_of_a_picture_that_comes_again_the_last_outcome_counts() -> None:
    cut, whole = Outcome("a", None, "failed", exit_code=1), Outcome("a", "b", "done")
    assert add_up([cut]).exit_code == 1
    totals = add_up([cut, cut, whole])
    assert (totals.done, totals.failed, totals.exit_code, totals.first_failed) == (1, 0, 0, [])
    assert add_up([cut, whole, cut]).failed == 1


def test_nothing_done_has_no_shares() -> None:
    assert add_up([]).shares is None
    assert add_up([Outcome("a", None, "failed")]).shares is None


@pytest.mark.parametrize(
    ("codes", "expected"),
    [((), 0), ((0, 0), 0), ((0, 1), 1), ((4, 0, 4), 4), ((4, 1), 1), ((1, 4), 1), ((3, 4), 1)],
)
def test_exit_code_of_a_run(codes: tuple[int, ...], expected: int) -> None:
    outcomes = [
        Outcome(f"{index}", None, "failed" if code else "done", exit_code=code) for index, code in enumerate(codes)
    ]
    assert add_up(outcomes).exit_code == expected


def test_names_of_failures_are_kept_up_to_a_number() -> None:
    totals = add_up(Outcome(f"{index}", None, "failed") for index in range(1000))
    assert (totals.failed, totals.pictures) == (1000, 1000)
    assert totals.first_failed == [f"{index}" for index in range(LISTED_FAILURES)]
