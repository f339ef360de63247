from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.ico import Icon
from restore_cli.picture.reading import measure_picture, read_picture

ROWS, COLUMNS = np.mgrid[0:30, 0:40]
COLOURS = np.stack([ROWS * 8, COLUMNS * 6, ROWS + COLUMNS], axis=2).astype(np.uint8)


def png(samples: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(samples).save(content, "PNG")
    return content.getvalue()


def icon(*parts: tuple[int, int, bytes]) -> bytes:
    """Return an icon of PNG files, each with the width and height that the icon says of it."""
    head, body, offset = struct.pack("<HHH", 0, 1, len(parts)), b"", 6 + 16 * len(parts)
    for width, height, content in parts:
        head += struct.pack("<BBBBHHII", width, height, 0, 0, 1, 32, len(content), offset + len(body))
        body += content
    return head + body


def test_what_the_picture_says_of_its_size_counts_and_nobody_warns() -> None:
    content = icon((64, 64, png(COLOURS)), (40, 30, png(255 - COLOURS)))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        picture = read_picture(content)
        assert measure_picture(content) == (30, 40)
    assert seen == []
    assert (picture.pixels == COLOURS).all()
    assert picture.notes == ("only the largest of its 2 sizes is used",)


def test_more_pixels_than_allowed_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Icon, "load", lambda icon: pytest.fail("it was decoded"))
    with pytest.raises(UnreadablePictureError, match="40x30 pixels are more than the limit of 1,000"):
        read_picture(icon((16, 16, png(COLOURS))), max_pixels=1000)


def test_the_limit_of_pillow_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert (read_picture(icon((16, 16, png(COLOURS)))).pixels == COLOURS).all()


def test_an_icon_of_a_bitmap_has_a_mask_below_it() -> None:
    content = io.BytesIO()
    Image.fromarray(COLOURS).save(content, "ICO", sizes=[(40, 30)], bitmap_format="bmp")
    assert measure_picture(content.getvalue()) == (30, 40)
    picture = read_picture(content.getvalue())
    assert (picture.pixels == COLOURS).all()
    assert picture.alpha is not None


@pytest.mark.parametrize("length", [5, 6, 20, 22, 30, 40, 60])
def test_a_cut_icon_is_refused(length: int) -> None:
    with pytest.raises(UnreadablePictureError):
        read_picture(icon((40, 30, png(COLOURS)))[:length])
