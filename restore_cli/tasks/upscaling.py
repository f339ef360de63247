"""One picture on its way to its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restore_cli.passes.tile_pass import unchanged
from restore_cli.passes.tile_plan import BANDS_ALIVE
from restore_cli.picture.assembling import PictureAssembler
from restore_cli.picture.depth import to_samples
from restore_cli.picture.picture import Picture, Samples
from restore_cli.restorer import Restorer, Run
from restore_cli.scratch import rows_in_bands
from restore_cli.tasks.bleeding import bleed_colour
from restore_cli.tasks.ensemble import Colour, from_colour, restore_onto, to_levels
from restore_cli.tasks.grey import with_channels, without_tint
from restore_cli.tasks.resampling import Planes, UnitValues, Values, resize
from restore_cli.tasks.row_buffer import RowBuffer
from restore_cli.tasks.row_resizer import RowResizer
from restore_cli.tasks.sizing import Size
from restore_cli.tasks.traits import Alpha
from restore_cli.telling import Progress, sub_progress
from restore_cli.tiling import Box

FLOAT_BYTES = 4
DEEP_DIFFERENCES = (-65_535, 65_535)
"""The least and the most by which two 16-bit samples differ."""


class Upscaling:
    """Takes one picture through a network, as often as its size takes, and hands the result on."""

    def __init__(
        self,
        picture: Picture,
        size: Size,
        restorer: Restorer,
        receive: Callable[[Picture], None],
        *,
        strength: float,
        tta: bool,
        alpha: Alpha,
        restores_alpha: bool,
        whole_bytes: int,
    ) -> None:
        """Bring `picture` to `size`, height and width; `receive` gets bands of its rows, from the top down.

        The others are those of `Upscaler`.
        """
        self.picture = picture
        self.height, self.width = size
        self.restorer = restorer
        self.receive = receive
        self.strength = strength
        self.tta = tta
        self.restores_alpha = restores_alpha and picture.alpha is not None
        self.alpha = alpha
        self.whole_bytes = whole_bytes
        self.storage = picture.storage
        pixels = without_tint(picture.pixels, picture.storage)
        self.channels = pixels.shape[2]
        self.plain: Values = UnitValues(pixels)
        self.beyond_srgb: Values | None = picture.beyond_srgb
        self.restored_alpha: Samples | None = None
        hides = picture.alpha is not None and alpha is Alpha.TRANSPARENCY
        self.keeps_hidden = hides and size == (picture.height, picture.width)
        """Whether colours under full transparency stay."""
        if picture.alpha is not None and hides:
            self.plain = bleed_colour(self.plain, picture.alpha, self.storage)
            if self.beyond_srgb is not None and not self.keeps_hidden:
                self.beyond_srgb = bleed_colour(self.beyond_srgb, picture.alpha, self.storage, limits=DEEP_DIFFERENCES)

    def run(self, sizes: Sequence[Size], progress: Progress) -> Run:
        """Put the picture through the network once for each of `sizes`, which it has after each pass."""
        if self.restores_alpha:
            self.restored_alpha = self._restore_alpha(sizes, sub_progress(progress, 0, 1 / 2))
            progress = sub_progress(progress, 1 / 2, 1 / 2)
        have = self.picture.height, self.picture.width
        efforts = [height * width for height, width in [have, *sizes[:-1]]]
        source = self.colour
        for index, size in enumerate(sizes):
            share = sub_progress(progress, sum(efforts[:index]) / sum(efforts), efforts[index] / sum(efforts))
            if index == len(sizes) - 1 and not self.tta:
                return self._restore_in_rows(source, size, share)
            canvas = self.storage.empty((*size, 3), np.float32)
            run = restore_onto(canvas, self.restorer, source, share, tta=self.tta, release=self.storage.release)
            source = Colour(canvas, clipped=True)
        self._emit_canvas(canvas)
        return run

    @property
    def colour(self) -> Colour:
        """The picture as the network's first pass takes it."""
        return Colour(self.plain)

    def complete(self, x: Tensor) -> None:
        """Make the result of what the network made of the whole picture in one pass: 3, h, w."""
        self._finisher((x.shape[1], x.shape[2]))(0, from_colour(x, self.channels))

    def _restore_alpha(self, sizes: Sequence[Size], progress: Progress) -> Samples:
        """Return what the network makes of the alpha, taken for a grey picture: height, width."""
        assert self.picture.alpha is not None
        grey = replace(self.picture, pixels=self.picture.alpha[..., None], alpha=None, beyond_srgb=None)
        assembler = PictureAssembler(self.height)
        Upscaling(
            grey,
            (self.height, self.width),
            self.restorer,
            assembler.add,
            strength=self.strength,
            tta=self.tta,
            alpha=self.alpha,
            restores_alpha=False,
            whole_bytes=self.whole_bytes,
        ).run(sizes, progress)
        return assembler.picture.pixels[..., 0]

    def _restore_in_rows(self, source: Colour, size: Size, progress: Progress) -> Run:
        """Let the last pass, whose result has `size`, make the samples of the result, tile by tile.

        No whole canvas is needed. Where nothing else is to be done, samples are rounded where they are: in less than
        half the time, and of what comes from a graphics card a quarter of the bytes has to be copied.
        """
        channels, depth = self.channels, 8 * self.picture.pixels.itemsize
        resizes = size != (self.height, self.width)
        is_ready = self.strength == 1 and (channels, depth) == (3, 8) and not resizes
        rows = RowBuffer(size[1], self._finisher(size) if resizes else self._emit)

        def take(tile: Tensor, box: Box) -> None:
            values = tile.numpy() if is_ready else from_colour(tile, channels)
            rows.put(values if is_ready or resizes else self._finish(values, box), box)

        return self.restorer.restore_tiles(
            source,
            take,
            progress,
            rows.finish,
            size=size,
            convert=to_levels if is_ready else unchanged,
            row_bytes=self._row_bytes(size),
        )

    def _row_bytes(self, size: Size) -> int:
        """Return the bytes of a band, for each row of the network's result, of which a pass expects BANDS_ALIVE.

        Where the result, which has `size`, is resized, one of them holds floats of that size, the others samples.
        """
        channels: int = self.picture.pixels.shape[2]
        sample_bytes = self.width * channels * self.picture.pixels.itemsize
        if size == (self.height, self.width):
            return sample_bytes
        samples = sample_bytes * self.height // size[0]
        return (size[1] * channels * FLOAT_BYTES + (BANDS_ALIVE - 1) * samples) // BANDS_ALIVE

    def _finisher(self, size: Size) -> Callable[[int, Planes], None]:
        """Return what takes rows of the network's result, which has `size`, and emits those of the picture's."""
        wanted = (self.height, self.width)
        resizer = RowResizer(size, wanted) if size != wanted else None

        def take(top: int, rows: Planes) -> None:
            for band in self._bands(0, len(rows), rows[0].nbytes):
                at, made = top + band.start, rows[band]
                if resizer is not None:
                    at, made = resizer.reached, resizer.add(made)
                if len(made):
                    self._emit(at, self._finish(made, Box(at, 0, len(made), self.width)))

        return take

    def _emit_canvas(self, canvas: Planes) -> None:
        """Make the samples of the result from those of the network, in bands where they are many."""
        height, width = canvas.shape[:2]
        take = self._finisher((height, width))
        for rows in self._bands(0, height, canvas[0].nbytes):
            band = torch.from_numpy(canvas[rows]).permute(2, 0, 1)
            take(rows.start, from_colour(band, self.channels))

    def _finish(self, restored: Planes, box: Box) -> Samples:
        """Mix the network's result (h, w, c) at `box` with the plainly resized picture, and round it."""
        if self.strength < 1:
            plain = resize(self.plain, self.height, self.width, box)
            restored = self.strength * restored + (1 - self.strength) * plain
        return to_samples(restored, 8 * self.picture.pixels.itemsize)

    def _emit(self, top: int, pixels: NDArray[Any]) -> None:
        """Hand rows of the result on, with what belongs to them."""
        picture = self.picture
        for rows in self._bands(top, top + len(pixels), self.width * picture.pixels[0, 0].nbytes):
            box = Box(rows.start, 0, rows.stop - rows.start, self.width)
            alpha, beyond = picture.alpha, None
            if self.restored_alpha is not None:
                alpha = self.restored_alpha[rows]
            elif alpha is not None:
                resized = resize(UnitValues(alpha[..., None]), self.height, self.width, box)
                alpha = to_samples(resized[..., 0], 8 * picture.pixels.itemsize)
            if self.beyond_srgb is not None:
                beyond = np.rint(resize(self.beyond_srgb, self.height, self.width, box)).astype(np.int32)
            band = with_channels(pixels[rows.start - top : rows.stop - top], picture.pixels.shape[2])
            if picture.alpha is not None and self.keeps_hidden:
                band = np.where(picture.alpha[rows, :, None] == 0, picture.pixels[rows], band)
            self.receive(replace(picture, pixels=band, alpha=alpha, beyond_srgb=beyond, compression=None))
            self.storage.release()

    def _bands(self, top: int, bottom: int, row_bytes: int) -> list[slice]:
        """Divide rows into bands; those of a small result stay in one piece."""
        if self.height * row_bytes <= self.whole_bytes:
            return [slice(top, bottom)]
        return [slice(top + rows.start, top + rows.stop) for rows in rows_in_bands(bottom - top, row_bytes)]
