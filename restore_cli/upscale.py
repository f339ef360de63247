"""Upscale pictures: colour through the network, alpha beside it, to exactly the size asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from restore_cli.ensemble import from_colour, part_of, restore_once, to_colour
from restore_cli.picture.picture import Picture, to_samples, to_unit
from restore_cli.resampling import Planes, bleed_colour, resize
from restore_cli.restorer import Restorer, Run
from restore_cli.sizing import Sizing
from restore_cli.tile_pass import Progress

Size = tuple[int, int]
"""Height and width."""


class Upscaler:
    """Brings pictures to a size with a network, in several passes where its scale is too small.

    A continuous network lands on the size; what another makes larger than asked for is reduced (Lanczos). Grey stays
    grey. Colours below full transparency are bled under it before the network; alpha itself is resampled.
    """

    def __init__(
        self, restorer: Restorer, sizing: Sizing, *, model: str, strength: float = 1.0, tta: bool = False
    ) -> None:
        """`strength` is the share of the network's result, 0 to 1; the rest is the plainly resized picture.

        `tta` averages the results of the eight flips and turns of the picture.
        """
        self.restorer = restorer
        self.sizing = sizing
        self.model = model
        self.device = restorer.device.name
        self.strength = strength
        self.tta = tta

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Return height and width of a picture's result; None if the picture is as large as asked for already.

        Raises:
            PictureError: the picture would have to grow too much.
        """
        return None if self.sizing.is_reached_by(height, width) else self.sizing.target(height, width)

    def __call__(self, picture: Picture, progress: Progress = lambda share: None) -> tuple[Picture, Run]:
        """Upscale `picture`; the result has as many bits in its pixels as the picture has.

        Raises:
            PictureError: the picture would have to grow too much.
            DeviceError, NotFiniteError: as `Restorer.restore` does.
        """
        height, width = self.sizing.target(picture.height, picture.width)
        plain = to_unit(picture.pixels)  # h, w, c
        if picture.alpha is not None:
            plain = bleed_colour(plain, to_unit(picture.alpha))
        restored, run = _run_passes(plain, self.restorer, height, width, self.tta, progress)
        if restored.shape[:2] != (height, width):
            restored = resize(restored, height, width)
        if self.strength < 1:
            restored = self.strength * restored + (1 - self.strength) * resize(plain, height, width)
        depth = 8 * picture.pixels.itemsize
        alpha, beyond = picture.alpha, picture.beyond_srgb
        if alpha is not None:
            alpha = to_samples(resize(to_unit(alpha)[..., None], height, width)[..., 0], depth)
        if beyond is not None:
            beyond = np.rint(resize(beyond, height, width)).astype(np.int32)
        return replace(picture, pixels=to_samples(restored, depth), alpha=alpha, beyond_srgb=beyond), run


def count_passes(scale: int, height: int, width: int, target_height: int, target_width: int) -> int:
    """Return how often a network of `scale` must run to reach the target; at least once, once for scale 1."""
    passes, reached = 1, scale
    while scale > 1 and (height * reached < target_height or width * reached < target_width):
        passes, reached = passes + 1, reached * scale
    return passes


def plan_sizes(scale: int, have: Size, wanted: Size, *, is_continuous: bool) -> list[Size]:
    """Return the size after each pass of a network of `scale`, from the size `have`.

    A continuous network grows by equal factors, and ends on the size `wanted`.
    """
    passes = count_passes(scale, *have, *wanted)
    if not is_continuous:
        return [(have[0] * scale**index, have[1] * scale**index) for index in range(1, passes + 1)]
    shares = [index / passes for index in range(1, passes)]
    between = [
        (round(have[0] * (wanted[0] / have[0]) ** share), round(have[1] * (wanted[1] / have[1]) ** share))
        for share in shares
    ]
    return [*between, wanted]


def _run_passes(
    plain: Planes, restorer: Restorer, height: int, width: int, tta: bool, progress: Progress
) -> tuple[Planes, Run]:
    """Put h, w, c planes through the network until they are at least as large as asked for."""
    x = to_colour(plain)
    have = (plain.shape[0], plain.shape[1])
    sizes = plan_sizes(restorer.scale, have, (height, width), is_continuous=restorer.is_continuous)
    efforts = [height * width for height, width in [have, *sizes[:-1]]]
    for index, size in enumerate(sizes):
        share = part_of(progress, sum(efforts[:index]) / sum(efforts), efforts[index] / sum(efforts))
        x, run = restore_once(restorer, x if index == 0 else x.clamp(0, 1), share, tta=tta, size=size)
    return from_colour(x, plain.shape[2]), run
