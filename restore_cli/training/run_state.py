"""What a run goes on from after an interruption: its checkpoint, written and read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything that a run goes on from. What earlier versions did not write is empty or None."""

    learner: Mapping[str, Any]
    """What `Learner.state` returned."""
    history: Sequence[Report]
    seconds: float
    best: float
    """Greatest PSNR of the weights so far, of the pictures that were validated with last."""
    about: Mapping[str, str]
    """Metadata of the weights."""
    start: str | None
    """What tells the weights begun with from others; None where there were none."""
    learned: str | None
    """Digest of the photographs that were learned from."""
    validated: str | None
    """Digest of the pictures that were validated with."""


def read_state(path: Path, recipe: Recipe) -> RunState:
    """Read the checkpoint of a run by `recipe`.

    Raises:
        WeightsError: it cannot be read.
        UsageError: it is of another recipe.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        history = [Report(**fields) for fields in json.loads(content["history"])]
        state = RunState(
            learner=content["learner"],
            history=history,
            seconds=float(content["seconds"]),
            best=float(content.get("best", max(report.psnr for report in history))),
            about=dict(content.get("about", {})),
            start=content.get("start"),
            learned=content.get("learned"),
            validated=content.get("validated"),
        )
        text = state.learner["recipe"]
    except Exception as error:  # a damaged file can raise whatever its content runs into
        if is_out_of_memory(error):
            raise
        raise damaged(path) from error
    if text != recipe.text:
        raise UsageError(f"the checkpoint {path} was made by another recipe", f"go on with the same one; {AFRESH}")
    return state


def write_state(state: RunState, path: Path) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        UnwritableWeightsError: the file cannot be written.
    """
    content: dict[str, Any] = {
        "learner": state.learner,
        "history": json.dumps([asdict(report) for report in state.history]),
        "seconds": state.seconds,
        "best": state.best,
        "about": dict(state.about),
        "start": state.start,
        "learned": state.learned,
        "validated": state.validated,
    }
    buffer = io.BytesIO()  # where torch writes a file itself, it does not say why it failed
    torch.save(content, buffer)
    write_whole(path, buffer.getbuffer())


def damaged(path: Path) -> WeightsError:
    """Return the error that tells of a checkpoint that cannot be gone on from."""
    return WeightsError(f"cannot read the checkpoint {path}", AFRESH)
