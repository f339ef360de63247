"""Read and write with Pillow what libvips here lacks: BMP, DDS, JPEG 2000; write TGA, and read some rarer formats."""

from __future__ import annotations

import errno
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, cast

import numpy as np
from PIL import Image, ImageFile

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture import bmp, dds, ico
from restore_cli.picture.depth import spread_bits
from restore_cli.picture.formats import Format
from restore_cli.picture.metadata import bmp_profile, jpeg2000
from restore_cli.picture.metadata.density import INCH
from restore_cli.picture.picture import Metadata, Samples

READABLE = ("BMP", "DDS", "DIB", "ICO", "JPEG2000", "PCX", "QOI")
"""Pillow's names of the formats it may open: those of at most 8 bits a sample, and JPEG 2000."""
UNSURE_ALPHA = ("bmp", "dib")
"""Formats in which many programs leave the bytes of an alpha empty that they do not have."""
HDR_TEXTURE = ("BC6H", "BC6HS")
SAVE_AS = "save it as BC7, BC3, BC1 or uncompressed, or as TIFF or PNG"
_unlimited = threading.Lock()
"""Held while Pillow's limit on pixels and its warnings are off."""


class PillowImage:
    """A file opened by Pillow, its samples not yet decoded."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the header of `file`.

        Raises:
            UnreadablePictureError: no format is recognised, or the header is damaged.
            OSError: the file cannot be read.
        """
        file.seek(0)
        try:
            self._image = _open(file)
        except MemoryError:
            raise
        except NotImplementedError as error:
            raise UnreadablePictureError("it is DDS of a kind that is not supported", SAVE_AS) from error
        except Exception as error:  # damaged files make Pillow's readers raise whatever Python raises in them
            _raise_if_systems(error)
            raise UnreadablePictureError("it is of no known picture format, or its header is damaged") from error
        self._file = file
        self.width, self.height = self._image.size
        self.format = (self._image.format or "").lower().replace("jpeg2000", "jp2")
        self.cmyk = self._image.mode == "CMYK"
        self.rest: tuple[str, ...] = ()
        """What else is in the file, and is not read."""
        if self.format == "dds":
            if getattr(self._image, "pixel_format", "") in HDR_TEXTURE:
                raise UnreadablePictureError("floating-point DDS (BC6H) is not supported", SAVE_AS)
            self.rest = dds.describe_rest(file)
        if self.format == "ico" and (sizes := len(self._image.info["sizes"])) > 1:
            self.rest = (f"only the largest of its {sizes} sizes is used",)
        self.bits = (jpeg2000.bits_per_sample(file) or 8) if self.format == "jp2" else 8
        """Bits per sample in the file; decoding may give less."""

    def metadata(self) -> Metadata:
        """Collect what the file says besides the samples."""
        across, down = self._image.info.get("dpi", (0, 0))
        resolution = (across / INCH, down / INCH) if across > 0 and down > 0 else None
        return Metadata(icc=self._profile(), pixels_per_mm=resolution)

    def decode(self) -> Samples:
        """Decode to h, w, 1 to 4 samples; alpha, where there is one, is the last.

        Raises:
            UnreadablePictureError: the file is cut or damaged.
            OSError: it cannot be read.
        """
        try:
            samples = self._decode_texture() if self.format == "dds" else _to_array(self._image)
            if self._alpha_is_unsure and samples.shape[2] == 4 and not samples[..., 3].any():
                samples = samples[..., :3]  # it would be invisible
            if self.format == "dds" and (samples[..., 3:] == 255).all():
                samples = samples[..., :3]  # most kinds of compression have an alpha, whether it is used or not
        except (MemoryError, UnreadablePictureError):
            raise
        except Exception as error:  # as above
            _raise_if_systems(error)
            raise UnreadablePictureError(f"it is cut or damaged ({str(error) or type(error).__name__})") from error
        return spread_bits(samples, self.bits) if self.format == "jp2" else samples

    @property
    def _alpha_is_unsure(self) -> bool:
        """Whether an alpha that is empty is none; of DDS that is so of a palette, whose colours need not have one."""
        return self.format in UNSURE_ALPHA or (self.format == "dds" and self._image.mode == "P")

    def _decode_texture(self) -> Samples:
        """Decode a DDS, by Pillow but for samples that are not compressed."""
        assert isinstance(self._image, ImageFile.ImageFile)
        codec, _, _, details = self._image.tile[0]
        if codec != "dds_rgb":
            return _to_array(self._image)
        bits, masks = cast("tuple[int, tuple[int, ...]]", details)
        return dds.decode_masked(self._file, self.width, self.height, bits, masks)

    def _profile(self) -> bytes | None:
        """Return the ICC profile of a BMP or JPEG 2000, of which Pillow reads none; other formats have none."""
        match self.format:
            case "bmp":
                return bmp_profile.read_profile(self._file)
            case "jp2":
                return jpeg2000.read_profile(self._file)
            case _:
                return None


def encode(
    samples: Samples, metadata: Metadata, format: Format, quality: int | None, suffix: str, file: IO[bytes]
) -> None:
    """Write samples (h, w, 1 to 4; alpha last) as `format` to `file`; JPEG 2000 is lossless unless `quality` is given.

    Raises:
        OSError: the file cannot be written.
        ValueError: the picture is too large for the format.
    """
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if format.name == "dds":
        image = image.convert("RGBA")  # which all programs read
    if format.name == "jp2":
        file.write(_encode_jpeg2000(image, quality, suffix))
        return
    resolution = metadata.pixels_per_mm
    if format.name == "bmp" and image.mode in ("LA", "RGBA"):
        if (samples[..., -1] < 255).any():
            bmp.encode(np.asarray(image.convert("RGBA")), resolution, file)
            return
        image = image.convert(image.mode.removesuffix("A"))  # which more programs read
    options = {"dpi": tuple(density * INCH for density in resolution)} if resolution else {}
    image.save(file, format.name.upper(), **options)


def _encode_jpeg2000(image: Image.Image, quality: int | None, suffix: str) -> bytes:
    """Encode in memory, since Pillow's encoder never returns from a disk that is full."""
    options: dict[str, object] = {"no_jp2": suffix == ".j2k"}
    if quality is not None and quality < 100:
        options |= {"irreversible": True, "quality_mode": "dB", "quality_layers": [25 + quality * 0.25]}
    content = io.BytesIO()
    image.save(content, "JPEG2000", **options)
    return content.getvalue()


def _raise_if_systems(error: Exception) -> None:
    """Raise the system's reason why a file cannot be read, which the decoder of JPEG 2000 hides; damage has none."""
    reason = error.__cause__ if isinstance(error, SystemError) else error
    if isinstance(reason, OSError) and reason.errno not in (None, errno.EINVAL):  # EINVAL: damage led before its start
        raise reason


@contextmanager
def _without_limit() -> Iterator[None]:
    """Lift Pillow's limit on pixels: the program's own is checked on the header, and the user can move it.

    Nor does Pillow warn, on standard error, of what the program tells by itself.
    """
    with _unlimited, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open(file: IO[bytes]) -> Image.Image:
    is_icon = file.read(len(ico.MAGIC)) == ico.MAGIC
    file.seek(0)
    with _without_limit():
        return ico.Icon(file) if is_icon else Image.open(file, formats=READABLE)


def _to_array(image: Image.Image) -> Samples:
    with _without_limit() if isinstance(image, ico.Icon) else nullcontext():  # it opens the picture in it
        image.load()
    has_alpha = "transparency" in image.info or (image.palette is not None and image.palette.mode == "RGBA")
    modes = {"1": "L", "P": "RGBA" if has_alpha else "RGB", "PA": "RGBA"}
    if image.mode in modes:
        image = image.convert(modes[image.mode])
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "I;16"):
        raise UnreadablePictureError(f"samples of kind {image.mode} are not supported")
    samples = np.array(image)
    return samples.reshape(*samples.shape[:2], -1)
