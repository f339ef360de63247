"""Upscale each picture with the one of two networks that suits how its file was compressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from restore_cli.errors import RestoreError
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run
from restore_cli.tasks.upscale import Upscaler
from restore_cli.telling import Progress

BEST_FOR_CLEAN = 93
"""Quality of JPEG from which on a network for clean pictures is more faithful than one for compressed ones.

Measured on 24 photographs reduced by 4, 3 and 2: at quality 75 safmn-x4-photo gains 0.6 dB over safmn-x4 and over
safmn-x3, and safmn-x2-photo 0.9 over safmn-x2, at 92 still 0.09, 0.07 and 0.20, and at 95 they lose 0.06, 0.10 and
0.03. With lossy WebP of quality 80 and AVIF of 60 they gain 0.1 to 0.4; with WebP of 95 and AVIF of 90 they lose 0.1
to 0.3 below x4, and less at x4. Few are stored so, and they do not tell their quality, so all of them go there. In two
passes safmn-x4-photo gains, on 12 of the photographs, 0.29 dB over safmn-any at x8 and 0.27 over safmn-x4 at x16 at
quality 75, and 0.06 and 0.03 at 90.
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
        if compression is None or (compression.quality or 0) >= BEST_FOR_CLEAN:
            return self.clean
        return self.compressed
