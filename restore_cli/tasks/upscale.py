"""Upscale pictures: colour through the network, alpha beside it, to exactly the size asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from restore_cli.errors import RestoreError, UsageError
from restore_cli.passes.tile_plan import LARGEST_BAND
from restore_cli.picture.assembling import PictureAssembler
from restore_cli.picture.picture import Picture, check_picture
from restore_cli.restorer import Restorer, Run
from restore_cli.tasks.light import check_strength
from restore_cli.tasks.sizing import Size, Sizing, plan_sizes
from restore_cli.tasks.traits import Alpha, Wrap, find_trait
from restore_cli.tasks.upscaling import Upscaling
from restore_cli.tasks.wrapping import Margin
from restore_cli.telling import Progress
from restore_cli.tiling import round_up


class Upscaler:
    """Brings pictures to a size with a network, in several passes where its scale is too small.

    A continuous network lands on the size; what another makes larger than asked for is reduced (Lanczos). Grey stays
    grey. Colours below full transparency are bled under it before the network, unless the alpha is data; alpha itself
    is resampled, unless it shall be restored.
    """

    def __init__(
        self,
        restorer: Restorer,
        sizing: Sizing,
        *,
        model: str = "",
        strength: float = 1.0,
        tta: bool = False,
        wrap: Wrap | str | None = None,
        alpha: Alpha | str = Alpha.TRANSPARENCY,
        restore_alpha: bool = False,
        whole_bytes: int = LARGEST_BAND,
    ) -> None:
        """`model` is what outcomes call it.

        `strength` is the share of the network's result, 0 to 1; the rest is the plainly resized picture. `tta` averages
        the results of the eight flips and turns of the picture. Edges that meet by `wrap` do so in the result, too.
        `restore_alpha` puts alpha through the network, as a grey picture, which makes its outlines sharper. A result
        whose samples are more than `whole_bytes` is handed on in bands.

        Raises:
            UsageError: `sizing` is none, the strength is none from 0 to 1, or there is no such `Wrap` or `Alpha`.
        """
        if not isinstance(sizing, Sizing):
            raise UsageError(f"a Sizing is wanted, not {sizing!r}", "for example Sizing(scale=2)")
        check_strength(strength)
        self.restorer = restorer
        self.sizing = sizing
        self.model = model
        self.device = restorer.device.name
        self.strength = strength
        self.tta = tta
        self.wrap = None if wrap is None else find_trait(Wrap, wrap)
        self.alpha = find_trait(Alpha, alpha)
        self.restore_alpha = restore_alpha
        self.whole_bytes = whole_bytes

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Return height and width of a picture's result; None if the picture is as large as asked for already.

        Raises:
            PictureError: the picture would have to grow too much.
        """
        return self.sizing.output_size(height, width)

    def __call__(self, picture: Picture, progress: Progress = lambda share: None) -> tuple[Picture, Run]:
        """Upscale `picture`; the result has as many bits in its pixels as the picture has.

        Raises:
            PictureError: the picture would have to grow too much.
            DeviceError, NotFiniteError: as `Restorer.restore` does.
        """
        check_picture(picture)
        assembler = PictureAssembler(self.sizing.target(picture.height, picture.width)[0])
        run = self.stream(picture, assembler.add, progress)
        return assembler.picture, run

    def stream(
        self, picture: Picture, receive: Callable[[Picture], None], progress: Progress = lambda share: None
    ) -> Run:
        """Upscale `picture` and hand the result to `receive` in bands of rows, from the top down.

        A small result comes in one piece. Of a large one no more is held than the tiles in hand; what must be whole at
        some point, as between two passes, lies in the picture's storage.

        Raises:
            PictureError, DeviceError, NotFiniteError: as above, and whatever `receive` raises.
        """
        check_picture(picture)
        have = picture.height, picture.width
        size = self.sizing.target(*have)
        if self.wrap is not None:
            margin = self._margin(self.wrap, have, size)
            picture, size, receive = margin.extend(picture), margin.extended_result, margin.cutting(receive)
        sizes = self._plan((picture.height, picture.width), size)
        return self._begin(picture, size, receive).run(sizes, progress)

    def group_size(self, height: int, width: int) -> int:
        """Return how many pictures of this size are best upscaled together; 1 where there is nothing to gain.

        Raises:
            PictureError: a picture would have to grow too much.
        """
        alone = self.tta or self.wrap is not None or self.restore_alpha
        passes = self._plan((height, width), self.sizing.target(height, width))
        return self.restorer.stack_size(height, width) if len(passes) == 1 and not alone else 1

    def restore_group(self, pictures: Sequence[Picture]) -> list[tuple[Picture, Run] | RestoreError]:
        """Upscale pictures of equal height, width and depth together; each becomes what it becomes alone.

        They need no more than one pass. An error stands in the place of one that could not be upscaled.

        Raises:
            PictureError: a picture would have to grow too much.
        """
        if not pictures:
            return []
        have = pictures[0].height, pictures[0].width
        size = self.sizing.target(*have)
        assemblers = [PictureAssembler(size[0]) for _ in pictures]
        works = [
            self._begin(picture, size, assembler.add) for picture, assembler in zip(pictures, assemblers, strict=True)
        ]
        (made,) = self._plan(have, size)
        outcomes: list[tuple[Picture, Run] | RestoreError] = []
        results = self.restorer.for_depth(pictures[0].depth).restore_stack(
            [work.colour[:, :, :] for work in works], size=made
        )
        for work, assembler, result in zip(works, assemblers, results, strict=True):
            if isinstance(result, RestoreError):
                outcomes.append(result)
            else:
                work.complete(result[0])
                outcomes.append((assembler.picture, result[1]))
        return outcomes

    def _begin(self, picture: Picture, size: Size, receive: Callable[[Picture], None]) -> Upscaling:
        return Upscaling(
            picture,
            size,
            self.restorer.for_depth(picture.depth),
            receive,
            strength=self.strength,
            tta=self.tta,
            alpha=self.alpha,
            restores_alpha=self.restore_alpha,
            whole_bytes=self.whole_bytes,
        )

    def _margin(self, wrap: Wrap, have: Size, wanted: Size) -> Margin:
        before = [have, *self._plan(have, wanted)[:-1]]  # a later pass sees as many pixels, but smaller ones
        reach = self.restorer.reach * sum(have[0] / height for height, _ in before)
        return Margin.around(wrap, have, wanted, round_up(math.ceil(reach), self.restorer.grid))

    def _plan(self, have: Size, wanted: Size) -> list[Size]:
        """Return the sizes that a picture has after each pass."""
        return plan_sizes(self.restorer.scale, have, wanted, is_continuous=self.restorer.is_continuous)
