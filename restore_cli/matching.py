"""Upscale each picture with the one of two networks that suits how its file was compressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from restore_cli.errors import RestoreError
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run
from restore_cli.tile_pass import Progress
from restore_cli.upscale import Upscaler

BEST_FOR_CLEAN = 93
"""Quality of JPEG from which on a network for clean pictures is more faithful than one for compressed ones.

Measured with safmn-x4 and safmn-x4-photo on 24 photographs reduced by 4: the latter gains 0.5 dB at quality 60, 0.4 at
75 and 0.1 at 92, and loses 0.02 at 95. With lossy WebP it gains up to quality 90, with AVIF up to 75; above, it loses
0.04 dB at the most. So a file that does not tell its quality goes to it.
"""


class MatchingUpscaler:
    """Gives compressed pictures to another upscaler than clean ones; both bring them to the same size."""

    def __init__(self, clean: Upscaler, load_compressed: Callable[[], Upscaler]) -> None:
        """`load_compressed` is called when the first compressed picture comes."""
        self.clean = clean
        self.model = clean.model
        self.device = clean.device
        self._load_compressed = load_compressed

    @cached_property
    def compressed(self) -> Upscaler:
        """The upscaler for compressed pictures."""
        return self._load_compressed()

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Return what `Upscaler.output_size` does."""
        return self.clean.output_size(height, width)

    def __call__(self, picture: Picture, progress: Progress = lambda share: None) -> tuple[Picture, Run]:
        """Do what `Upscaler` does; the run tells which model it was."""
        chosen = self._choose(picture)
        result, run = chosen(picture, progress)
        return result, replace(run, model=chosen.model)

    def stream(
        self, picture: Picture, receive: Callable[[Picture], None], progress: Progress = lambda share: None
    ) -> Run:
        """Do what `Upscaler.stream` does; the run tells which model it was."""
        chosen = self._choose(picture)
        return replace(chosen.stream(picture, receive, progress), model=chosen.model)

    def group_size(self, height: int, width: int) -> int:
        """Return what `Upscaler.group_size` does."""
        return self.clean.group_size(height, width)

    def restore_group(self, pictures: Sequence[Picture]) -> list[tuple[Picture, Run] | RestoreError]:
        """Upscale pictures of equal height and width, those that go to one network together."""
        chosen = [self._choose(picture) for picture in pictures]
        results: dict[int, tuple[Picture, Run] | RestoreError] = {}
        for upscaler in dict.fromkeys(chosen):
            places = [place for place, other in enumerate(chosen) if other is upscaler]
            group = upscaler.restore_group([pictures[place] for place in places])
            for place, result in zip(places, group, strict=True):
                if not isinstance(result, RestoreError):
                    result = result[0], replace(result[1], model=upscaler.model)
                results[place] = result
        return [results[place] for place in range(len(pictures))]

    def _choose(self, picture: Picture) -> Upscaler:
        compression = picture.compression
        if compression is None:
            return self.clean
        is_good = compression.quality is not None and compression.quality >= BEST_FOR_CLEAN
        return self.clean if is_good else self.compressed
