"""Which checkpoint a command runs: the one named, or the one that is built in for its task."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from restore_cli.card import ModelCard, Speed, TaskName
from restore_cli.catalog import default_for, default_for_compressed, default_upscaler, find_card, names_file
from restore_cli.cli.engine_settings import EngineSettings
from restore_cli.errors import StateDictError, UsageError
from restore_cli.files.hashing import sha256_of
from restore_cli.tasks.sizing import Sizing


@dataclass(frozen=True, slots=True)
class UpscalerChoice:
    """Which checkpoints make pictures larger, and by how much."""

    card: ModelCard | None
    """None where it is a file of the user's own."""
    compressed: ModelCard | None
    """What compressed pictures get instead; None where all get the same."""
    sizing: Sizing
    note: str = ""
    """What the user should know of it."""


def choose_upscaler(
    engine: EngineSettings, wanted: Sizing | None, speed: Speed | None = None, *, prefix: str = "--"
) -> UpscalerChoice:
    """Choose what `--model` names, or the default for the size and `--speed`; by default a model's own scale.

    `prefix` is what the user puts before these names.

    Raises:
        UnknownModelError: it is the name of nothing.
        UsageError: it does not fit the scale, or a speed is asked for, too.
        WeightsError: it is a file that is wrong or does not upscale, where no scale is given.
    """
    card = _choose_card(engine.model, wanted, speed, prefix)
    sizing = wanted or Sizing(scale=card.scale if card else _scale_of_file(engine))
    if wanted is None and sizing.scale == 1:
        raise does_not_upscale(engine.model)
    if engine.model is not None or card is None:
        return UpscalerChoice(card, None, sizing)
    note = ""
    if sizing.scale and 1 < sizing.scale < card.scale and not card.continuous:
        note = f"no x{sizing.scale:g} model is listed as {speed}: {card.name} runs and its result is reduced"
    return UpscalerChoice(card, default_for_compressed(card, sizing.scale), sizing, note)


def _choose_card(model: str | None, sizing: Sizing | None, speed: Speed | None, prefix: str) -> ModelCard | None:
    if model is None:
        return default_upscaler(sizing.scale if sizing else 4, speed or Speed.BALANCED)
    if speed is not None:
        raise UsageError(f"{prefix}speed and {prefix}model contradict each other", "give one of them")
    if names_file(model):
        return None
    card = find_card(model)
    if card.scale == 1 and (sizing is None or sizing.scale != 1):
        raise UsageError(f"{card.name} does not upscale", f"'restore {card.task}' runs it")
    return card


def does_not_upscale(model: str | None) -> StateDictError:
    """Make the error that a weights file `model` holds a network of scale 1."""
    return StateDictError(f"{model} does not upscale", "restore lowlight, deblur, denoise or dejpeg may run it")


def _scale_of_file(engine: EngineSettings) -> float:
    from restore_cli.device import prepare_host
    from restore_cli.weights import build, load_path

    prepare_host()  # which must come before the first tensor
    return float(build(load_path(engine.weights_file, engine.key)).scale)


def choose_enhancer(model: str | None, task: TaskName, option: str = "--model FILE") -> ModelCard | None:
    """Return the card that `--model` names, the built-in one for `task`, or None where it names a file.

    `option` is how the user names a file.

    Raises:
        UnknownModelError: it is the name of nothing.
        UsageError: it is made for another task, or there is none for this one.
    """
    if model is None:
        card = default_for(task)
        if card is None:
            raise UsageError(f"no model for {task} is built in or listed", f"give a weights file with {option}")
        return card
    if names_file(model):
        return None
    card = find_card(model)
    if card.task != task:
        raise UsageError(f"{card.name} is made for {card.task}, not for {task}", f"'restore {card.task}' runs it")
    return card


def model_in_file_names(card: ModelCard | None, engine: EngineSettings) -> str:
    """Return what files of results may be named after: the card's name, or the stem of the weights file."""
    return card.name if card else engine.weights_file.stem


def model_in_outcomes(card: ModelCard | None, engine: EngineSettings) -> str:
    """Return what outcomes call the model: the card's name, or the weights file."""
    return card.name if card else str(engine.weights_file)


def identify_model(
    card: ModelCard | None, engine: EngineSettings, device: str, compressed: ModelCard | None = None
) -> dict[str, Any]:
    """Return what tells the networks and the way they run from all others, fit for JSON.

    `device` is the one that the user names. `compressed` is what pictures get that show how their files were
    compressed, if not the same.
    """
    weights = card.sha256 or card.name if card else None
    if card is None:
        with suppress(OSError):  # whoever loads the file tells why it cannot be read
            weights = sha256_of(engine.weights_file)
    identity = {
        "weights": weights,
        "key": engine.key,
        "device": device,
        "precision": engine.precision,
    }
    return identity | ({"weights_for_compressed": compressed.sha256} if compressed else {})
