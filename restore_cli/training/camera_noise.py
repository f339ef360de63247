"""Noise as cameras leave it: neighbouring pixels share it, and colours more so than brightness.

A sensor has one colour at each pixel, in the pattern of Bayer (US patent 3,971,065), so that what is noise at one pixel
is interpolated into its neighbours. Cameras then smooth it, most of all in its colours, which eyes see coarsely.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

GAINS = (1.0, 2.2)
"""By how much white balance makes red and blue brighter than green, and their noise stronger, at least and at most."""
SMOOTHED = 0.6
"""Share of noise that is smoothed after it was interpolated."""
SMOOTHING, COLOUR_SMOOTHING = 1.3, 2.5
"""Standard deviation of that Gaussian in pixels at the most, and by how much it is larger for colours at the most."""

Noise = NDArray[np.float32]


def camera_noise(height: int, width: int, random: Generator, *, grey: bool = False) -> Noise:
    """Draw noise of standard deviation 1: height, width and 3 channels, or 1 for pictures that are grey."""
    noise = interpolated(random.standard_normal((height, width), np.float32), random)
    if random.random() < SMOOTHED:
        deviation = random.uniform(0, SMOOTHING)
        brightness = noise.mean(axis=2, keepdims=True)
        colours = smoothed(noise - brightness, deviation + random.uniform(0, COLOUR_SMOOTHING))
        noise = smoothed(brightness, deviation) + colours
    if grey:
        noise = noise.mean(axis=2, keepdims=True)
    noise /= noise.std()
    return noise


def interpolated(sensor: Noise, random: Generator) -> Noise:
    """Make three channels of a sensor's noise (h, w), of which each pixel of the pattern has one, bilinearly."""
    row, column = random.integers(0, 2, 2)
    red, blue = np.zeros_like(sensor), np.zeros_like(sensor)
    red[row::2, column::2] = sensor[row::2, column::2] * random.uniform(*GAINS)
    blue[1 - row :: 2, 1 - column :: 2] = sensor[1 - row :: 2, 1 - column :: 2] * random.uniform(*GAINS)
    green = sensor.copy()
    green[row::2, column::2] = green[1 - row :: 2, 1 - column :: 2] = 0
    red, blue = (_halfway(_halfway(channel, 0), 1) for channel in (red, blue))
    green = np.float32(0.5) * (_halfway(green, 0) + _halfway(green, 1))
    return np.stack([red, green, blue], axis=2)


def smoothed(noise: Noise, deviation: float) -> Noise:
    """Blur noise (h, w, c) with a Gaussian of `deviation` pixels, as if it went on at the opposite edge."""
    height, width = noise.shape[:2]
    frequencies = np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width) ** 2
    kept = np.exp(-2 * (np.pi * deviation) ** 2 * frequencies)[:, :, None]
    blurred = np.fft.irfft2(np.fft.rfft2(noise, axes=(0, 1)) * kept, (height, width), axes=(0, 1))
    return blurred.astype(np.float32)


def _halfway(channel: Noise, axis: int) -> Noise:
    """Fill every second place along `axis`, which are zero, with the mean of its neighbours."""
    return channel + np.float32(0.5) * (np.roll(channel, 1, axis) + np.roll(channel, -1, axis))
