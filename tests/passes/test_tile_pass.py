"""Tiles, statistics and memory, with a network simple enough to know its result and a device that can run out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from restore_cli.device import Device
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.networks import Locality, Network, Part
from restore_cli.networks.part import cut_core
from restore_cli.padding import pad_to_grid
from restore_cli.passes.tile_pass import TilePass
from restore_cli.passes.tile_plan import SMALLEST_TILE, TilePolicy
from restore_cli.tiling import Box


class FakeDevice(Device):
    """A host that claims to have `free` bytes."""

    free = 1 << 40
    released = 0

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"), has_bf16=False)

    def free_memory(self) -> int:
        return FakeDevice.free

    def release_memory(self) -> None:
        FakeDevice.released += 1


class Averaging(Network):
    """Doubles a picture, adds the mean of 5x5 pixels and of cells of 4, and divides by the whole picture's sum."""

    architecture = "averaging"
    signature = frozenset()

    def __init__(self, most_pixels: int = 1 << 40) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 2, 4, 8, 6, 100
        self.statistic_halo = 0
        self.most_pixels = most_pixels
        self.sizes: list[tuple[int, int]] = []

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def measure(self, x: Tensor, core: Box) -> Tensor:
        self._take(x)
        return x[:, :, *core.slices].double().sum(dim=(2, 3), keepdim=True)

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        self._take(x)
        self.sizes.append((x.shape[2], x.shape[3]))
        statistic = None if part is None else part.statistic
        if statistic is None:
            statistic = x.double().sum(dim=(2, 3), keepdim=True)
        cells = F.interpolate(F.avg_pool2d(x, 4), scale_factor=4, mode="nearest")
        near = F.avg_pool2d(x, 5, stride=1, padding=2)
        doubled = F.interpolate((near + cells) / (1 + statistic).float(), scale_factor=2, mode="nearest")
        return cut_core(doubled, part, self.scale)

    def _take(self, x: Tensor) -> None:
        if x.shape[2] * x.shape[3] > self.most_pixels:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")


def restore(
    picture: Tensor, policy: TilePolicy, network: Averaging | None = None
) -> tuple[Tensor, int | None, list[float]]:
    shares: list[float] = []
    network = network or Averaging()
    result, tile = TilePass(picture, network, FakeDevice(), policy, reduced_precision=False).run(shares.append)
    return result, tile, shares


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 80))
def test_tiles_of_any_size_equal_the_whole(height: int, width: int, side: int) -> None:
    picture = torch.rand(3, height, width)
    whole, tile, _ = restore(picture, "off")
    assert tile is None
    assert whole.shape == (3, 2 * height, 2 * width)
    tiled, _, shares = restore(picture, side)
    torch.testing.assert_close(tiled, whole, rtol=1e-5, atol=1e-6)
    assert shares == sorted(shares)
    assert shares[-1] == 1


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 80))
def test_a_picture_that_needs_no_padding_ends_where_it_ends(height: int, width: int, side: int) -> None:
    class Unpadded(Averaging):
        pads_to_grid = False

        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            assert part is not None
            assert part.whole == Box(0, 0, height, width)
            assert x.shape[2:] == (part.box.height, part.box.width)
            h, w = x.shape[2:]
            cells = F.interpolate(F.avg_pool2d(x, 4, ceil_mode=True), scale_factor=4, mode="nearest")[..., :h, :w]
            return cut_core(F.interpolate(x + cells, scale_factor=2, mode="nearest"), part, 2)

    picture = torch.rand(3, height, width)
    whole, _, _ = restore(picture, "off", Unpadded())
    tiled, _, shares = restore(picture, side, Unpadded())
    assert whole.shape == (3, 2 * height, 2 * width)
    torch.testing.assert_close(tiled, whole, rtol=1e-5, atol=1e-6)
    assert shares[-1] == 1


def test_only_tiles_reach_the_network() -> None:
    network = Averaging()
    _, tile, _ = restore(torch.rand(3, 100, 100), 20, network)
    assert tile == 20
    assert len(network.sizes) == 25
    assert max(max(size) for size in network.sizes) == 20 + 2 * network.halo


def test_reduced_precision_takes_the_receptive_field_as_halo() -> None:
    network = Averaging()
    network.receptive_field = 20
    TilePass(torch.rand(3, 100, 100), network, FakeDevice(), 20, reduced_precision=True).run(lambda share: None)
    assert max(max(size) for size in network.sizes) == 20 + 2 * 20


def test_out_of_memory_halves_the_tile_and_goes_on() -> None:
    picture = torch.rand(3, 200, 160)
    whole, _, _ = restore(picture, "off")
    FakeDevice.released = 0
    result, tile, shares = restore(picture, "auto", Averaging(most_pixels=90 * 90))
    assert tile == 52  # 200 and 100 with its halo did not fit; 100 in cells of 4 makes 52 and 48
    assert FakeDevice.released == 2
    torch.testing.assert_close(result, whole, rtol=1e-5, atol=1e-6)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_out_of_memory_keeps_the_tiles_that_are_done() -> None:
    class Tiring(Averaging):
        def _take(self, x: Tensor) -> None:
            if len(self.sizes) == 3 and x.shape[2] > 60:
                raise torch.cuda.OutOfMemoryError("out of memory")

    network = Tiring()
    picture = torch.rand(3, 160, 160)
    result, tile, _ = restore(picture, 80, network)
    assert tile == 40
    assert [size[0] for size in network.sizes[:3]] == [88, 88, 88]
    assert len(network.sizes) == 3 + 4
    torch.testing.assert_close(result, restore(picture, "off")[0], rtol=1e-5, atol=1e-6)


def test_out_of_memory_with_the_smallest_tile_is_an_error() -> None:
    with pytest.raises(DeviceError, match=f"even with tiles of {SMALLEST_TILE}") as caught:
        restore(torch.rand(3, 256, 256), "auto", Averaging(most_pixels=10))
    assert caught.value.exit_code == 4
    assert caught.value.hint


def test_off_does_not_tile_even_when_memory_runs_out() -> None:
    with pytest.raises(DeviceError, match="one piece") as caught:
        restore(torch.rand(3, 64, 64), "off", Averaging(most_pixels=10))
    assert "--tile auto" in caught.value.hint


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    class Broken(Averaging):
        def _take(self, x: Tensor) -> None:
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        restore(torch.rand(3, 64, 64), "auto", Broken())


def test_auto_takes_its_tile_from_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = torch.rand(3, 300, 300)
    assert restore(picture, "auto")[1] is None
    canvas = 3 * 4 * 600 * 600
    monkeypatch.setattr(FakeDevice, "free", canvas + 2 * 100 * 120 * 120)  # half of what is left holds 120x120 pixels
    assert restore(picture, "auto")[1] == 100  # three in a row; with two halos of 8 none is larger
    monkeypatch.setattr(FakeDevice, "free", 0)
    assert restore(picture, "auto")[1] == SMALLEST_TILE


def test_a_result_that_the_host_cannot_hold_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.memory.free_host_memory", lambda: 3 * 4 * 128 * 128 - 1)
    network = Averaging()
    with pytest.raises(DeviceError, match="128x128 pixels") as caught:
        restore(torch.rand(3, 64, 64), "auto", network)
    assert caught.value.exit_code == 4
    assert network.sizes == []


def test_auto_puts_a_network_that_looks_at_everything_through_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDevice, "free", 0)
    monkeypatch.setattr(Averaging, "locality", Locality.GLOBAL)
    assert restore(torch.rand(3, 300, 300), "auto")[1] is None


def test_values_that_are_not_finite_are_never_kept() -> None:
    class Dividing(Averaging):
        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            return super().forward(x, part) / 0

    with pytest.raises(NotFiniteError):
        restore(torch.rand(3, 16, 16), "auto", Dividing())


@pytest.mark.parametrize(("length", "grid"), [(1, 16), (2, 8), (5, 16), (15, 16), (16, 16), (17, 16)])
def test_padding_reflects_without_repeating_the_edge(length: int, grid: int) -> None:
    padded = pad_to_grid(torch.arange(length).float().expand(3, 1, -1), 1)
    assert padded.shape == (3, 1, length)
    padded = pad_to_grid(torch.arange(length).float().expand(3, 1, -1), grid)[0, 0]
    assert len(padded) % grid == 0
    assert len(padded) - length < grid
    expected = list(range(length)) + (list(range(length - 2, 0, -1)) + list(range(length))) * grid
    assert padded.tolist() == expected[: len(padded)]


# In rows, for results that are never whole


class Reading:
    """A picture that remembers the largest part that was read."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        self.shape = tuple(picture.shape)
        self.largest = 0

    def __getitem__(self, part: tuple[slice, slice, slice]) -> Tensor:
        read = self.picture[part]
        self.largest = max(self.largest, read.shape[1] * read.shape[2])
        return read


def test_only_tiles_are_read() -> None:
    picture = Reading(torch.rand(3, 100, 90))
    TilePass(picture, Averaging(), FakeDevice(), 20, reduced_precision=False).restore_tiles(
        lambda tile, box: None, lambda share: None
    )
    assert picture.largest == 36 * 36


@pytest.mark.parametrize("most_pixels", [1 << 40, 90 * 90, 60 * 60])
@pytest.mark.parametrize(("height", "width"), [(200, 160), (100, 300), (61, 33)])
def test_rows_are_finished_in_order_even_if_tiles_become_smaller(height: int, width: int, most_pixels: int) -> None:
    picture = torch.rand(3, height, width)
    whole, _, _ = restore(picture, "off")
    canvas = torch.full_like(whole, torch.nan)
    reached = [0]

    def take(tile: Tensor, box: Box) -> None:
        assert box.top >= reached[-1]
        canvas[:, *box.slices] = tile

    def finish(bottom: int) -> None:
        assert bottom > reached[-1]
        assert torch.isfinite(canvas[:, :bottom]).all()
        reached.append(bottom)

    tiles = TilePass(picture, Averaging(most_pixels), FakeDevice(), 80, reduced_precision=False)
    tiles.restore_tiles(take, lambda share: None, finish)
    assert reached[-1] == 2 * height
    torch.testing.assert_close(canvas, whole, rtol=1e-5, atol=1e-6)


def test_wide_rows_make_flat_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Averaging()
    monkeypatch.setattr("restore_cli.passes.tile_plan.LARGEST_BAND", 36 * 4000)
    tiles = TilePass(torch.rand(3, 400, 500), network, FakeDevice(), "auto", reduced_precision=False)
    finished: list[int] = []
    tiles.restore_tiles(lambda tile, box: None, lambda share: None, finished.append, row_bytes=2000)
    assert max(size[0] for size in network.sizes) == 36 + 2 * network.halo
    assert max(size[1] for size in network.sizes) == 500
    assert len(finished) == 12


def test_what_is_left_is_done_in_another_precision() -> None:
    class Failing(Averaging):
        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            return super().forward(x, part) * (torch.nan if len(self.sizes) == 6 else 1)

    picture = torch.rand(3, 80, 80)
    tiles = TilePass(picture, Failing(), FakeDevice(), 32, reduced_precision=True)
    with pytest.raises(NotFiniteError):
        tiles.run(lambda share: None)
    other = Averaging()
    tiles.switch_to(other, reduced_precision=False)
    result, _ = tiles.run(lambda share: None)
    assert len(other.sizes) == 9 - 5
    torch.testing.assert_close(result, restore(picture, "off")[0], rtol=1e-5, atol=1e-6)
