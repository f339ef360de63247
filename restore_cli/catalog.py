"""Finding checkpoints by name and task."""

from __future__ import annotations

from restore_cli.card import ModelCard, Speed, TaskName
from restore_cli.cards import CARDS
from restore_cli.errors import UnknownModelError, did_you_mean


def names_file(model: str) -> bool:
    """Tell whether what the user calls a model is a file and not a checkpoint of the catalogue."""
    return "/" in model or "\\" in model or model.lower().endswith((".safetensors", ".pth", ".pt", ".ckpt"))


def find_card(name: str) -> ModelCard:
    """Return the card called `name`, in capital or small letters.

    Raises:
        UnknownModelError: there is none; the hint names the nearest.
    """
    folded = name.lower()
    for card in CARDS:
        if card.name == folded:
            return card
    guess = did_you_mean(folded, (card.name for card in CARDS))
    raise UnknownModelError(f"no model is called {name!r}", f"{guess}'restore models list' shows all")


def default_upscaler(scale: float | None, speed: Speed = Speed.BALANCED) -> ModelCard:
    """Return the upscaler to use for a scale; None is one that differs from picture to picture.

    Best is that of the scale, then one for any scale, then a larger one, whose result is reduced. It is one of the
    embedded ones where `speed` is balanced.
    """
    upscalers = [card for card in CARDS if card.task == "upscale" and not card.for_compressed]
    fitting = [card for card in upscalers if (card.embedded if speed is Speed.BALANCED else card.speed == speed)]

    def detour(card: ModelCard) -> tuple[bool, bool, float, bool]:
        if scale is None:
            return (False, not card.continuous, -card.scale, False)
        return (card.scale < scale, not card.reaches(scale), abs(card.scale - scale), card.continuous)

    return min(fitting, key=detour)


def default_for_compressed(card: ModelCard, scale: float | None) -> ModelCard | None:
    """Return what compressed pictures get where clean ones get the upscaler `card` by default; None if that serves all.

    It is the embedded one of the least scale that is enough, since a larger result can be reduced; of the largest one
    where none is, or `scale` is None and so differs from picture to picture.
    """
    made_for = [other for other in CARDS if other.for_compressed and other.embedded]
    if not card.embedded or not made_for:
        return None
    enough = [other for other in made_for if scale is not None and other.scale >= scale]
    return min(enough, key=lambda other: other.scale) if enough else max(made_for, key=lambda other: other.scale)


def built_in_for(card: ModelCard) -> ModelCard | None:
    """Return the embedded card of the task and scale of `card`, which needs no network; None without any."""
    fitting = [other for other in CARDS if other.embedded and (other.task, other.scale) == (card.task, card.scale)]
    return min(fitting, key=lambda other: other.for_compressed != card.for_compressed, default=None)


def default_for(task: TaskName) -> ModelCard | None:
    """Return the card that a command of `task` runs unless told otherwise: an embedded one first; None without any."""
    cards = [card for card in CARDS if card.task == task]
    return min(cards, key=lambda card: not card.embedded, default=None)
