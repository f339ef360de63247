"""Batches of patches: cut from photographs at random, turned and mirrored, each with what a degradation makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image
from torch import Tensor

from restore_cli.training.degradations import degrade
from restore_cli.training.drawings import draw_picture
from restore_cli.training.photographs import Collection, Example, Samples
from restore_cli.training.recipe import Recipe

MARGIN = 4
"""Input pixels around a patch that are degraded with it and cut off: edges of patches are not edges of pictures."""
VALIDATION_SIDE = 256
"""Pixels a side, of the target at the most, of what is cut from the middle of a picture to validate with."""
VALIDATION_SEED = 20_000
DRAWINGS, DRAWING_SIDE = 400, 384
"""Drawings that patches are cut from, where a recipe asks for any, and their pixels a side at the least."""

Cut = tuple[slice, slice]
"""Rows and columns of a picture."""
Patch = tuple[Samples, Samples, bool]
"""Input, target, and whether it is cut from a drawing."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs and targets, float32, 0 to 1."""

    input: Tensor
    """n, 3, h, w."""
    target: Tensor
    """n, 3, h·scale, w·scale."""
    drawn: Tensor
    """n, bool: whether a patch is cut from a drawing."""


class Sampler:
    """Draws batches by a recipe; the same seed draws the same ones."""

    def __init__(self, recipe: Recipe, collection: Collection) -> None:
        self.patches = recipe.patches
        self.degradations = recipe.degradations
        self._held_out = collection.held_out
        self._singles = [example for example in collection.learned if example.input is None]
        self._pairs = [example for example in collection.learned if example.input is not None]
        weights = [each.target.size if recipe.patches.by_area else 1 for each in self._singles]
        self._upto = np.cumsum(weights) / max(1, sum(weights))  # share of patches of a photograph and all before it
        self._drawings = Drawings(recipe)

    def draw(self, random: Generator) -> Batch:
        """Draw the batch of one step."""
        size = int(random.choice(self.patches.size))
        scale = self._draw_scale(random)
        count = max(1, round(self.patches.batch * (self.patches.size[0] / size) ** 2))
        return _stack([self._draw_patch(size, scale, random) for _ in range(count)])

    def validation(self, grid: int) -> list[Batch]:
        """Return one batch of one picture for each that is held out, always the same; inputs lie on the `grid`."""
        random = np.random.default_rng(VALIDATION_SEED)
        return [_stack([self._validate_with(example, grid, random)]) for example in self._held_out]

    def _draw_scale(self, random: Generator) -> float:
        """Draw a scale; every second one of a range is whole, since those are asked for most."""
        if self.degradations.scales is None:
            return self.degradations.scale
        low, high = self.degradations.scales
        whole = range(math.ceil(low), math.floor(high) + 1)
        if whole and random.random() < 0.5:
            return float(random.choice(whole))
        return float(random.uniform(low, high))

    def _draw_patch(self, size: int, scale: float, random: Generator) -> Patch:
        drawn = bool(self.patches.drawn) and random.random() < self.patches.drawn
        example = self._drawings[int(random.integers(DRAWINGS))] if drawn else self._draw_example(random)
        margin = MARGIN if example.input is None and float(scale).is_integer() else 0
        side = round((size + 2 * margin) * scale)
        wide = self._draw_width(example, side, random)
        cuts = [_draw_cut(example, wide, random) for _ in range(self.patches.places)]
        cut = max(cuts, key=lambda cut: _detail(example.target[cut])) if len(cuts) > 1 else cuts[0]
        turns, mirror = int(random.integers(4)), bool(random.integers(2))
        target = _reduced(_turned(example.target[cut], turns, mirror), side)
        if example.input is not None:
            return _turned(example.input[cut], turns, mirror), target, drawn
        if self.patches.contrast < 1:
            target = _faded(target, random.uniform(self.patches.contrast, 1), random)
        made = degrade(target, size + 2 * margin, size + 2 * margin, self.degradations, random)
        return _without_border(made, margin), _without_border(target, round(margin * scale)), drawn

    def _draw_width(self, example: Example, side: int, random: Generator) -> int:
        """Draw how many pixels a side of a picture are reduced to `side`; pairs are never reduced."""
        if self.patches.reduced == 1 or example.input is not None:
            return side
        shortest: int = min(example.target.shape[:2])
        least = max(self.patches.reduced, side / shortest)
        return min(round(side / random.uniform(least, 1)), shortest)

    def _draw_example(self, random: Generator) -> Example:
        if self._pairs and (not self._singles or random.random() < self.degradations.pairs):
            return self._pairs[random.integers(len(self._pairs))]
        return self._singles[int(np.searchsorted(self._upto, random.random(), side="right"))]

    def _validate_with(self, example: Example, grid: int, random: Generator) -> Patch:
        scale, sides = self.degradations.largest_scale, example.target.shape[:2]
        rows, columns = (max(1, int(min(VALIDATION_SIDE, side) / scale) // grid) * grid for side in sides)
        height, width = round(rows * scale), round(columns * scale)
        top, left = (sides[0] - height) // 2, (sides[1] - width) // 2
        cut = slice(top, top + height), slice(left, left + width)
        target = example.target[cut]
        if example.input is not None:
            return example.input[cut], target, False
        return degrade(target, rows, columns, self.degradations, random), target, False


class Drawings:
    """The drawings that a recipe's patches are cut from, each drawn when it is first asked for."""

    def __init__(self, recipe: Recipe) -> None:
        degradations = recipe.degradations
        self._seed = recipe.seed
        self._side = max(DRAWING_SIDE, smallest_side(recipe))
        self._scales = degradations.scales or (degradations.scale, degradations.scale)
        self._drawn: dict[int, Example] = {}

    def __getitem__(self, index: int) -> Example:
        """Return a drawing, the same one for the same index and seed of the recipe."""
        if index not in self._drawn:
            random = np.random.default_rng((self._seed, index))
            self._drawn[index] = Example(draw_picture(self._side, random.uniform(*self._scales), random))
        return self._drawn[index]


def smallest_side(recipe: Recipe) -> int:
    """Return the shortest side in pixels that a photograph must have for every patch of a recipe."""
    return round((max(recipe.patches.size) + 2 * MARGIN) * recipe.degradations.largest_scale)


def _draw_cut(example: Example, side: int, random: Generator) -> Cut:
    top, left = (int(random.integers(length - side, endpoint=True)) for length in example.target.shape[:2])
    return slice(top, top + side), slice(left, left + side)


def _detail(x: Samples) -> float:
    """Return the mean difference of pixels of `x` (h, w, 3) two rows or columns apart, of green."""
    green = x[::2, ::2, 1].astype(np.float32)
    return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())


def _turned(x: Samples, turns: int, mirror: bool) -> Samples:
    return np.ascontiguousarray(np.rot90(x[:, ::-1] if mirror else x, turns))


def _reduced(x: Samples, side: int) -> Samples:
    """Return square `x` with `side` pixels a side; by Pillow, in a third of the time that `imresize` takes or less."""
    if x.shape[0] == side:
        return x
    return np.array(Image.fromarray(x).resize((side, side), Image.Resampling.BICUBIC))


def _faded(x: Samples, contrast: float, random: Generator) -> Samples:
    """Return `x` with its contrast multiplied by `contrast`, 0 to 1, around a random level."""
    level = random.uniform(0, 255)
    table = (level + contrast * (np.arange(256) - level)).round().astype(np.uint8)
    return table[x]


def _without_border(x: Samples, border: int) -> Samples:
    return x[border : x.shape[0] - border, border : x.shape[1] - border]


def _stack(patches: Sequence[Patch]) -> Batch:
    """Turn pairs of h, w, 3 samples into n, 3, h, w floats, in channels_last layout."""
    inputs, targets, drawn = zip(*patches, strict=True)
    return Batch(_floats(inputs), _floats(targets), torch.tensor(drawn))


def _floats(samples: Sequence[Samples]) -> Tensor:
    return torch.from_numpy(np.stack(samples)).permute(0, 3, 1, 2).float() / 255
