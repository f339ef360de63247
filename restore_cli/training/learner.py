"""A network that learns: its optimiser, its rate, the average of its weights, and all of that as plain state."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pytorch_optimizer import SOAP
from torch import Tensor
from torch.optim import AdamW, Optimizer

from restore_cli.device import Device
from restore_cli.errors import UsageError
from restore_cli.layers.hardware import memory_format
from restore_cli.networks import ContinuousNetwork, Network
from restore_cli.training.loss import loss_of
from restore_cli.training.recipe import Optimiser, Recipe
from restore_cli.training.sampling import Batch, Sampler

MOST_PASSED_OVER = 20
"""Batches in turn whose gradient is not finite, from which on nothing is learned any more."""


class Learner:
    """Takes steps by a recipe. The same recipe, photographs and number of threads give the same weights."""

    def __init__(
        self, recipe: Recipe, network: Network, sampler: Sampler, device: Device, *, teacher: Network | None
    ) -> None:
        self.recipe = recipe
        self.device = device
        self.network = network
        self.network.to(device.torch_device, memory_format=memory_format(device.torch_device))  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.step = 0
        self._sampler = sampler
        self._teacher = teacher
        self._random = np.random.default_rng(recipe.seed)
        self._optimiser = _build_optimiser(recipe.optimiser, self.network)
        self._passed_over = 0

    def learn(self, share: float) -> tuple[float, int]:
        """Take a step, `share` (0 to 1) of the way to the end; return its loss and the number of patches.

        Raises:
            UsageError: the loss, or the gradient of many batches in turn, is not finite, so nothing can be learned.
        """
        batch = self._sampler.draw(self._random)
        self._set_rate(share)
        loss = self._loss(batch)
        if not torch.isfinite(loss):
            raise UsageError(f"the loss is not finite after {self.step} steps", "lower optimiser.rate in the recipe")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimiser.clip)
        if torch.isfinite(norm):
            self._passed_over = 0
            self._optimiser.step()
        else:  # a batch in reduced precision now and then; the weights stay as they are
            self._passed_over += 1
            if self._passed_over == MOST_PASSED_OVER:
                raise UsageError(f"gradients are not finite after {self.step} steps", "set optimiser.bf16 to false")
        self.step += 1
        self._update_average()
        return float(loss.detach()), len(batch.input)

    @torch.no_grad()
    def restore(self, batch: Batch) -> Tensor:
        """Return what the averaged weights make of the inputs of `batch`, on the host."""
        return self._apply(self.average, batch.input, batch.target.shape[2:]).cpu()

    def state(self) -> dict[str, Any]:
        """Return everything that the next step depends on, to be saved by torch."""
        return {
            "recipe": self.recipe.text,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "random": json.dumps(self._random.bit_generator.state),
            "torch_random": torch.get_rng_state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, with the same recipe; what is missing raises KeyError."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._random.bit_generator.state = json.loads(state["random"])
        torch.set_rng_state(state["torch_random"])

    def _loss(self, batch: Batch) -> Tensor:
        target = self._there(batch.target)
        taught = self._teach(self._teacher, batch) if self._teacher is not None else None
        return loss_of(self._apply(self.network, batch.input, target.shape[2:]), target, self.recipe.loss, taught)

    @torch.no_grad()
    def _teach(self, teacher: Network, batch: Batch) -> Tensor:
        """Return what `teacher` makes of the inputs, reduced to the targets' size where its scale is larger.

        Of drawings the targets themselves, which are beyond any teacher.
        """
        taught, photographs = self._there(batch.target).clone(), ~batch.drawn
        if photographs.any():
            size = batch.target.shape[2:]
            restored = self._apply(teacher, batch.input[photographs], size)
            if restored.shape[2:] != size:
                restored = F.interpolate(restored, size=size, mode="bicubic", antialias=True)
            taught[photographs.to(taught.device)] = restored
        return taught

    def _apply(self, network: Network, x: Tensor, size: Sequence[int]) -> Tensor:
        """Return what `network` makes of `x`, of `size` (height, width) where it makes any; on the device."""
        x = self._there(x)
        reduces = self.recipe.optimiser.bf16 and self.device.has_bf16
        with torch.autocast(self.device.torch_device.type, torch.bfloat16, enabled=reduces):
            sized = {"size": tuple(size)} if isinstance(network, ContinuousNetwork) else {}
            restored: Tensor = network(x, **sized)
        return restored.float()

    def _there(self, x: Tensor) -> Tensor:
        there = self.device.torch_device
        return x.to(there).contiguous(memory_format=memory_format(there))

    def _set_rate(self, share: float) -> None:
        optimiser = self.recipe.optimiser
        rise = min(1.0, (self.step + 1) / max(1, optimiser.warmup))
        fall = optimiser.floor + (1 - optimiser.floor) * (1 + math.cos(math.pi * min(1.0, share))) / 2
        for group in self._optimiser.param_groups:
            group["lr"] = optimiser.rate * rise * fall

    @torch.no_grad()
    def _update_average(self) -> None:
        kept = min(self.recipe.optimiser.average, self.step / (self.step + 10))
        current = self.network.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - kept)
            else:
                mean.copy_(current[name])


def _build_optimiser(optimiser: Optimiser, network: Network) -> Optimizer:
    parameters = network.parameters()
    options: Any = {"lr": optimiser.rate, "betas": optimiser.betas, "weight_decay": optimiser.weight_decay}
    return SOAP(parameters, **options) if optimiser.kind == "soap" else AdamW(parameters, **options)
