"""What makes pictures cleaner, brighter and sharper, and how much of it each picture gets."""

from __future__ import annotations

import math

import numpy as np

from restore_cli.card import TaskName
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.tasks.enhance import Enhancer
from restore_cli.tasks.light import keep_highlights, mean_luminance
from restore_cli.tasks.resampling import Planes
from restore_cli.tasks.traits import Alpha, Wrap

DARK, BRIGHT = 0.025, 0.075
"""Mean luminance (0 to 1) up to which a picture is brightened with full strength, and from which on not at all."""
COARSE, FINE = 77, 99
"""Quality of a JPEG up to which artefacts are taken out in full, and from which on it stays as it is.

Measured with dejpeg-s on 30 pictures: taken out in full at quality 75 they gain 1.07 dB of luma, but at 90 they lose
0.06 and at 96 2.7, since the network cannot tell fine detail from artefacts. So they gain 1.02 dB at 80, 0.85 at 85,
0.57 at 90, 0.33 at 94 and 0.10 at 98, about as much as with the best of the shares 1, 3/4, 1/2 and 1/4 at each.
"""
HEADROOM = 0.15
"""Share of the light that is left to differences between highlights."""


class Cleaner(Enhancer):
    """Takes noise or artefacts out; of what it takes out, 1 - `strength` stays, in dark parts as in bright ones.

    So values are mixed as they are encoded, and not as light adds up.
    """

    reduces_deep = True  # what is rounded is the noise that was found, and not the picture

    def blend(self, plain: Planes, restored: Planes, strength: float) -> Planes:
        return plain + np.float32(strength) * (restored - plain)


class Decompressor(Cleaner):
    """Takes out what lossy compression left; of a JPEG that lost little it takes out less, unless the user says it."""

    removes_artefacts = True
    reduces_deep = False

    def choose_strength(self, picture: Picture, plain: Planes) -> tuple[float, tuple[str, ...]]:
        compression = picture.compression
        if self.strength is not None or compression is None or compression.quality is None:
            return super().choose_strength(picture, plain)
        strength = strength_for_quality(compression.quality)
        if strength == 1:
            return strength, ()
        change = f"cleaned with strength {strength:.2f}" if strength else "left as it is"
        return strength, (f"compressed little ({compression}), so it was {change}; strength 1 cleans it in full",)


class Brightener(Enhancer):
    """Brightens dark pictures; how strongly follows from how dark a picture is, unless the user says it."""

    keeps_gamut = False  # a brighter colour lies farther outside, nobody knows how far

    def __init__(
        self,
        restorer: Restorer,
        *,
        model: str = "",
        strength: float | None = None,
        tta: bool = False,
        wrap: Wrap | str | None = None,
        alpha: Alpha | str = Alpha.TRANSPARENCY,
        preserve_highlights: bool = True,
    ) -> None:
        """`strength` None takes it from the picture's mean luminance, see DARK and BRIGHT."""
        super().__init__(restorer, model=model, strength=strength, tta=tta, wrap=wrap, alpha=alpha)
        self.preserve_highlights = preserve_highlights

    def choose_strength(self, picture: Picture, plain: Planes) -> tuple[float, tuple[str, ...]]:
        if self.strength is not None:
            return self.strength, ()
        mean = mean_luminance(plain, self._transparency_of(picture))
        strength = strength_for_luminance(mean)
        if strength == 1:
            return strength, ()
        found, change = (
            ("dim", f"brightened with strength {strength:.2f}") if strength else ("not dark", "left as it is")
        )
        note = f"{found} (mean luminance {mean:.3f}), so it was {change}; strength 1 brightens it in full"
        return strength, (note,)

    def finish(self, plain: Planes, restored: Planes) -> Planes:
        return keep_highlights(plain, restored, HEADROOM) if self.preserve_highlights else restored


ENHANCERS: dict[TaskName, type[Enhancer]] = {
    "lowlight": Brightener,
    "deblur": Enhancer,
    "denoise": Cleaner,
    "dejpeg": Decompressor,
}
"""What carries out each task that keeps a picture's size."""


def strength_for_quality(quality: int) -> float:
    """Return the share of what the network takes out of a JPEG of this quality that is to go; falls evenly."""
    return min(1.0, max(0.0, (FINE - quality) / (FINE - COARSE)))


def strength_for_luminance(mean: float) -> float:
    """Return how strongly a picture of this mean luminance (0 to 1) is brightened; falls evenly in its logarithm."""
    if mean <= DARK:
        return 1.0
    return max(0.0, math.log(BRIGHT / mean) / math.log(BRIGHT / DARK))
