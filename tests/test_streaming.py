"""Results that are handed on in bands equal those that are made in one piece, whatever the picture is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from restore_cli.batch.in_turn import run_in_turn
from restore_cli.batch.planning import Job
from restore_cli.batch.worker import Worker
from restore_cli.batch.worker_config import WorkerConfig
from restore_cli.device import Device
from restore_cli.networks import Network, Part
from restore_cli.networks.part import cut_core
from restore_cli.picture import vips
from restore_cli.picture.assembling import PictureAssembler
from restore_cli.picture.encoding import Encoder
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import write_picture
from restore_cli.restorer import Restorer
from restore_cli.scratch import ArrayStorage
from restore_cli.tasks.sizing import Sizing
from restore_cli.tasks.upscale import Upscaler
from restore_cli.telling import Progress

HEIGHT, WIDTH = 75, 53


class Smoothing(Network):
    """Doubles a picture after a mean of 3x3 pixels."""

    architecture = "smoothing"
    signature = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.grid, self.halo, self.receptive_field, self.bytes_per_pixel = 2, 4, 4, 4, 100

    @classmethod
    def hyperparameters(cls, state: Any) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        near = sum(
            F.pad(x, (1, 1, 1, 1), mode="replicate")[..., i : i + x.shape[2], j : j + x.shape[3]]
            for i in range(3)
            for j in range(3)
        )
        return cut_core(F.interpolate(near / 9, scale_factor=2, mode="nearest"), part, 2)


def upscaler(scale: float, *, in_bands: bool, strength: float = 1.0, tta: bool = False) -> Upscaler:
    cpu = Device(torch.device("cpu"), has_bf16=False)
    restorer = Restorer(Smoothing(), cpu, tile=16 if in_bands else "off")
    whole = 2000 if in_bands else 1 << 40
    return Upscaler(restorer, Sizing(scale=scale), model="smoothing", strength=strength, tta=tta, whole_bytes=whole)


def picture(kind: str) -> Picture:
    rng = np.random.default_rng(2)
    deep = rng.integers(0, 65_536, (HEIGHT, WIDTH, 3), np.uint16)
    alpha = (rng.integers(0, 65_536, (HEIGHT, WIDTH)) * (rng.random((HEIGHT, WIDTH)) < 0.4)).astype(np.uint16)
    alpha[:, :20] = 0
    beyond = rng.integers(-900, 900, deep.shape).astype(np.int32)
    shallow = Picture((deep >> 8).astype(np.uint8), storage=ArrayStorage(0))
    return {
        "8 bits": shallow,
        "grey": replace(shallow, pixels=shallow.pixels[..., :1]),
        "16 bits": replace(shallow, pixels=deep, depth=16),
        "alpha": replace(shallow, pixels=deep, alpha=alpha, depth=16),
        "wide gamut": replace(shallow, pixels=deep, beyond_srgb=beyond, depth=16),
        "turned": replace(shallow, pixels=shallow.pixels.transpose(1, 0, 2)[::-1]),
    }[kind]


@pytest.mark.parametrize("kind", ["8 bits", "grey", "16 bits", "alpha", "wide gamut", "turned"])
@pytest.mark.parametrize(
    ("scale", "settings"),
    [(2, {}), (2, {"strength": 0.6}), (4, {}), (2, {"tta": True}), (8, {"strength": 0.3})],
)
def test_bands_equal_the_whole(
    kind: str, scale: float, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = picture(kind)
    in_memory = replace(source, storage=ArrayStorage(), pixels=np.ascontiguousarray(source.pixels))
    expected, _ = upscaler(scale, in_bands=False, **settings)(in_memory)
    monkeypatch.setattr("restore_cli.scratch.BAND_BYTES", 5000)
    bands: list[Picture] = []
    assembler = PictureAssembler(expected.height)

    def receive(band: Picture) -> None:
        bands.append(band)
        assembler.add(band)

    upscaler(scale, in_bands=True, **settings).stream(source, receive)
    result = assembler.picture
    assert len(bands) > 4
    assert (result.pixels == expected.pixels).all()
    for ours, theirs in ((result.alpha, expected.alpha), (result.beyond_srgb, expected.beyond_srgb)):
        assert (ours is None) == (theirs is None)
        assert ours is None or (ours == theirs).all()


@pytest.mark.parametrize("kind", ["8 bits", "grey", "16 bits", "alpha"])
@pytest.mark.parametrize("settings", [{}, {"strength": 0.6}, {"tta": True}])
def test_a_reduced_result_in_bands_differs_by_rounding_alone(
    kind: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = picture(kind)
    expected, _ = upscaler(3, in_bands=False, **settings)(replace(source, storage=ArrayStorage()))
    monkeypatch.setattr("restore_cli.scratch.BAND_BYTES", 5000)
    result, _ = upscaler(3, in_bands=True, **settings)(source)
    difference = np.abs(result.pixels.astype(int) - expected.pixels)
    assert difference.max() <= 1
    assert (difference != 0).mean() < 0.02


def test_rows_are_encoded_while_others_are_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    add, forward = Encoder.add, Smoothing.forward

    def watched_add(self: Encoder, band: Picture) -> None:
        add(self, band)
        events.append("taken by the encoder")

    def watched_forward(self: Smoothing, x: Tensor, part: Part | None = None) -> Tensor:
        events.append("tile")
        return forward(self, x, part)

    monkeypatch.setattr(Encoder, "add", watched_add)
    monkeypatch.setattr(Smoothing, "forward", watched_forward)
    monkeypatch.setattr(vips, "image_of", lambda samples: pytest.fail("was encoded in one piece"))
    source = tmp_path / "a.ppm"
    write_picture(replace(picture("8 bits"), storage=ArrayStorage()), source, format_by_name("ppm"))
    outcome = work(upscaler(2, in_bands=True), source, tmp_path / "b.png")
    assert outcome.status == "done"
    tiles = [index for index, event in enumerate(events) if event == "tile"]
    taken = [index for index, event in enumerate(events) if event != "tile"]
    assert len(tiles) == 5 * 4
    assert sum(index < tiles[-1] for index in taken) >= 4
    expected, _ = upscaler(2, in_bands=False)(read_picture(source))
    assert (read_picture(tmp_path / "b.png").pixels == expected.pixels).all()


def test_a_network_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    forward = Smoothing.forward

    def failing(self: Smoothing, x: Tensor, part: Part | None = None) -> Tensor:
        runs.append(1)
        return forward(self, x, part) * (torch.nan if len(runs) > 13 else 1)

    monkeypatch.setattr(Smoothing, "forward", failing)
    source = tmp_path / "a.ppm"
    write_picture(replace(picture("8 bits"), storage=ArrayStorage()), source, format_by_name("ppm"))
    outcome = work(upscaler(2, in_bands=True), source, tmp_path / "b.png")
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ppm"]


def work(task: Upscaler, source: Path, target: Path) -> Any:
    def no_progress(share: float) -> None: ...

    progress: Progress = no_progress
    worker = Worker(WorkerConfig(load_task=lambda device, tell: task, max_pixels=10**6), print)
    job = Job(source, target, format_by_name(target.suffix[1:]))
    ((_, outcome),) = run_in_turn([job], worker, progress, lambda: False)
    return outcome


@pytest.mark.parametrize("done", range(9))
def test_rows_stay_whole_where_memory_runs_out_on_the_way(done: int) -> None:
    class Tiring(Smoothing):
        tiles = 0

        def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
            if Tiring.tiles >= done and x.shape[2] > 80:
                raise torch.cuda.OutOfMemoryError("out of memory")
            Tiring.tiles += 1
            return super().forward(x, part)

    pixels = np.random.default_rng(0).integers(0, 255, (300, 330, 3), np.uint8)
    cpu = Device(torch.device("cpu"), has_bf16=False)
    expected, _ = Upscaler(Restorer(Smoothing(), cpu, tile="off"), Sizing(scale=2), model="m")(Picture(pixels))
    Tiring.tiles = 0
    result, run = Upscaler(Restorer(Tiring(), cpu, tile=128), Sizing(scale=2), model="m", whole_bytes=1)(
        Picture(pixels)
    )
    assert run.tile == 56
    assert (result.pixels == expected.pixels).all()
