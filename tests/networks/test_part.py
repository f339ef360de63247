"""What of a tile is dropped on the way through the blocks, and that it changes nothing."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from restore_cli.networks.part import SMALLEST_SIDE, Part, cut_core, run_blocks
from restore_cli.tiling import Box

GRID = 8
WHOLE = Box(0, 0, 400, 480)
boxes = st.builds(
    lambda top, left, height, width: Box(GRID * top, GRID * left, GRID * height, GRID * width),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 30),
    st.integers(1, 40),
).map(lambda box: box.overlap(WHOLE))


def part_of(core: Box, halo: int) -> Part:
    return Part(core.grown(halo, WHOLE.height, WHOLE.width), core, WHOLE)


class Spreading(nn.Module):
    """Takes the mean of 3x3 pixels, zeros around them, and remembers how many pixels it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.shape[2] * x.shape[3])
        return torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


@given(core=boxes, reach=st.integers(0, 150), halo=st.integers(0, 20).map(lambda cells: GRID * cells))
def test_nothing_is_dropped_that_the_core_needs(core: Box, reach: int, halo: int) -> None:
    part = part_of(core, halo)
    inner = part.narrowed(reach, GRID)
    needed = core.grown(min(reach, halo), WHOLE.height, WHOLE.width)
    assert needed.overlap(inner.box) == needed
    assert inner.box.overlap(part.box) == inner.box
    assert (inner.core, inner.whole) == (part.core, part.whole)
    for edge, end in ((inner.box.top, 400), (inner.box.left, 480), (inner.box.bottom, 400), (inner.box.right, 480)):
        assert edge % GRID == 0 or edge == end
    if inner is not part:
        assert min(inner.box.height, inner.box.width) >= SMALLEST_SIDE


def test_blocks_see_less_and_less_and_the_core_is_the_same() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 2, WHOLE.height, WHOLE.width).contiguous(memory_format=torch.channels_last)
    part = part_of(Box(160, 160, 80, 96), 64)
    blocks = [Spreading() for _ in range(6)]
    whole, all_of_it = run_blocks(blocks, picture, Part.of_whole(picture), reach=1, after=0, grid=GRID)
    assert all_of_it.box == WHOLE
    tile = Part.of_whole(picture).cut(picture, part).contiguous(memory_format=torch.channels_last)
    features, inner = run_blocks(blocks, tile, part, reach=9, after=2, grid=GRID)
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(cut_core(features, inner, 1), whole[:, :, *part.core.slices])
    seen = [block.seen[1] for block in blocks]
    assert seen[0] == part.box.height * part.box.width
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < 0.75 * seen[0]
    assert inner.box == part.core.grown(8, WHOLE.height, WHOLE.width)


def test_each_drop_is_told_of() -> None:
    drops: list[None] = []
    part = replace(part_of(Box(160, 160, 80, 96), 64), on_drop=lambda: drops.append(None))
    features = torch.rand(1, 2, part.box.height, part.box.width)
    assert part.keep(features, part) is features
    assert not drops
    inner = part.narrowed(8, GRID)
    assert part.keep(features, inner).shape[2:] == (inner.box.height, inner.box.width)
    assert len(drops) == 1
    inner.narrowed(0, GRID).on_drop()
    assert len(drops) == 2, "a part of a part tells, too"
