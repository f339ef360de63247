from __future__ import annotations

import numpy as np
import pytest

from restore_cli.tasks import row_buffer
from restore_cli.tasks.row_buffer import RowBuffer
from restore_cli.tiling import Box, plan_cores


@pytest.mark.parametrize("own_mapping", [0, 1 << 20])
@pytest.mark.parametrize("smaller_from", [0, 3, 4, 99])
def test_tiles_come_out_as_rows_in_order(own_mapping: int, smaller_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_buffer, "OWN_MAPPING", own_mapping)
    picture = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    came: list[tuple[int, np.ndarray]] = []
    rows = RowBuffer(70, lambda top, pixels: came.append((top, pixels)))
    for index, core in enumerate(plan_cores(Box(0, 0, 50, 70), 24, 1)):
        parts = plan_cores(core, 11, 1) if index >= smaller_from else [core]
        for part in parts:
            rows.put(picture[part.slices], part)
        if core.right == 70:
            rows.finish(core.bottom)
    assert [top for top, _ in came] == [0, 16, 33]
    assert (np.concatenate([pixels for _, pixels in came]) == picture).all()


def test_where_the_last_tiles_of_a_row_are_smaller_the_others_stay() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    came: list[np.ndarray] = []
    rows = RowBuffer(60, lambda top, pixels: came.append(pixels.copy()))
    for core in (Box(0, 0, 40, 30), Box(0, 30, 20, 30), Box(20, 30, 20, 30)):
        rows.put(picture[core.slices], core)
        if core.right == 60:
            rows.finish(core.bottom)
    assert (np.concatenate(came) == picture).all()
