"""Restore pictures at their own size: through the network, and in part with what they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from restore_cli.errors import RestoreError, UsageError
from restore_cli.picture.depth import to_samples, to_unit
from restore_cli.picture.picture import Picture, Samples, check_picture
from restore_cli.restorer import Restorer, Run
from restore_cli.scratch import ArrayStorage
from restore_cli.tasks.bleeding import bleed_colour
from restore_cli.tasks.ensemble import from_colour, restore_once, to_colour
from restore_cli.tasks.grey import with_channels, without_tint
from restore_cli.tasks.light import check_strength, mix
from restore_cli.tasks.resampling import Planes
from restore_cli.tasks.sizing import same_size
from restore_cli.tasks.traits import Alpha, Wrap, find_trait
from restore_cli.tasks.wrapping import Margin
from restore_cli.telling import Progress


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A picture as the network shall see it."""

    picture: Picture
    plain: Planes
    """h, w, c, one where the picture is grey; colours below full transparency are bled under it."""
    seen: Planes
    """The same with its margin."""
    margin: Margin
    strength: float
    """0 leaves the picture as it is."""
    notes: tuple[str, ...]


class Enhancer:
    """Puts pictures through a network of scale 1 and mixes the result with them, both as floats in memory."""

    removes_artefacts = False
    """Whether a result shows no more how its file was compressed."""
    reduces_deep = False
    """Whether pictures of more than 8 bits are computed in reduced precision, too, where the user leaves it open."""
    keeps_gamut = True
    """Whether what the network, which sees sRGB, does to a colour holds for what of it lies outside, too."""

    def __init__(
        self,
        restorer: Restorer,
        *,
        model: str = "",
        strength: float | None = None,
        tta: bool = False,
        wrap: Wrap | str | None = None,
        alpha: Alpha | str = Alpha.TRANSPARENCY,
    ) -> None:
        """`model` is what outcomes call it. `strength` is the share of the network's result, 0 to 1; None is all.

        Edges that meet by `wrap` do so in the result, too. Colours under full transparency stay, unless alpha is data.

        Raises:
            UsageError: the network is one that changes the size, the strength is none from 0 to 1, or there is no such
                `Wrap` or `Alpha`.
        """
        if strength is not None:
            check_strength(strength)
        if restorer.scale != 1:
            raise UsageError(f"a network for x{restorer.scale} does not keep a picture's size", "it is for an Upscaler")
        self.restorer = restorer
        self.model = model
        self.device = restorer.device.name
        self.strength = strength
        self.tta = tta
        self.wrap = None if wrap is None else find_trait(Wrap, wrap)
        self.alpha = find_trait(Alpha, alpha)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of a picture, which stay."""
        return same_size(height, width)

    def choose_strength(self, picture: Picture, plain: Planes) -> tuple[float, tuple[str, ...]]:
        """Return the strength for a picture, `plain` (h, w, c) as floats, and what the user should know about it."""
        return 1.0 if self.strength is None else self.strength, ()

    def finish(self, plain: Planes, restored: Planes) -> Planes:
        """Return the network's result as it shall be mixed."""
        return restored

    def blend(self, plain: Planes, restored: Planes, strength: float) -> Planes:
        """Return a mixture of both with the share `strength` of `restored`; it is mixed in linear light."""
        return mix(plain, restored, strength)

    def __call__(self, picture: Picture, progress: Progress = lambda share: None) -> tuple[Picture, Run]:
        """Restore `picture`; the result has as many bits in its pixels as the picture has.

        Raises:
            DeviceError, NotFiniteError: as `Restorer.restore` does.
        """
        check_picture(picture)
        prepared = self._prepare(picture)
        if prepared.strength == 0:
            return self._leave(prepared)
        restorer = self._restorer_for(picture.depth)
        return self._complete(prepared, *restore_once(restorer, prepared.seen, progress, tta=self.tta))

    def group_size(self, height: int, width: int) -> int:
        """Return how many pictures of this size are best restored together; 1 where there is nothing to gain."""
        around = 2 * self.restorer.margin
        alone = self.tta or self.wrap is not None
        return 1 if alone else self.restorer.stack_size(height + around, width + around)

    def restore_group(self, pictures: Sequence[Picture]) -> list[tuple[Picture, Run] | RestoreError]:
        """Restore pictures of equal height, width and depth together; each becomes what it becomes alone.

        An error stands in the place of one that could not be restored.
        """
        if not pictures:
            return []
        group = [self._prepare(picture) for picture in pictures]
        stack = [to_colour(prepared.seen) for prepared in group if prepared.strength > 0]
        results = iter(self._restorer_for(pictures[0].depth).restore_stack(stack))
        return [self._outcome(prepared, results) for prepared in group]

    def _outcome(
        self, prepared: PreparedPicture, results: Iterator[tuple[Tensor, Run] | RestoreError]
    ) -> tuple[Picture, Run] | RestoreError:
        """Return what becomes of a picture of a group; `results` holds those of the pictures that met the network."""
        if prepared.strength == 0:
            return self._leave(prepared)
        result = next(results)
        return result if isinstance(result, RestoreError) else self._complete(prepared, *result)

    def _prepare(self, picture: Picture) -> PreparedPicture:
        plain = to_unit(without_tint(picture.pixels, picture.storage))
        transparency = self._transparency_of(picture)
        strength, notes = self.choose_strength(picture, plain)
        size, seen = (picture.height, picture.width), plain
        margin = Margin.around(self.wrap, size, size, self.restorer.reach, reflected=self.restorer.margin)
        if strength > 0:
            seen = margin.extend_array(plain, ArrayStorage())
            if transparency is not None:
                seen = bleed_colour(seen, margin.extend_array(transparency, ArrayStorage()))
            plain = seen[margin.inside]
        return PreparedPicture(picture, plain, seen, margin, strength, notes)

    def _transparency_of(self, picture: Picture) -> Samples | None:
        return picture.alpha if self.alpha is Alpha.TRANSPARENCY else None

    def _leave(self, prepared: PreparedPicture) -> tuple[Picture, Run]:
        precision = self._restorer_for(prepared.picture.depth).precision
        return prepared.picture, Run(precision, None, prepared.notes, untouched=True)

    def _restorer_for(self, depth: int) -> Restorer:
        return self.restorer if self.reduces_deep else self.restorer.for_depth(depth)

    def _complete(self, prepared: PreparedPicture, x: Tensor, run: Run) -> tuple[Picture, Run]:
        """Mix the network's result (3, h, w, with the margin) with the picture, and round it."""
        picture, plain, notes = prepared.picture, prepared.plain, prepared.notes
        restored = self.finish(plain, from_colour(x[:, *prepared.margin.inside], plain.shape[2]))
        if prepared.strength < 1:
            restored = self.blend(plain, restored, prepared.strength)
        beyond = picture.beyond_srgb if self.keeps_gamut else None
        if beyond is None and picture.exceeds_srgb:
            notes += ("colours outside sRGB were clipped",)
        pixels = with_channels(to_samples(restored, 8 * picture.pixels.itemsize), picture.pixels.shape[2])
        transparency = self._transparency_of(picture)
        if transparency is not None:
            hidden = transparency == 0  # nobody sees it, but in a game it may have a meaning of its own
            pixels[hidden] = picture.pixels[hidden]
        compression = None if self.removes_artefacts else picture.compression
        done = replace(picture, pixels=pixels, beyond_srgb=beyond, compression=compression)
        return done, replace(run, notes=run.notes + notes)
