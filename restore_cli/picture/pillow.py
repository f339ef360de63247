"""Read and write what libvips here lacks: BMP, PPM and PGM, TGA, JPEG 2000 and Pillow's other formats.

Pillow cuts 16-bit colour to 8 bits without a word, so binary PPM and PGM with more than 8 bits are read and written
here, after https://netpbm.sourceforge.net/doc/ppm.html.
"""

from __future__ import annotations

import re
from typing import IO

import numpy as np
from PIL import Image

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.formats import Format
from restore_cli.picture.picture import Metadata, Samples

Image.MAX_IMAGE_PIXELS = None  # the program's own limit is checked on the header, and the user can move it

NETPBM_HEADER = re.compile(rb"(P[56])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
CONTENT_MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}


class PillowImage:
    """A file opened by Pillow, its samples not yet decoded."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the header of `file`.

        Raises:
            UnreadablePictureError: no format is recognised, or the header is damaged.
        """
        self._deep = _read_netpbm_header(file)
        try:
            self._image = Image.open(file)
        except (OSError, ValueError, SyntaxError) as error:
            raise UnreadablePictureError("the file is of no known picture format") from error
        self._file = file
        self.width, self.height = self._image.size
        self.format = (self._image.format or "").lower().replace("jpeg2000", "jp2")
        self.pages = getattr(self._image, "n_frames", 1)
        self.cmyk = self._image.mode == "CMYK"

    def metadata(self) -> Metadata:
        """Collect the blocks of metadata that the file carries."""
        info = self._image.info
        return Metadata(icc=info.get("icc_profile"), exif=info.get("exif"), xmp=info.get("xmp"))

    def decode(self) -> Samples:
        """Decode to h, w, 1 to 4 samples; alpha, where there is one, is the last.

        Raises:
            UnreadablePictureError: the file is cut or damaged, or its samples are floats.
        """
        if self._deep is not None:
            return _read_netpbm(self._file, *self._deep)
        try:
            return _to_array(self._image)
        except (OSError, ValueError, SyntaxError, IndexError, EOFError) as error:
            raise UnreadablePictureError(str(error) or "the file is damaged") from error


def encode(samples: Samples, format: Format, quality: int | None, suffix: str, file: IO[bytes]) -> None:
    """Write samples (h, w, 1 to 4; alpha last) as `format` to `file`; JPEG 2000 is lossless unless `quality` is given.

    Raises:
        OSError: the file cannot be written.
    """
    if format.name == "ppm":
        _write_netpbm(samples, file)
        return
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if format.name == "jp2":
        options: dict[str, object] = {"no_jp2": suffix == ".j2k"}
        if quality is not None and quality < 100:
            options |= {"irreversible": True, "quality_mode": "dB", "quality_layers": [25 + quality * 0.25]}
        image.save(file, "JPEG2000", **options)
    else:
        image.save(file, format.name.upper())


def _to_array(image: Image.Image) -> Samples:
    if image.mode in ("P", "PA") and "transparency" in image.info:
        image = image.convert("RGBA")
    image = image.convert(CONTENT_MODES[image.mode]) if image.mode in CONTENT_MODES else image
    if image.mode.startswith("I"):  # Pillow holds 16-bit grey as "I;16", or as 32-bit "I"
        samples: Samples = np.clip(np.asarray(image), 0, 65_535).astype(np.uint16)
        return samples[..., None]
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        raise UnreadablePictureError(f"samples of kind {image.mode} are not supported")
    samples = np.asarray(image)
    return samples.reshape(*samples.shape[:2], -1)


def _read_netpbm_header(file: IO[bytes]) -> tuple[int, int, int, int, int] | None:
    """Return offset, width, height, channels and largest value of a binary PPM or PGM above 8 bits, else None."""
    match = NETPBM_HEADER.match(file.read(1024))
    file.seek(0)
    if match is None or int(match[4]) < 256:
        return None
    return match.end(), int(match[2]), int(match[3]), 3 if match[1] == b"P6" else 1, int(match[4])


def _read_netpbm(file: IO[bytes], offset: int, width: int, height: int, channels: int, largest: int) -> Samples:
    file.seek(offset)
    values = np.frombuffer(file.read(2 * width * height * channels), ">u2")
    if values.size != width * height * channels or largest > 65_535:
        raise UnreadablePictureError("the file is cut or its header is damaged")
    scaled = np.rint(values.astype(np.float64) * (65_535 / largest)).clip(0, 65_535)
    return scaled.astype(np.uint16).reshape(height, width, channels)


def _write_netpbm(samples: Samples, file: IO[bytes]) -> None:
    height, width, channels = samples.shape
    kind, largest = (b"P6" if channels == 3 else b"P5"), np.iinfo(samples.dtype).max
    file.write(b"%s\n%d %d\n%d\n" % (kind, width, height, largest))
    file.write(samples.astype(">u2" if samples.itemsize == 2 else "u1").tobytes())
