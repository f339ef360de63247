"""`restore run`: several steps in one go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import typer

from restore_cli.card import ModelCard
from restore_cli.cli.checks import check_key
from restore_cli.cli.choice import choose_enhancer, choose_upscaler, identify_model
from restore_cli.cli.engine_settings import EngineSettings
from restore_cli.cli.expansion import expand_options
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, Inputs, ReportOptions
from restore_cli.cli.request import Request
from restore_cli.cli.session import run_session
from restore_cli.cli.tasks import Load, load_chain, load_enhancer, load_upscaler
from restore_cli.errors import UsageError
from restore_cli.tasks.sizing import OutputSize, parse_sizing, same_size, size_after
from restore_cli.tasks.steps import STEPS, Step, describe_keys, parse_step


@partial(expand_options, hidden=("model",))  # each step has its own
def run(
    inputs: Inputs = None,
    *,
    step: Annotated[
        list[str],
        typer.Option(
            "--step",
            metavar="NAME[:KEY=VALUE,...]",
            help=f"A step, in the order given: {', '.join(STEPS)}; for example upscale:scale=2,strength=0.8. "
            f"{describe_keys()}",
        ),
    ],
    files: FileOptions,
    engine: EngineOptions,
    batch: BatchOptions,
    report: ReportOptions,
) -> None:
    """Carry out several steps, with nothing rounded to 8 bits or encoded between them.

    Without -o a result lies beside its input with the steps in its name; a folder's results lie in such a folder.
    """
    if engine.model is not None:
        raise UsageError("--model does not say for which step", "write it in the step: --step upscale:model=NAME")
    steps = [_prepare(parse_step(text), engine.settings) for text in step]
    check_key(engine.key, [prepared.engine.model for prepared in steps])
    request = Request(inputs, files, batch, engine, report)
    for prepared in steps:
        if prepared.note:
            request.display.note(prepared.note)

    def settings() -> list[Any]:
        return [*step, *(prepared.identify(engine.device) for prepared in steps)]

    run_session(
        request,
        partial(load_chain, steps=[prepared.load for prepared in steps]),
        settings,
        suffix="".join(prepared.suffix for prepared in steps),
        output_size=partial(size_after, [prepared.output_size for prepared in steps]),
    )


@dataclass(frozen=True, slots=True)
class PreparedStep:
    """A step that was checked."""

    suffix: str
    """What it adds to names of results."""
    card: ModelCard | None
    engine: EngineSettings
    """With the model that it names."""
    load: Load
    """Loads its task when there is work."""
    output_size: OutputSize = same_size
    compressed: ModelCard | None = None
    """What pictures get instead of `card` that show how their files were compressed."""
    note: str = ""
    """What the user should know of it."""

    def identify(self, device: str) -> dict[str, Any]:
        """Return what tells the step's networks from all others; `device` is the one that the user names."""
        return identify_model(self.card, self.engine, device, self.compressed)


def _prepare(step: Step, engine: EngineSettings) -> PreparedStep:
    """Check a step.

    Raises:
        UsageError: its model does not fit it.
        WeightsError: its model is a file that is wrong.
    """
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in step.values.items()}
    engine = replace(engine, model=values.pop("model", None))
    if step.name == "upscale":
        return _prepare_upscale(engine, values)
    card = choose_enhancer(engine.model, step.name, f"--step {step.name}:model=FILE")
    load = partial(load_enhancer, engine, task=step.name, card=card, settings=values)
    return PreparedStep(f"_{step.name}", card, engine, load)


def _prepare_upscale(engine: EngineSettings, values: dict[str, Any]) -> PreparedStep:
    keys = ("scale", "size", "width", "height", "long_edge")
    wanted = parse_sizing(*(values.pop(key, None) for key in keys), prefix="")  # of the types that STEPS reads
    choice = choose_upscaler(engine, wanted, values.pop("speed", None), prefix="")
    return PreparedStep(
        choice.sizing.suffix,
        choice.card,
        engine,
        partial(load_upscaler, engine, choice=choice, settings=values),
        choice.sizing.output_size,
        choice.compressed,
        choice.note,
    )
