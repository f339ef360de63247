"""Pictures whose edges meet stay so: what is moved around them comes out moved. Others get no frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from restore_cli.device import Device
from restore_cli.networks import Network, Part
from restore_cli.networks.darkir import DarkIR
from restore_cli.networks.part import cut_core
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Restorer
from restore_cli.tasks.enhance import Enhancer
from restore_cli.tasks.enhancers import Brightener, Cleaner
from restore_cli.tasks.sizing import Sizing
from restore_cli.tasks.traits import Alpha, Wrap
from restore_cli.tasks.upscale import Upscaler
from restore_cli.tasks.wrapping import Margin
from restore_cli.weights import build, load

HEIGHT, WIDTH = 32, 48
CPU = Device(torch.device("cpu"), has_bf16=False)


class Framing(Network):
    """Blurs, and meets zeros at the edges."""

    architecture = "framing"
    signature = frozenset()
    margin = 8

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 1, 8, 8, 8, 100

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        return cut_core(F.avg_pool2d(x, 5, 1, 2), part, 1)


@pytest.fixture(scope="module")
def network() -> Network:
    return build(load("safmn-x2"))


@pytest.fixture(scope="module")
def cleaning_network() -> Network:
    return build(load("dejpeg-s"))


@pytest.fixture
def picture() -> Picture:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    beyond = random.integers(-900, 900, pixels.shape, np.int32)
    return Picture(pixels, random.integers(1, 256, pixels.shape[:2], np.uint8), beyond)


def moved(picture: Picture, rows: int, columns: int) -> Picture:
    return picture.with_each(lambda array: np.roll(array, (rows, columns), (0, 1)))


def differences(one: Picture, other: Picture) -> list[int]:
    return [int(np.abs(x.astype(int) - y).max()) for x, y in zip(one.arrays, other.arrays, strict=True)]


@pytest.mark.parametrize(
    ("sizing", "strength", "factor"),
    [
        (Sizing(scale=2), 1.0, 2.0),
        (Sizing(scale=4), 1.0, 4.0),  # in two passes
        (Sizing(scale=1.5), 0.5, 1.5),  # reduced
        (Sizing(width=2 * WIDTH), 0.5, 2.0),
    ],
)
def test_what_is_moved_comes_out_moved(
    sizing: Sizing, strength: float, factor: float, network: Network, picture: Picture
) -> None:
    def upscaled(picture: Picture, wrap: Wrap | None) -> Picture:
        return Upscaler(Restorer(network, CPU), sizing, strength=strength, wrap=wrap)(picture)[0]

    for wrap, rows, columns in ((Wrap.XY, 16, 24), (Wrap.X, 0, 24), (Wrap.Y, 16, 0)):
        there = moved(upscaled(picture, wrap), round(rows * factor), round(columns * factor))
        assert max(differences(there, upscaled(moved(picture, rows, columns), wrap))) <= 1
    ends = moved(upscaled(picture, None), round(16 * factor), 0)
    assert min(differences(ends, upscaled(moved(picture, 16, 0), None))) > 1


def test_edges_that_do_not_meet_are_those_of_a_picture_alone(network: Network, picture: Picture) -> None:
    upscale = {wrap: Upscaler(Restorer(network, CPU), Sizing(scale=2), wrap=wrap) for wrap in (None, Wrap.X)}
    alone, wrapped = (upscale[wrap](picture)[0] for wrap in (None, Wrap.X))
    inside = np.s_[:, 2 * 20 : 2 * 24]
    assert max(differences(*(each.with_each(lambda array: array[inside]) for each in (alone, wrapped)))) <= 1


def test_a_result_in_bands_is_that_in_one_piece(network: Network, picture: Picture) -> None:
    whole, _ = Upscaler(Restorer(network, CPU), Sizing(scale=2), wrap=Wrap.XY)(picture)
    bands: list[Picture] = []
    upscaler = Upscaler(Restorer(network, CPU, tile=16), Sizing(scale=2), wrap=Wrap.XY, whole_bytes=1)
    upscaler.stream(picture, bands.append)
    assert len(bands) > 1
    joined = np.concatenate([band.pixels for band in bands])
    assert np.abs(joined.astype(int) - whole.pixels).max() <= 1


def test_pictures_that_keep_their_size_wrap_too(cleaning_network: Network, picture: Picture) -> None:
    clean = Cleaner(Restorer(cleaning_network, CPU), wrap=Wrap.XY)
    there = moved(clean(picture)[0], 16, 16)
    assert max(differences(there, clean(moved(picture, 16, 16))[0])) <= 1
    assert clean.group_size(HEIGHT, WIDTH) == 1


@pytest.mark.parametrize(("have", "wanted"), [((32, 48), (64, 96)), ((30, 7), (81, 19)), ((1, 5), (16, 80))])
@pytest.mark.parametrize("wrap", Wrap)
def test_a_margin_is_as_wide_as_asked_for_and_whole_in_the_result(
    wrap: Wrap, have: tuple[int, int], wanted: tuple[int, int]
) -> None:
    margin = Margin.around(wrap, have, wanted, 10)
    for around, length, result, extended, wraps in zip(
        (margin.rows, margin.columns), have, wanted, margin.extended_result, wrap.axes, strict=True
    ):
        assert around >= 10 if wraps else around == 0
        assert (extended - result) * length == 2 * around * result


def test_colours_under_an_alpha_that_is_data_are_kept(network: Network, picture: Picture) -> None:
    assert picture.alpha is not None
    picture.alpha[:, : WIDTH // 2] = 0
    opaque = Picture(picture.pixels)
    upscale = {alpha: Upscaler(Restorer(network, CPU), Sizing(scale=2), alpha=alpha) for alpha in Alpha}
    bare = upscale[Alpha.DATA](opaque)[0].pixels
    kept, bled = (upscale[alpha](picture)[0] for alpha in (Alpha.DATA, Alpha.TRANSPARENCY))
    assert (kept.pixels == bare).all()
    assert np.abs(bled.pixels.astype(int) - bare).max() > 10
    assert kept.alpha is not None
    assert bled.alpha is not None
    assert (kept.alpha == bled.alpha).all()


@pytest.mark.parametrize("wrap", [None, Wrap.XY])
@pytest.mark.parametrize(("sizing", "strength"), [(Sizing(scale=2), 1.0), (Sizing(scale=3), 0.5)])
def test_a_restored_alpha_is_what_it_would_be_as_a_grey_picture(
    sizing: Sizing, strength: float, wrap: Wrap | None, network: Network, picture: Picture
) -> None:
    assert picture.alpha is not None
    restorer = Restorer(network, CPU)
    grey, _ = Upscaler(restorer, sizing, strength=strength, wrap=wrap)(Picture(picture.alpha[..., None]))
    plain, _ = Upscaler(restorer, sizing, strength=strength, wrap=wrap)(picture)
    upscale = Upscaler(restorer, sizing, strength=strength, wrap=wrap, restore_alpha=True, whole_bytes=1)
    assert upscale.group_size(HEIGHT, WIDTH) == 1
    shares: list[float] = []
    restored, _ = upscale(picture, shares.append)
    assert restored.alpha is not None
    assert (restored.alpha == grey.pixels[..., 0]).all()
    assert (restored.pixels == plain.pixels).all()
    assert plain.alpha is not None
    assert (plain.alpha != restored.alpha).any()
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_colours_under_an_alpha_that_is_data_are_restored(cleaning_network: Network, picture: Picture) -> None:
    assert picture.alpha is not None
    picture.alpha[:] = 0
    bare = Cleaner(Restorer(cleaning_network, CPU))(Picture(picture.pixels))[0].pixels
    assert (Cleaner(Restorer(cleaning_network, CPU), alpha=Alpha.DATA)(picture)[0].pixels == bare).all()
    assert (Cleaner(Restorer(cleaning_network, CPU))(picture)[0].pixels == picture.pixels).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(32, 48), (9, 13), (3, 1)])
def test_a_network_that_draws_a_frame_meets_a_reflection(
    shape: tuple[int, int], dtype: type[np.unsignedinteger[Any]]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype)
    around = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), "reflect")  # which repeats a single pixel
    windows = np.lib.stride_tricks.sliding_window_view(around, (5, 5), (0, 1))
    expected = windows.mean((-1, -2))
    for tile in ("off", 16):
        for tta in (False, True):
            enhance = Enhancer(Restorer(Framing(), CPU, tile=tile), tta=tta)
            result, _ = enhance(Picture(pixels))
            assert np.abs(result.pixels - expected).max() <= 0.51
    (grouped,) = enhance.restore_group([Picture(pixels)])
    assert isinstance(grouped, tuple)
    assert np.abs(grouped[0].pixels - expected).max() <= 0.51


def test_edges_that_meet_see_no_reflection() -> None:
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:, -2:] = pixels[-2:] = 200
    result = {wrap: Enhancer(Restorer(Framing(), CPU), wrap=wrap)(Picture(pixels))[0].pixels for wrap in Wrap}
    assert [int(result[wrap][8, 0, 0]) for wrap in Wrap] == [80, 0, 80]
    assert [int(result[wrap][0, 8, 0]) for wrap in Wrap] == [0, 80, 80]


def test_bands_leave_no_trace_behind_a_reflection() -> None:
    torch.manual_seed(0)
    network = DarkIR(4, enc_blk_nums=[1], middle_blk_num_enc=1, middle_blk_num_dec=1, dec_blk_nums=[1]).eval()
    network.requires_grad_(False)
    pixels = np.random.default_rng(0).integers(0, 256, (21, 30, 3), np.uint8)
    reflected = np.pad(pixels, ((8, 8), (8, 8), (0, 0)), "reflect")
    bare, _ = Restorer(network, CPU, tile="off").restore(torch.from_numpy(reflected / np.float32(255)).permute(2, 0, 1))
    expected = 255 * bare[:, 8:-8, 8:-8].permute(1, 2, 0).numpy().clip(0, 1)
    for tile in ("off", 16):
        result, _ = Enhancer(Restorer(network, CPU, tile=tile))(Picture(pixels))
        assert np.abs(result.pixels - expected).max() <= 0.51


@pytest.mark.parametrize("wrap", [None, Wrap.XY])
def test_what_lies_around_a_picture_does_not_count_for_its_brightness(wrap: Wrap | None) -> None:
    pixels = np.full((20, 16, 3), 20, np.uint8)
    pixels[5:7] = 118  # mean luminance 0.024, with 8 rows above and below 0.026
    assert Brightener(Restorer(Framing(), CPU), wrap=wrap)(Picture(pixels))[1].notes == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_edges_meet_a_reflection_too(dtype: type[np.unsignedinteger[Any]]) -> None:
    alpha = np.full((16, 24), np.iinfo(dtype).max, dtype)
    alpha[:, :5] = 0
    pixels = np.where(alpha[..., None] > 0, 90, 200).astype(dtype).repeat(3, axis=2)
    for strength in (1.0, 0.5):
        result, _ = Cleaner(Restorer(Framing(), CPU), strength=strength)(Picture(pixels, alpha))
        assert (result.pixels == pixels).all()
