"""Networks and blocks against golden tensors made with the original code, and against the published checkpoints.

A golden file holds `weights/<name>`, `case0` with a size on the network's grid and `case1` with one off it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from restore_cli.cards import CARDS
from restore_cli.checkpoint import read_checkpoint
from restore_cli.layers.darkir import DBlock, EBlock
from restore_cli.layers.local_attention import LocalAttention, Place, place_pixels
from restore_cli.layers.repmbconv import RepMBConv
from restore_cli.layers.saconv import SAConv2d
from restore_cli.layers.safm import SAFM
from restore_cli.layers.spconv import SPConv
from restore_cli.networks import build_network
from restore_cli.networks.plainusr import Block

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TOLERANCE = 1e-5
PUBLISHED: dict[str, tuple[str, str | None, int | None]] = {
    "SAFMN_NTIRE_ESR_x4.pth": ("SAFMN_NTIRE_ESR_x4.pth", "params", 237_000),
    "team23_safmnpp.pth:params": ("team23_safmnpp.pth", "params", 211_572),
    "team23_safmnpp.pth:params_ema": ("team23_safmnpp.pth", "params_ema", 211_572),
    "light_safmnpp.pth:params": ("light_safmnpp.pth", "params", 66_176),
    "light_safmnpp.pth:params_ema": ("light_safmnpp.pth", "params_ema", 66_176),
    **{
        Path(card.file).name: (Path(card.file).name, None, card.parameters)
        for card in CARDS
        if card.network == "plainusr"
    },
}


def load_golden(name: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    tensors = load_file(GOLDEN / f"{name}.safetensors")
    weights = {key.removeprefix("weights/"): value for key, value in tensors.items() if key.startswith("weights/")}
    return weights, {key: value for key, value in tensors.items() if not key.startswith("weights/")}


ROUNDED = {"darkir"}
"""Goldens that their own rounding takes further than TOLERANCE from the exact result; see the tests of the network."""
NETWORK_GOLDENS = sorted(
    path.stem
    for path in GOLDEN.glob("*.safetensors")
    if not path.stem.startswith("block_") and path.stem not in ROUNDED
)


@pytest.mark.parametrize("case", ["case0", "case1"])
@pytest.mark.parametrize("name", NETWORK_GOLDENS)
def test_network_equals_the_original(name: str, case: str) -> None:
    weights, cases = load_golden(name)
    if f"{case}/input" not in cases:
        assert (name, case) == ("safmn_bcie", "case1"), "only SAFMN_BCIE has no case off the grid"
        return
    network = build_network(weights)
    torch.testing.assert_close(network(cases[f"{case}/input"]), cases[f"{case}/output"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", ["case0", "case1"])
def test_safm_of_the_article(case: str) -> None:
    weights, cases = load_golden("block_safm_article")
    block = SAFM(16, factors=(1, 4, 8, 16), bias=False)
    block.load_state_dict(weights)
    x = cases[f"{case}/input"]
    torch.testing.assert_close(block(x, torch.zeros_like(x)), cases[f"{case}/output"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("name", "block"), [("eblock", EBlock), ("dblock", DBlock)])
def test_blocks_of_darkir(name: str, block: type[EBlock | DBlock]) -> None:
    weights, cases = load_golden(f"block_{name}")
    options = {"dilations": (1, 4, 9)} if block is DBlock else {}
    built = block(8, extra_depth_wise=True, **options)
    built.load_state_dict(weights)
    torch.testing.assert_close(built(cases["case0/input"]), cases["case0/output"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("stride", [1, 2])
def test_split_convolution(stride: int) -> None:
    weights, cases = load_golden(f"block_spconv_stride{stride}")
    block = SPConv(8, 12, stride=stride).eval()
    block.load_state_dict(weights)
    torch.testing.assert_close(block(cases["case0/input"]), cases["case0/output"], rtol=0, atol=TOLERANCE)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order: that of several threads is another one, and rounds otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def switchable_atrous_convolution(stride: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the result for a golden input, and the golden output."""
    weights, cases = load_golden(f"block_saconv_stride{stride}")
    del weights["bias"]  # of the original class; it is not added to anything
    block = SAConv2d(8, 12, stride=stride).eval()
    block.load_state_dict(weights)
    return F.silu(block.to(dtype)(cases["case0/input"].to(dtype))).float(), cases["case0/output"]


def adds_as_the_golden_did() -> bool:
    """Tell whether sums are taken in the golden's order, which differs from one maker's processors to another's."""
    try:
        processor = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "AuthenticAMD" in processor and torch.backends.cpu.get_cpu_capability() == "AVX512"


@pytest.mark.skipif(not adds_as_the_golden_did(), reason="the golden was made on an AMD processor with AVX-512")
@pytest.mark.parametrize("stride", [1, 2])
def test_switchable_atrous_convolution(stride: int, one_thread: None) -> None:
    result, expected = switchable_atrous_convolution(stride, torch.float32)
    torch.testing.assert_close(result, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("stride", [1, 2])
def test_switchable_atrous_convolution_rounded_otherwise(stride: int, dtype: torch.dtype) -> None:
    """The goldens lie up to 4.2e-5 from the result in float64, at values up to 70: 6e-7 of the largest."""
    result, expected = switchable_atrous_convolution(stride, dtype)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6 * expected.abs().max().item())


def place(x: torch.Tensor) -> Place:
    h, w = x.shape[-2:]
    return Place(place_pixels(0, h, h), place_pixels(0, w, w))


@pytest.mark.parametrize("case", ["case0", "case1"])
def test_local_attention(case: str) -> None:
    weights, cases = load_golden("block_local_attention")
    attention = LocalAttention(16, 8)
    attention.load_state_dict(weights)
    x = cases[f"{case}/input"]
    torch.testing.assert_close(attention(x, place(x), x), cases[f"{case}/output"], rtol=0, atol=TOLERANCE)


def test_repmbconv_as_trained_and_folded() -> None:
    weights, cases = load_golden("block_repmbconv")
    block = RepMBConv(8)
    block.load_state_dict(weights)
    folded = block.fold()
    assert folded.bias is not None
    x = cases["case0/input"]
    torch.testing.assert_close(block(x), cases["case0/output"], rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(folded.weight, cases["case0/deployed_weight"], rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(folded.bias, cases["case0/deployed_bias"], rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(folded(x), cases["case0/deployed_output"], rtol=0, atol=TOLERANCE)


def test_block_of_plainusr_as_trained_and_folded() -> None:
    weights, cases = load_golden("block_repmbconv_lia")
    block = Block(8, 2, LocalAttention(8, 4), folded=False)
    block.load_state_dict(weights)
    x = cases["case0/input"]
    torch.testing.assert_close(block(x, place(x)), cases["case0/output"], rtol=0, atol=TOLERANCE)
    block.fold()
    torch.testing.assert_close(block(x, place(x)), cases["case0/deployed_output"], rtol=0, atol=TOLERANCE)
    deployed = {key.removeprefix("case0/deployed/"): value for key, value in cases.items() if "/deployed/" in key}
    assert block.state_dict().keys() == deployed.keys()
    for name, tensor in block.state_dict().items():
        torch.testing.assert_close(tensor, deployed[name], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("output", PUBLISHED)
def test_published_checkpoint_gives_its_published_result(output: str, shared: Path) -> None:
    file, key, parameters = PUBLISHED[output]
    outputs = load_file(shared / "golden" / "official_outputs.safetensors")
    network = build_network(read_checkpoint(shared / "weights" / "official" / file, key))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    result = network(outputs[f"input_x{network.scale}"])
    torch.testing.assert_close(result, outputs[output].float(), rtol=0, atol=2e-3)
