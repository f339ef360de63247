"""`restore lowlight`, `deblur`, `denoise` and `dejpeg`: the commands that keep a picture's size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from restore_cli.card import TaskName
from restore_cli.catalog import default_for
from restore_cli.cli.checks import check_key
from restore_cli.cli.choice import choose_enhancer, identify_model, model_in_file_names
from restore_cli.cli.expansion import expand_options
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, Inputs, ReportOptions, TraitOptions, Tta
from restore_cli.cli.request import Request
from restore_cli.cli.session import run_session
from restore_cli.cli.tasks import load_enhancer

PURPOSES: dict[TaskName, str] = {
    "deblur": "Make blurred pictures sharp.",
    "denoise": "Take the noise out of pictures. How strong it is, the network finds out by itself.",
    "dejpeg": "Take the blocks and halos of JPEG compression out of pictures. Of JPEGs of high quality less is taken "
    "out, of the best nothing, unless --strength is given.",
}
"""The commands that differ in nothing but their model, and what each is for."""


def enhance(task: TaskName, request: Request, **settings: Any) -> None:
    """Carry out the command `task`; `settings` are those of its `Enhancer`.

    Raises:
        UsageError: as `choose_enhancer` and `run_session` do.
        typer.Exit: as `run_session` does.
    """
    engine = request.engine
    check_key(engine.key, [engine.model])
    card = choose_enhancer(engine.model, task)
    facts = {"scale": "1", "model": model_in_file_names(card, engine.settings)}
    run_session(
        request,
        partial(load_enhancer, engine.settings, task=task, card=card, settings=settings),
        lambda: identify_model(card, engine.settings, engine.device) | {"task": task} | settings,
        suffix=f"_{task}",
        facts=facts,
    )


@expand_options
def lowlight(
    inputs: Inputs = None,
    strength: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="0..1",
            help="Share of the network's light; by default full for dark pictures, none for bright ones.",
        ),
    ] = None,
    preserve_highlights: Annotated[
        bool, typer.Option(help="Keep differences between bright parts that would all become white.")
    ] = True,
    tta: Tta = False,
    *,
    traits: TraitOptions,
    files: FileOptions,
    engine: EngineOptions,
    batch: BatchOptions,
    report: ReportOptions,
) -> None:
    """Make dark, noisy pictures clear.

    Without -o a result lies beside its input as NAME_lowlight; a folder's results lie in FOLDER_lowlight.
    """
    settings = {"strength": strength, "tta": tta, "preserve_highlights": preserve_highlights} | traits.settings
    enhance("lowlight", Request(inputs, files, batch, engine, report), **settings)


def make_command(task: TaskName) -> Callable[..., None]:
    """Make the command of a task in `PURPOSES`."""

    def command(
        inputs: Inputs = None,
        strength: Annotated[
            float | None,
            typer.Option(
                min=0.0,
                max=1.0,
                metavar="0..1",
                help="Share of the network's result; the rest is the picture as it is. All by default.",
            ),
        ] = None,
        tta: Tta = False,
        *,
        traits: TraitOptions,
        files: FileOptions,
        engine: EngineOptions,
        batch: BatchOptions,
        report: ReportOptions,
    ) -> None:
        enhance(task, Request(inputs, files, batch, engine, report), strength=strength, tta=tta, **traits.settings)

    command.__doc__ = f"""{PURPOSES[task]}{_model_note(task)}

    Without -o a result lies beside its input as NAME_{task}; a folder's results lie in FOLDER_{task}.
    """
    return expand_options(command)


def short_help(task: TaskName) -> str:
    """Return what the list of commands says of a task."""
    sentence, _, _ = PURPOSES[task].partition(". ")
    return sentence.rstrip(".") + ("." if default_for(task) else " (with weights of your own).")


def _model_note(task: TaskName) -> str:
    """Say what a user of `task` has to fetch or bring."""
    card = default_for(task)
    if card is None:
        return " No model for it is listed yet: bring your own with --model FILE."
    return "" if card.embedded else f" The model {card.name} is downloaded when first used."
