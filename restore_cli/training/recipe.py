"""A recipe for weights, as a short TOML file: which network, for what, on which patches, and how it learns.

Nothing here imports torch, so that recipes are listed at once, and so are mistakes told that can be seen without the
network and the photographs.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from restore_cli.errors import UsageError, did_you_mean
from restore_cli.training.tables import build

SUFFIX = ".toml"
RESIZING = ("bicubic", "photo")
"""Kinds of degradation that make pictures smaller."""
Numbers = tuple[float, float]
"""The least and the greatest of a range."""
NOT_NEGATIVE: Numbers = (0.0, math.inf)
SHARE: Numbers = (0.0, 1.0)
RANGES: Mapping[str, Numbers] = {
    "seed": (0, 2**63 - 1),
    "degradations.scales": (1.0, math.inf),
    "degradations.blur": (0.0, 100.0),
    "degradations.noise": (0.0, 255.0),
    "degradations.camera": SHARE,
    "degradations.clean": SHARE,
    "degradations.quality": (1, 100),
    "degradations.exposure": (-10.0, 10.0),
    "degradations.pairs": SHARE,
    "patches.drawn": SHARE,
    "patches.contrast": SHARE,
    "loss.l1": NOT_NEGATIVE,
    "loss.fft": NOT_NEGATIVE,
    "loss.ssim": NOT_NEGATIVE,
    "loss.teacher": NOT_NEGATIVE,
    "loss.teacher_fft": NOT_NEGATIVE,
    "loss.psnr": NOT_NEGATIVE,
    "loss.teacher_psnr": NOT_NEGATIVE,
    "optimiser.rate": NOT_NEGATIVE,
    "optimiser.floor": SHARE,
    "optimiser.warmup": NOT_NEGATIVE,
    "optimiser.betas": (0.0, 0.99999),
    "optimiser.weight_decay": NOT_NEGATIVE,
    "optimiser.clip": (1e-6, math.inf),
    "optimiser.average": SHARE,
}
"""The least and the greatest that a number in a recipe can be, both included; infinity itself is too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradations:
    """What is done to a photograph to make the network's input of it. Levels are those of 8-bit samples, 0 to 255."""

    kind: Literal["bicubic", "photo", "dark", "noise", "jpeg"]
    scale: int = 1
    """How many times smaller the input is; of kinds bicubic and photo."""
    scales: Numbers | None = None
    """A range of scales, one drawn for each batch, for networks that serve any; of kind bicubic."""
    blur: Numbers = (0.0, 1.6)
    """Standard deviation of a Gaussian blur in pixels; of kinds photo and dark. Of dark photographs only some are
    blurred, and those by half a pixel at the least, where the range reaches that far."""
    noise: Numbers = (0.0, 10.0)
    """Standard deviation of noise in levels; of kinds photo and noise."""
    camera: float = 0.0
    """Share of noisy pictures whose noise is a camera's, which neighbouring pixels share, and most of which were stored
    as JPEG after it; of kind noise."""
    clean: float = 0.0
    """Share of pictures that get no noise, so that a network learns to leave such as they are; some of them were stored
    as JPEG; of kind noise."""
    quality: tuple[int, int] = (40, 95)
    """Quality of JPEG and WebP; of kinds photo, jpeg and noise."""
    exposure: Numbers = (-1.3, -0.2)
    """Decimal logarithm of the factor that linear light is multiplied by; of kind dark."""
    pairs: float = 0.65
    """Share of patches from folders with `low` and `high` pictures where there are any; of kinds that keep the size."""

    @property
    def largest_scale(self) -> float:
        """The scale, or the end of the range of scales."""
        return self.scale if self.scales is None else max(self.scales)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """What a step learns from."""

    size: tuple[int, ...] = (40,)
    """Sides of the input's patches in pixels; one is drawn for each step."""
    batch: int = 16
    """Patches of the first size in a step; of larger ones fewer, so that a step has about as many pixels."""
    drawn: float = 0.0
    """Share of patches that are cut from drawings, not from photographs: writing, strokes, shapes and textures."""
    places: int = 1
    """Places drawn in a picture for a patch, of which the one with the most detail is taken."""
    by_area: bool = False
    """Draw photographs as often as they are large, and not all equally often."""
    reduced: float = 1.0
    """Least factor, of those down from 1, that what a patch is cut from is reduced by: it is sharper then."""
    contrast: float = 1.0
    """Least factor, of those down from 1, that the contrast of a patch is multiplied by around a random level, so that
    faded and dark pictures are learned from, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Weights of what is minimised; a weight of 0 leaves a part out."""

    l1: float = 1.0
    """Mean absolute difference."""
    fft: float = 0.0
    """Mean absolute difference of the real and imaginary parts of the two-dimensional spectra."""
    ssim: float = 0.0
    """One minus the structural similarity."""
    teacher: float = 0.0
    """Mean absolute difference from what the teacher makes of the same input, reduced to the same size; from the target
    where the patch is cut from a drawing."""
    teacher_fft: float = 0.0
    """Mean absolute difference from its spectrum, as `fft` compares spectra."""
    psnr: float = 0.0
    """Logarithm of the mean squared difference of each patch, of luma and, by half, of all channels."""
    teacher_psnr: float = 0.0
    """The same of the difference from the teacher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimiser:
    """A method, its rate, which rises for `warmup` steps and then falls by a cosine, and the average of weights."""

    kind: Literal["adamw", "soap"] = "adamw"
    """AdamW, or SOAP, Adam in the eigenbases of Shampoo's preconditioner (Vyas et al., arXiv:2409.11321): a step takes
    longer, and networks of few channels learn more from it."""
    rate: float = 1e-3
    floor: float = 0.01
    """Share of the rate that is left at the end."""
    warmup: int = 200
    betas: Numbers = (0.9, 0.99)
    weight_decay: float = 0.0
    clip: float = 1.0
    """Largest norm of the gradient."""
    average: float = 0.999
    """Share of the old average that a step keeps; less at the beginning."""
    bf16: bool = True
    """Compute the forward pass in bfloat16 where the hardware has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that makes weights, apart from the photographs."""

    name: str
    summary: str
    network: Mapping[str, Any]
    """`architecture`, as the catalogue spells it, and the arguments of its constructor."""
    degradations: Degradations
    steps: int = 10_000
    seed: int = 0
    start: str | None = None
    """Checkpoint to start from, a name or a file: tensors of the same names and shapes are taken over."""
    teacher: str | None = None
    """Checkpoint to learn from besides the photographs, a name or a file; one of a larger scale does, too."""
    patches: Patches = field(default_factory=Patches)
    loss: Loss = field(default_factory=Loss)
    optimiser: Optimiser = field(default_factory=Optimiser)
    text: str = field(default="", compare=False, repr=False)
    """The file's content."""


def read_recipe(name_or_path: str) -> Recipe:
    """Read a recipe that is part of the package, by name, or a TOML file.

    Raises:
        UsageError: there is none, it is no TOML, or a key or value in it is wrong; the message names it.
    """
    if name_or_path.endswith(SUFFIX):
        try:
            text = Path(name_or_path).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read the recipe {name_or_path}: {getattr(error, 'strerror', error)}") from error
        return parse_recipe(text, name_or_path)
    names = recipe_names()
    if name_or_path not in names:
        guess = did_you_mean(name_or_path, names)
        raise UsageError(
            f"no recipe is called {name_or_path!r}", f"{guess}'restore train --list' shows all; a file ends in {SUFFIX}"
        )
    text = resources.files(__package__).joinpath("recipes", name_or_path + SUFFIX).read_text(encoding="utf-8")
    return parse_recipe(text, name_or_path)


def recipe_names() -> list[str]:
    """Return the names of the recipes that are part of the package."""
    folder = resources.files(__package__).joinpath("recipes")
    return sorted(file.name.removesuffix(SUFFIX) for file in folder.iterdir() if file.name.endswith(SUFFIX))


def parse_recipe(text: str, source: str) -> Recipe:
    """Read a recipe from its text; `source` is what messages call it.

    Raises:
        UsageError: it is no TOML, or a key or value in it is missing or wrong.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the recipe {source} is no TOML: {error}") from error
    recipe: Recipe = build(Recipe, table, f"the recipe {source}", given={"text": text})
    if "architecture" not in recipe.network:
        raise UsageError(f"the recipe {source} names no network.architecture")
    loss = recipe.loss
    if (max(loss.teacher, loss.teacher_fft, loss.teacher_psnr) > 0) != (recipe.teacher is not None):
        losses = "loss.teacher, loss.teacher_psnr or loss.teacher_fft"
        raise UsageError(f"the recipe {source} must give both a teacher and {losses}, or neither")
    _check_ranges(recipe, source)
    if not any(dataclasses.astuple(loss)):
        raise UsageError(f"the recipe {source} has no loss above 0, so nothing can be learned")
    patches = recipe.patches
    if not patches.size or min(*patches.size, patches.batch, patches.places, recipe.steps) < 1:
        raise UsageError(f"the recipe {source} has a size, batch, number of places or number of steps below 1")
    if not 0 < patches.reduced <= 1:
        raise UsageError(f"reduced of the recipe {source} is {patches.reduced}, not above 0 and at most 1")
    return recipe


def _check_ranges(recipe: Recipe, source: str) -> None:
    degradations = recipe.degradations
    if degradations.kind not in RESIZING and degradations.largest_scale > 1:
        raise UsageError(f"the recipe {source} has a scale, but {degradations.kind} changes no picture's size")
    if degradations.largest_scale < 1:
        raise UsageError(f"the recipe {source} has a scale below 1")
    for place, (least, most) in RANGES.items():
        value = attrgetter(place)(recipe)
        numbers = list(value) if isinstance(value, tuple) else [] if value is None else [value]
        if not all(least <= number <= most and math.isfinite(number) for number in numbers):
            wanted = f"from {least:g} to {most:g}" if math.isfinite(most) else f"a number from {least:g} up"
            shown = numbers if isinstance(value, tuple) else value
            raise UsageError(f"{place} of the recipe {source} is {shown}, not {wanted}")
    for entry in dataclasses.fields(degradations):
        value = getattr(degradations, entry.name)
        if isinstance(value, tuple) and value[0] > value[1]:
            raise UsageError(f"{entry.name} of the recipe {source} is {list(value)}, which is no range")
