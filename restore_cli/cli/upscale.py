"""`restore upscale`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from restore_cli.card import Speed
from restore_cli.cli.checks import check_key
from restore_cli.cli.choice import choose_upscaler, identify_model, model_in_file_names
from restore_cli.cli.expansion import expand_options
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, Inputs, ReportOptions, TraitOptions, Tta
from restore_cli.cli.request import Request
from restore_cli.cli.session import run_session
from restore_cli.cli.tasks import load_upscaler
from restore_cli.cli.values import parse_scale
from restore_cli.tasks.sizing import parse_sizing


@expand_options
def upscale(
    inputs: Inputs = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            "-s",
            parser=parse_scale,
            metavar="N",
            help="Factor from 1 to 16; by default that of the model, 4.",
        ),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Grow to fit inside this many pixels.")] = None,
    width: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Grow to this width; with --height: inside both.")
    ] = None,
    height: Annotated[int | None, typer.Option(metavar="PIXELS", help="Grow to this height.")] = None,
    long_edge: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Grow until the longer side has this many pixels.")
    ] = None,
    copy_rest: Annotated[
        bool,
        typer.Option("--copy-rest", help="Copy pictures that are large enough already, so that none is missing."),
    ] = False,
    speed: Annotated[
        Speed | None,
        typer.Option(
            case_sensitive=False,
            help="Pick the model: balanced is built in and the default; fast and best are downloaded when first used.",
        ),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, metavar="0..1", help="Share of the network's result; the rest is plainly resized."
        ),
    ] = 1.0,
    restore_alpha: Annotated[
        bool,
        typer.Option(
            "--restore-alpha",
            help="Put alpha through the network, too, and not only resize it: sharper outlines, twice the time.",
        ),
    ] = False,
    tta: Tta = False,
    *,
    traits: TraitOptions,
    files: FileOptions,
    engine: EngineOptions,
    batch: BatchOptions,
    report: ReportOptions,
) -> None:
    """Make pictures larger and sharper.

    Without -o a result lies beside its input as NAME_x4; a folder's results lie in FOLDER_x4. Compressed pictures
    (JPEG, lossy WebP, AVIF) get a network of their own; --verbose tells which.
    """
    check_key(engine.key, [engine.model])
    choice = choose_upscaler(engine.settings, parse_sizing(scale, size, width, height, long_edge), speed)
    sizing = choice.sizing
    request = Request(inputs, files, batch, engine, report, copy_rest)
    if choice.note:
        request.display.note(choice.note)
    facts = {
        "scale": sizing.label,
        "model": "auto" if choice.compressed else model_in_file_names(choice.card, engine.settings),
    }
    settings = {"strength": strength, "tta": tta} | traits.settings | ({"restore_alpha": True} if restore_alpha else {})
    run_session(
        request,
        partial(load_upscaler, engine.settings, choice=choice, settings=settings),
        lambda: (
            identify_model(choice.card, engine.settings, engine.device, choice.compressed)
            | {"size": sizing.suffix}
            | settings
        ),
        suffix=sizing.suffix,
        facts=facts,
        output_size=sizing.output_size,
    )
