"""`restore train`."""

from __future__ import annotations

import json as json_format
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore_cli.cli.interruption import interruption
from restore_cli.cli.options import Debug, Device, Quiet, Threads
from restore_cli.display import Display
from restore_cli.errors import INTERRUPTED, UnwritableWeightsError, UsageError
from restore_cli.files.locking import locked
from restore_cli.files.replacing import why_unwritable
from restore_cli.training import checkpoint_of, plot_of
from restore_cli.training.recipe import Recipe, read_recipe, recipe_names

if TYPE_CHECKING:
    from restore_cli.training.run_state import Report
    from restore_cli.training.session import Limits, Session

    Draw = Callable[[Sequence[Report], str, Path], None]

INSTALL = "pip install 'restore-cli[train]'"


def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="Name of a recipe, or a .toml file.", show_default=False)
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR", help="A folder of photographs, like --data DIR.", show_default=False),
    ] = None,
    list_recipes: Annotated[
        bool, typer.Option("--list", help="Show the recipes that are part of the package.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe, to be changed and used as a file.")] = False,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR...", help="Folders of photographs, with the folders in them."),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photographs to validate with; by default some of --data are held out."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Fine-tune these weights instead of what the recipe starts from."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Steps to take; by default the recipe's.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, metavar="N", help="Train for N minutes instead of a number of steps.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Weights to write; RECIPE.safetensors by default."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run of this output ended.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace weights that exist.")] = False,
    interval: Annotated[
        float,
        typer.Option(min=0.01, metavar="MINUTES", help="Longest time between two reports, each with a checkpoint."),
    ] = 2.0,
    device: Device = "auto",
    threads: Threads = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON record per report on standard output, or with --list per recipe."),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train or fine-tune a network on your own photographs, by a recipe.

    The weights that restore held-out photographs best are written to the output: of those after every 500 steps and the
    last, with --minutes of those of all reports. Beside it lie a checkpoint to --resume from, and a plot. Ctrl-C ends a
    run in good order.
    """
    display = Display(quiet=quiet, json=json)
    if list_recipes:
        _list_recipes(json=json)
        return
    if recipe is None:
        raise UsageError("no recipe was named", "'restore train --list' shows what there is")
    chosen = read_recipe(recipe)
    if show:
        print(chosen.text, end="")
        return
    if steps is not None and minutes is not None:
        raise UsageError("--steps and --minutes contradict each other", "give one of them")
    photographs = [*(data or ()), *(folders or ())]
    if not photographs:
        raise UsageError("no photographs were named", "name a folder with --data")
    weights = _choose_output(output, chosen)
    with _alone_at(weights):
        _check_earlier_run(weights, resume=resume, overwrite=overwrite)

        # Not every PyTorch decomposes SOAP's matrices on Apple's cards; whether the processor may is read as it loads.
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
        try:
            from restore_cli.training import plot, preparation, session
        except ImportError as error:
            raise UsageError(f"training needs a library that cannot be imported: {error}", INSTALL) from error

        limits = session.Limits(
            steps=None if minutes else steps or chosen.steps,
            seconds=60 * minutes if minutes else None,
            interval=60 * interval,
        )
        choices = preparation.Choices(photographs, validation, start, resume, device, threads)
        with preparation.memory_watched():
            run = preparation.prepare(chosen, choices, weights, limits, display.note)
        if resume:
            _tell_where(run, display)
        else:  # an earlier run that is replaced shall not be gone on with
            run.checkpoint.unlink(missing_ok=True)
        with preparation.memory_watched():
            interrupted = _run(run, chosen.name, plot.plot_history, display)
    if interrupted:
        display.note(f"interrupted after step {run.learner.step}; --resume goes on")
        raise typer.Exit(INTERRUPTED)


def _tell_where(run: Session, display: Display) -> None:
    """Say where a run goes on that should be resumed, or that it begins at the start."""
    if not run.history:
        display.note(f"there is no checkpoint {run.checkpoint}, so it begins at the start")
    elif run.is_done:
        display.note(f"nothing is left to do after step {run.learner.step}: --steps and --minutes count from the start")
    else:
        display.note(f"going on after step {run.learner.step}")


def _choose_output(output: Path | None, recipe: Recipe) -> Path:
    """Return the file of weights to write.

    Raises:
        UsageError: none can be written there.
    """
    weights = output or Path(f"{recipe.name}.safetensors")
    if weights.suffix != ".safetensors":
        raise UsageError(f"{weights} does not end in .safetensors")
    reason = why_unwritable(weights)
    if reason is not None:
        raise UsageError(f"{weights} cannot be written: {reason}", "name another file with -o")
    return weights


@contextmanager
def _alone_at(weights: Path) -> Iterator[None]:
    """Keep other runs from writing the same files while the context lasts.

    Raises:
        UsageError: another run writes them.
        UnwritableWeightsError: nothing can be written there.
    """
    hint = "name another file with -o"
    with ExitStack() as held:
        try:
            held.enter_context(locked(checkpoint_of(weights)))
        except BlockingIOError as error:
            raise UsageError(f"another run is training {weights}", f"wait until it has ended, or {hint}") from error
        except OSError as error:
            raise UnwritableWeightsError(f"cannot write {weights}: {error.strerror or error}", hint) from error
        yield


def _check_earlier_run(weights: Path, *, resume: bool, overwrite: bool) -> None:
    """Check that nothing is replaced against the user's will.

    Raises:
        UsageError: an earlier run, or somebody else, has written such a file, and nobody said that it may be replaced
            or gone on with.
    """
    checkpoint = checkpoint_of(weights)
    if overwrite or (resume and os.path.exists(checkpoint)):
        return
    for path in (weights, checkpoint, plot_of(weights)):
        if not os.path.lexists(path):
            continue
        if resume:
            raise UsageError(
                f"there is no checkpoint {checkpoint} to go on from, but {path} exists", "--overwrite begins afresh"
            )
        raise UsageError(f"{path} exists", "--resume goes on with an earlier run, --overwrite replaces it")


def _list_recipes(*, json: bool) -> None:
    for name in recipe_names():
        summary = read_recipe(name).summary
        print(json_format.dumps({"name": name, "summary": summary}) if json else f"{name}\t{summary}")


def _run(run: Session, title: str, draw: Draw, display: Display) -> bool:
    """Train, and tell of each report and draw it; return whether a signal ended it."""

    def report(state: Report) -> None:
        _tell(state, run.limits, display)
        try:
            draw(run.history, title, plot_of(run.output))
        except OSError as error:
            display.note(f"the plot cannot be written: {error.strerror}")

    with interruption() as interrupted, display.progress(1) as progress:
        run.run(report, progress.part, interrupted)
        return interrupted()


def _tell(report: Report, limits: Limits, display: Display) -> None:
    if display.json:
        print(json_format.dumps(asdict(report)), flush=True)
    of = f"/{limits.steps}" if limits.steps else ""
    if report.loss is None:
        display.say(f"step {report.step}{of}  PSNR {report.psnr:.3f} dB of what is started from")
        return
    display.say(
        f"step {report.step}{of}  loss {report.loss:.5f}  PSNR {report.psnr:.3f} dB  "
        f"{report.images_per_second:.1f} images/s  {report.seconds / 60:.1f} min"
    )
