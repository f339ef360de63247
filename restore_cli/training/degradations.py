"""What makes the network's input of a photograph: it is reduced, blurred, darkened, made noisy or compressed.

Photographs and inputs are 8-bit sRGB samples, h, w, 3, so that a network learns from what it will get from files.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from restore_cli.picture.depth import to_samples, to_unit
from restore_cli.picture.srgb import to_linear, to_srgb
from restore_cli.training.camera_noise import camera_noise
from restore_cli.training.imresize import imresize
from restore_cli.training.photographs import Samples
from restore_cli.training.recipe import Degradations, Numbers

BLURRED = 0.3
"""Share of darkened photographs that are blurred, too."""
LEAST_DARK_BLUR = 0.5
"""Pixels of standard deviation by which those are blurred at the least, where the range reaches that far."""
SHARPEST_BLUR = 0.2
"""Pixels of standard deviation below which a blur changes nothing."""
SHOT_NOISE = (1e-4, 2e-3)
"""Variance of shot noise per unit of linear light, where 1 is white."""
READ_NOISE = (2e-4, 2e-3)
"""Standard deviation of read noise in linear light."""
SIGNAL_DEPENDENT = 0.3
"""Share of noisy pictures whose noise grows with the light (Poisson and Gaussian)."""
GREY_NOISE = 0.15
"""Share of noisy pictures whose noise is the same in all channels, as it is in grey ones."""
WEAK_NOISE = 1.5
"""Noise of strength u to this power is drawn, u uniform from 0 to 1; above 1, so that weak noise, which most
photographs have, is learned well."""
COMPRESSED_LAST = 0.7
"""Share of photographs that are compressed after the reduction: most were made small before they were stored."""
WEBP = 0.2
"""Share of compressed photographs that are stored as WebP; the others are JPEG."""
CAMERA_STRENGTH = 0.6
"""By how much noise of cameras is weaker than white noise."""
CAMERA_COMPRESSED = 0.7
"""Share of pictures with noise of cameras that were stored as JPEG."""
CLEAN_COMPRESSED = 0.5
"""Share of pictures without noise that were stored as JPEG."""
SUBSAMPLED = 0.7
"""Share of compressed pictures whose colour has half the resolution, as most programs store it."""


def degrade(target: Samples, height: int, width: int, recipe: Degradations, random: Generator) -> Samples:
    """Return the input, with `height` rows and `width` columns, that a recipe makes of a photograph.

    Kinds that keep the size take no note of these two.
    """
    match recipe.kind:
        case "bicubic":
            return imresize(target, height, width)
        case "photo":
            return _spread_on_the_web(target, height, width, recipe, random)
        case "dark":
            return _darkened(target, recipe, random)
        case "noise":
            return _made_noisy(target, recipe, random)
        case "jpeg":
            return compressed(target, recipe.quality, "JPEG", random)


def blurred(x: Samples, deviation: float) -> Samples:
    """Blur with a Gaussian of `deviation` pixels."""
    if deviation < SHARPEST_BLUR:
        return x
    return np.array(Image.fromarray(x).filter(ImageFilter.GaussianBlur(deviation)))


def noisy(x: Samples, level: float, random: Generator, *, from_camera: bool = False) -> Samples:
    """Add noise of standard deviation `level`, in 8-bit levels; where it depends on the signal, in the middle.

    It is white unless it is a camera's.
    """
    values = to_unit(x)
    deviation: NDArray[np.float32] | float = level / 255
    if random.random() < SIGNAL_DEPENDENT:
        gaussian = random.uniform(0, 1)
        deviation = deviation * np.sqrt(gaussian + (1 - gaussian) * 2 * values)
    grey, (height, width) = random.random() < GREY_NOISE, values.shape[:2]
    if from_camera:
        noise = camera_noise(height, width, random, grey=grey)
    else:
        noise = random.standard_normal((height, width, 1 if grey else values.shape[2]), np.float32)
    return to_samples(values + deviation * noise, 8)


def compressed(x: Samples, quality: tuple[int, int], format: str, random: Generator) -> Samples:
    """Store as JPEG or WEBP of a quality from the range, both ends included, and read again."""
    file = io.BytesIO()
    options = {"quality": int(random.integers(*quality, endpoint=True))}
    if format == "JPEG":
        options["subsampling"] = 2 if random.random() < SUBSAMPLED else 0
    Image.fromarray(x).save(file, format, **options)
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


def log_uniform(bounds: Numbers, random: Generator) -> float:
    """Draw a number whose logarithm is spread evenly."""
    return float(np.exp(random.uniform(*np.log(bounds))))


def _spread_on_the_web(x: Samples, height: int, width: int, recipe: Degradations, random: Generator) -> Samples:
    """Blur, add noise and compress in any order, and reduce: what photographs from the web went through."""
    format = "WEBP" if random.random() < WEBP else "JPEG"

    def compress(x: Samples) -> Samples:
        return compressed(x, recipe.quality, format, random)

    steps: list[Callable[[Samples], Samples]] = [
        lambda x: blurred(x, random.uniform(*recipe.blur)),
        lambda x: noisy(x, random.uniform(*recipe.noise), random),
    ]
    last = random.random() < COMPRESSED_LAST
    if not last:
        steps.append(compress)
    for index in random.permutation(len(steps)):
        x = steps[index](x)
    reduced = imresize(x, height, width)
    return compress(reduced) if last else reduced


def _darkened(x: Samples, recipe: Degradations, random: Generator) -> Samples:
    """Take light away, in linear light, with shot and read noise; some of it is blurred."""
    if random.random() < BLURRED:
        low, high = recipe.blur
        x = blurred(x, random.uniform(min(max(LEAST_DARK_BLUR, low), high), high))
    light = to_linear(to_unit(x)) * np.float32(10 ** random.uniform(*recipe.exposure))
    shot, read = log_uniform(SHOT_NOISE, random), log_uniform(READ_NOISE, random)
    light += np.sqrt(light * shot + read**2) * random.standard_normal(light.shape, np.float32)
    return to_samples(to_srgb(light.clip(0, 1)), 8)


def _made_noisy(x: Samples, recipe: Degradations, random: Generator) -> Samples:
    """Add noise of any strength, the same all over or growing with the light, white or as cameras leave it, or none."""
    if recipe.clean and random.random() < recipe.clean:
        return _perhaps_compressed(x, CLEAN_COMPRESSED, recipe, random)
    least, most = recipe.noise
    level = least + (most - least) * random.random() ** WEAK_NOISE
    if not recipe.camera or random.random() >= recipe.camera:
        return noisy(x, level, random)
    made = noisy(x, CAMERA_STRENGTH * level, random, from_camera=True)
    return _perhaps_compressed(made, CAMERA_COMPRESSED, recipe, random)


def _perhaps_compressed(x: Samples, share: float, recipe: Degradations, random: Generator) -> Samples:
    """Store `share` of all pictures as JPEG, and read them again."""
    return compressed(x, recipe.quality, "JPEG", random) if random.random() < share else x
