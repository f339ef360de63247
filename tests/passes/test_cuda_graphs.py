"""What is recorded and when, with a recorder that stands in for a graphics card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.networks import Network, Part
from restore_cli.passes import cuda_graphs
from restore_cli.passes.cuda_graphs import (
    MOST,
    WORTHWHILE,
    Recording,
    Recordings,
    call_plainly,
    open_calls,
    record_on_card,
)

PART = Part.of_whole(torch.zeros(1, 3, 8, 8))


class Halving(Network):
    """Halves values, and adds the statistic if there is one."""

    architecture = "halving"
    signature = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 1, 1, 0, 1, 100
        self.calls = 0

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        self.calls += 1
        added = 0 if part is None or part.statistic is None else part.statistic
        return x / 2 + added


class Recorder:
    """Stands in for `record_on_card`: counts what is recorded and played back, and computes it without the network."""

    def __init__(self, *, error: Exception | None = None, wrong_by: float = 0.0) -> None:
        self.error, self.wrong_by = error, wrong_by
        self.recorded: list[torch.Size] = []
        self.played = 0

    def __call__(self, network: Network, x: Tensor, part: Part) -> Recording:
        self.recorded.append(x.shape)
        if self.error is not None:
            raise self.error

        def play(x: Tensor, statistic: Tensor | None) -> Tensor:
            self.played += 1
            return x / 2 + (0 if statistic is None else statistic) + self.wrong_by

        return play


def call(recordings: Recordings, network: Network, side: int = 8, times: int = 1, part: Part = PART) -> None:
    for _ in range(times):
        x = torch.rand(1, 3, side, side)
        expected = x / 2 + (0 if part.statistic is None else part.statistic)
        assert torch.equal(recordings(network, x, part), expected)


def test_what_comes_often_is_recorded_and_played_back() -> None:
    recorder, network = Recorder(), Halving()
    recordings = Recordings(recorder)
    call(recordings, network, times=WORTHWHILE - 1)
    assert recorder.recorded == []
    call(recordings, network, times=5)
    assert len(recorder.recorded) == 1
    assert network.calls == WORTHWHILE
    assert recorder.played == 1 + 4, "the first time to compare it"


def test_each_shape_layout_and_network_is_recorded_by_itself() -> None:
    recorder, network = Recorder(), Halving()
    recordings = Recordings(recorder)
    call(recordings, network, 8, WORTHWHILE)
    call(recordings, network, 9, WORTHWHILE)
    call(recordings, Halving(), 8, WORTHWHILE)
    x = torch.rand(1, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    for _ in range(WORTHWHILE):
        recordings(network, x, PART)
    assert [shape[2] for shape in recorder.recorded] == [8, 9, 8, 8]


def test_the_statistic_of_a_picture_is_not_recorded() -> None:
    recorder, network = Recorder(), Halving()
    recordings = Recordings(recorder)
    for value in range(6):
        call(recordings, network, part=replace(PART, statistic=torch.tensor(float(value))))
    assert recorder.played > 1
    call(recordings, network, times=WORTHWHILE)
    assert len(recorder.recorded) == 2


@pytest.mark.parametrize(
    "recorder",
    [Recorder(error=RuntimeError("operation not permitted when stream is capturing")), Recorder(wrong_by=0.01)],
    ids=["fails", "differs"],
)
def test_what_cannot_be_recorded_truly_is_not_tried_again(recorder: Recorder) -> None:
    network = Halving()
    call(Recordings(recorder), network, times=4 * WORTHWHILE)
    assert len(recorder.recorded) == 1
    assert network.calls == 4 * WORTHWHILE


@pytest.mark.parametrize(("trait", "value"), [("sees_place", True), ("is_recordable", False)])
def test_a_network_that_cannot_be_is_never_recorded(trait: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Halving, trait, value)
    recorder = Recorder()
    call(Recordings(recorder), Halving(), times=2 * WORTHWHILE)
    assert recorder.recorded == []


def test_the_recording_that_was_used_longest_ago_is_dropped() -> None:
    recorder, network = Recorder(), Halving()
    recordings = Recordings(recorder)
    for side in range(1, MOST + 1):
        call(recordings, network, side, WORTHWHILE)
    call(recordings, network, 1)
    call(recordings, network, MOST + 1, WORTHWHILE)
    calls = network.calls
    call(recordings, network, 1)
    assert network.calls == calls, "it is kept"
    call(recordings, network, 2, WORTHWHILE)
    assert network.calls == calls + WORTHWHILE, "it was dropped, and is recorded anew"
    assert [shape[2] for shape in recorder.recorded].count(2) == 2


def test_shapes_are_not_counted_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.passes.cuda_graphs.MOST_COUNTED", 5)
    recorder, network = Recorder(), Halving()
    recordings = Recordings(recorder)
    for side in range(1, 40):
        call(recordings, network, side)
        assert len(recordings._calls) <= 5
    call(recordings, network, 40, WORTHWHILE)
    assert [shape[2] for shape in recorder.recorded] == [40]


def test_where_memory_runs_out_recordings_are_given_up() -> None:
    class Failing(Halving):
        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            raise torch.cuda.OutOfMemoryError("out of memory")

    recorder, network = Recorder(), Halving()
    recordings = Recordings(recorder)
    call(recordings, network, times=WORTHWHILE + 1)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        recordings(Failing(), torch.rand(1, 3, 8, 8), PART)
    calls = network.calls
    call(recordings, network)
    assert network.calls == calls + 1


@pytest.mark.parametrize(("kind", "records"), [("cpu", False), ("mps", False), ("cuda", True)])
def test_cards_that_can_record_do(kind: str, records: bool) -> None:
    calls = open_calls(Device(torch.device(kind), has_bf16=False))
    assert isinstance(calls, Recordings) == records
    assert records or calls is call_plainly


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.device]]:
    """Let recordings be made without a card, and be empty; list the devices of the streams that they are made on."""

    class Graph:
        def replay(self) -> None: ...

    class Stream:
        def __init__(self, device: torch.device) -> None:
            self.device = device

    @contextmanager
    def graph(_: Graph, *, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        made_on.append(stream.device)
        yield

    made_on: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    cuda_graphs._stream_on.cache_clear()
    yield made_on
    cuda_graphs._stream_on.cache_clear()


def test_each_card_records_on_a_stream_of_its_own(streams: list[torch.device]) -> None:
    class OnCard:
        """Stands in for a tensor on a card."""

        def __init__(self, device: str) -> None:
            self.device = torch.device(device)

        def clone(self) -> OnCard:
            return self

        def fill_(self, value: float) -> None: ...

    for name in ("cuda:0", "cuda:1", "cuda:0"):
        record_on_card(lambda x, part: x, OnCard(name), PART)  # type: ignore[arg-type]
    assert [str(device) for device in streams] == ["cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.usefixtures("streams")
def test_an_empty_recording_is_not_played_back() -> None:
    network = Halving()
    with torch.inference_mode():
        call(Recordings(record_on_card), network, times=2 * WORTHWHILE)
    assert network.calls == 2 * WORTHWHILE + 1, "once to record it"
