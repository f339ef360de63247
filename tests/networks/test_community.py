from __future__ import annotations

import copy
import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from restore_cli.device import find_device
from restore_cli.errors import DeviceError, StateDictError
from restore_cli.networks import Locality, build_network
from restore_cli.networks.community import ALIVE, UNKNOWN_BYTES, CommunityNetwork
from restore_cli.restorer import Restorer
from restore_cli.weights import load_path

Build = Callable[..., nn.Module]

SMALL: dict[str, dict[str, Any]] = {
    "Compact": {"num_feat": 16, "num_conv": 3, "upscale": 2},
    "ESRGAN": {"num_filters": 4, "num_blocks": 1, "scale": 4},
    "HAT": {
        "img_size": 32, "window_size": 8, "depths": (2,), "num_heads": (2,), "embed_dim": 30, "upscale": 2,
        "upsampler": "pixelshuffle", "num_feat": 16,
    },
    "SwinIR": {
        "img_size": 32, "window_size": 8, "depths": (2,), "num_heads": (2,), "embed_dim": 16, "upscale": 2,
        "upsampler": "pixelshuffledirect",
    },
    "DRCT": {"embed_dim": 16, "depths": (1,), "num_heads": (2,), "window_size": 16, "gc": 4},
    "FFTformer": {"dim": 8, "num_blocks": [1, 1, 1], "num_refinement_blocks": 1},
    "DnCNN": {"nc": 8, "nb": 8, "act_mode": "R"},
}  # fmt: skip
SCALES = {"Compact": 2, "ESRGAN": 4, "HAT": 2, "SwinIR": 2, "DRCT": 1, "FFTformer": 1, "DnCNN": 1}
GRIDS = {"Compact": 1, "ESRGAN": 1, "HAT": 8, "SwinIR": 8, "DRCT": 16, "FFTformer": 32, "DnCNN": 1}
KINDS = sorted(SMALL)


@pytest.fixture(scope="module")
def spandrel() -> Any:
    return pytest.importorskip("spandrel", reason="needs the extra restore-cli[spandrel]", exc_type=ImportError)


@pytest.fixture
def build(spandrel: Any) -> Build:
    """Build a small network with random weights by its architecture's name, or with other arguments."""

    def build_small(kind: str, **arguments: Any) -> nn.Module:
        architecture = getattr(importlib.import_module(f"spandrel.architectures.{kind}"), kind)
        torch.manual_seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # some call torch in a way that it is about to drop
            network: nn.Module = architecture(**(arguments or SMALL[kind]))
        return network.eval()

    return build_small


def picture(height: int, width: int) -> Tensor:
    """Return 3, h, w float32 samples with smooth and rough parts."""
    rows, columns = torch.arange(height)[:, None] / height, torch.arange(width) / width
    smooth = torch.stack([rows + 0 * columns, columns * rows, 0.5 + 0.4 * torch.sin(9 * columns * rows)])
    noise = torch.rand(3, height, width, generator=torch.Generator().manual_seed(5))
    return (0.8 * smooth + 0.2 * noise).clamp(0, 1)


def restorer(network: Any, precision: str = "fp32", tile: Any = "off") -> Restorer:
    return Restorer(network, find_device("cpu"), precision=precision, tile=tile)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "DnCNN"])
def test_a_file_gives_the_network_that_spandrel_gives(
    kind: str, suffix: str, build: Build, spandrel: Any, tmp_path: Path
) -> None:
    state = build(kind).state_dict()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"params_ema": state}, path)
    else:
        save_file(state, path)
    network = build_network(load_path(path).state)
    assert isinstance(network, CommunityNetwork)
    x = picture(40, 51)  # on no grid but 1
    ours, _ = restorer(network).restore(x)
    theirs = spandrel.ModelLoader().load_from_file(path).eval()(x[None])[0]
    assert ours.shape == (3, 40 * SCALES[kind], 51 * SCALES[kind])
    assert theirs.std() > 0.003  # otherwise everything is equal
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_network_declares(kind: str, build: Build) -> None:
    network = build_network(build(kind).state_dict())
    assert (network.scale, network.grid) == (SCALES[kind], GRIDS[kind])
    assert network.halo % network.grid == 0
    assert network.halo >= 64
    assert network.locality is (Locality.GLOBAL if kind == "SwinIR" else Locality.CLOSE)
    assert network.half_precisions == (frozenset({torch.float16}) if kind in ("Compact", "ESRGAN") else frozenset())
    assert not network.is_recordable
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_one_network_does_not_change_another(build: Build) -> None:
    windowed, plain = build_network(build("SwinIR").state_dict()), build_network(build("Compact").state_dict())
    assert (windowed.locality, plain.locality) == (Locality.GLOBAL, Locality.CLOSE)
    assert CommunityNetwork.locality is Locality.CLOSE
    assert windowed.half_precisions != plain.half_precisions


def test_a_copy_declares_and_does_the_same(build: Build) -> None:
    network = build_network(build("SwinIR").state_dict())
    twin = copy.deepcopy(network)
    assert twin.locality is Locality.GLOBAL
    assert twin.half_precisions == network.half_precisions
    x = picture(16, 16)[None]
    expected = network(x)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(twin(x), expected)  # it shares nothing with the network it was copied from


@pytest.mark.parametrize("kind", ["Compact", "ESRGAN", "HAT", "DRCT"])
def test_tiles_come_close_to_the_whole(kind: str, build: Build) -> None:
    network = build_network(build(kind).state_dict())
    x = picture(104, 115)
    whole, no_tile = restorer(network).restore(x)
    tiled, run = restorer(network, tile=48).restore(x)
    assert no_tile.tile is None
    assert run.tile is not None
    assert run.tile <= 48
    assert (whole - tiled).abs().max() * 255 < 0.5


def test_tiles_that_begin_between_windows_do_not(build: Build) -> None:
    """The grid must hold the windows: without it the halo is of no use."""
    network = build_network(build("HAT").state_dict())
    x = picture(104, 115)
    whole, _ = restorer(network).restore(x)
    network.grid, network.halo = 1, 67
    tiled, _ = restorer(network, tile=45).restore(x)
    assert (whole - tiled).abs().max() * 255 > 0.5


def test_a_grey_network_keeps_colours(build: Build, spandrel: Any) -> None:
    state = build("DnCNN").state_dict()
    network = build_network(state)
    x = picture(33, 20)[None]
    restored = network(x)
    descriptor = spandrel.ModelLoader().load_from_state_dict(dict(state)).eval()
    for channel in range(3):
        assert torch.equal(restored[:, channel], descriptor(x[:, channel : channel + 1])[:, 0])
    assert (restored[:, 0] - restored[:, 2]).abs().max() > 0.1


def test_float16_stays_close_and_bfloat16_is_refused(build: Build) -> None:
    network = build_network(build("Compact").state_dict())
    x = picture(40, 50)
    exact, _ = restorer(network).restore(x)
    half, _ = restorer(network, "fp16").restore(x)
    assert half.dtype == torch.float32
    assert not torch.equal(half, exact)
    assert (half - exact).abs().max() * 255 < 1
    with pytest.raises(DeviceError, match="bf16"):
        restorer(network, "bf16")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_weights_load_into_a_float32_network(dtype: torch.dtype, build: Build) -> None:
    state = {name: tensor.to(dtype) for name, tensor in build("Compact").state_dict().items()}
    network = build_network(state)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    widened = build_network({name: tensor.float() for name, tensor in state.items()})
    x = picture(16, 16)[None]
    assert torch.equal(network(x), widened(x))


def test_the_memory_format_stays_what_the_network_expects(build: Build) -> None:
    network = build_network(build("FFTformer").state_dict())
    strides = [parameter.stride() for parameter in network.parameters()]
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert [parameter.stride() for parameter in network.parameters()] == strides
    assert network.to(torch.float64).model.patch_embed.proj.weight.dtype == torch.float64


def test_memory_is_measured_by_the_largest_output(build: Build) -> None:
    network = build_network(build("ESRGAN").state_dict())
    assert network.bytes_per_pixel == ALIVE * 4 * 4 * 4**2  # 4 channels of float32 in a picture four times as large


def test_memory_that_cannot_be_measured_is_taken_for_large(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build("Compact")
    plain = type(network).forward

    def looks_at_values(self: nn.Module, x: Tensor) -> Tensor:
        assert x.max().item() <= 1
        restored: Tensor = plain(self, x)
        return restored

    monkeypatch.setattr(type(network), "forward", looks_at_values)
    assert build_network(network.state_dict()).bytes_per_pixel == UNKNOWN_BYTES


def test_an_unknown_architecture_is_named_by_its_keys(spandrel: Any) -> None:
    with pytest.raises(StateDictError, match=r"known here or to spandrel .*first keys: a\.weight, b\.weight"):
        build_network({"b.weight": torch.zeros(3), "a.weight": torch.zeros(3)})


@pytest.mark.parametrize("damage", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_an_error_of_the_weights(damage: str, build: Build) -> None:
    state = dict(build("ESRGAN").state_dict())
    key = "model.1.sub.0.RDB3.conv2.0.weight"
    if damage == "missing":
        del state[key]
    elif damage == "extra":
        state["model.1.sub.0.RDB1.conv9.0.weight"] = torch.zeros(1)
    else:
        state[key] = torch.zeros(4, 4, 1, 1)
    with pytest.raises(StateDictError, match="spandrel cannot build"):
        build_network(state)


def test_a_network_that_colours_grey_pictures_is_refused(build: Build) -> None:
    network = build("Compact", num_in_ch=1, num_out_ch=3, num_feat=8, num_conv=1, upscale=2)
    with pytest.raises(StateDictError, match="does not turn one picture into another"):
        build_network(network.state_dict())


def test_without_spandrel_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(StateDictError, match=r"no architecture known here \(first keys: body\.0\.weight\)") as raised:
        build_network({"body.0.weight": torch.zeros(8, 3, 3, 3)})
    assert "pip install 'restore-cli[spandrel]'" in raised.value.hint


def test_a_spandrel_that_cannot_be_imported_is_told_from_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "spandrel").mkdir()
    (tmp_path / "spandrel" / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms is missing')")
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StateDictError, match="cannot be imported: operator torchvision::nms is missing") as raised:
        build_network({"body.0.weight": torch.zeros(8, 3, 3, 3)})
    assert "torchvision" in raised.value.hint
