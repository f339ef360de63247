"""From a recipe and what the user chose to a session that is ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from restore_cli.device import find_device, prepare_host
from restore_cli.errors import UsageError
from restore_cli.networks import ContinuousNetwork, Network, build_network
from restore_cli.telling import Tell
from restore_cli.training.learner import Learner
from restore_cli.training.photographs import collect
from restore_cli.training.recipe import Recipe
from restore_cli.training.sampling import Sampler, smallest_side
from restore_cli.training.session import Limits, Session
from restore_cli.weights import load


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user says besides the recipe."""

    data: Sequence[Path]
    validation: Path | None
    start: str | None
    """Checkpoint to start from instead of the recipe's."""
    device: str
    threads: int | None


def prepare(recipe: Recipe, choices: Choices, output: Path, limits: Limits, tell: Tell) -> Session:
    """Load photographs and weights and build what learns; `tell` is told what the user should know.

    Raises:
        UsageError: the recipe does not fit the network or the teacher, or there are too few photographs.
        WeightsError: the checkpoint to start from or the teacher cannot be loaded.
        DeviceError: there is no such device.
    """
    prepare_host(choices.threads)
    device = find_device(choices.device)
    start = choices.start or recipe.start
    state = load(start, announce=tell).state if start else None
    teacher = _load_teacher(recipe, device.torch_device, tell)
    collection = collect(choices.data, choices.validation, smallest_side(recipe), tell)
    sampler = Sampler(recipe, collection)
    learner = Learner(recipe, sampler, device, start=state, teacher=teacher)
    tell(
        f"{len(collection.learned)} photographs to learn from, {len(collection.held_out)} to validate with, "
        f"{sum(parameter.numel() for parameter in learner.network.parameters()):,} parameters"
        + (f", {learner.taken_over} tensors taken over from {start}" if start else "")
    )
    about = {
        "network": learner.network.architecture,
        "data": ", ".join(folder.resolve().name for folder in choices.data)
        + f" ({len(collection.learned)} photographs)",
        "seed": str(recipe.seed),
        "start": start or "none",
    }
    return Session(learner, sampler.validation(), output, limits, about)


def _load_teacher(recipe: Recipe, device: torch.device, tell: Tell) -> Network | None:
    if recipe.teacher is None:
        return None
    teacher = build_network(load(recipe.teacher, announce=tell).state)
    if not isinstance(teacher, ContinuousNetwork) and teacher.scale < recipe.degradations.largest_scale:
        raise UsageError(
            f"the teacher {recipe.teacher} makes pictures {teacher.scale} times as large, "
            "less than the recipe asks for",
            "a teacher's larger pictures are reduced, smaller ones cannot be learned from",
        )
    return teacher.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
