"""`restore bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restore_cli.cards import CARDS
from restore_cli.catalog import find_card, names_file
from restore_cli.cli.checks import check_key
from restore_cli.cli.options import Debug, Device, Threads
from restore_cli.cli.timings import describe, print_header, tell, tell_failure
from restore_cli.cli.values import PrecisionChoice, complete_model, parse_tile
from restore_cli.display import Display
from restore_cli.errors import INTERRUPTED, RestoreError, UsageError
from restore_cli.files.replacing import folders_for, why_unwritable
from restore_cli.tasks.sizing import parse_frame

if TYPE_CHECKING:
    from restore_cli.benchmark.case import Case, Timing
    from restore_cli.passes.tile_plan import TilePolicy


def bench(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FILE",
            help="Model or weights file to measure, may be given several times; by default all that are built in.",
            autocompletion=complete_model,
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="NAME", help="Where a .pth file holds its weights.")] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="WxH", help="Size of the input, may be given several times; by default 1024x1024."),
    ] = None,
    precision: Annotated[
        list[PrecisionChoice] | None,
        typer.Option(
            case_sensitive=False,
            metavar="|".join(PrecisionChoice),
            help="Numbers to compute with, may be given several times; by default auto.",
        ),
    ] = None,
    tile: Annotated[
        list[str] | None,
        typer.Option(
            parser=parse_tile, metavar="auto|off|N", help="Side of a tile, may be given several times; by default auto."
        ),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Also measure the plain form, and tell by how much it is slower.")
    ] = False,
    roofline: Annotated[
        bool,
        typer.Option(
            "--roofline", help="Also tell what a pixel takes, what the machine can do, and the share that is reached."
        ),
    ] = False,
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="Runs that are counted, after one that is not.")] = 3,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the speeds into a PNG.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON record per measurement or failure.")] = False,
    debug: Debug = False,
) -> None:
    """Measure how fast models run on this machine, and in how much memory.

    The time is from an array of 8-bit samples to that of the result, the median of several runs; megapixels are those
    of the input, memory is that of the whole process. Every measurement runs in a process of its own. The plain form is
    the network in one piece, operation by operation, in float32.

    With --roofline: operations and bytes of memory per pixel of the input, where every layer reads its input and writes
    its result once; the machine's peak, by a large matrix product and a large copy in the same precision; which of the
    two is the limit, and how much of that is reached.

    Measurements that fail, for lack of memory for example, are reported and left out. Ctrl-C ends the run; what was
    measured until then is told and drawn all the same.
    """
    models = model or [card.name for card in CARDS if card.embedded]
    for name in models:
        if not names_file(name):
            find_card(name)
    check_key(key, models)
    sizes = [parse_frame(text) for text in size or ["1024x1024"]]
    if plot:
        _check_plot(plot)
    draw = _import_plot() if plot else None

    from restore_cli.benchmark.case import Case
    from restore_cli.cli.loading import tile_policy
    from restore_cli.device import find_device
    from restore_cli.weights import build, load_path

    find_device(device)
    for name in models:
        if names_file(name):
            build(load_path(Path(name), key))
    pictures = [
        Case(name, width, height, device, threads=threads, key=key, roofline=roofline)
        for name, (width, height) in product(models, sizes)
    ]
    ways = product(precision or [PrecisionChoice.AUTO], tile or ["auto"])
    cases = _vary(pictures, [(numbers.value, tile_policy(side)) for numbers, side in ways], baseline=baseline)
    if not json:
        print_header(roofline=roofline)
    told, code = _measure(cases, runs, Display(json=json), debug=debug)
    if draw and plot and told:
        try:
            with folders_for(plot):
                draw([describe(timing) for timing in told], [timing.megapixels_per_second for timing in told], plot)
        except OSError as error:
            raise UsageError(f"the plot {plot} cannot be written: {error.strerror}") from error
    if code:
        raise typer.Exit(code)


def _check_plot(plot: Path) -> None:
    reason = why_unwritable(plot)
    if reason is None and plot.suffix.lower() != ".png":
        reason = "it does not end in .png"
    if reason:
        raise UsageError(f"the plot {plot} cannot be written: {reason}", "name another file with --plot")


def _import_plot() -> Any:
    try:
        from restore_cli.benchmark.plot import plot_speeds
    except ImportError as error:
        raise UsageError(
            f"drawing needs a library that cannot be imported: {error}", "pip install matplotlib"
        ) from error
    return plot_speeds


def _vary(pictures: Sequence[Case], ways: Sequence[tuple[str, TilePolicy]], *, baseline: bool) -> list[Case]:
    """Return each case in each precision with each side of tiles; the plain form comes before them."""
    cases = []
    for case in pictures:
        cases += [replace(case, plain=True)] if baseline else []
        cases += [replace(case, precision=precision, tile=tile) for precision, tile in ways]
    return cases


def _measure(cases: Sequence[Case], runs: int, display: Display, *, debug: bool) -> tuple[list[Timing], int]:
    """Measure and tell case by case; return what was measured until the end or Ctrl-C, and the exit code."""
    from restore_cli.benchmark.case import measure_apart

    code = 0
    told: list[Timing] = []
    plain: dict[tuple[str, int, int], float] = {}
    try:
        for case in cases:
            try:
                timing = measure_apart(case, runs)
            except RestoreError as error:
                if debug:
                    raise
                tell_failure(case, error, display)
                code = code or error.exit_code
                continue
            measured = (case.model, case.width, case.height)
            if case.plain:
                plain[measured] = timing.median
            tell(timing, plain[measured] / timing.median if measured in plain else None, json=display.json)
            told.append(timing)
    except KeyboardInterrupt:
        display.note(f"interrupted after {len(told)} of {len(cases)} measurements")
        code = INTERRUPTED
    return told, code
