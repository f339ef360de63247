"""In which order tiles are done, and what happens where memory runs out; without pictures."""

from __future__ import annotations

import pytest
import torch

from restore_cli.device import Device
from restore_cli.errors import DeviceError
from restore_cli.passes.tile_plan import TilePolicy
from restore_cli.passes.tile_queue import TileQueue
from restore_cli.tiling import Box, plan_cores

AREA = Box(0, 0, 200, 300)
Log = list[tuple[str, list[Box]]]


class Memory:
    """Takes tiles, and runs out where they have more than `most` pixels among them."""

    def __init__(self, most: int = 1 << 40) -> None:
        self.most = most
        self.held: list[Box] = []
        self.log: Log = []
        self.finished_rows: list[int] = []

    def start(self, cores: list[Box]) -> list[Box]:
        if sum(core.height * core.width for core in (*self.held, *cores)) > self.most:
            self.held = []  # what had been started is given up
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        self.held += cores
        self.log.append(("start", cores))
        return cores

    def finish(self, cores: list[Box], started: list[Box]) -> None:
        assert started == cores
        self.held = [core for core in self.held if core not in cores]
        self.log.append(("finish", cores))

    def done(self) -> list[Box]:
        return [core for what, cores in self.log if what == "finish" for core in cores]


def run(
    memory: Memory, side: int, *, together: int = 1, ahead: int = 0, policy: TilePolicy = "auto"
) -> TileQueue[object]:
    device = Device(torch.device("cpu"), has_bf16=False)
    queue = TileQueue[list[Box]](plan_cores(AREA, side, 4), side, grid=4, device=device, policy=policy)
    queue.run(
        lambda row, most: row[: min(together, most)],
        memory.start,
        memory.finish,
        memory.finished_rows.append,
        ahead=ahead,
    )
    assert not queue
    return queue


def area(boxes: list[Box]) -> int:
    return sum(box.height * box.width for box in boxes)


@pytest.mark.parametrize("together", [1, 2, 3, 99])
@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_every_tile_is_done_once_row_by_row(together: int, ahead: int) -> None:
    memory = Memory()
    assert run(memory, 100, together=together, ahead=ahead).side == 100
    assert memory.done() == plan_cores(AREA, 100, 4)
    assert memory.finished_rows == [100, 200]


def test_a_batch_is_started_before_the_last_one_is_finished() -> None:
    memory = Memory()
    run(memory, 100, together=2, ahead=1)
    assert [what for what, _ in memory.log] == ["start", *["start", "finish"] * 3, "finish"]
    memory = Memory()
    run(memory, 100)
    assert [what for what, _ in memory.log] == ["start", "finish"] * 6


def test_where_memory_has_no_room_for_two_batches_there_is_one_at_a_time() -> None:
    memory = Memory(most=2 * 100 * 100)
    queue = run(memory, 100, together=2, ahead=1)
    assert (queue.side, queue.most) == (100, 32)
    assert sorted(memory.done(), key=lambda box: (box.top, box.left)) == plan_cores(AREA, 100, 4)
    assert memory.finished_rows == [100, 200]


def test_where_memory_runs_out_fewer_go_together_before_tiles_become_smaller() -> None:
    memory = Memory(most=100 * 100)
    queue = run(memory, 100, together=3, ahead=1)
    assert (queue.side, queue.most) == (100, 1)
    assert memory.done() == plan_cores(AREA, 100, 4)


def test_where_memory_runs_out_half_as_many_go_together() -> None:
    memory = Memory(most=4 * 32 * 32)
    queue = run(memory, 32, together=8)
    assert (queue.side, queue.most) == (32, 4)
    assert memory.done() == plan_cores(AREA, 32, 4)


def test_then_tiles_become_smaller() -> None:
    memory = Memory(most=60 * 60)
    queue = run(memory, 100, together=3, ahead=1)
    assert queue.side == 52
    assert area(memory.done()) == area([AREA])
    assert len(set(memory.done())) == len(memory.done())
    assert memory.finished_rows == sorted(memory.finished_rows)
    assert memory.finished_rows[-1] == 200


@pytest.mark.parametrize(
    ("policy", "side", "words"),
    [("auto", 64, "even with tiles of"), (64, 64, "even with tiles of"), ("off", 300, "one piece")],
)
def test_at_last_it_is_an_error(policy: TilePolicy, side: int, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        run(Memory(most=1), side, policy=policy)


def test_what_was_not_finished_can_be_done_later() -> None:
    class Failing(Memory):
        def finish(self, cores: list[Box], started: list[Box]) -> None:
            if len(self.done()) == 2:
                raise ValueError("not a lack of memory")
            super().finish(cores, started)

    memory = Failing()
    device = Device(torch.device("cpu"), has_bf16=False)
    cores = plan_cores(AREA, 100, 4)
    queue = TileQueue[list[Box]](cores, 100, grid=4, device=device, policy="auto")
    with pytest.raises(ValueError, match="not a lack"):
        queue.run(lambda row, most: row[:1], memory.start, memory.finish, ahead=1)
    assert queue.first == cores[2]
    rest = Memory()
    queue.run(lambda row, most: row[:1], rest.start, rest.finish, ahead=1)
    assert rest.done() == cores[2:]
