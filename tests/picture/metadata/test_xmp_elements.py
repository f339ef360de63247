from __future__ import annotations

from decimal import Decimal

import pytest

from restore_cli.picture.metadata import xmp_regions
from restore_cli.picture.metadata.xmp import sized_xmp, upright_xmp
from restore_cli.picture.metadata.xmp_elements import change_elements, element_pattern


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<a:b/><c/><a:b></a:b >", b"!<c/>!"),
        (b"<a:b x='1'><a:d><a:e/></a:d></a:b><a:d/>", b"!!"),
        (b"<a:bc><a:b\n/></a:bc>", b"<a:bc>!</a:bc>"),
        (b"<a:b></a:d><a:d/>", b"<a:b></a:d><a:d/>"),
        (b"<a:d/><a:b>\n<a:b>", b"!<a:b>\n<a:b>"),
    ],
)
def test_elements_are_changed_from_start_to_end(before: bytes, after: bytes) -> None:
    assert change_elements(before, element_pattern(rb"a:[bd]"), lambda element: b"!") == after


@pytest.mark.timeout(100)
@pytest.mark.parametrize(
    "start", [b"<xmp:Thumbnails>", b"<xmp:Thumbnails ", b"<mwg-rs:Area>", b"<mwg-rs:AppliedToDimensions>"]
)
def test_a_packet_is_searched_once_however_many_elements_have_no_end(start: bytes) -> None:
    packet = start * 100_000
    assert upright_xmp(packet, 6) == sized_xmp(packet, (3, 4)) == packet


def test_of_a_long_list_of_numbers_few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def read_number(text: str) -> Decimal:
        read.append(text)
        return Decimal(text)

    monkeypatch.setattr(xmp_regions, "Decimal", read_number)
    packet = b'<a MPReg:Rectangle="' + b"0," * 100 + b'0"/>'
    assert upright_xmp(packet, 6) == packet
    assert len(read) <= 5
