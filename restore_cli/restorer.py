"""A loaded network on a device, ready for pictures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from restore_cli.device import (
    Device,
    Precision,
    attempt,
    choose_precision,
    explaining_lack_of_memory,
    find_device,
    keep_float32,
    prepare_host,
    set_threads,
    usual_defaults,
)
from restore_cli.errors import NotFiniteError, PictureError, RestoreError, UsageError
from restore_cli.layers.hardware import memory_format
from restore_cli.networks import ContinuousNetwork, Network, SteppedNetwork
from restore_cli.passes.cuda_graphs import open_calls
from restore_cli.passes.finite import all_finite, check_finite
from restore_cli.passes.input import as_picture, blaming, check_size
from restore_cli.passes.padded_picture import ColourSource
from restore_cli.passes.stacks import plan_stack, restore_together
from restore_cli.passes.step_pass import StepPass, measure_effort
from restore_cli.passes.tile_pass import Convert, Take, TilePass, unchanged
from restore_cli.passes.tile_plan import TilePolicy
from restore_cli.telling import Progress
from restore_cli.tiling import Box, round_up
from restore_cli.weights import build, load

Result = TypeVar("Result")

WHOLE_PICTURE_REACH = 64
"""Of networks that look at the whole picture, of which what is near counts most."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a picture was put through the network."""

    precision: str
    tile: int | None
    """Side of the tiles' cores in input pixels; None where the picture went through whole."""
    notes: tuple[str, ...] = ()
    model: str | None = None
    """Name of the checkpoint where the task has more than one."""
    untouched: bool = False
    """Whether the pixels stay as they were, since the network had no part in the result."""


class Restorer:
    """A network, a device, a precision and a tile policy."""

    def __init__(self, network: Network, device: Device, *, precision: str = "auto", tile: TilePolicy = "auto") -> None:
        """Move `network` to `device` in `precision` (auto, fp32, bf16, fp16).

        Raises:
            UsageError: there is no such precision or tile.
            DeviceError: the network is wrong in that precision, or does not fit the device.
        """
        is_number = isinstance(tile, Integral) and not isinstance(tile, bool)
        if tile not in ("auto", "off") and (not is_number or int(tile) < 1):
            raise UsageError(f"a tile is auto, off or a number of pixels, not {tile!r}")
        self.device = device
        self.tile: TilePolicy = int(tile) if is_number else tile
        self.scale = network.scale
        self.is_continuous = isinstance(network, ContinuousNetwork)
        self.is_stepped = isinstance(network, SteppedNetwork)
        self.grid = network.grid
        self.margin = network.margin
        """Pixels of its reflection that a task puts around a picture; see `Network.margin`."""
        self.reach = WHOLE_PICTURE_REACH if self.is_stepped else network.halo
        """Input pixels around a pixel beyond which little changes its result."""
        allowed = network.half_precisions if network.auto_reduces or precision != "auto" else frozenset()
        self.precision = choose_precision(precision, device, allowed)
        self._chose_precision = precision == "auto"
        self._call = open_calls(device)
        self._effort_per_pixel: float | None = None
        self._float32_network = network
        self._network = self._on_device(self.precision)

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        device: str = "auto",
        precision: str = "auto",
        tile: TilePolicy = "auto",
        threads: int | None = None,
        tunes_process: bool = False,
    ) -> Restorer:
        """Load a model, by its name in the catalogue or from a weights file, onto a device.

        `device` is auto, cpu, cuda, cuda:N, mps or xpu; `tile` is auto, off or the pixels a side of a tile; `threads`
        is the number for the whole process, None leaves it as it is: all, at first, but no more than a container has.
        On cards of NVIDIA's TF32 is switched off for the whole process. `tunes_process` makes it faster on Linux, at
        best before the first tensor: from then on the process keeps memory that it has freed, and PyTorch asks for
        large pages. What is not at hand is fetched.

        Raises:
            UnknownModelError: it is the name of nothing.
            UsageError: there is no such precision or tile, or no thread, or it is neither name nor path.
            WeightsError: the weights are missing, wrong, or of no known architecture.
            DeviceError: the device is absent, or the precision does not suit the network.
        """
        if not isinstance(model, str | Path):
            raise UsageError(f"a model is a name or the path of a file, not {model!r}")
        if threads is not None and (not isinstance(threads, Integral) or threads < 1):
            raise UsageError(
                f"threads are a whole number from 1 up, not {threads!r}", "leave threads away for all there are"
            )
        (prepare_host if tunes_process else set_threads)(threads)
        found = find_device(device)
        if found.torch_device.type == "cuda":
            keep_float32()
        with usual_defaults():
            return cls(build(load(model)).fold(), found, precision=precision, tile=tile)

    def for_depth(self, bits: int) -> Restorer:
        """Return the restorer for pictures of `bits` per sample.

        Above 8 that is one in float32, unless the user has chosen a precision: what bfloat16 rounds in a network that
        makes the picture anew shows in 16 bits.
        """
        return self._in_float32 if bits > 8 and self._chose_precision and self.precision is not Precision.FP32 else self

    def restore(
        self, picture: Tensor, progress: Progress = lambda share: None, *, size: tuple[int, int] | None = None
    ) -> tuple[Tensor, Run]:
        """Put `picture` (3, h, w floats, 0 to 1) through the network, as it is, without a margin.

        `size` is the height and width that a continuous network shall make; others take h·scale, w·scale, which is also
        what None means. Returns 3, height, width float32 on the host, and how it was done. Tiles that are not finite in
        reduced precision are done again in float32, and so is what comes after them.

        Raises:
            PictureError: it is no picture of three channels in floats.
            UsageError: the network does not make that size.
            DeviceError: the device is out of memory even with the smallest tile.
            NotFiniteError: the result is not finite in float32 either, or the picture is not.
        """
        picture = self._checked(picture, size)
        with blaming(picture):
            return self._restore(picture, progress, size)

    def _checked(self, picture: Tensor, size: tuple[int, int] | None) -> Tensor:
        picture = as_picture(picture)
        if not self.is_continuous:
            check_size(picture, size, self.scale)
        return picture

    def _restore(self, picture: Tensor, progress: Progress, size: tuple[int, int] | None) -> tuple[Tensor, Run]:
        if isinstance(self._network, SteppedNetwork):
            return self._in_precisions(lambda network: self._step_alone(picture, network, progress))
        tiles = self._tile(picture, size)
        return self._in_precisions(self._continued(tiles, lambda: tiles.run(progress)))

    def restore_tiles(
        self,
        picture: ColourSource,
        take: Take,
        progress: Progress = lambda share: None,
        finish_rows: Callable[[int], None] = lambda bottom: None,
        *,
        size: tuple[int, int] | None = None,
        convert: Convert = unchanged,
        row_bytes: int = 0,
    ) -> Run:
        """Do what `restore` does, but hand the result out in tiles instead of holding it.

        `picture` need not be a tensor. The other arguments are those of `TilePass.restore_tiles`; a network that works
        in steps makes one tile.

        Raises:
            DeviceError, NotFiniteError: as `restore` does.
        """
        if isinstance(self._network, SteppedNetwork):
            result, run = self.restore(picture[:, :, :], progress)
            take(convert(result), Box(0, 0, *result.shape[1:]))
            finish_rows(result.shape[1])
            return run
        tiles = self._tile(picture, size)
        work = self._continued(
            tiles,
            lambda: (
                None,
                tiles.restore_tiles(take, progress, finish_rows, convert=convert, row_bytes=row_bytes),
            ),
        )
        return self._in_precisions(work)[1]

    def stack_size(self, height: int, width: int) -> int:
        """Return how many pictures of this size are best put through the network together; 1 if each goes alone.

        A network that works in steps weighs features by averages of the picture: alone it may round the weights so, in
        company the features, and in reduced precision that shows. So there each goes alone.
        """
        if self.is_stepped and self.precision is not Precision.FP32:
            return 1
        if isinstance(self.tile, int) and max(height, width) > self.tile:
            return 1
        height, width = (round_up(length, self._network.grid) for length in (height, width))
        return plan_stack(self._network, self.device, height, width)

    def restore_stack(
        self, pictures: Sequence[Tensor], *, size: tuple[int, int] | None = None
    ) -> list[tuple[Tensor, Run] | RestoreError]:
        """Put `pictures` (3, h, w floats, 0 to 1, all of one size) through the network together.

        `size` is as in `restore`, and so is what each becomes. Where memory runs out, fewer go together, and in the end
        each alone. One whose result is not finite is done again alone, so that it does the others no harm; what
        `restore` would raise stands in its place.

        Raises:
            PictureError, UsageError: as `restore` does; or the sizes differ.
        """
        pictures = [self._checked(picture, size) for picture in pictures]
        if len({picture.shape for picture in pictures}) > 1:
            raise PictureError("pictures of unlike sizes do not go through a network together", "restore each alone")
        if len(pictures) > 1:
            if restored := attempt(self._together, torch.stack(pictures), size):
                return [
                    (result, Run(self.precision, None)) if all_finite(result) else self._alone(picture, size)
                    for picture, result in zip(pictures, restored[0], strict=True)
                ]
            self.device.release_memory()
        middle = len(pictures) // 2
        if middle:
            halves = (pictures[:middle], pictures[middle:])
            return [result for half in halves for result in self.restore_stack(half, size=size)]
        return [self._alone(picture, size) for picture in pictures]

    def _together(self, pictures: Tensor, size: tuple[int, int] | None) -> Tensor:
        if isinstance(self._network, SteppedNetwork):
            return self._step(pictures, self._network, lambda share: None)[0]
        return restore_together(pictures, self._network, self.device, size, self._call)

    def _alone(self, picture: Tensor, size: tuple[int, int] | None) -> tuple[Tensor, Run] | RestoreError:
        try:
            return self.restore(picture, size=size)
        except RestoreError as error:
            return error

    def _in_precisions(self, work: Callable[[Network], tuple[Result, int | None]]) -> tuple[Result, Run]:
        """Do `work`, and if its result is not finite in reduced precision, do it again in float32."""
        try:
            result, tile = work(self._network)
            return result, Run(self.precision, tile)
        except NotFiniteError:
            if self.precision is Precision.FP32:
                raise
        # Out of the handler, what the first try held of the picture is free.
        result, tile = work(self._in_float32._network)
        note = f"{self.precision} gave values that are not finite, so it was done again in fp32"
        return result, Run(Precision.FP32, tile, (note,))

    def _step_alone(self, picture: Tensor, network: Network, progress: Progress) -> tuple[Tensor, int | None]:
        results, side = self._step(picture[None], network, progress)
        check_finite(all_finite(results))
        return results[0], side

    def _step(self, pictures: Tensor, network: Network, progress: Progress) -> tuple[Tensor, int | None]:
        assert isinstance(network, SteppedNetwork)
        return StepPass(pictures, network, self.device, self.tile, effort_per_pixel=self._measured_effort).run(progress)

    def _tile(self, picture: ColourSource, size: tuple[int, int] | None) -> TilePass:
        reduced = self.precision is not Precision.FP32
        return TilePass(
            picture, self._network, self.device, self.tile, reduced_precision=reduced, size=size, call=self._call
        )

    def _continued(
        self, tiles: TilePass, work: Callable[[], tuple[Result, int | None]]
    ) -> Callable[[Network], tuple[Result, int | None]]:
        """Return `work` on `tiles` that goes on with another network where it is told to."""

        def run(network: Network) -> tuple[Result, int | None]:
            if network is not self._network:
                tiles.switch_to(network, reduced_precision=False)
            return work()

        return run

    def _measured_effort(self) -> float:
        """Return the effort per pixel; it is the same for all pictures, so it is measured with the first."""
        if self._effort_per_pixel is None:
            assert isinstance(self._network, SteppedNetwork)
            self._effort_per_pixel = measure_effort(self._network, self.device)
        return self._effort_per_pixel

    @cached_property
    def _in_float32(self) -> Restorer:
        return Restorer(self._float32_network, self.device, precision=Precision.FP32, tile=self.tile)

    def _on_device(self, precision: Precision) -> Network:
        network = copy.deepcopy(self._float32_network)
        if precision is not Precision.FP32:
            network = network.reduce_precision(precision.dtype)
        with explaining_lack_of_memory(f"the network does not fit {self.device.name}", "use --device cpu"):
            network.to(self.device.torch_device)
            return network.to(memory_format=memory_format(self.device.torch_device))  # type: ignore[call-overload, no-any-return]
