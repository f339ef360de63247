"""From options to tasks that are ready for pictures.

What loads a task is sent to other processes, so it is a function of this module with plain arguments. It imports torch
when it is called, and never Typer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from restore_cli.card import ModelCard, TaskName
from restore_cli.cli.choice import UpscalerChoice, does_not_upscale, model_in_outcomes
from restore_cli.cli.engine_settings import EngineSettings
from restore_cli.errors import StateDictError
from restore_cli.telling import Tell

if TYPE_CHECKING:
    from restore_cli.device import Device
    from restore_cli.tasks.chain import Chain
    from restore_cli.tasks.enhance import Enhancer
    from restore_cli.tasks.matching import MatchingUpscaler
    from restore_cli.tasks.task import Task
    from restore_cli.tasks.upscale import Upscaler

WHOLE_SHARE = 1 / 16
"""Of the memory limit, up to which a result is handed on in one piece."""
Load = Callable[["Device", Tell], "Task"]
"""Loads a task for a device."""


def load_upscaler(
    engine: EngineSettings,
    device: Device,
    tell: Tell,
    *,
    choice: UpscalerChoice,
    settings: dict[str, Any],
) -> Upscaler | MatchingUpscaler:
    """Load an upscaler: the network of the chosen card, or where there is none of the file that `engine` names.

    Pictures that show how their files were compressed go through that which was chosen for them, if there is one.
    `settings` are those of `Upscaler` besides.

    Raises:
        WeightsError, DeviceError: as `load_network` and `load_restorer` do.
    """
    from restore_cli.cli.loading import load_network, load_restorer
    from restore_cli.passes.tile_plan import LARGEST_BAND
    from restore_cli.tasks.matching import MatchingUpscaler
    from restore_cli.tasks.upscale import Upscaler

    limit = device.host_memory.limit
    whole = LARGEST_BAND if limit is None else min(LARGEST_BAND, int(WHOLE_SHARE * limit))

    def load(card: ModelCard | None) -> Upscaler:
        network = load_network(card, engine, tell)
        if network.scale == 1 and choice.sizing.scale != 1:
            raise does_not_upscale(engine.model)
        restorer = load_restorer(network, engine, device)
        return Upscaler(restorer, choice.sizing, model=model_in_outcomes(card, engine), whole_bytes=whole, **settings)

    if choice.compressed is None:
        return load(choice.card)
    return MatchingUpscaler(load(choice.card), partial(load, choice.compressed))


def load_enhancer(
    engine: EngineSettings,
    device: Device,
    tell: Tell,
    *,
    task: TaskName,
    card: ModelCard | None,
    settings: dict[str, Any],
) -> Enhancer:
    """Load a network that keeps a picture's size; `settings` are those of the task's `Enhancer`.

    Raises:
        WeightsError, DeviceError: as `load_upscaler` does; a network that changes the size is a WeightsError, too.
    """
    from restore_cli.cli.loading import load_network, load_restorer
    from restore_cli.tasks.enhancers import ENHANCERS

    network = load_network(card, engine, tell)
    if network.scale != 1:
        raise StateDictError(f"{engine.model} makes pictures {network.scale} times as large", "use restore upscale")
    return ENHANCERS[task](load_restorer(network, engine, device), model=model_in_outcomes(card, engine), **settings)


def load_chain(device: Device, tell: Tell, *, steps: Sequence[Load]) -> Chain:
    """Load several tasks that follow each other.

    Raises:
        WeightsError, DeviceError: as the steps do.
    """
    from restore_cli.tasks.chain import Chain

    return Chain([load(device, tell) for load in steps])
