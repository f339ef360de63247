from __future__ import annotations

import io

import numpy as np
import pytest

from restore_cli.picture.metadata.placeholder import Placeholder


def test_the_block_is_written_over_its_placeholder() -> None:
    for size in (8, 100, 50_000, 65_000):
        block = b"MM\0*" + np.random.default_rng(size).bytes(size - 4)
        placeholder = Placeholder(block)
        file = io.BytesIO(b"II*\0\x08\0\0\0 before" * 3 + placeholder.content + b"after")
        placeholder.replace(file)
        content = file.getvalue()
        assert content.startswith(b"II*\0\x08\0\0\0 before" * 3 + block)
        assert content.endswith(b"after")
        assert set(content[15 * 3 + len(block) : -5]) <= {0}


@pytest.mark.parametrize(
    "before", [0, (1 << 20) - 200, (1 << 20) - 60, (1 << 20) - 40, (1 << 20) - 1, 1 << 20, 3_000_000]
)
def test_the_placeholder_is_found_wherever_it_lies(before: int) -> None:
    block = b"MM\0*" + bytes(range(1, 200))
    placeholder = Placeholder(block)
    file = io.BytesIO(bytes(before) + placeholder.content + b"after")
    placeholder.replace(file)
    assert file.getvalue().startswith(bytes(before) + block)


def test_a_lost_placeholder_is_no_secret() -> None:
    with pytest.raises(AssertionError, match="no EXIF"):
        Placeholder(b"II*\0").replace(io.BytesIO(bytes(100)))
