"""Values of options: what they are made of, and what the shell offers for them."""

from __future__ import annotations

import re
from enum import StrEnum

import typer

from restore_cli.batch.sources import Shard
from restore_cli.cards import CARDS
from restore_cli.memory import MEBIBYTE
from restore_cli.picture.formats import WRITTEN

MOST_THREADS = 1024
SCALE = re.compile(r"x?(-?\d+(?:\.\d*)?|\.\d+)x?", re.IGNORECASE)
DEVICE = re.compile(r"auto|cpu|mps|(?:cuda|xpu)(?::\d+)?")


class PrecisionChoice(StrEnum):
    """Values of `--precision`."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


def parse_tile(value: str) -> str:
    """Check what `--tile` is given, and return it in small letters.

    Raises:
        typer.BadParameter: it is neither auto, off nor a number of pixels.
    """
    value = value.lower()
    if value not in ("auto", "off") and not (value.isdigit() and int(value) >= 16):
        raise typer.BadParameter(f"{value!r} is neither auto, off nor a number of pixels from 16 up")
    return value


def parse_scale(value: str) -> float:
    """Read what `--scale` is given: 4, 2.7, 4x or x4.

    Raises:
        typer.BadParameter: it is no number.
    """
    match = SCALE.fullmatch(value)
    if match is None:
        raise typer.BadParameter(f"{value!r} is not a factor such as 4 or 2.7")
    return float(match[1])


def check_threads(threads: int | None) -> int | None:
    """Return what `--threads` is given.

    Raises:
        typer.BadParameter: it is more than any machine has, of which PyTorch would crash.
    """
    if threads is not None and threads > MOST_THREADS:
        raise typer.BadParameter(f"{threads} is more than {MOST_THREADS}")
    return threads


def parse_shard(value: str) -> Shard:
    """Read what `--shard` is given.

    Raises:
        typer.BadParameter: it is not of the form K/N with K from 1 to N.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", value)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(f"{value!r} is not of the form K/N with K from 1 to N, for example 1/4")
    return Shard(int(match[1]), int(match[2]))


def parse_memory(value: str) -> int:
    """Read what `--memory-limit` is given, in bytes.

    Raises:
        typer.BadParameter: it is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", value.strip(), re.IGNORECASE)
    size = int(float(match[1]) * 1024 ** "_KMGT".index(match[2].upper() or "_")) if match else 0
    if size < MEBIBYTE:  # such as 5, which is meant for 5G
        raise typer.BadParameter(f"{value!r} is not a size such as 800M or 2G")
    return size


def parse_device(value: str) -> str:
    """Check what `--device` is given, and return it in small letters.

    Raises:
        typer.BadParameter: no device can have this name.
    """
    value = value.lower()
    if not DEVICE.fullmatch(value):
        raise typer.BadParameter(
            f"{value!r} is none of auto, cpu, cuda or cuda:N (NVIDIA, AMD), mps (Apple), xpu (Intel)"
        )
    return value


def parse_devices(value: str) -> str:
    """Check what `--devices` is given, and return it in small letters.

    Raises:
        typer.BadParameter: one of them is no name of a device.
    """
    value = value.lower()
    if not all(DEVICE.fullmatch(name.strip()) for name in value.split(",")):
        raise typer.BadParameter(f"{value!r} is not a list of devices such as cuda:0,cuda:1")
    return value


def complete_model(incomplete: str) -> list[tuple[str, str]]:
    """Return the names and summaries of the models whose names begin with `incomplete`."""
    return [(card.name, card.summary) for card in CARDS if card.name.startswith(incomplete)]


def complete_format(incomplete: str) -> list[str]:
    """Return the names of the formats whose names begin with `incomplete`."""
    return [format.name for format in WRITTEN if format.name.startswith(incomplete)]
