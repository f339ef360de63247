"""`restore upscale`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from restore_cli.catalog import ModelCard, default_upscaler, find_card
from restore_cli.cli.options import EngineOptions, Inputs, OutputOptions, ReportOptions, expand_options
from restore_cli.cli.session import run_session
from restore_cli.display import Display
from restore_cli.errors import UsageError
from restore_cli.planning import plan_jobs
from restore_cli.sizing import Sizing, parse_sizing

if TYPE_CHECKING:
    from restore_cli.upscale import Upscaler


@expand_options
def upscale(
    inputs: Inputs,
    scale: Annotated[
        float | None,
        typer.Option("--scale", "-s", metavar="N", help="Factor from 1 to 16; by default that of the model, 4."),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Grow to fit inside this many pixels.")] = None,
    width: Annotated[int | None, typer.Option(metavar="PIXELS", help="Grow to this width.")] = None,
    height: Annotated[int | None, typer.Option(metavar="PIXELS", help="Grow to this height.")] = None,
    long_edge: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Grow until the longer side has this many pixels.")
    ] = None,
    strength: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, metavar="0..1", help="Share of the network's result; the rest is plainly resized."
        ),
    ] = 1.0,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over eight flips and turns: slightly better, eight times slower.")
    ] = False,
    *,
    output: OutputOptions,
    engine: EngineOptions,
    report: ReportOptions,
) -> None:
    """Make pictures larger and sharper.

    Without -o a result lies beside its input as NAME_x4; a folder's results lie in FOLDER_x4.
    """
    display = Display(quiet=report.quiet, verbose=report.verbose, json=report.json)
    sizing = parse_sizing(scale, size, width, height, long_edge)
    card = choose_card(engine.model, sizing)
    if sizing is None:
        sizing = Sizing(scale=card.scale if card else _scale_of_file(engine))
    plan = plan_jobs(
        inputs,
        output=output.output,
        suffix=sizing.suffix,
        format_name=output.format,
        recursive=output.recursive,
        overwrite=output.overwrite,
    )
    if engine.model is None and card and sizing.scale is not None and card.scale > sizing.scale > 1:
        display.note(f"no x{sizing.scale:g} model is built in: {card.name} runs and its result is reduced")
    run_session(plan, lambda: _load(card, engine, sizing, strength, tta, display), output, report, display)


def choose_card(model: str | None, sizing: Sizing | None) -> ModelCard | None:
    """Return the card that `--model` names, the default one for the size wanted, or None where it names a file.

    Raises:
        UnknownModelError: it is the name of nothing.
        UsageError: it does not fit the scale.
    """
    if model is None:
        return default_upscaler(sizing.scale if sizing and sizing.scale is not None else 4)
    if _is_file(model):
        return None
    card = find_card(model)
    if card.scale == 1 and (sizing is None or sizing.scale != 1):
        raise UsageError(f"{card.name} does not upscale ({card.summary})", "run it at the same size with --scale 1")
    return card


def _is_file(model: str) -> bool:
    return "/" in model or "\\" in model or model.endswith((".safetensors", ".pth", ".pt", ".ckpt"))


def _scale_of_file(engine: EngineOptions) -> float:
    from restore_cli.cli.loading import load_network

    return float(load_network(None, engine, Display()).scale)


def _load(
    card: ModelCard | None, engine: EngineOptions, sizing: Sizing, strength: float, tta: bool, display: Display
) -> Upscaler:
    from restore_cli.cli.loading import load_network, load_restorer
    from restore_cli.upscale import Upscaler

    restorer = load_restorer(load_network(card, engine, display), engine)
    return Upscaler(restorer, sizing, model=card.name if card else str(engine.model), strength=strength, tta=tta)
