"""Read and write HEIC with pillow-heif, which is an extra: it is imported when the first such file is met."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.depth import spread_bits
from restore_cli.picture.formats import Format
from restore_cli.picture.metadata.exif import PREFIX
from restore_cli.picture.metadata.xmp import sized_xmp
from restore_cli.picture.picture import Metadata, Samples
from restore_cli.picture.vips import image_of, in_kind
from restore_cli.picture.vips_saving import exif_to_write

TILE = 1024
"""Pixels a side of the parts that a larger picture is encoded in, as cameras do; it takes little memory."""
PRESET = "fast"
"""Of the encoder x265: half the time for files that are some hundredths larger."""
GAIN_MAP = "hdrgainmap"
"""What kinds of auxiliary pictures end with, that say how much brighter parts are on HDR screens."""


class HeicImage:
    """The main picture of a file, not yet decoded; libheif turns it as its container says, and never by its EXIF."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the header of `file`.

        Raises:
            UnreadablePictureError: it is damaged.
            OSError: it cannot be read.
        """
        import pillow_heif

        file.seek(0)
        content = file.read()
        with _explained():
            found = pillow_heif.open_heif(content, convert_hdr_to_8bit=False)
            self._image = found[found.primary_index]
        self.width, self.height = self._image.size
        self._info = self._image.info
        notes = {
            f"only the main one of its {len(found)} pictures is used": len(found) > 1,
            "its gain map for HDR screens is left out": any(kind.endswith(GAIN_MAP) for kind in self._info["aux"]),
            "its depth map is left out": bool(self._info["depth_images"]),
        }
        self.notes = tuple(note for note, is_true in notes.items() if is_true)
        """What is left out, for the user."""

    @property
    def colours(self) -> tuple[int, int] | None:
        """The primaries and the transfer (ITU-T H.273) that the header names; None where it names none."""
        named = self._info.get("nclx_profile")
        return None if named is None else (named["color_primaries"], named["transfer_characteristics"])

    def metadata(self) -> Metadata:
        """Collect what the file says besides the samples."""
        return Metadata(icc=self._info.get("icc_profile"), exif=self._info["exif"], xmp=self._info.get("xmp"))

    def decode(self) -> Samples:
        """Decode to h, w, 1, 3 or 4 samples; alpha, where there is one, is the last. What was decoded is let go.

        Raises:
            UnreadablePictureError: the file is cut or damaged.
        """
        image = self._image
        del self._image
        with _explained():
            samples: Samples = np.array(image)
        if samples.shape[:2] != (self.height, self.width):
            raise UnreadablePictureError("it is damaged: its size is not the one that its header states")
        samples = samples.reshape(self.height, self.width, -1)
        if image.premultiplied_alpha:
            white = float(np.iinfo(samples.dtype).max)
            kind = in_kind(image_of(samples))
            samples = kind.unpremultiply(max_alpha=white).rint().cast(kind.format).numpy()
        return spread_bits(samples, self._info["bit_depth"]) if samples.dtype == np.uint16 else samples


def encode(samples: Samples, metadata: Metadata, format: Format, quality: int | None, file: IO[bytes]) -> None:
    """Write samples (h, w, 3 or 4; alpha last) to `file`, with colours at full resolution.

    Raises:
        OSError: the file cannot be written.
        ValueError: the encoder failed.
    """
    import pillow_heif

    height, width, channels = samples.shape
    exif = exif_to_write(metadata, format, (width, height))
    try:
        pillow_heif.encode(
            ("RGB" if channels == 3 else "RGBA") + (";16" if samples.dtype == np.uint16 else ""),
            (width, height),
            np.ascontiguousarray(samples).data.cast("B"),
            file,
            quality=quality or format.default_quality,
            chroma=444,
            bit_depth=format.deepest,
            tile_size=TILE,
            enc_params={"preset": PRESET},
            icc_profile=metadata.icc,
            exif=exif and PREFIX + exif,
            xmp=metadata.xmp and sized_xmp(metadata.xmp, (width, height), metadata.size),
        )
    except (EOFError, RuntimeError, SyntaxError) as error:
        raise ValueError(_line(error)) from error


@contextmanager
def _explained() -> Iterator[None]:
    """Say in one line what libheif says."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        what = f"it is cut, damaged or of a kind that is not supported ({_line(error)})"
        raise UnreadablePictureError(what) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("Invalid input: ") or type(error).__name__
