"""What every network avoids on a card; the device `meta`, whose tensors have no values, stands in for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from restore_cli.networks import NETWORKS, ContinuousNetwork, Network, Part, SteppedNetwork
from restore_cli.networks.plainusr import PlainUSR
from restore_cli.networks.safmn_bcie import SAFMNBCIE
from restore_cli.tiling import Box

META = torch.device("meta")


class Watch(TorchDispatchMode):
    """Collects what `find` says of an operation, its inputs and its result, where it says anything."""

    def __init__(self, find: Callable[[Any, Any, Any], str | None]) -> None:
        super().__init__()
        self.find = find
        self.found: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, inputs: Any = (), options: Any = None) -> Any:
        result = operation(*inputs, **(options or {}))
        if found := self.find(operation, inputs, result):
            self.found.append(found)
        return result


def copy_from_host(operation: Any, inputs: Any, result: Any) -> str | None:
    was_on_host = any(isinstance(x, torch.Tensor) and x.device.type == "cpu" and x.ndim for x in inputs)
    arrives = was_on_host and isinstance(result, torch.Tensor) and result.device == META
    return f"{operation} of {tuple(result.shape)}" if arrives else None


def part_of_channels_last(operation: Any, inputs: Any, result: Any) -> str | None:
    """Tell of a convolution whose input looks channels_last, but is a part of the channels of such a tensor."""
    if operation is not torch.ops.aten.convolution.default:
        return None
    x = inputs[0]
    is_part = x.shape[1] > 1 and x.stride(1) == 1 and not x.is_contiguous(memory_format=torch.channels_last)
    return f"{tuple(x.shape)} with strides {x.stride()}" if is_part else None


def build(network: type[Network]) -> Network:
    with META:
        if network is SAFMNBCIE:
            return SAFMNBCIE(dim=8, n_blocks=2, num_layers=1).eval()
        if network is PlainUSR:
            return PlainUSR(
                im_feat=(64, 48)
            ).eval()  # others of its kind see their place, for which they look at values
        return network().eval()


def each_network_but(*kinds: type[Network]) -> pytest.MarkDecorator:
    networks = [network for network in NETWORKS if not issubclass(network, kinds)]
    return pytest.mark.parametrize("network", networks, ids=lambda network: network.architecture)


@each_network_but(ContinuousNetwork, SteppedNetwork)
def test_what_can_be_recorded_copies_nothing_from_the_host(network: type[Network]) -> None:
    built, x = build(network), torch.empty(1, 3, 48, 48, device=META)
    assert built.is_recordable
    assert not built.sees_place
    with torch.inference_mode():
        statistic = None if built.statistic_halo is None else built.measure(x, Box(0, 0, 48, 48))
        with Watch(copy_from_host) as watch:
            built(x, replace(Part.of_whole(x), statistic=statistic))
    assert watch.found == []


@each_network_but(ContinuousNetwork)
def test_where_channels_do_not_lie_last_no_convolution_takes_them_for_it(
    network: type[Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: False)  # which does not know `meta`
    with torch.no_grad(), Watch(part_of_channels_last) as watch:
        build(network)(torch.empty(1, 3, 48, 48, device=META))
    assert watch.found == []
