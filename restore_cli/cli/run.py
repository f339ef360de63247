"""`restore run`: several steps in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restore_cli.card import ModelCard
from restore_cli.cli.choice import choose_enhancer, choose_upscaler, identify_model
from restore_cli.cli.enhance import prepare_enhancer
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, Inputs, ReportOptions, expand_options
from restore_cli.cli.session import Request, plan_session, run_session
from restore_cli.display import Display
from restore_cli.errors import UsageError
from restore_cli.sizing import Sizing, parse_sizing
from restore_cli.steps import STEPS, Step, parse_step

if TYPE_CHECKING:
    from restore_cli.chain import Chain
    from restore_cli.task import Task


@expand_options
def run(
    inputs: Inputs = None,
    *,
    step: Annotated[
        list[str],
        typer.Option(
            "--step",
            metavar="NAME[:KEY=VALUE,...]",
            help=f"A step, in the order given: {', '.join(STEPS)}; for example upscale:scale=2,strength=0.8.",
        ),
    ],
    files: FileOptions,
    batch: BatchOptions,
    engine: EngineOptions,
    report: ReportOptions,
) -> None:
    """Carry out several steps, with nothing rounded to 8 bits or encoded between them.

    Without -o a result lies beside its input with the steps in its name; a folder's results lie in such a folder.
    """
    request = Request(inputs, files, batch, report)
    display = request.display()
    if engine.model is not None:
        raise UsageError("--model does not say for which step", "write it in the step: --step upscale:model=NAME")
    steps = [_prepare(parse_step(text), engine, display) for text in step]

    def load() -> Chain:
        from restore_cli.chain import Chain

        return Chain([prepared.load() for prepared in steps])

    suffix = "".join(prepared.suffix for prepared in steps)

    def settings() -> list[Any]:
        return [*step, *(identify_model(prepared.card, prepared.engine) for prepared in steps)]

    run_session(plan_session(request, suffix), load, request, display, settings)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step that was checked."""

    suffix: str
    """What it adds to names of results."""
    card: ModelCard | None
    engine: EngineOptions
    """With the step's own model."""
    load: Callable[[], Task]
    """Loads its task when there is work."""


def _prepare(step: Step, engine: EngineOptions, display: Display) -> Prepared:
    """Check a step.

    Raises:
        UsageError: its model does not fit it.
    """
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in step.values.items()}
    engine = replace(engine, model=values.pop("model", None))
    if step.name == "upscale":
        return _prepare_upscale(values, engine, display)
    card = choose_enhancer(engine.model, step.name)
    return Prepared(f"_{step.name}", card, engine, prepare_enhancer(step.name, card, engine, display, values))


def _prepare_upscale(values: dict[str, Any], engine: EngineOptions, display: Display) -> Prepared:
    keys = ("scale", "size", "width", "height", "long_edge")
    wanted = parse_sizing(*(values.pop(key, None) for key in keys))  # of the types that STEPS reads
    card = choose_upscaler(engine.model, wanted, values.pop("speed", None))
    if wanted is None and card is None:
        raise UsageError("the step upscale with a file of your own says no scale", "write upscale:model=FILE,scale=4")
    sizing = wanted or Sizing(scale=card.scale if card else None)

    def load() -> Task:
        from restore_cli.cli import tasks

        return tasks.load_upscaler(card, engine, display, sizing=sizing, **values)

    return Prepared(sizing.suffix, card, engine, load)
