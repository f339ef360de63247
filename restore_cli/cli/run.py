"""`restore run`: several steps in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restore_cli.cli.choice import choose_enhancer, choose_upscaler
from restore_cli.cli.options import EngineOptions, Inputs, OutputOptions, ReportOptions, expand_options
from restore_cli.cli.session import plan_session, run_session
from restore_cli.display import Display
from restore_cli.errors import UsageError
from restore_cli.sizing import Sizing, parse_sizing
from restore_cli.steps import STEPS, Step, parse_step

if TYPE_CHECKING:
    from restore_cli.chain import Chain
    from restore_cli.task import Task


@expand_options
def run(
    inputs: Inputs,
    step: Annotated[
        list[str],
        typer.Option(
            "--step",
            metavar="NAME[:KEY=VALUE,...]",
            help=f"A step, in the order given: {', '.join(STEPS)}; for example upscale:scale=2,strength=0.8.",
        ),
    ],
    *,
    output: OutputOptions,
    engine: EngineOptions,
    report: ReportOptions,
) -> None:
    """Carry out several steps, with nothing rounded to 8 bits or encoded between them.

    Without -o a result lies beside its input with the steps in its name; a folder's results lie in such a folder.
    """
    display = Display(quiet=report.quiet, verbose=report.verbose, json=report.json)
    if engine.model is not None:
        raise UsageError("--model does not say for which step", "write it in the step: --step upscale:model=NAME")
    steps = [parse_step(text) for text in step]
    loaders = [_prepare(one, engine, display) for one in steps]

    def load() -> Chain:
        from restore_cli.chain import Chain

        return Chain([loader() for loader in loaders])

    suffix = "".join(_suffix(one) for one in steps)
    run_session(plan_session(inputs, output, suffix), load, output, report, display)


def _prepare(step: Step, engine: EngineOptions, display: Display) -> Callable[[], Task]:
    """Check a step and return what loads its task, before anything is loaded."""
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in step.values.items()}
    model = values.pop("model", None)
    engine = replace(engine, model=model)
    tta, strength = values.pop("tta", False), values.pop("strength", None)
    if step.name == "upscale":
        sizing = _sizing_of(step)
        card = choose_upscaler(model, sizing)
        sizing = sizing or Sizing(scale=card.scale if card else 4)

        def load_upscaler() -> Task:
            from restore_cli.cli import tasks

            share = 1.0 if strength is None else strength
            return tasks.load_upscaler(card, engine, display, sizing=sizing, strength=share, tta=tta)

        return load_upscaler
    card = choose_enhancer(model, "lowlight" if step.name == "lowlight" else "deblur")

    def load_enhancer() -> Task:
        from restore_cli.cli import tasks

        if step.name == "lowlight":
            keep = values.get("preserve_highlights", True)
            return tasks.load_brightener(card, engine, display, strength=strength, tta=tta, preserve_highlights=keep)
        return tasks.load_enhancer(card, engine, display, strength=strength, tta=tta)

    return load_enhancer


def _sizing_of(step: Step) -> Sizing | None:
    keys = ("scale", "size", "width", "height", "long-edge")
    return parse_sizing(*(step.values.get(key) for key in keys))  # type: ignore[arg-type]  # as STEPS reads them


def _suffix(step: Step) -> str:
    if step.name != "upscale":
        return f"_{step.name}"
    return (_sizing_of(step) or Sizing(scale=4)).suffix
