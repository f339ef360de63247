"""What a graphics card is given, tried with one that is the processor and says otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from restore_cli.device import Device
from restore_cli.networks import Network, Part
from restore_cli.networks.plainusr import PlainUSR
from restore_cli.networks.safmn_any import SAFMNAny
from restore_cli.networks.safmnpp import SAFMNPP
from restore_cli.passes.tile_pass import TilePass
from restore_cli.passes.transfer import CudaTransfer, Transfer, open_transfer
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.tasks.sizing import Sizing
from restore_cli.tasks.upscale import Upscaler
from restore_cli.tiling import Box

CPU = Device(torch.device("cpu"), has_bf16=False)


def seen_by(
    card: Device, network: Network, picture: Tensor, *, tile: int, size: tuple[int, int] | None = None
) -> list[list[int]]:
    """Return the sizes (n, h, w) of what the network was given, after a comparison with the whole picture's result."""
    sizes: list[list[int]] = []
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    whole, _ = Restorer(network, CPU, precision="fp32", tile="off").restore(picture, size=size)
    hook = first.register_forward_hook(lambda module, inputs, _: sizes.append([len(inputs[0]), *inputs[0].shape[2:]]))
    tiles = TilePass(picture, network, card, tile, reduced_precision=False, size=size)
    tiled, side = tiles.run(lambda share: None)
    hook.remove()
    assert side == tile
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-4)
    return sizes


@pytest.fixture(scope="module")
def small() -> SAFMNPP:
    torch.manual_seed(0)
    return SAFMNPP(dim=12, n_blocks=1, upscaling_factor=2).eval().requires_grad_(False)


def test_tiles_of_a_row_that_are_alike_go_together(card: Device, small: SAFMNPP) -> None:
    halo = small.halo
    assert seen_by(card, small, torch.rand(3, 64, 64 * 6), tile=64) == [
        [1, 64, 64 + halo],  # with its halo on the right
        [4, 64, 64 + 2 * halo],
        [1, 64, 64 + halo],
    ]


def test_edges_of_another_size_go_by_themselves(card: Device, small: SAFMNPP) -> None:
    assert seen_by(card, small, torch.rand(3, 40, 360), tile=64) == [
        [1, 40, 56 + 40],  # 360 in cells of 8 are 56, 64, 56, 64 and so on
        [2, 40, 64 + 2 * 40],
        [2, 40, 56 + 2 * 40],
        [1, 40, 64 + 40],
    ]


def test_how_many_go_together_is_told_by_memory(card: Device, small: SAFMNPP, monkeypatch: pytest.MonkeyPatch) -> None:
    one = small.bytes_per_pixel * 64 * (64 + 2 * small.halo)
    monkeypatch.setattr(type(card), "free", 2 * 3 * one)
    sizes = seen_by(card, small, torch.rand(3, 64, 64 * 9), tile=64)
    assert [size[0] for size in sizes] == [1, 3, 3, 1, 1]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 90), st.integers(1, 200), st.sampled_from([32, 40, 64]))
def test_tiles_in_company_equal_the_whole(card: Device, height: int, width: int, side: int) -> None:
    torch.manual_seed(0)
    network = SAFMNPP(dim=6, n_blocks=1, upscaling_factor=2).eval().requires_grad_(False)
    picture = torch.rand(3, height, width)
    whole, _ = Restorer(network, CPU, precision="fp32", tile="off").restore(picture)
    tiled, _ = Restorer(network, card, precision="fp32", tile=side).restore(picture)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("scale", "alike"), [(2, True), (3, True), (2.7, False)])
def test_continuous_tiles_go_together_where_their_places_are_alike(card: Device, scale: float, alike: bool) -> None:
    torch.manual_seed(0)
    network = SAFMNAny(dim=8, n_blocks=1, anchored=8, moving=0).eval().requires_grad_(False)
    height, width = 32, 32 * 8
    size = (round(height * scale), round(width * scale))
    counts = [size[0] for size in seen_by(card, network, torch.rand(3, height, width), tile=32, size=size)]
    assert sum(counts) == 8
    assert (max(counts) == 6) is alike


def test_tiles_of_a_network_that_sees_their_place_go_alone(card: Device) -> None:
    torch.manual_seed(0)
    network = PlainUSR(n_feat=12, im_feat=(12, 8, 4), attn_feat=4, scale=2).eval().requires_grad_(False)
    tiles = TilePass(torch.rand(3, 36, 360), network, card, 36, reduced_precision=False)
    row = [Box(0, left, 36, 36) for left in range(0, 360, 36)]
    assert tiles._choose(row, 32) == row[:1]
    ultra = PlainUSR(n_feat=12, im_feat=(12, 8), attn_feat=4, scale=2).eval().requires_grad_(False)
    tiles = TilePass(torch.rand(3, 36, 360), ultra, card, 36, reduced_precision=False)
    assert len(tiles._choose(row[1:], 32)) == 8


def test_out_of_memory_makes_fewer_go_together_before_it_makes_tiles_smaller(card: Device) -> None:
    class Tight(SAFMNPP):
        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            if x.numel() > 2 * 3 * 64 * 144:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().forward(x, part)

    torch.manual_seed(0)
    network = Tight(dim=12, n_blocks=1, upscaling_factor=2).eval().requires_grad_(False)
    picture = torch.rand(3, 64, 64 * 6)
    sizes: list[int] = []
    network.to_feat.register_forward_hook(lambda module, inputs, _: sizes.append(len(inputs[0])))
    result, run = Restorer(network, card, precision="fp32", tile=64).restore(picture)
    assert run.tile == 64
    plain = SAFMNPP(dim=12, n_blocks=1, upscaling_factor=2).eval()
    plain.load_state_dict(network.state_dict())
    expected, _ = Restorer(plain, CPU, precision="fp32", tile="off").restore(picture)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)
    assert sizes == [1, 1, 2, 2, 1], "all that was begun is begun anew, with halves of four"


@pytest.mark.parametrize(
    ("dtype", "channels", "strength"), [(np.uint8, 3, 1.0), (np.uint8, 1, 1.0), (np.uint16, 3, 1.0), (np.uint8, 3, 0.5)]
)
def test_samples_are_those_that_the_processor_rounds(
    dtype: type[np.uint8 | np.uint16], channels: int, strength: float, card: Device, small: SAFMNPP
) -> None:
    full = int(np.iinfo(dtype).max)
    picture = Picture(np.random.default_rng(0).integers(0, full, (40, 90, channels), dtype, endpoint=True))
    results = [
        Upscaler(Restorer(small, device, precision="fp32", tile="off"), Sizing(scale=2), model="m", strength=strength)(
            picture
        )[0]
        for device in (CPU, card)
    ]
    assert results[0].pixels.dtype == results[1].pixels.dtype == dtype
    assert (results[0].pixels == results[1].pixels).all()


def test_a_tile_that_is_not_finite_is_done_again_with_those_after_it(card: Device) -> None:
    class Steep(SAFMNPP):
        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            scaled = super().forward(x, part)
            is_reduced = self.to_feat.weight.dtype != torch.float32
            return torch.where(x.amax(dim=(1, 2, 3), keepdim=True) > 1, torch.nan, scaled) if is_reduced else scaled

    torch.manual_seed(0)
    network = Steep(dim=12, n_blocks=1, upscaling_factor=2).eval().requires_grad_(False)
    picture = torch.rand(3, 64, 64 * 6)
    picture[:, :, 200:210] = 1.5
    result, run = Restorer(network, card, precision="bf16", tile=64).restore(picture)
    assert (run.precision, len(run.notes)) == ("fp32", 1)
    expected, _ = Restorer(network, CPU, precision="fp32", tile="off").restore(picture)
    assert torch.isfinite(result).all()
    assert (result - expected).abs().max() < 0.05


def test_memory_that_pytorch_keeps_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 30)
    assert Device(torch.device("cuda", 0), has_bf16=True).free_memory() == 140


def test_a_link_brings_tensors_there_and_back(card: Device) -> None:
    transfer = open_transfer(card)
    assert type(transfer) is Transfer
    check_transfer(transfer)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA card")
def test_a_cuda_link_brings_tensors_there_and_back() -> None:
    transfer = open_transfer(Device(torch.device("cuda", 0), has_bf16=True))
    assert type(transfer) is CudaTransfer
    check_transfer(transfer)


def check_transfer(transfer: Transfer) -> None:
    pictures = [torch.rand(2, 3, 50, 60) for _ in range(4)]
    arrivals = []
    for picture in pictures:
        there = transfer.upload(picture)
        assert there.is_contiguous(memory_format=torch.channels_last)
        arrivals.append(transfer.download([2 * there[:, :, 1:], there.sum() > 0]))
    for picture, download in zip(pictures, arrivals, strict=True):
        doubled, positive = download()
        assert doubled.device.type == "cpu"
        assert torch.equal(doubled, 2 * picture[:, :, 1:])
        assert positive
