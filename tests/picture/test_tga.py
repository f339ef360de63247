"""TGA: every kind of pixels and palettes, packed or not, from every corner; when an alpha counts; cut files."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture

PALETTE, COLOUR, GREY, PACKED = 1, 2, 3, 8
FROM_RIGHT, FROM_TOP = 0x10, 0x20


def tga(
    pixels: np.ndarray,
    kind: int,
    bits: int,
    *,
    descriptor: int = FROM_TOP,
    name: bytes = b"",
    palette: tuple[int, int, bytes] | None = None,
) -> bytes:
    """Return a file of `pixels`, h, w, bytes of each; `palette` is its first number, bits of a colour, its colours."""
    first, colour_bits, colours = palette or (0, 0, b"")
    count = len(colours) // ((colour_bits + 7) // 8) if palette else 0
    height, width, size = pixels.shape
    content = packed(pixels.reshape(-1, size)) if kind & PACKED else pixels.tobytes()
    places = (len(name), palette is not None, kind, first, count, colour_bits, 0, 0, width, height, bits, descriptor)
    return struct.pack("<3B2HB4H2B", *places) + name + colours + content


def packed(pixels: np.ndarray) -> bytes:
    """Pack n, bytes: runs as long as they can be, wherever rows begin, and between them single pixels."""
    content, at = b"", 0
    while at < len(pixels):
        same = (pixels[at : at + 128] == pixels[at]).all(axis=1)
        run = len(same) if same.all() else int(same.argmin())
        content += bytes([0x7F + run if run > 1 else 0]) + pixels[at].tobytes()
        at += run
    return content


def of_15_bits(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return colours as h, w, 2 bytes of five bits each, the highest bit 0, and the colours that these are."""
    red, green, blue = np.moveaxis(samples.astype(np.uint16) >> 3, 2, 0)
    words = (red << 10 | green << 5 | blue).astype("<u2")
    return words[..., None].view(np.uint8), np.rint((samples >> 3) * (255 / 31)).astype(np.uint8)


def colours_of(picture: Picture) -> np.ndarray:
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


@pytest.mark.parametrize("packing", [0, PACKED])
@pytest.mark.parametrize("descriptor", [0, FROM_RIGHT, FROM_TOP, FROM_RIGHT | FROM_TOP])
@pytest.mark.parametrize("kind", ["grey", "grey with alpha", "15", "16", "24", "32"])
def test_pixels_are_read_in_every_order(
    kind: str, descriptor: int, packing: int, samples: np.ndarray, alpha: np.ndarray
) -> None:
    small, clear = of_15_bits(samples)
    stored, expected = {
        "grey": (samples[..., :1], samples[..., :1]),
        "grey with alpha": (np.dstack([samples[..., 0], alpha]),) * 2,
        "15": (small, clear),
        "16": (small, np.dstack([clear, np.full_like(alpha, 255)])),
        "24": (samples[..., ::-1], samples),
        "32": (np.dstack([samples[..., ::-1], alpha]), np.dstack([samples, alpha])),
    }[kind]
    bits = 15 if kind == "15" else 8 * stored.shape[2]
    content = tga(
        np.ascontiguousarray(stored), (GREY if "grey" in kind else COLOUR) + packing, bits, descriptor=descriptor
    )
    down, across = 1 if descriptor & FROM_TOP else -1, -1 if descriptor & FROM_RIGHT else 1
    picture = read_picture(content)
    assert (colours_of(picture) == expected[::down, ::across]).all()
    assert (picture.format, picture.notes) == ("tga", ())


@pytest.mark.parametrize("packing", [0, PACKED])
@pytest.mark.parametrize("first", [0, 10])
@pytest.mark.parametrize("bits", [15, 16, 24, 32])
def test_palettes_are_read(bits: int, first: int, packing: int, samples: np.ndarray, alpha: np.ndarray) -> None:
    colours = np.dstack([samples[20:21, :4], alpha[20:21, :4]])
    small, clear = of_15_bits(colours[..., :3])
    stored, expected = {
        15: (small, clear),
        16: (small, np.dstack([clear, np.full((1, 4), 255)])),
        24: (colours[..., 2::-1], colours[..., :3]),
        32: (colours[..., [2, 1, 0, 3]], colours),
    }[bits]
    numbers = (samples[..., :1] >> 6) + first
    for size in (1, 2):
        pixels = numbers if size == 1 else np.dstack([numbers, np.zeros_like(numbers)])
        content = tga(pixels.astype(np.uint8), PALETTE + packing, 8 * size, palette=(first, bits, stored.tobytes()))
        assert (colours_of(read_picture(content)) == expected[0][numbers[..., 0] - first]).all()


def test_a_run_may_go_on_in_the_next_rows() -> None:
    pixels = np.zeros((32, 20, 3), np.uint8)
    pixels[5:], pixels[20:, 7:] = (10, 20, 30), (200, 100, 50)
    content = tga(pixels, COLOUR | PACKED, 24)
    assert len(content) < pixels.nbytes / 4
    assert (read_picture(content).pixels == pixels[..., ::-1]).all()


@pytest.mark.parametrize("bits", [8, 24, 40])
def test_a_palette_that_colours_do_not_need_is_passed_over(bits: int, samples: np.ndarray) -> None:
    content = tga(samples[..., ::-1].copy(), COLOUR, 24, palette=(0, bits, bytes(4 * bits // 8)))
    assert (read_picture(content).pixels == samples).all()


@pytest.mark.parametrize("length", [1, 10, 12, 255])
@pytest.mark.parametrize("filling", [b"\0", b"\1", b"x"])
def test_a_name_of_any_length_is_passed_over(length: int, filling: bytes, samples: np.ndarray) -> None:
    """Of ten bytes it makes a file look like PCX."""
    content = tga(samples[..., ::-1].copy(), COLOUR, 24, name=filling * length)
    picture = read_picture(content)
    assert picture.format == "tga"
    assert (picture.pixels == samples).all()


@pytest.mark.parametrize(("declared", "has_alpha"), [(0, False), (8, True)])
@pytest.mark.parametrize("of_palette", [False, True])
def test_an_alpha_that_shows_nothing_counts_where_it_is_declared(
    declared: int, has_alpha: bool, of_palette: bool, samples: np.ndarray
) -> None:
    clear = np.dstack([samples[..., ::-1], np.zeros(samples.shape[:2], np.uint8)])
    descriptor = FROM_TOP | declared
    if of_palette:
        numbers = np.zeros((20, 30, 1), np.uint8)
        content = tga(numbers, PALETTE, 8, descriptor=descriptor, palette=(0, 32, clear[0, 0].tobytes()))
    else:
        content = tga(clear, COLOUR, 32, descriptor=descriptor)
    picture = read_picture(content)
    assert (picture.alpha is not None) == has_alpha
    assert picture.alpha is None or not picture.alpha.any()


def test_a_bit_of_alpha_that_is_set_hides_a_pixel_unless_it_would_hide_all(samples: np.ndarray) -> None:
    small, clear = of_15_bits(samples)
    small[..., 1] |= 0x80
    for descriptor in (FROM_TOP, FROM_TOP | 1):
        picture = read_picture(tga(small, COLOUR, 16, descriptor=descriptor))
        assert picture.alpha is None
        assert (picture.pixels == clear).all()
    small[3, 4, 1] &= 0x7F
    picture = read_picture(tga(small, COLOUR, 16))
    assert picture.alpha is not None
    assert np.argwhere(picture.alpha).tolist() == [[3, 4]]


@pytest.mark.parametrize(("attributes", "has_alpha"), [(0, False), (3, True)])
def test_what_the_extension_says_of_alpha_counts(
    attributes: int, has_alpha: bool, samples: np.ndarray, alpha: np.ndarray
) -> None:
    content = tga(np.dstack([samples[..., ::-1], alpha]), COLOUR, 32, descriptor=FROM_TOP | 8)
    extension = struct.pack("<H", 495) + bytes(492) + bytes([attributes])
    content += extension + struct.pack("<2I", len(content), 0) + b"TRUEVISION-XFILE.\0"
    assert (read_picture(content).alpha is not None) == has_alpha


@pytest.fixture(params=["packed", "palette", "15 bits"])
def file(request: pytest.FixtureRequest, samples: np.ndarray) -> bytes:
    kinds: dict[str, Callable[[], bytes]] = {
        "packed": lambda: tga(samples[..., ::-1].copy(), COLOUR | PACKED, 24),
        "palette": lambda: tga(samples[..., :1] >> 6, PALETTE | PACKED, 8, palette=(0, 16, bytes(range(8)))),
        "15 bits": lambda: tga(of_15_bits(samples)[0], COLOUR, 15),
    }
    return kinds[request.param]()


def test_a_cut_file_is_refused(file: bytes) -> None:
    read_picture(file)
    for length in (*range(1, 40), len(file) // 2, len(file) - 2, len(file) - 1):
        with pytest.raises(UnreadablePictureError):
            read_picture(file[:length])


def test_what_stands_behind_the_pixels_does_not_matter(file: bytes) -> None:
    expected = read_picture(file).pixels
    for tail in (b"\0\n" * 20, b"TRUEVISION-XFILE.\0", struct.pack("<2I", 2**32 - 1, 0) + b"TRUEVISION-XFILE.\0"):
        assert (read_picture(file + tail).pixels == expected).all()


@pytest.mark.parametrize(("place", "value"), [(1, 2), (2, 4), (2, 1), (12, 0), (14, 0), (16, 20), (16, 8)])
def test_a_header_of_no_known_kind_is_refused(place: int, value: int, samples: np.ndarray) -> None:
    content = bytearray(tga(samples[..., ::-1].copy(), COLOUR, 24))
    content[place] = value
    with pytest.raises(UnreadablePictureError, match="no known picture format"):
        read_picture(bytes(content))
