"""The rate, the bound on gradients, and what becomes of those that are not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from numpy.random import Generator
from torch import Tensor

from restore_cli.device import Device
from restore_cli.errors import UsageError
from restore_cli.networks import Network, Part
from restore_cli.training.learner import MOST_PASSED_OVER, Learner
from restore_cli.training.recipe import Degradations, Loss, Optimiser, Recipe
from restore_cli.training.sampling import Batch, Sampler


class Multiplying(Network):
    """Multiplies by its only weight; the gradient of white pictures is not finite, though their loss is."""

    architecture = "multiplying"
    signature = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 1, 1, 0, 1, 100
        self.factor = torch.nn.Parameter(torch.tensor(0.5))

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        return x * self.factor + torch.sqrt((self.factor - self.factor) * (x == 1) + (x != 1))


class Levels(Sampler):
    """Gives pictures of one level, `next`, whose targets are black: one for each entry of `drawn`."""

    def __init__(self, drawn: Sequence[bool] = (False,)) -> None:
        self.next = 0.25
        self.drawn = torch.tensor(drawn)

    def draw(self, random: Generator) -> Batch:
        size = len(self.drawn), 3, 4, 4
        return Batch(torch.full(size, self.next), torch.zeros(size), self.drawn)


def learner(
    loss: float | Loss = 1.0, levels: Levels | None = None, teacher: Network | None = None, **optimiser: Any
) -> tuple[Learner, Levels]:
    recipe = Recipe(
        name="multiplying",
        summary="",
        network={"architecture": "multiplying"},
        degradations=Degradations(kind="noise"),
        loss=Loss(l1=loss) if isinstance(loss, float | int) else loss,
        optimiser=Optimiser(bf16=False, **optimiser),
    )
    levels, device = levels or Levels(), Device(torch.device("cpu"), has_bf16=False)
    return Learner(recipe, Multiplying(), levels, device, teacher=teacher), levels


def rate(of: Learner) -> float:
    return float(of.state()["optimiser"]["param_groups"][0]["lr"])


def factor(of: Learner) -> float:
    return float(of.state()["network"]["factor"])


def gradient(of: Learner) -> float:
    assert of.network.factor.grad is not None
    return float(of.network.factor.grad.abs())


def test_the_rate_rises_evenly_while_it_warms_up() -> None:
    cold, _ = learner(rate=1e-3, warmup=4)
    rates = []
    for _ in range(5):
        cold.learn(0.0)
        rates.append(rate(cold))
    assert rates == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3])


@pytest.mark.parametrize(("share", "expected"), [(0, 1.0), (0.25, 0.868198), (0.5, 0.55), (1, 0.1), (1.2, 0.1)])
def test_the_rate_falls_by_a_cosine_to_its_floor(share: float, expected: float) -> None:
    warm, _ = learner(rate=1e-3, warmup=0, floor=0.1)
    warm.learn(share)
    assert rate(warm) == pytest.approx(expected * 1e-3, rel=1e-5)


def test_no_gradient_is_larger_than_the_recipe_allows() -> None:
    steep, _ = learner(loss=1000, clip=0.1)
    steep.learn(0.0)
    assert gradient(steep) == pytest.approx(0.1, rel=1e-3)
    flat, _ = learner(loss=0.1, clip=0.1)
    flat.learn(0.0)
    assert gradient(flat) == pytest.approx(0.025)


@pytest.mark.parametrize(("kind", "has_eigenbases"), [("adamw", False), ("soap", True)])
def test_steps_are_taken_by_the_method_of_the_recipe(kind: str, has_eigenbases: bool) -> None:
    descending, _ = learner(kind=kind, rate=1e-2, warmup=0)
    before = factor(descending)
    for _ in range(3):
        descending.learn(0.0)
    (kept,) = descending.state()["optimiser"]["state"].values()
    assert ("Q" in kept) is has_eigenbases
    assert factor(descending) < before


@pytest.mark.parametrize("drawn", [(False, False), (True, True), (False, True, True)])
def test_the_teacher_of_photographs_is_the_network_and_that_of_drawings_the_target(drawn: Sequence[bool]) -> None:
    teacher = Multiplying().requires_grad_(False)
    teacher.factor.fill_(4.0)
    taught, _ = learner(Loss(l1=0.0, teacher=1.0), Levels(drawn), teacher)
    restored, of_teacher = 1 + 0.25 * 0.5, 1 + 0.25 * 4.0
    differences = [restored if is_drawn else of_teacher - restored for is_drawn in drawn]
    loss, _ = taught.learn(0.0)
    assert loss == pytest.approx(sum(differences) / len(drawn))


def test_gradients_that_are_not_finite_change_nothing_and_end_a_run_that_has_no_others() -> None:
    odd, levels = learner()
    levels.next = 1.0
    before = factor(odd)
    for _ in range(MOST_PASSED_OVER - 1):
        odd.learn(0.0)
    assert factor(odd) == before
    levels.next = 0.25
    odd.learn(0.0)
    assert factor(odd) != before
    levels.next = 1.0
    for _ in range(MOST_PASSED_OVER - 1):
        odd.learn(0.0)
    with pytest.raises(UsageError, match="gradients are not finite"):
        odd.learn(0.0)
