from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.metadata.multi_picture import count_views
from restore_cli.picture.reading import read_picture

KIND_OF_VIEW, KIND_OF_PREVIEW = b"\x02\x00\x02\x00", b"\x01\x00\x01\x00"
"""As a little-endian entry says it: a stereo pair's half, a large thumbnail."""


@pytest.fixture
def pair(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    other = Image.fromarray(np.roll(samples, 4, axis=1))
    Image.fromarray(samples).save(file, "MPO", save_all=True, append_images=[other])
    return file.getvalue()


def said_to_be(kind: bytes, content: bytes) -> bytes:
    """Write the kind of both pictures into the entries of a file of two."""
    block = content.index(b"MPF\0") + 4
    entries = content.index(b"\x02\xb0", block)
    at = block + int.from_bytes(content[entries + 8 : entries + 12], "little")
    changed = bytearray(content)
    changed[at : at + 4] = changed[at + 16 : at + 20] = kind
    return bytes(changed)


def test_the_second_view_of_a_scene_is_told_of(pair: bytes, samples: np.ndarray, save: Any) -> None:
    stereo = said_to_be(KIND_OF_VIEW, pair)
    assert count_views(io.BytesIO(stereo)) == 2
    assert read_picture(stereo).notes == ("only the first of 2 pages or frames is used",)
    assert read_picture(save(samples, "JPEG")).notes == ()


def test_previews_are_no_views(pair: bytes) -> None:
    assert count_views(io.BytesIO(said_to_be(KIND_OF_PREVIEW, pair))) == 1


@pytest.mark.parametrize("length", [5, 12, 20, 40])
def test_damaged_entries_tell_of_nothing(length: int, pair: bytes) -> None:
    start = pair.index(b"MPF\0")
    cut = b"\xff\xd8\xff\xe2" + (2 + length).to_bytes(2, "big") + pair[start : start + length]
    assert count_views(io.BytesIO(cut)) == 1
