from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.colour import into_srgb
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.metadata.gif_blocks import read_blocks
from restore_cli.picture.metadata.texts import Text
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

TRAILER = b"\1" + bytes(range(255, -1, -1)) + b"\0"


def comment(*parts: bytes) -> bytes:
    return b"\x21\xfe" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


@pytest.fixture
def gif(samples: np.ndarray) -> Callable[[bytes, bytes], bytes]:
    """Make a GIF of two frames with blocks before them and behind them."""

    def make(before: bytes, behind: bytes = b"") -> bytes:
        file = io.BytesIO()
        frames = [Image.fromarray(samples[::step]).resize((30, 20)).quantize(32) for step in (1, -1)]
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
        content = file.getvalue()
        at = 13 + (3 << (content[10] & 7) + 1)
        return content[:at] + before + content[at:-1] + behind + content[-1:]

    return make


@pytest.mark.parametrize("is_late", [False, True])
def test_comments_and_xmp_of_a_gif_are_read(is_late: bool, gif: Any, xmp: bytes) -> None:
    blocks = comment("für ".encode(), b"alle") + comment() + b"\x21\xff\x0bXMP DataXMP" + xmp + TRAILER
    picture = read_picture(gif(b"", blocks) if is_late else gif(blocks))
    assert picture.metadata.texts == (Text("Comment", "für alle"),)
    assert picture.metadata.xmp == xmp.replace(b'Orientation="6"', b'Orientation="1"')
    again = read_picture(encode_picture(picture, format_by_name("png"))).metadata
    assert again.texts == picture.metadata.texts
    assert again.xmp is not None
    assert losses(picture, format_by_name("gif"))[-1] == "GIF is written without the picture's XMP, text (Comment)"


def test_a_gif_that_is_cut_says_what_it_can(gif: Any) -> None:
    content = gif(comment(b"first"), comment(b"last"))
    for length in range(len(content)):
        comments, xmp, _ = read_blocks(io.BytesIO(content[:length]))
        assert comments in ([Text("Comment", word) for word in ("first", "last")][:count] for count in range(3))
        assert xmp is None


def test_the_profile_of_a_gif_is_followed(gif: Any, matrix_profile: Callable[..., bytes]) -> None:
    profile = matrix_profile("p3")
    parts = [b"ICCRGBG1012", *(profile[at : at + 255] for at in range(0, len(profile), 255))]
    block = b"\x21\xff" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    plain, picture = read_picture(gif(b"")), read_picture(gif(block))
    assert picture.metadata.icc == profile
    expected, _ = into_srgb(plain.pixels, profile)
    assert (picture.pixels == expected).all()
