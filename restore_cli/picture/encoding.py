"""Bands of a picture in, the bytes of a file out: in a stream where the format allows it, else in one piece."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
import pyvips

from restore_cli.errors import UnwritablePictureError, UsageError
from restore_cli.picture import colour, deep_zoom, heif, netpbm, pillow, vips, vips_saving
from restore_cli.picture.assembling import PictureAssembler
from restore_cli.picture.depth import to_8_bit, to_16_bit
from restore_cli.picture.formats import Format
from restore_cli.picture.picture import Metadata, Picture, Samples
from restore_cli.picture.row_pipe import PipeClosedError, RowPipe
from restore_cli.scratch import LARGEST_IN_MEMORY, rows_in_bands

PROBE_BYTES = 1 << 16


class Encoder:
    """Encodes a picture that comes in bands of its rows, from the top down, into an empty file.

    A picture that comes whole is encoded at once, unless it is large. Of one that comes in several bands, formats that
    are written row by row are encoded beside whatever makes the rows; for others it is put together first.
    """

    def __init__(
        self,
        file: IO[bytes] | Path,
        height: int,
        width: int,
        format: Format,
        suffix: str,
        quality: int | None,
        *,
        strip: bool,
    ) -> None:
        """`file` is a folder for a Deep Zoom pyramid. `strip` leaves metadata out, but for the ICC profile.

        Raises:
            UsageError: the quality is no whole number from 1 to 100.
        """
        if quality is not None and (not isinstance(quality, Integral) or not 1 <= quality <= 100):
            raise UsageError(f"a quality is a whole number from 1 to 100, not {quality!r}")
        self.file = file
        self.height = height
        self.width = width
        self.format = format
        self.suffix = suffix
        self.quality = quality
        self.strip = strip
        self._assembler = PictureAssembler(height)
        self._stream: _Stream | _RowWriter | None = None
        self._rows = 0

    def add(self, band: Picture) -> None:
        """Take the next rows.

        Raises:
            UnwritablePictureError: the encoder failed.
            OSError: the file cannot be written.
        """
        if self.format.streams and band.height == self.height and band.pixels.nbytes > LARGEST_IN_MEMORY:
            for rows in rows_in_bands(band.height, band.pixels[0].nbytes):
                self.add(band.band(rows))
                band.storage.release()
            return
        self._rows += band.height
        is_netpbm = self.format.codec == "netpbm"
        if not self.format.streams or (band.height == self.height and not is_netpbm):
            self._assembler.add(band)
            return
        metadata = self._metadata_of(band)
        samples = to_file_samples(band, self.format, metadata.icc)
        if self._stream is None:
            self._stream = _RowWriter(self, samples) if is_netpbm else _Stream(self, metadata, samples)
        self._stream.put(samples)

    def finish(self) -> None:
        """Write what is still to be written; all rows must have been added.

        Raises:
            UnwritablePictureError, OSError: as `add` does.
        """
        assert self._rows == self.height
        if self._stream is not None:
            self._stream.finish()
        else:
            self._encode(self._assembler.picture)

    def abandon(self) -> None:
        """Let go of the file; nothing is written to it any more."""
        if self._stream is not None:
            self._stream.abandon()

    def encode_image(self, image: Any, metadata: Metadata, *, lossless: bool = False) -> None:
        """Encode with libvips; `lossless` where the format leaves it open and the user has asked for no quality.

        Raises:
            pyvips.Error, OSError: the encoder failed, or a file could not be written.
        """
        if isinstance(self.file, Path):
            quality = self.quality or self.format.default_quality
            assert quality is not None
            deep_zoom.encode(vips.in_kind(image), self.file, quality)
        else:
            lossless = lossless and self.quality is None
            vips_saving.encode(image, metadata, self.format, self.quality, self.file, lossless=lossless)

    def _metadata_of(self, picture: Picture) -> Metadata:
        metadata = replace(picture.metadata, icc=profile_to_write(picture, self.format))
        if self.strip:
            metadata = Metadata(icc=metadata.icc)
        return metadata if self.format.metadata or self.format.resolution else Metadata()

    def _encode(self, picture: Picture) -> None:
        metadata = self._metadata_of(picture)
        samples = to_file_samples(picture, self.format, metadata.icc)
        try:
            if self.format.codec == "vips":
                self.encode_image(vips.image_of(samples), metadata, lossless=picture.lossless)
                return
            assert not isinstance(self.file, Path)
            if self.format.codec == "heif":
                heif.encode(samples, metadata, self.format, self.quality, self.file)
            else:
                pillow.encode(samples, metadata, self.format, self.quality, self.suffix, self.file)
        except (pyvips.Error, ValueError) as error:
            raise_reason(error, self.file)


class _RowWriter:
    """Writes rows as they are, behind a header; what is written needs neither an end nor to be let go."""

    def __init__(self, encoder: Encoder, first: Samples) -> None:
        assert not isinstance(encoder.file, Path)
        self._file = encoder.file
        netpbm.write_header(encoder.height, encoder.width, first.shape[2], 8 * first.itemsize, self._file)

    def put(self, rows: Samples) -> None:
        netpbm.write_rows(rows, self._file)

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class _Stream:
    """A thread that encodes rows while others are made."""

    def __init__(self, encoder: Encoder, metadata: Metadata, first: Samples) -> None:
        self._pipe = RowPipe(encoder.height, encoder.width, first.shape[2], first.dtype)
        self._encoder = encoder
        self._metadata = metadata
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._encode, name="encoder")
        self._thread.start()

    def put(self, rows: Samples) -> None:
        try:
            self._pipe.put(rows)
        except PipeClosedError:  # the encoder failed
            self.finish()

    def finish(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise_reason(self._error, self._encoder.file)

    def abandon(self) -> None:
        self._pipe.close()
        self._thread.join()

    def _encode(self) -> None:
        try:
            self._encoder.encode_image(self._pipe.open(), self._metadata)
        except Exception as error:  # told by the thread that makes the rows
            self._error = error
        finally:
            self._pipe.close()


def raise_reason(error: Exception, file: IO[bytes] | Path) -> NoReturn:
    """Say why an encoder failed: the system's reason where the file cannot be written, else the encoder's own.

    Raises:
        UnwritablePictureError: always, but for what is no error of an encoder.
        OSError: the disk is full, or failing.
    """
    if isinstance(error, pyvips.Error):  # some bytes at its end make the system say what libvips does not
        if isinstance(file, Path):
            file.joinpath("probe").write_bytes(bytes(PROBE_BYTES))
        else:
            file.seek(0, io.SEEK_END)
            file.write(bytes(PROBE_BYTES))
            file.flush()
        raise UnwritablePictureError(vips.reason(error)) from error
    if isinstance(error, ValueError):
        raise UnwritablePictureError(str(error)) from error
    raise error


def stored_depth(picture: Picture, format: Format) -> int:
    """Return the bits per sample, 8 or 16, with which `picture` is stored as `format`."""
    is_grey = picture.pixels.shape[2] == 1 and picture.alpha is None
    return picture.depth if picture.depth in format.depths or (format.deep_grey and is_grey) else 8


def profile_to_write(picture: Picture, format: Format) -> bytes | None:
    """Return the picture's own profile where the format can hold it; without it the colours are written as sRGB."""
    is_held = format.metadata and (format.grey or picture.pixels.shape[2] > 1)
    return picture.metadata.icc if is_held else None


def to_file_samples(picture: Picture, format: Format, profile: bytes | None) -> Samples:
    """Bring the pixels into the file's colours and depth, and join the alpha or lay the picture on white."""
    depth = stored_depth(picture, format)
    pixels, alpha = picture.pixels, picture.alpha
    if profile and not (pixels.shape[2] == 3 and colour.is_srgb(profile)):
        pixels = colour.out_of_srgb(pixels, profile)
        if picture.beyond_srgb is not None:
            pixels = np.add(pixels, picture.beyond_srgb, dtype=np.int32).clip(0, 65_535).astype(np.uint16)
        alpha = None if alpha is None else to_16_bit(alpha)
    if pixels.shape[2] == 1 and not format.grey:
        pixels = np.repeat(pixels, 3, axis=2)
    if alpha is not None and not format.alpha:
        pixels, alpha = _on_white(pixels, alpha), None
    samples = pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)
    return _to_depth(samples, depth)


def _on_white(pixels: Samples, alpha: Samples) -> Samples:
    white = np.float32(np.iinfo(pixels.dtype).max)
    cover = alpha[..., None].astype(np.float32) / white
    laid: Samples = np.rint(pixels * cover + white * (1 - cover)).astype(pixels.dtype)
    return laid


def _to_depth(samples: Samples, depth: int) -> Samples:
    if 8 * samples.itemsize == depth:
        return samples
    return to_16_bit(samples) if depth == 16 else to_8_bit(samples)
