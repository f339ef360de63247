"""Textures in DDS files: samples that are not compressed, and what else such a file holds.

Source: Microsoft's reference for DDS (DDS_HEADER, DDS_PIXELFORMAT, DDS_HEADER_DXT10). Pillow reads the headers and what
is compressed; for samples that are not, it takes seconds a megapixel.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import IO

import numpy as np

from restore_cli.picture.masked_pixels import to_words, unmask
from restore_cli.picture.picture import Samples

DEPTH_AT, MIPMAPS_AT, FOURCC_AT, CAPS_AT, LAYERS_AT = 24, 28, 84, 112, 140
HEADER_BYTES, EXTENSION_BYTES = 128, 20
CUBE, VOLUME = 0x200, 0x20_0000
"""Bits of the capabilities: the picture has six faces, or a depth."""
FACES = tuple(0x400 << face for face in range(6))
"""Bits of the capabilities: the faces that are there."""
EXTENDED = b"DX10"
"""Stands in the place of the kind of compression where a longer header follows."""


def describe_rest(file: IO[bytes]) -> tuple[str, ...]:
    """Say what of a DDS file is not read; `file` stays at its place, from which Pillow goes on."""
    place = file.tell()
    file.seek(0)
    header = file.read(HEADER_BYTES + EXTENSION_BYTES)
    file.seek(place)
    if len(header) < HEADER_BYTES:
        return ()
    depth, mipmaps, caps = (struct.unpack_from("<I", header, at)[0] for at in (DEPTH_AT, MIPMAPS_AT, CAPS_AT))
    is_extended = header[FOURCC_AT : FOURCC_AT + 4] == EXTENDED and len(header) == HEADER_BYTES + EXTENSION_BYTES
    layers = struct.unpack_from("<I", header, LAYERS_AT)[0] if is_extended else 1
    said = []
    if mipmaps > 1:
        said.append("its mipmaps are left out")
    if caps & CUBE:
        said.append(f"only the first of its {max(1, sum(bool(caps & face) for face in FACES))} faces is used")
    if caps & VOLUME and depth > 1:
        said.append(f"only the first of its {depth} slices is used")
    if layers > 1:
        said.append(f"only the first of its {layers} layers is used")
    return tuple(said)


def decode_masked(file: IO[bytes], width: int, height: int, bits: int, masks: Sequence[int]) -> Samples:
    """Decode pixels of `bits` each, 8 to 32, from the end of the header on; `masks` tell the bits of each channel.

    Returns h, w, channels, uint8.

    Raises:
        ValueError: the file is cut.
    """
    file.seek(HEADER_BYTES)
    size = bits // 8
    content = np.frombuffer(file.read(height * width * size), np.uint8)
    if size == 0 or content.size < height * width * size:
        raise ValueError("the file is cut")
    return unmask(to_words(content, size).reshape(height, width), masks)
