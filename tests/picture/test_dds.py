"""Textures: every kind of them, what else their files hold, and what is refused."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

LAYOUTS = {
    "B5G6R5": (16, (0xF800, 0x7E0, 0x1F)),
    "B5G5R5A1": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    "B4G4R4A4": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "B8G8R8": (24, (0xFF0000, 0xFF00, 0xFF)),
    "B8G8R8X8": (32, (0xFF0000, 0xFF00, 0xFF)),
    "R8G8B8A8": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "R10G10B10A2": (32, (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000)),
}
"""Bits of a pixel, and masks of its channels."""
ALPHA_FLAG, FOURCC_FLAG, RGB_FLAG = 0x1, 0x4, 0x40


def header(
    width: int, height: int, *, kind: bytes = b"", bits: int = 0, masks: tuple[int, ...] = (), **fields: int
) -> bytes:
    """Return the header of a texture, compressed as `kind` says or of plain pixels; `fields` by their positions."""
    flags = FOURCC_FLAG if kind else RGB_FLAG | (ALPHA_FLAG if len(masks) == 4 else 0)
    head = bytearray(b"DDS " + struct.pack("<7I", 124, 0x1007, height, width, 0, 0, 0) + bytes(44))
    head += struct.pack("<2I4sI4I", 32, flags, kind.ljust(4, b"\0"), bits, *masks, *[0] * (4 - len(masks)))
    head += struct.pack("<5I", 0x1000, 0, 0, 0, 0)
    for place, value in fields.items():
        struct.pack_into("<I", head, int(place.removeprefix("at")), value)
    return bytes(head)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_plain_pixels_are_read_whatever_bits_they_have(layout: str, samples: np.ndarray, alpha: np.ndarray) -> None:
    bits, masks = LAYOUTS[layout]
    channels = np.dstack([samples, alpha])[..., : len(masks)].astype(np.uint64)
    words = np.zeros(alpha.shape, np.uint64)
    expected = []
    for channel, mask in zip(np.moveaxis(channels, 2, 0), masks, strict=True):
        lowest = mask & -mask
        top = mask // lowest
        levels = channel * np.uint64(top) // np.uint64(255)
        words |= levels * np.uint64(lowest)
        expected.append(np.rint(levels * (255 / top)))
    content = words[..., None].astype("<u4").view(np.uint8)[..., : bits // 8].tobytes()
    height, width = alpha.shape
    picture = read_picture(header(width, height, bits=bits, masks=masks) + content)
    read = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    assert (read == np.stack(expected, axis=2)).all()
    assert (picture.format, picture.notes) == ("dds", ())


@pytest.mark.parametrize("kind", ["DXT1", "DXT5", "BC3", "BC5"])
def test_compressed_pixels_are_read(kind: str, save: Any, alpha: np.ndarray) -> None:
    ramp = np.linspace(0, 255, alpha.shape[1])
    pixels = np.broadcast_to(ramp[None, :, None], (*alpha.shape, 3)).astype(np.uint8)
    hard = np.where(alpha > 127, 255, 0).astype(np.uint8)
    picture = read_picture(save(pixels if kind == "BC5" else np.dstack([pixels, hard]), "DDS", pixel_format=kind))
    assert (picture.alpha is None) == (kind == "BC5")
    if picture.alpha is not None:
        assert (picture.alpha == hard).all()
    shown = ... if picture.alpha is None else picture.alpha > 0
    held = 2 if kind == "BC5" else 3
    assert np.abs(picture.pixels[shown][..., :held] - pixels[shown][..., :held].astype(int)).mean() < 5


def test_alpha_of_four_bits_is_read() -> None:
    """Which Pillow does not write."""
    alpha, red, blue = 0xFEDCBA9876543210, 0xF800, 0x1F
    picture = read_picture(header(4, 4, kind=b"DXT3") + struct.pack("<QHHI", alpha, red, blue, 0x55))
    assert picture.alpha is not None
    assert (picture.alpha.ravel() == 17 * np.arange(16)).all()
    assert picture.pixels[:2, 1].tolist() == [[0, 0, 255], [255, 0, 0]]


def test_an_alpha_that_is_full_everywhere_is_none(samples: np.ndarray, save: Any) -> None:
    assert read_picture(save(np.dstack([samples, np.full(samples.shape[:2], 255, np.uint8)]), "DDS")).alpha is None


@pytest.mark.parametrize("kind", ["plain", "DXT3", "DX10"])
def test_an_alpha_that_shows_nothing_is_one_where_the_header_tells_of_it(kind: str) -> None:
    pixels = b"\xff\0\0\0" * 32 if kind != "DXT3" else (bytes(8) + struct.pack("<HHI", 0xF800, 0x1F, 0)) * 2
    extension = struct.pack("<5I", 28, 3, 0, 1, 0) if kind == "DX10" else b""
    form: dict[str, Any] = {"bits": 32, "masks": LAYOUTS["R8G8B8A8"][1]} if kind == "plain" else {"kind": kind.encode()}
    picture = read_picture(header(8, 4, **form) + extension + pixels)
    assert picture.alpha is not None
    assert not picture.alpha.any()


def test_an_alpha_of_a_palette_that_shows_nothing_is_none() -> None:
    content = bytearray(header(8, 4, bits=8, masks=(0, 0, 0)))
    struct.pack_into("<I", content, 80, 0x20)
    colours = b"".join(bytes([number, 10, 20, 0]) for number in range(256))
    picture = read_picture(bytes(content) + colours + bytes(range(32)))
    assert picture.alpha is None
    assert picture.pixels[..., 0].ravel().tolist() == list(range(32))


def test_what_is_written_has_32_bits_a_pixel(samples: np.ndarray) -> None:
    grey = np.ascontiguousarray(samples[..., :1])
    content = encode_picture(Picture(grey), "dds")
    assert content[:4] == b"DDS "
    assert struct.unpack_from("<I", content, 88) == (32,)
    assert len(content) == 128 + 4 * grey.size


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"at28": 1}, None),
        ({"at28": 5}, "its mipmaps are left out"),
        ({"at112": 0xFE00}, "only the first of its 6 faces is used"),
        ({"at112": 0x200000, "at24": 8}, "only the first of its 8 slices is used"),
    ],
)
def test_what_else_a_file_holds_is_told(fields: dict[str, int], note: str | None) -> None:
    content = header(8, 4, bits=32, masks=LAYOUTS["R8G8B8A8"][1], **fields) + bytes(range(128)) * 2
    assert read_picture(content).notes == (() if note is None else (note,))


def test_layers_are_told() -> None:
    extension = struct.pack("<5I", 28, 3, 0, 6, 0)  # R8G8B8A8, six layers
    content = header(8, 4, kind=b"DX10") + extension + bytes(range(128)) * 6
    assert read_picture(content).notes == ("only the first of its 6 layers is used",)


@pytest.mark.parametrize(("code", "said"), [(95, "floating-point DDS (BC6H)"), (2, "DDS of a kind that is")])
def test_kinds_that_are_not_read_are_named(code: int, said: str) -> None:
    content = header(8, 4, kind=b"DX10") + struct.pack("<5I", code, 3, 0, 1, 0) + bytes(512)
    with pytest.raises(UnreadablePictureError, match="is not supported") as caught:
        read_picture(content)
    assert said in caught.value.message
    assert "BC7" in caught.value.hint
