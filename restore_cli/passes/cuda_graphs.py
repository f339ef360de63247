"""Networks on a graphics card as recordings that are played back, which saves starting each operation by itself.

A recording is a CUDA graph: it reads and writes where it did when it was made, and takes inputs of one shape.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from restore_cli.device import Device, is_out_of_memory
from restore_cli.networks import Network, Part

Call = Callable[[Network, Tensor, Part], Tensor]
"""Puts an input (n, 3, h, w on the device) through a network."""
Recording = Callable[[Tensor, Tensor | None], Tensor]
"""Plays the network back with another input of the same shape, and the statistic of its picture."""
Record = Callable[[Network, Tensor, Part], Recording]
WORTHWHILE = 3
"""An input's shape is recorded when it comes for this time."""
MOST = 4
"""Recordings that are kept; each holds as much memory as the network's features take."""
MOST_COUNTED = 1000
"""Shapes whose inputs are counted; then counting begins anew, since of so many sizes few come again soon."""
TOLERANCE = 1e-3
"""What a recording may differ by from the network itself, of values from 0 to 1; it is not used if it differs more."""


def open_calls(device: Device) -> Call:
    """Return the fastest way to call networks on `device`."""
    return Recordings() if device.torch_device.type == "cuda" else call_plainly


def call_plainly(network: Network, x: Tensor, part: Part) -> Tensor:
    """Carry out the network operation by operation."""
    restored: Tensor = network(x, part)
    return restored


def record_on_card(network: Network, x: Tensor, part: Part) -> Recording:
    """Record what the network does with inputs like `x`.

    Raises:
        RuntimeError: the network does something that cannot be recorded, or memory does not suffice.
    """
    held = x.clone()
    statistic = None if part.statistic is None else part.statistic.clone()
    graph = torch.cuda.CUDAGraph()
    recorded = torch.cuda.graph(graph, stream=_stream_on(x.device), capture_error_mode="thread_local")
    with torch.cuda.device(x.device), recorded:
        result: Tensor = network(held, replace(part, statistic=statistic))
    result.fill_(torch.nan)  # which remains, and is seen, where nothing was recorded

    def play(x: Tensor, measured: Tensor | None) -> Tensor:
        held.copy_(x)
        if statistic is not None and measured is not None:
            statistic.copy_(measured)
        graph.replay()
        return result.clone()

    return play


@cache
def _stream_on(device: torch.device) -> Any:
    """Return the stream that recordings on `device` are made on; PyTorch has but one for all."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Recordings:
    """Calls networks, and plays back what was recorded for inputs of the same shape."""

    def __init__(self, record: Record = record_on_card) -> None:
        self._record = record
        self._kept: OrderedDict[Any, Recording] = OrderedDict()
        """The one that was used last comes last."""
        self._calls: Counter[Any] = Counter()

    def __call__(self, network: Network, x: Tensor, part: Part) -> Tensor:
        """Put `x` through the network; the result is what the network makes of it.

        Raises:
            RuntimeError: as the network does; where memory runs out all recordings are given up.
        """
        if network.sees_place or not network.is_recordable:
            return call_plainly(network, x, part)
        kind = (network, x.shape, x.stride(), part.place_of_core, part.statistic is None)
        try:
            if kind in self._kept:
                self._kept.move_to_end(kind)
                return self._kept[kind](x, part.statistic)
            result = call_plainly(network, x, part)
        except RuntimeError as error:
            if is_out_of_memory(error):
                self._kept.clear()
            raise
        if len(self._calls) == MOST_COUNTED and kind not in self._calls:
            self._calls.clear()
        self._calls[kind] += 1
        if self._calls[kind] == WORTHWHILE:
            self._keep(kind, network, x, part, result)
        return result

    def _keep(self, kind: Any, network: Network, x: Tensor, part: Part, result: Tensor) -> None:
        """Record the network; once for each kind of input, so that one that cannot be recorded is not tried again."""
        try:
            recording = self._record(network, x, part)
            is_true = torch.allclose(recording(x, part.statistic), result, rtol=0, atol=TOLERANCE, equal_nan=True)
        except RuntimeError as error:
            if is_out_of_memory(error):
                self._kept.clear()
            return
        if is_true:
            self._kept[kind] = recording
        while len(self._kept) > MOST:
            dropped, _ = self._kept.popitem(last=False)
            del self._calls[dropped]
