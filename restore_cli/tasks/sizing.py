"""How large a result shall be, a factor or a size to reach, and in which passes it becomes so large."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral, Real

from restore_cli.errors import PictureError, UsageError

SMALLEST_SCALE, LARGEST_SCALE = 1.0, 16.0
SIZING_SUFFIX = r"_(?:x[\d.]+|\d+x\d+|[whl]\d+)"
"""A pattern for every `Sizing.suffix`."""
Size = tuple[int, int]
"""Height and width."""
OutputSize = Callable[[int, int], Size | None]
"""Returns the size of the result of a picture of this height and width; None if it is to be left alone."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """Exactly one of a scale and a size; `width` and `height` together are a frame that the result fits inside."""

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    long_edge: int | None = None

    def __post_init__(self) -> None:
        """Check that there is one, and that pictures can become so large.

        Raises:
            UsageError: there is none or more than one, or it is out of range.
        """
        has_frame = self.width is not None or self.height is not None
        if (self.scale is not None) + (self.long_edge is not None) + has_frame != 1:
            raise UsageError("a size is either a scale, a long edge, or a width, a height or both")
        if self.scale is not None and not isinstance(self.scale, Real):
            raise UsageError(f"a scale is a number, not {self.scale!r}")
        if self.scale is not None and not SMALLEST_SCALE <= self.scale <= LARGEST_SCALE:
            hint = "pictures are not made smaller" if self.scale < SMALLEST_SCALE else "enlarge the result once more"
            raise UsageError(f"the scale {self.scale:g} is not between {SMALLEST_SCALE:g} and {LARGEST_SCALE:g}", hint)
        _check_sides(self.width, self.height, self.long_edge)

    def factor(self, height: int, width: int) -> float:
        """Return by how much a picture of `height`, `width` pixels must grow; 1 or less where it is large enough."""
        if self.scale is not None:
            return self.scale
        if self.long_edge is not None:
            return self.long_edge / max(height, width)
        ratios = [wanted / have for wanted, have in ((self.height, height), (self.width, width)) if wanted is not None]
        return min(ratios)

    def is_reached_by(self, height: int, width: int) -> bool:
        """Tell whether a picture is already as large as a size asks for; never so for a scale."""
        return self.scale is None and self.factor(height, width) <= 1

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the result, at least 1 pixel each.

        Raises:
            PictureError: the picture would grow by more than LARGEST_SCALE.
        """
        factor = self.factor(height, width)
        if factor > LARGEST_SCALE:
            raise PictureError(
                f"{width}x{height} pixels would have to grow {factor:.4g} times, more than {LARGEST_SCALE:g}",
                "ask for a smaller size",
            )
        return max(1, round(height * factor)), max(1, round(width * factor))

    def output_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Return height and width of a picture's result; None if the picture is as large as asked for already.

        Raises:
            PictureError: the picture would have to grow too much.
        """
        return None if self.is_reached_by(height, width) else self.target(height, width)

    @property
    def label(self) -> str:
        """What a template's {scale} stands for: 4, 2.7, 1920x1080, w1920, h1080, l3840."""
        return self.suffix.removeprefix("_x" if self.scale is not None else "_")

    @property
    def suffix(self) -> str:
        """What file names of results carry: `_x4`, `_1920x1080`, `_w1920`, `_h1080`, `_l3840`."""
        if self.scale is not None:
            return f"_x{self.scale:g}"
        if self.long_edge is not None:
            return f"_l{self.long_edge}"
        if self.width is not None and self.height is not None:
            return f"_{self.width}x{self.height}"
        return f"_w{self.width}" if self.width is not None else f"_h{self.height}"


def same_size(height: int, width: int) -> Size:
    """Return the size of a picture's result where it stays; an `OutputSize`."""
    return height, width


def size_after(steps: Iterable[OutputSize], height: int, width: int) -> Size | None:
    """Return the size of a picture after several steps; None if none of them has anything to do.

    Raises:
        PictureError: a step would have to make it too large.
    """
    result: Size | None = None
    for step in steps:
        result = step(*(result or (height, width))) or result
    return result


def parse_sizing(
    scale: float | None,
    size: str | None,
    width: int | None,
    height: int | None,
    long_edge: int | None,
    *,
    prefix: str = "--",
) -> Sizing | None:
    """Turn the options of a command line into a `Sizing`, None where none was given.

    `prefix` is what the user puts before their names.

    Raises:
        UsageError: more than one was given, or one is out of range.
    """
    given = {"scale": scale, "size": size, "width": width, "height": height, "long-edge": long_edge}
    names = [f"{prefix}{name}" for name, value in given.items() if value is not None]
    if not names:
        return None
    if len(names) > 1 and names != [f"{prefix}width", f"{prefix}height"]:
        raise UsageError(f"{' and '.join(names)} contradict each other", "give one of them")
    if size is not None:
        width, height = parse_frame(size)
    return Sizing(scale=scale, width=width, height=height, long_edge=long_edge)


def parse_frame(size: str) -> tuple[int, int]:
    """Turn WIDTHxHEIGHT into width and height.

    Raises:
        UsageError: it has another form.
    """
    match = re.fullmatch(r"(\d+)[xX](\d+)", size.strip())
    if match is None:
        raise UsageError(f"the size {size!r} is not of the form WIDTHxHEIGHT", "for example 1920x1080")
    width, height = int(match[1]), int(match[2])
    _check_sides(width, height)
    return width, height


def _check_sides(*sides: int | None) -> None:
    if any(side is not None and (not isinstance(side, Integral) or side < 1) for side in sides):
        raise UsageError("a size must be at least 1 pixel, and a whole number of them")


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
