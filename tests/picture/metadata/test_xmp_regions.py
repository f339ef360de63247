"""Regions lie where they lay when the picture is turned."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.metadata.xmp import sized_xmp, upright_xmp
from restore_cli.picture.orientation import turn_upright
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

HEIGHT, WIDTH = 20, 40
TOP, LEFT, DOWN, ACROSS = 2, 4, 4, 12
"""Of the region in stored pixels; its middle is at 10 across and 4 down."""
ATTRIBUTES = b'<mwg-rs:Area stArea:x="0.25" stArea:y = \'0.2\' stArea:w="0.3" stArea:h="0.2" stArea:unit="normalized"/>'
ELEMENTS = (
    b"<mwg-rs:Area rdf:parseType='Resource'><stArea:h>0.2</stArea:h>\n<stArea:unit>normalized</stArea:unit>"
    b"<stArea:w>0.3</stArea:w><stArea:x> 0.25 </stArea:x><stArea:y>2e-1</stArea:y></mwg-rs:Area>"
)
DESCRIBED = b'<mwg-rs:Area><rdf:Description stArea:x="0.25" stArea:y=".2" stArea:w="0.3" stArea:h="0.2"/></mwg-rs:Area>'
DIMENSIONS = (
    b'<mwg-rs:AppliedToDimensions stDim:w="40" stDim:h="20" stDim:unit="pixel"/>',
    b"<mwg-rs:AppliedToDimensions rdf:parseType='Resource'><stDim:h>20</stDim:h><stDim:unit>pixel</stDim:unit>"
    b"<stDim:w>40</stDim:w></mwg-rs:AppliedToDimensions>",
)


def values_of(packet: bytes) -> dict[str, float]:
    found = re.findall(rb"""(?<!/)st(?:Area|Dim):([xywh])\s*(?:=\s*["']|>)\s*([^"'<]+?)\s*["'<]""", packet)
    return {name.decode(): float(text) for name, text in found}


def place_after(orientation: int) -> tuple[float, ...]:
    """Return where the region's left, top, right and bottom lie in the upright picture, as shares."""
    stored = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    stored[TOP : TOP + DOWN, LEFT : LEFT + ACROSS] = 1
    upright = turn_upright(stored, orientation)[..., 0]
    rows, columns = upright.nonzero()
    height, width = upright.shape
    return columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("area", [ATTRIBUTES, ELEMENTS, DESCRIBED])
def test_areas_are_turned(area: bytes, orientation: int) -> None:
    left, top, right, bottom = place_after(orientation)
    packet = b'<a x="0.5"/>' + area + b'<mwg-rs:Name stArea:x="9"/>'
    turned = upright_xmp(packet, orientation)
    assert turned.startswith(b'<a x="0.5"/>')
    assert turned.endswith(b'<mwg-rs:Name stArea:x="9"/>')
    found = values_of(turned.removesuffix(b'<mwg-rs:Name stArea:x="9"/>'))
    expected = {"x": (left + right) / 2, "y": (top + bottom) / 2, "w": right - left, "h": bottom - top}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rectangles_are_turned(orientation: int) -> None:
    left, top, right, bottom = place_after(orientation)
    for packet in (b'<a MPReg:Rectangle="0.1, 0.1, 0.3, 0.2"/>', b"<MPReg:Rectangle>.1,.1,0.3,0.2</MPReg:Rectangle>"):
        found = re.search(rb"[\d.]+, ?[^\"<]+", upright_xmp(packet, orientation))
        assert found is not None
        assert [float(text) for text in found[0].split(b",")] == pytest.approx([left, top, right - left, bottom - top])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_point_is_turned(orientation: int) -> None:
    left, top, right, bottom = place_after(orientation)
    turned = upright_xmp(b'<mwg-rs:Area stArea:x="0.25" stArea:y="0.2"/>', orientation)
    assert values_of(turned) == pytest.approx({"x": (left + right) / 2, "y": (top + bottom) / 2})


@pytest.mark.parametrize(
    "packet",
    [
        b'<mwg-rs:Area stArea:x="a" stArea:y="0.2" stArea:w="0.3" stArea:h="0.2"/>',
        b'<mwg-rs:Area stArea:x="NaN" stArea:y="0.2" stArea:w="0.3" stArea:h="0.2"/>',
        b'<mwg-rs:Area stArea:x="0.1" stArea:w="0.3" stArea:h="0.2"/>',
        b'<mwg-rs:Area stArea:x="0.1" stArea:y="0.2" stArea:w="0.3"/>',
        b'<mwg-rs:Area stArea:x="10" stArea:y="4" stArea:w="12" stArea:h="4" stArea:unit="pixel"/>',
        b'<mwg-rs:Area stArea:x="0.1" stArea:y="0.4" stArea:unit="inch"/>',
        b"<mwg-rs:Area stArea:x='0.1' stArea:y='\xff'/>",
        b"<mwg-rs:Area><stArea:x>0.1</stArea:x>",
        b'<a MPReg:Rectangle="0.1, 0.1, 0.3"/>',
        b'<a MPReg:Rectangle="0.1, 0.1, 0.3, inf"/>',
        b'<mwg-rs:AppliedToDimensions stDim:w="40" stDim:unit="pixel"/>',
    ],
)
def test_what_cannot_be_read_stays(packet: bytes) -> None:
    for orientation in range(1, 9):
        assert upright_xmp(packet, orientation) == packet


@pytest.mark.parametrize("packet", DIMENSIONS)
def test_dimensions_are_turned_and_sized(packet: bytes) -> None:
    for orientation in range(1, 9):
        w, h = (20, 40) if orientation > 4 else (40, 20)
        assert values_of(upright_xmp(packet, orientation)) == {"w": w, "h": h}
    assert values_of(sized_xmp(packet, (80, 160))) == {"w": 80, "h": 160}
    inches = packet.replace(b"pixel", b"inch")
    assert sized_xmp(inches, (80, 160)) == inches


def test_a_photograph_of_a_phone_keeps_its_face(save: Any) -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + DIMENSIONS[0] + ATTRIBUTES + b"</x:xmpmeta>"
    tags = Image.Exif()
    tags[0x0112] = 6
    picture = read_picture(save(np.zeros((HEIGHT, WIDTH, 3), np.uint8), "JPEG", exif=tags, xmp=packet))
    assert picture.pixels.shape == (WIDTH, HEIGHT, 3)
    again = read_picture(encode_picture(picture, format_by_name("jpeg")))
    assert again.metadata.xmp is not None
    area = values_of(again.metadata.xmp[again.metadata.xmp.index(b"<mwg-rs:Area") :])
    assert area == pytest.approx({"x": 0.8, "y": 0.25, "w": 0.2, "h": 0.3})
    assert b'stDim:w="20" stDim:h="40"' in again.metadata.xmp
