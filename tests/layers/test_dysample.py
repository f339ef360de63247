from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from restore_cli.layers.dysample import DySample

GOLDEN = sorted((Path(__file__).resolve().parents[1] / "golden").glob("block_dysample_*.safetensors"))
FORMS = [{"style": style, "dyscope": dyscope} for style, dyscope in product(("lp", "pl"), (False, True))]


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_equals_the_original(path: Path, training: bool) -> None:
    with safe_open(path, "pt") as file:
        arguments = json.loads(file.metadata()["kwargs"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 the file is no mapping
    block = DySample(**arguments)
    block.load_state_dict({key.removeprefix("weights/"): tensors[key] for key in tensors if key.startswith("weights/")})
    with torch.set_grad_enabled(training):
        result = block(tensors["case0/input"])
    torch.testing.assert_close(result, tensors["case0/output"], rtol=0, atol=1e-5)


def test_all_forms_are_tried() -> None:
    assert len(GOLDEN) == len(FORMS) * 2


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_any_form_and_scale_begins_nearly_bilinear_and_learns_all_its_parameters(form: dict, scale: int) -> None:
    torch.manual_seed(0)
    block = DySample(144, scale, **form)
    x = torch.randn(2, 144, 5, 7, requires_grad=True)
    result = block(x)
    plain = torch.nn.functional.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
    assert result.shape == (2, 144, 5 * scale, 7 * scale)
    torch.testing.assert_close(result, plain, rtol=0, atol=0.1)
    result.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in block.parameters())
    assert x.grad is not None


def read_between(plane: torch.Tensor, row: float, column: float) -> float:
    """Interpolate one plane (h, w) by hand; beyond the border its outermost pixels are repeated."""
    rows, columns = (plane.shape[0] - 1, plane.shape[1] - 1)
    total = 0.0
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            weight = (1 - abs(row - i)) * (1 - abs(column - j))
            total += weight * float(plane[min(max(i, 0), rows), min(max(j, 0), columns)])
    return total


@torch.no_grad()
def test_three_points_a_side_lie_where_the_paper_puts_them() -> None:
    """Point by point, for the scale of which there is no golden tensor: 2 groups of 2 channels, large offsets."""
    torch.manual_seed(3)
    block = DySample(4, 3, groups=2)
    torch.nn.init.normal_(block.offset.weight)
    x = torch.rand(1, 4, 3, 2)
    result, predicted = block(x)[0], block.offset(x)[0].view(2, 2, 9, 3, 2)  # right or down, group, point, h, w
    for channel, y, column in product(range(4), range(9), range(6)):
        (i, down), (j, right) = divmod(y, 3), divmod(column, 3)
        move_right, move_down = (0.25 * predicted[:, channel // 2, 3 * down + right, i, j]).tolist()
        expected = read_between(x[0, channel], i + (down - 1) / 3 + move_down, j + (right - 1) / 3 + move_right)
        assert result[channel, y, column].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_points_stay_exact_in_reduced_precision(dtype: torch.dtype) -> None:
    """A ramp over more pixels than the dtype can count comes out as a ramp, to the rounding of its values."""
    block = DySample(4, 3, groups=1)
    torch.nn.init.zeros_(block.offset.weight)
    block.to(dtype)
    ramp = torch.arange(3000) % 7 / 4
    x = ramp.to(dtype).expand(1, 4, 3, -1)
    with torch.no_grad():
        result = block(x)
    expected = torch.nn.functional.interpolate(x.float(), scale_factor=3, mode="bilinear", align_corners=False)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), expected, rtol=torch.finfo(dtype).eps, atol=1e-6)


def test_channels_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="groups"):
        DySample(30, groups=4)
    with pytest.raises(ValueError, match="points"):
        DySample(24, 3, "pl")
