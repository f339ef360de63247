"""One network on one device in one way: how long it takes for a picture, and how much memory it needs."""

from __future__ import annotations

import copy
import multiprocessing
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from restore_cli.benchmark.roofline import Roofline, count_work, measure_peak
from restore_cli.device import Device, Precision, explaining_lack_of_memory, find_device, prepare_host
from restore_cli.errors import DeviceError, NotFiniteError
from restore_cli.memory import peak_memory
from restore_cli.networks import Network
from restore_cli.padding import pad_to_grid
from restore_cli.passes.tile_plan import TilePolicy
from restore_cli.picture.depth import to_samples, to_unit
from restore_cli.picture.picture import Picture, Samples
from restore_cli.restorer import Restorer
from restore_cli.tasks.enhance import Enhancer
from restore_cli.tasks.sizing import Sizing
from restore_cli.tasks.upscale import Upscaler
from restore_cli.weights import build, load

SEED = 1
"""Of the colours of the picture that is measured with."""
SMOOTHNESS = 16
"""Pixels from one of these colours to the next. So the picture is as smooth as photographs are: values of white noise
can grow so large in a network that arithmetic takes longer."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured."""

    model: str
    """Name of a card, or a file."""
    width: int
    height: int
    device: str = "auto"
    precision: str = "auto"
    tile: TilePolicy = "auto"
    threads: int | None = None
    plain: bool = False
    """Run the network operation by operation instead, as PyTorch does by itself: whole, float32, channel by channel,
    with the memory settings of the system."""
    key: str | None = None
    """Where a .pth file holds its weights."""
    roofline: bool = False
    """Also measure what the machine can do at the most."""

    @property
    def title(self) -> str:
        """What errors call it."""
        return f"{self.model} at {self.width}x{self.height}{' in its plain form' if self.plain else ''}"


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured; the time is from an array of 8-bit samples to another one."""

    case: Case
    device: str
    precision: str
    tile: int | None
    """Side of the tiles in input pixels; None where the picture went through whole."""
    seconds: tuple[float, ...]
    """Time of each run, after one that is not counted."""
    peak_memory: int
    """Bytes that the whole process held at most, on a CUDA device those of its memory."""
    roofline: Roofline | None = None
    """Told where the case asks for it."""

    @property
    def median(self) -> float:
        """Seconds of the median run."""
        return statistics.median(self.seconds)

    @property
    def megapixels_per_second(self) -> float:
        """Millions of input pixels a second."""
        return self.case.width * self.case.height / self.median / 1e6

    @property
    def share_of_peak(self) -> float | None:
        """How near to the machine's limit it comes, up to 1."""
        return self.roofline.share(1e6 * self.megapixels_per_second) if self.roofline else None


def measure_apart(case: Case, runs: int) -> Timing:
    """Do `measure` in a process of its own, whose memory and settings are those of the case alone.

    Ctrl-C ends that process, too.

    Raises:
        RestoreError: as `measure` does.
        DeviceError: the process was ended from outside, as systems do that are out of memory.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        try:
            with _interrupts_held():
                future = pool.submit(measure, case, runs)
            return future.result()
        except BrokenProcessPool as error:
            raise DeviceError(f"{case.title} was ended by the system", "it may be out of memory") from error
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.kill()
            raise


def measure(case: Case, runs: int) -> Timing:
    """Put a picture through the network `runs` times, after one run that is not counted.

    Raises:
        WeightsError: the weights are missing or wrong.
        DeviceError: the device is absent or out of memory, or the precision does not suit the network.
        NotFiniteError: the network made infinities or NaN of the picture.
    """
    with explaining_lack_of_memory(f"{case.title} is out of memory", "use a smaller --size"):
        try:
            return _measure(case, runs)
        except (DeviceError, NotFiniteError) as error:
            raise type(error)(f"{case.title}: {error.message}", error.hint) from error


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started meanwhile never sees it, not even in its first moments."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _measure(case: Case, runs: int) -> Timing:
    if not case.plain:
        prepare_host(case.threads)
    elif case.threads is not None:
        torch.set_num_threads(case.threads)
    device, network = find_device(case.device), build(load(case.model, case.key)).fold()
    original = copy.deepcopy(network) if case.roofline else network
    pixels = _picture(case.height, case.width)
    run = _plainly(network, device) if case.plain else _restoring(network, device, case)
    _, precision, tile = run(pixels)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run(pixels)
        seconds.append(time.perf_counter() - start)
    memory = _peak_memory(device)
    roofline = _roofline(original, device, Precision(precision)) if case.roofline else None
    return Timing(case, device.name, precision, tile, tuple(seconds), memory, roofline)


Run = Callable[[Samples], tuple[Samples, str, int | None]]
"""From 8-bit samples (h, w, 3) to those of the result, the precision and the tiles."""


def _picture(height: int, width: int) -> Samples:
    """Return random colours with smooth transitions between them: height, width, 3."""
    coarse = (height // SMOOTHNESS + 2, width // SMOOTHNESS + 2, 3)
    colours = Image.fromarray(np.random.default_rng(SEED).integers(0, 256, coarse, np.uint8))
    return np.array(colours.resize((width, height), Image.Resampling.BICUBIC))


def _roofline(network: Network, device: Device, precision: Precision) -> Roofline:
    dtype = precision.dtype
    return Roofline(count_work(network, dtype.itemsize), measure_peak(device, dtype))


def _restoring(network: Network, device: Device, case: Case) -> Run:
    """Return what commands do with a picture between reading and writing."""
    restorer = Restorer(network, device, precision=case.precision, tile=case.tile)
    task = (
        Enhancer(restorer, model=case.model)
        if network.scale == 1
        else Upscaler(restorer, Sizing(scale=network.scale), model=case.model)
    )

    def run(pixels: Samples) -> tuple[Samples, str, int | None]:
        restored, how = task(Picture(pixels))
        return restored.pixels, str(how.precision), how.tile

    return run


def _plainly(network: Network, device: Device) -> Run:
    """Return the plain form. Where gradients are enabled, networks are carried out as they are trained."""
    network = network.to(device.torch_device)

    def run(pixels: Samples) -> tuple[Samples, str, int | None]:
        with torch.enable_grad():
            x = torch.from_numpy(to_unit(pixels)).permute(2, 0, 1)[None].contiguous()  # 1, 3, h, w
            height, width = (network.scale * length for length in x.shape[2:])
            x = pad_to_grid(x, network.padding_grid)
            restored = network(x.to(device.torch_device))[0, :, :height, :width].permute(1, 2, 0).cpu()
        return to_samples(restored.numpy(), 8), "fp32", None

    return run


def _peak_memory(device: Device) -> int:
    if device.torch_device.type == "cuda":
        return torch.cuda.max_memory_allocated(device.torch_device)
    return peak_memory()
