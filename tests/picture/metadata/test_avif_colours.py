"""AVIF files without a profile that are not sRGB are told of."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.metadata.avif_colours import BOX, has_other_colours
from restore_cli.picture.reading import read_picture


@pytest.fixture
def plain(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "AVIF", quality=90, speed=10)
    content = file.getvalue()
    assert BOX in content
    return content


@pytest.mark.parametrize(
    ("primaries", "transfer", "is_other"),
    [(1, 13, False), (2, 2, False), (1, 1, False), (12, 13, True), (9, 16, True), (1, 8, True)],
)
def test_primaries_and_transfer_decide(primaries: int, transfer: int, is_other: bool, plain: bytes) -> None:
    at = plain.index(BOX) + len(BOX)
    content = plain[:at] + struct.pack(">HH", primaries, transfer) + plain[at + 4 :]
    assert has_other_colours(io.BytesIO(content)) == is_other
    told = [note for note in read_picture(content).notes if "taken for sRGB" in note]
    assert told == (["its colours are taken for sRGB, though its header says otherwise"] if is_other else [])


def test_a_file_that_is_cut_or_says_nothing_has_none(plain: bytes) -> None:
    assert not has_other_colours(io.BytesIO(plain[: plain.index(BOX) + len(BOX) + 3]))
    assert not has_other_colours(io.BytesIO(b""))
