"""From a recipe and what the user chose to a session that is ready to run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from restore_cli.catalog import names_file
from restore_cli.device import explaining_lack_of_memory, find_device, prepare_host
from restore_cli.errors import UsageError, WeightsError
from restore_cli.files.naming import shown
from restore_cli.layers.hardware import memory_format
from restore_cli.networks import ContinuousNetwork, Network
from restore_cli.telling import Tell
from restore_cli.training import checkpoint_of
from restore_cli.training.building import build_by_recipe, take_over
from restore_cli.training.learner import Learner
from restore_cli.training.photographs import check_folders, collect, digest_of
from restore_cli.training.recipe import Recipe
from restore_cli.training.run_state import AFRESH, RunState, read_state
from restore_cli.training.sampling import Sampler, smallest_side
from restore_cli.training.session import Limits, Session
from restore_cli.weights import build, load

NO_START = "none"
"""What the metadata say of weights that started from no others."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user says besides the recipe."""

    data: Sequence[Path]
    validation: Path | None
    start: str | None
    """Checkpoint to start from instead of the recipe's."""
    resume: bool
    """Go on from the checkpoint of the output, if there is one."""
    device: str
    threads: int | None


def prepare(recipe: Recipe, choices: Choices, output: Path, limits: Limits, tell: Tell) -> Session:
    """Load photographs and weights and build what learns; `tell` is told what the user should know.

    Raises:
        UsageError: the recipe does not fit the network or the teacher, the checkpoint is of another recipe or start, or
            there are too few photographs.
        WeightsError: the weights to start from, the teacher or the checkpoint to go on from cannot be loaded, or the
            former hold values that are not finite.
        DeviceError: there is no such device.
    """
    prepare_host(choices.threads)
    device = find_device(choices.device, tell=tell)
    check_folders([*choices.data, *([choices.validation] if choices.validation else ())])
    network = build_by_recipe(recipe)
    checkpoint = checkpoint_of(output)
    resumed = read_state(checkpoint, recipe) if choices.resume and checkpoint.exists() else None
    start = choices.start or recipe.start
    if resumed is not None:
        _check_start(resumed[1], choices.start)
    elif start is not None:
        _begin_with(start, network, tell)
    teacher = _load_teacher(recipe, device.torch_device, tell)
    keeps_size = recipe.degradations.largest_scale == 1
    collection = collect(choices.data, choices.validation, smallest_side(recipe), tell, pairs=keeps_size)
    learned = len(collection.learned)
    tell(
        f"{learned} photographs to learn from, {len(collection.held_out)} to validate with, "
        f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters"
    )
    sampler = Sampler(recipe, collection)
    session = Session(
        Learner(recipe, network, sampler, device, teacher=teacher),
        sampler.validation(network.grid),
        output,
        limits,
        about={
            "network": network.architecture,
            "data": ", ".join(shown(folder.resolve().name) for folder in choices.data) + f" ({learned} photographs)",
            "seed": str(recipe.seed),
            "start": shown(start or NO_START),
        },
        start=None if start is None else _name_of(start),
        learned=digest_of(collection.learned),
        measures_start=choices.start is not None,
    )
    if resumed is not None:
        session.resume(*resumed, tell)
    return session


def memory_watched() -> AbstractContextManager[None]:
    """Return a context in which lack of memory is an error that tells so.

    Raises:
        DeviceError: the device or the host is out of memory.
    """
    return explaining_lack_of_memory(
        "there is too little memory to train",
        "lower patches.batch or the sizes of patches and network in the recipe, or name fewer photographs",
    )


def _check_start(state: RunState, start: str | None) -> None:
    """Refuse to go on with a run as if it had begun with other weights."""
    if start is not None and _name_of(start) != state.start:
        began = state.start or "new weights"
        raise UsageError(f"the run to go on with began with {began}, not with {start}", f"leave --start out; {AFRESH}")


def _name_of(model: str) -> str:
    """Return a name of weights by which they are told from others, however the user spells it."""
    return shown(os.path.realpath(model)) if names_file(model) else model.lower()


def _begin_with(start: str, network: Network, tell: Tell) -> None:
    fitting, all_of_them = take_over(network, load(start, tell=tell).state), len(network.state_dict())
    _check_finite(network, start)
    if 2 * fitting < all_of_them:
        tell(f"only {fitting} of {all_of_them} tensors fit those of {start}: most of the network begins anew")
    else:
        tell(f"{fitting} of {all_of_them} tensors are taken over from {start}")


def _check_finite(network: Network, model: str) -> None:
    """Refuse weights with which nothing can be learned."""
    for name, tensor in network.state_dict().items():
        if not tensor.isfinite().all():
            raise WeightsError(
                f"the weights {model} hold values that are infinite or no numbers, in {name}",
                "take others: a training that failed leaves such weights",
            )


def _load_teacher(recipe: Recipe, device: torch.device, tell: Tell) -> Network | None:
    if recipe.teacher is None:
        return None
    teacher = build(load(recipe.teacher, tell=tell))
    _check_finite(teacher, recipe.teacher)
    if not isinstance(teacher, ContinuousNetwork) and teacher.scale < recipe.degradations.largest_scale:
        raise UsageError(
            f"the teacher {recipe.teacher} makes pictures {teacher.scale} times as large, "
            "less than the recipe asks for",
            "a teacher's larger pictures are reduced, smaller ones cannot be learned from",
        )
    return teacher.to(device, memory_format=memory_format(device))  # type: ignore[call-overload, no-any-return]
