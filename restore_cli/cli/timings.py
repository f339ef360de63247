"""What `restore bench` prints: a line for each measurement."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from restore_cli.display import Display
from restore_cli.errors import RestoreError

if TYPE_CHECKING:
    from restore_cli.benchmark.case import Case, Timing

COLUMNS = "{:28} {:>11} {:8} {:9} {:>6} {:>9} {:>8} {:>8} {:>8}"
HEADER = ("model", "size", "device", "precision", "tile", "ms", "MP/s", "memory", "speed-up")
ROOFLINE_COLUMNS = " {:>9} {:>7} {:>9} {:>6} {:>6} {:>7}"
ROOFLINE_HEADER = ("kFLOP/px", "B/px", "TFLOP/s", "GB/s", "bound", "of peak")


def print_header(*, roofline: bool) -> None:
    """Print what stands above the columns."""
    extra = ROOFLINE_COLUMNS.format(*ROOFLINE_HEADER) if roofline else ""
    print(COLUMNS.format(*HEADER) + extra, flush=True)


def describe(timing: Timing) -> str:
    """Return what a plot calls a measurement."""
    how = "plain" if timing.case.plain else timing.precision
    return f"{timing.case.model} {timing.case.width}x{timing.case.height} {how}"


def tell_failure(case: Case, error: RestoreError, display: Display) -> None:
    """Tell of what could not be measured."""
    display.error(error)
    if display.json:
        print(json_format.dumps({"case": asdict(case), "error": error.message}), flush=True)


def tell(timing: Timing, ratio: float | None, *, json: bool) -> None:
    """Print a measurement, as a line of the table or as JSON; `ratio` is by how much the plain form is slower."""
    case = timing.case
    if json:
        record = asdict(timing) | {
            "median": timing.median,
            "megapixels_per_second": timing.megapixels_per_second,
            "speed_up": ratio,
            "share_of_peak": timing.share_of_peak,
        }
        print(json_format.dumps(record), flush=True)
        return
    cells = (
        Path(case.model).name,
        f"{case.width}x{case.height}",
        timing.device,
        "plain" if case.plain else timing.precision,
        timing.tile or "whole",
        f"{1000 * timing.median:.0f}",
        f"{timing.megapixels_per_second:.3g}",
        f"{timing.peak_memory / 1e9:.2f} GB",
        f"{ratio:.2f}" if ratio else "-",
    )
    print(COLUMNS.format(*cells) + _roofline_cells(timing), flush=True)


def _roofline_cells(timing: Timing) -> str:
    if timing.roofline is None or timing.share_of_peak is None:
        return ""
    work, peak = timing.roofline.work, timing.roofline.peak
    return ROOFLINE_COLUMNS.format(
        f"{work.flops / 1e3:.0f}",
        f"{work.bytes:.0f}",
        f"{peak.flops / 1e12:.3g}",
        f"{peak.bytes / 1e9:.3g}",
        "memory" if timing.roofline.is_bound_by_memory else "FLOP",
        f"{timing.share_of_peak:.0%}",
    )
