"""From options to tasks that are ready for pictures; imports torch, so commands import it when they need it."""

from __future__ import annotations

from restore_cli.card import ModelCard
from restore_cli.cli.loading import load_network, load_restorer
from restore_cli.cli.options import EngineOptions
from restore_cli.display import Display
from restore_cli.enhance import Brightener, Enhancer
from restore_cli.errors import StateDictError
from restore_cli.restorer import Restorer
from restore_cli.sizing import Sizing
from restore_cli.upscale import Upscaler


def load_upscaler(
    card: ModelCard | None, engine: EngineOptions, display: Display, *, sizing: Sizing, strength: float, tta: bool
) -> Upscaler:
    """Load an upscaler.

    Raises:
        WeightsError, DeviceError: as `load_network` and `load_restorer` do.
    """
    restorer = load_restorer(load_network(card, engine, display), engine)
    return Upscaler(restorer, sizing, model=_name(card, engine), strength=strength, tta=tta)


def load_enhancer(
    card: ModelCard | None, engine: EngineOptions, display: Display, *, strength: float | None, tta: bool
) -> Enhancer:
    """Load a network that keeps a picture's size.

    Raises:
        WeightsError, DeviceError: as `load_upscaler` does; a network that changes the size is a WeightsError, too.
    """
    return Enhancer(_same_size(card, engine, display), model=_name(card, engine), strength=strength, tta=tta)


def load_brightener(
    card: ModelCard | None,
    engine: EngineOptions,
    display: Display,
    *,
    strength: float | None,
    tta: bool,
    preserve_highlights: bool,
) -> Brightener:
    """Load a network that brightens.

    Raises:
        WeightsError, DeviceError: as `load_enhancer` does.
    """
    return Brightener(
        _same_size(card, engine, display),
        model=_name(card, engine),
        strength=strength,
        tta=tta,
        preserve_highlights=preserve_highlights,
    )


def _same_size(card: ModelCard | None, engine: EngineOptions, display: Display) -> Restorer:
    network = load_network(card, engine, display)
    if network.scale != 1:
        raise StateDictError(f"{engine.model} makes pictures {network.scale} times as large", "use restore upscale")
    return load_restorer(network, engine)


def _name(card: ModelCard | None, engine: EngineOptions) -> str:
    return card.name if card else str(engine.model)
