from __future__ import annotations

import pytest

from restore_cli.picture.metadata.iptc import photoshop_block, records_of


@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_iptc_records_are_wrapped_and_unwrapped(size: int) -> None:
    records = b"\x1c" + bytes(range(256)) * 2
    assert records_of(photoshop_block(records[:size])) == records[:size]
    assert records_of(records[:size]) == records[:size]
    assert len(photoshop_block(records[:size])) % 2 == 0  # as every resource must be


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_cut_resources_hold_no_records(length: int, iptc: bytes) -> None:
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x0c\x03old\0\0\0\x05hello\0" + photoshop_block(iptc)[14:]
    assert records_of(block) == iptc
    assert records_of(block[:length]) is None
