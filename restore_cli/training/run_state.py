"""What a run goes on from after an interruption: its checkpoint, written and read."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from restore_cli.device import is_out_of_memory
from restore_cli.errors import UsageError, WeightsError
from restore_cli.training.recipe import Recipe
from restore_cli.weights import write_whole

AFRESH = "--overwrite instead of --resume begins afresh"
"""What helps where a checkpoint does not."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a run stands at the end of an interval, or before its first step."""

    step: int
    seconds: float
    """Spent learning since the first step, interruptions left out."""
    loss: float | None
    """Mean of the steps since the last report; None before the first step."""
    psnr: float
    """Of luma, in decibels: mean over the pictures that are held out, restored with the averaged weights."""
    images_per_second: float


@dataclass(slots=True)
class RunState:
    """How far a run is and what it began with: what a checkpoint holds besides the state of what learns."""

    about: dict[str, str]
    """Metadata of the weights."""
    start: str | None
    """What tells the weights begun with from others; None where there were none."""
    learned: str
    """Digest of the photographs that were learned from."""
    validated: str
    """Digest of the pictures that were validated with."""
    history: list[Report] = field(default_factory=list)
    seconds: float = 0.0
    """Spent learning since the first step, interruptions left out."""
    best: float = -math.inf
    """Greatest PSNR of the weights so far, of the pictures that were validated with last."""


def read_state(path: Path, recipe: Recipe) -> tuple[Mapping[str, Any], RunState]:
    """Read the checkpoint of a run by `recipe`: what `Learner.state` returned, and the rest.

    Raises:
        WeightsError: it cannot be read.
        UsageError: it is of another recipe.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        learner: Mapping[str, Any] = content["learner"]
        state = RunState(
            about=dict(content["about"]),
            start=content["start"],
            learned=content["learned"],
            validated=content["validated"],
            history=[Report(**fields) for fields in json.loads(content["history"])],
            seconds=float(content["seconds"]),
            best=float(content["best"]),
        )
        text = learner["recipe"]
    except Exception as error:  # a damaged file can raise whatever its content runs into
        if is_out_of_memory(error):
            raise
        raise damaged(path) from error
    if text != recipe.text:
        raise UsageError(f"the checkpoint {path} was made by another recipe", f"go on with the same one; {AFRESH}")
    return learner, state


def write_state(learner: Mapping[str, Any], state: RunState, path: Path) -> None:
    """Write a checkpoint, whole or not at all; `learner` is what `Learner.state` returned.

    Raises:
        UnwritableWeightsError: the file cannot be written.
    """
    content = {"learner": learner} | asdict(state)
    content["history"] = json.dumps(content["history"])
    buffer = io.BytesIO()  # where torch writes a file itself, it does not say why it failed
    torch.save(content, buffer)
    write_whole(path, buffer.getbuffer())


def damaged(path: Path) -> WeightsError:
    """Return the error that tells of a checkpoint that cannot be gone on from."""
    return WeightsError(f"cannot read the checkpoint {path}", AFRESH)
