"""What an architecture declares about itself, so that the rest of the program need not know it by name."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from restore_cli.errors import StateDictError
from restore_cli.layers.execution import IN_ONE_PIECE, Executor
from restore_cli.layers.sampling import Centres, place_centres
from restore_cli.networks.part import Part, cut_core
from restore_cli.tiling import Box

StateDict = Mapping[str, Tensor]
MOST_LISTED = 4
"""Keys of one kind that an error names; it counts the others."""


class Locality(Enum):
    """How a tile's result relates to the whole picture's, given its halo and what a `Part` tells."""

    EXACT = "exact"
    """Within half an 8-bit level of the whole picture's result."""
    CLOSE = "close"
    """Nearly so; the difference has not been proven to stay below half a level."""
    GLOBAL = "global"
    """Every pixel depends on the whole picture."""


class Network(nn.Module, ABC):
    """A restoration network: RGB in, RGB out, float32, values nominally 0 to 1.

    A subclass sets, per class, `architecture` and `signature`, and per instance `scale`, `grid`, `halo`,
    `receptive_field` and `bytes_per_pixel`; what has a value here, where that is another.
    """

    architecture: ClassVar[str]
    """Name as the catalogue spells it."""
    signature: ClassVar[frozenset[str]]
    """State dict keys that tell this architecture from all others."""
    locality: Locality = Locality.EXACT
    half_precisions: frozenset[torch.dtype] = frozenset({torch.bfloat16, torch.float16})
    """Reduced precisions in which results stay finite and within a few hundredths of a decibel."""
    auto_reduces: bool = True
    """Whether a reduced precision is chosen where the user leaves it open."""
    pads_to_grid: ClassVar[bool] = True
    """Whether a picture whose sides are no multiples of the grid is extended first; where not, its last tiles end off
    the grid, as the picture does."""
    treats_apart: ClassVar[bool] = True
    """Whether of several inputs in one call each gets the result that it gets alone."""
    is_recordable: ClassVar[bool] = True
    """Whether all that it computes with lies on its device, and nothing it does depends on values there, so that what
    it does can be recorded (`passes/cuda_graphs.py`). Not asked of one that sees its place."""
    margin: int = 0
    """Pixels of a picture's reflection that are to be put around it, and cut off its result, since the network draws a
    frame along the edges: it was trained inside pictures, and meets zeros there. It does not do so by itself."""
    sees_place: bool = False
    """Whether it looks at `Part.box`; tiles of such a network never go through together."""

    scale: int
    """Output pixels per input pixel along a side; of a `ContinuousNetwork` the most."""
    grid: int
    """Sides and origins of tiles must be multiples of this many input pixels."""
    halo: int
    """Input pixels around a tile's core beyond which nothing changes its float32 result by half an 8-bit level."""
    receptive_field: int
    """Input pixels around a pixel that can change its result at all. In reduced precision even a tiny change far away
    can tip a rounding, so tiles need this much around them to equal the whole picture."""
    bytes_per_pixel: int
    """Device memory that one input pixel takes at the most, in float32; it only has to be about right."""
    statistic_halo: int | None = None
    """Input pixels around a tile's core that `measure` needs; None where there is nothing to measure."""

    @property
    def padding_grid(self) -> int:
        """What the sides of a picture are extended to multiples of, before it goes through."""
        return self.grid if self.pads_to_grid else 1

    @classmethod
    def recognises(cls, state: StateDict) -> bool:
        """Tell whether `state` is a state dict of this architecture."""
        return cls.signature <= state.keys()

    @classmethod
    @abstractmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        """Read the constructor's arguments from names and shapes in `state`; a missing key raises KeyError."""

    @classmethod
    def from_state_dict(cls, state: StateDict) -> Self:
        """Build the network that `state` belongs to and load it, strictly, in float32 and evaluation mode.

        Raises:
            StateDictError: keys are missing or extra (they are named), or shapes do not fit.
        """
        empty = sorted(key for key, tensor in state.items() if not tensor.numel())
        if empty:
            raise StateDictError(f"{cls.architecture} weights have no values in {empty[0]}")
        try:
            network = cls(**cls.hyperparameters(state))
        except KeyError as error:
            raise StateDictError(f"{cls.architecture} weights lack the key {error.args[0]}") from error
        except (ArithmeticError, IndexError, ValueError, RuntimeError) as error:  # they are scalar, empty, or too large
            raise StateDictError(f"{cls.architecture} weights have tensors of impossible shapes") from error
        wanted = network.state_dict()
        problems = _list_keys("missing", wanted.keys() - state.keys()) + _list_keys(
            "extra", state.keys() - wanted.keys()
        )
        problems += [
            f"{key} is {tuple(state[key].shape)}, not {tuple(tensor.shape)}"
            for key, tensor in wanted.items()
            if key in state and state[key].shape != tensor.shape
        ]
        if problems:
            raise StateDictError(f"{cls.architecture} weights do not fit: {'; '.join(problems)}")
        network.load_state_dict({key: tensor.float() for key, tensor in state.items()})
        return network.eval().requires_grad_(False)

    @abstractmethod
    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        """Restore `x` (n, 3, h, w float32) to n, 3, h·scale, w·scale float32.

        `part` tells where `x` lies in the picture that it is a tile of, whose core alone is then returned: n, 3,
        core.height·scale, core.width·scale. It is None where `x` is a whole picture.
        """

    def measure(self, x: Tensor, core: Box) -> Tensor:
        """Return what the core of `x` adds to the whole picture's statistic.

        `x` (1, 3, h, w float32) is the core and up to `statistic_halo` pixels around it; `core` is its place in `x`.
        """
        raise TypeError(f"{self.architecture} has no whole-picture statistic")

    def fold(self) -> Network:
        """Return an equal network of fewer layers, which cannot be trained as this one; itself where there is none."""
        return self

    def full_precision_modules(self) -> Iterable[nn.Module]:
        """Name the modules that stay float32 under reduced precision, because the result shows their rounding."""
        return ()

    def reduce_precision(self, dtype: torch.dtype) -> Self:
        """Convert parameters to `dtype`, except in `full_precision_modules`; input and output stay float32."""
        self.to(dtype)
        for module in self.full_precision_modules():
            module.float()
        return self


class SteppedNetwork(Network):
    """A network of scale 1 that looks at the whole picture, and is written as steps that need not.

    It is never cut into tiles, so it sets no `halo` and no `receptive_field`, and a `Part` tells it nothing.
    """

    locality = Locality.GLOBAL

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        return cut_core(self.restore(x, IN_ONE_PIECE), part, self.scale)

    @abstractmethod
    def restore(self, x: Tensor, executor: Executor) -> Tensor:
        """Restore `x` (n, 3, h, w float32) to the same size, all steps carried out by `executor`."""


class ContinuousNetwork(Network):
    """A network that enlarges by every factor from 1 to `scale`, to exactly the size asked for.

    Height and width may grow differently.
    """

    def forward(self, x: Tensor, part: Part | None = None, *, size: tuple[int, int] | None = None) -> Tensor:
        """Restore `x` (n, 3, h, w float32) to n, 3, height, width float32; `size` is both, h·scale, w·scale if None.

        In training, pictures of any n share a size; h and w should be multiples of `grid`. With a `part` there is no
        `size`: tiles of results of other sizes are made by `restore_at`.
        """
        h, w = x.shape[-2:]
        height, width = size or (h * self.scale, w * self.scale)
        return cut_core(self.restore_at(x, place_centres(h, height), place_centres(w, width)), part, self.scale)

    @abstractmethod
    def restore_at(self, x: Tensor, rows: Centres, columns: Centres, part: Part | None = None) -> Tensor:
        """Restore `x` (n, 3, h, w float32) where rows and columns of the result cross: n, 3, rows, columns float32.

        They are counted from the corner of `x`, and lie in the core of `part` if it is a tile.
        """


def count_blocks(state: StateDict, prefix: str) -> int:
    """Count the blocks of a sequence: the N from 0 up without a gap for which there are keys `prefix.N.`."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
    found = {int(match[1]) for match in map(pattern.match, state) if match}
    return next(number for number in itertools.count() if number not in found)


def _list_keys(kind: str, keys: Iterable[str]) -> list[str]:
    names = sorted(keys)
    if not names:
        return []
    rest = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return [f"{kind} {', '.join(names[:MOST_LISTED])}{rest}"]
