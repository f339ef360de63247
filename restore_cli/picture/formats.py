"""The file formats the program reads and writes, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import PurePath
from typing import Literal

from restore_cli.errors import UsageError

Codec = Literal["vips", "netpbm", "pillow", "heif"]

MAX_PIXELS = 1_000_000_000
"""Default limit on width times height of an input; above it a file is taken for a decompression bomb."""


@dataclass(frozen=True, slots=True)
class Format:
    """A picture file format and what it can hold."""

    name: str
    """Name a user gives to `--format`."""
    suffixes: tuple[str, ...]
    """File name endings in lower case; the first is written."""
    codec: Codec
    depths: tuple[int, ...] = (8,)
    """Bits per sample it can hold, 8 or 16."""
    deepest: int = 16
    """Bits that are kept of samples of 16."""
    deep_grey: bool = False
    """Holds 16 bits per sample, too, where the one channel is all there is, whatever `depths` says."""
    alpha: bool = True
    grey: bool = True
    """Holds pictures of one channel; where not, grey is written as equal red, green and blue."""
    metadata: bool = True
    """Holds an ICC profile, EXIF and XMP."""
    resolution: bool = True
    """Holds how many pixels there are to a millimetre."""
    streams: bool = False
    """Is written row by row; others take the whole picture at once."""
    max_side: int | None = None
    """Pixels a side may have; None where the format sets no practical limit."""
    max_bytes: int | None = None
    """Bytes of samples it can hold, for formats that count them in 32 bits."""
    default_quality: int | None = None
    """Quality 1 to 100 where the format is lossy."""

    @property
    def takes_quality(self) -> bool:
        """Whether it gives up detail, always or where a quality is asked for."""
        return self.default_quality is not None or self.name == "jp2"

    def __reduce__(self) -> tuple[Callable[[str], Format | None], tuple[str]]:
        """Let a format stay the one that it is in another process."""
        return format_by_name, (self.name,)


PNG = Format("png", (".png",), "vips", streams=True, depths=(8, 16))
HEIC = Format(
    "heic",
    (".heic", ".heif", ".hif"),
    "heif",
    depths=(8, 16),
    deepest=12,
    grey=False,
    max_side=16_384,
    default_quality=70,
)
HAS_HEIC = find_spec("pillow_heif") is not None
"""Whether the extra `heic` is installed; without it HEIC is never written, and read by some builds of libvips alone."""
INSTALL_HEIC = "pip install 'restore-cli[heic]'"
ALSO_KNOWN = "" if HAS_HEIC else f"; HEIC after {INSTALL_HEIC}"
"""What a list of known formats ends with."""

FORMATS: tuple[Format, ...] = (
    Format(
        "jpeg",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        "vips",
        streams=True,
        alpha=False,
        max_side=65_500,
        default_quality=95,
    ),
    PNG,
    Format("tiff", (".tif", ".tiff"), "vips", streams=True, depths=(8, 16)),
    Format("webp", (".webp",), "vips", grey=False, max_side=16_383, default_quality=95),
    Format("avif", (".avif",), "vips", depths=(8, 16), deepest=12, grey=False, max_side=16_384, default_quality=85),
    Format("gif", (".gif",), "vips", grey=False, metadata=False, resolution=False, max_side=65_535),
    Format("bmp", (".bmp",), "pillow", metadata=False, max_bytes=2**32 - 2**16),
    Format(
        "ppm",
        (".ppm", ".pgm", ".pnm"),
        "netpbm",
        streams=True,
        depths=(8, 16),
        alpha=False,
        metadata=False,
        resolution=False,
    ),
    Format("tga", (".tga",), "pillow", metadata=False, resolution=False, max_side=65_535),
    Format("dds", (".dds",), "pillow", grey=False, metadata=False, resolution=False),
    Format("jp2", (".jp2", ".j2k", ".jpx"), "pillow", deep_grey=True, metadata=False, resolution=False),
    *((HEIC,) if HAS_HEIC else ()),
)

DEEP_ZOOM = Format(
    "dz", (".dzi",), "vips", streams=True, alpha=False, metadata=False, resolution=False, default_quality=85
)
"""A pyramid of tiles: many files, which are written and never read."""
WRITTEN = (*FORMATS, DEEP_ZOOM)

READ_SUFFIXES = (".dib", ".ico", ".pcx", ".qoi")
"""Endings, in lower case, of files of formats that are read and not written."""
RAW_SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf")
OTHER_SUFFIXES = (".jxl", ".psd", ".xcf", ".exr", ".hdr")
UNREAD_SUFFIXES = frozenset((*OTHER_SUFFIXES, *RAW_SUFFIXES, *(() if HAS_HEIC else HEIC.suffixes)))
"""Endings, in lower case, of files that users take for pictures and that are not read."""

_BY_SUFFIX = {suffix: format for format in WRITTEN for suffix in format.suffixes}
_BY_NAME = {format.name: format for format in WRITTEN} | {suffix[1:]: format for suffix, format in _BY_SUFFIX.items()}


def format_of_path(path: str | PurePath) -> Format | None:
    """Return the format that the ending of `path` stands for, None where it stands for none."""
    return _BY_SUFFIX.get(PurePath(path).suffix.lower())


def format_by_name(name: str) -> Format | None:
    """Return the format called `name` (`jpeg`, also `jpg`, `tif` ...), None where there is none."""
    return _BY_NAME.get(name.lower())


def find_format(name: str) -> Format:
    """Return the format called `name`, as `format_by_name` knows it.

    Raises:
        UsageError: there is none.
    """
    format = format_by_name(name)
    if format is None:
        known = ", ".join(format.name for format in WRITTEN)
        raise UsageError(f"no format is called {name!r}", f"known are {known}{ALSO_KNOWN}")
    return format
