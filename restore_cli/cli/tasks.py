"""From options to tasks that are ready for pictures; imports torch, so commands import it when they need it."""

from __future__ import annotations

from typing import Any

from restore_cli.card import ModelCard, Task
from restore_cli.cli.loading import load_network, load_restorer
from restore_cli.cli.options import EngineOptions
from restore_cli.display import Display
from restore_cli.enhance import Brightener, Cleaner, Enhancer
from restore_cli.errors import StateDictError
from restore_cli.sizing import Sizing
from restore_cli.tile_plan import BAND_BYTES
from restore_cli.upscale import Upscaler

SHARE_OF_WHOLE = 16
"""A result is handed on in one piece up to this part of the memory limit: a sixteenth."""
ENHANCERS: dict[Task, type[Enhancer]] = {
    "lowlight": Brightener,
    "deblur": Enhancer,
    "denoise": Cleaner,
    "dejpeg": Cleaner,
}
"""What carries out each task that keeps a picture's size."""


def load_upscaler(
    card: ModelCard | None,
    engine: EngineOptions,
    display: Display,
    *,
    sizing: Sizing,
    strength: float = 1.0,
    tta: bool = False,
) -> Upscaler:
    """Load an upscaler.

    Raises:
        WeightsError, DeviceError: as `load_network` and `load_restorer` do.
    """
    restorer = load_restorer(load_network(card, engine, display), engine)
    whole = BAND_BYTES if engine.memory_limit is None else min(BAND_BYTES, engine.memory_limit // SHARE_OF_WHOLE)
    return Upscaler(restorer, sizing, model=_name(card, engine), strength=strength, tta=tta, whole_bytes=whole)


def load_enhancer(
    task: Task, card: ModelCard | None, engine: EngineOptions, display: Display, **settings: Any
) -> Enhancer:
    """Load a network that keeps a picture's size; `settings` are those of the task's `Enhancer`.

    Raises:
        WeightsError, DeviceError: as `load_upscaler` does; a network that changes the size is a WeightsError, too.
    """
    network = load_network(card, engine, display)
    if network.scale != 1:
        raise StateDictError(f"{engine.model} makes pictures {network.scale} times as large", "use restore upscale")
    return ENHANCERS[task](load_restorer(network, engine), model=_name(card, engine), **settings)


def _name(card: ModelCard | None, engine: EngineOptions) -> str:
    return card.name if card else str(engine.model)
