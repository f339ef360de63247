"""Which device runs a network, in which precision, and how much memory it has to spare."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

import torch

from restore_cli.container import processor_quota
from restore_cli.errors import AbsentDeviceError, DeviceError, UsageError
from restore_cli.heap import glibc_function
from restore_cli.memory import GIBIBYTE, WITHOUT_LIMIT, MemoryBudget
from restore_cli.telling import Tell

Result = TypeVar("Result")

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed", "out_of_device_memory")
"""What PyTorch says, in small letters, of cards, and of the host on Linux and on Windows; then what libraries say of
cards: cuDNN, cuBLAS and cuFFT, and that of Intel's."""
OTHER_BUILD = (
    "use --device cpu, or install a PyTorch that knows the card; "
    "for older ones: pip install torch --index-url https://download.pytorch.org/whl/cu126"
)
"""What helps where PyTorch has no kernels for a card of NVIDIA's: each build has them for some generations."""
THREADS_OF_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables by which users say how many threads PyTorch takes."""


class Precision(StrEnum):
    """A number format for a network's parameters and features."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"

    @property
    def dtype(self) -> torch.dtype:
        """The format as torch names it."""
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.value]


@dataclass(frozen=True, slots=True)
class Device:
    """A place to run a network, and what the host has to spare for it."""

    torch_device: torch.device
    has_bf16: bool
    """Computes in bfloat16 in hardware."""
    host_memory: MemoryBudget = WITHOUT_LIMIT
    """What this process may take of the host's memory, where pictures lie whatever the device is."""

    @property
    def name(self) -> str:
        """`cpu`, `cuda:0`, `mps` ..."""
        return str(self.torch_device)

    @property
    def is_host(self) -> bool:
        """Whether it is the processor, whose memory pictures lie in anyway."""
        return self.torch_device.type == "cpu"

    def free_memory(self) -> int:
        """Return the bytes that can be used without taking them from others."""
        if self.torch_device.type == "cuda":
            kept = torch.cuda.memory_reserved(self.torch_device) - torch.cuda.memory_allocated(self.torch_device)
            return int(torch.cuda.mem_get_info(self.torch_device)[0]) + kept  # PyTorch's own, for what comes next
        if self.torch_device.type == "xpu":
            taken = torch.xpu.memory_allocated(self.torch_device)
            return int(torch.xpu.get_device_properties(self.torch_device).total_memory - taken)
        return self.host_memory.free()

    def release_memory(self) -> None:
        """Hand cached blocks back after an out-of-memory error."""
        if self.torch_device.type != "cpu":
            getattr(torch, self.torch_device.type).empty_cache()


def find_device(
    name: str = "auto", host_memory: MemoryBudget = WITHOUT_LIMIT, tell: Tell = lambda text: None
) -> Device:
    """Return the device called `name`, in capital or small letters: auto, cpu, cuda, cuda:1, mps, xpu.

    auto prefers a GPU that computes; `tell` is told of one that does not.

    Raises:
        AbsentDeviceError: there is no such device here.
        DeviceError: it does not compute.
    """
    called = str(name).lower()
    if called == "auto":
        for kind in filter(_is_present, ("cuda", "mps", "xpu")):
            try:
                return _try_out(torch.device(kind), host_memory)
            except DeviceError as error:
                tell(f"{error.message}; {error.hint}")
        called = "cpu"
    try:
        device = torch.device(called)
    except RuntimeError as error:
        raise AbsentDeviceError(f"no device is called {name!r}", "use auto, cpu, cuda, cuda:1, mps or xpu") from error
    if not _is_present(device.type, device.index or 0):
        raise AbsentDeviceError(
            f"the device {name} is not present", "use --device cpu, or install a PyTorch build for it"
        )
    return _try_out(device, host_memory)


def choose_precision(wanted: str, device: Device, allowed: frozenset[torch.dtype]) -> Precision:
    """Return the precision to run in; `auto` takes bf16 where the hardware has it, else fp16 on CUDA, else fp32.

    `allowed` holds the reduced precisions that the network stays correct in.

    Raises:
        UsageError: there is no such precision.
        DeviceError: the network is wrong in the precision that was asked for.
    """
    if wanted != "auto":
        try:
            precision = Precision(wanted)
        except ValueError as error:
            raise UsageError(f"no precision is called {wanted!r}", f"use auto, {', '.join(Precision)}") from error
        if precision is not Precision.FP32 and precision.dtype not in allowed:
            raise DeviceError(f"this network does not stay correct in {wanted}", "use --precision fp32 or auto")
        return precision
    if device.has_bf16 and torch.bfloat16 in allowed:
        return Precision.BF16
    if device.torch_device.type == "cuda" and torch.float16 in allowed:
        return Precision.FP16
    return Precision.FP32


def prepare_host(threads: int | None = None) -> None:
    """Set up this process for inference: thread count, freed memory kept instead of handed back each time, large pages.

    By default glibc maps every large tensor anew, and more than half of the time goes into page faults. Large pages are
    asked for by PyTorch's allocator alone; it looks once, so this must come before the first tensor.
    """
    set_threads(threads)
    keep_float32()
    if sys.platform == "linux":
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = glibc_function("mallopt")
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        mallopt(mmap_threshold, GIBIBYTE)
        mallopt(trim_threshold, 2**31 - 1)


def set_threads(threads: int | None) -> None:
    """Let this process compute in so many threads; None leaves them, but takes those off that a container has not."""
    _heed_quota()
    if threads is not None:
        torch.set_num_threads(threads)


def keep_float32() -> None:
    """Let no convolution on NVIDIA's cards, in this process, keep 10 of float32's 23 bits, as PyTorch lets them."""
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def usual_defaults() -> Iterator[None]:
    """Let tensors be made in float32 and on the host, unless told otherwise, whatever the program has chosen."""
    chosen = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(chosen)


def host_threads() -> int:
    """Return how many threads a network on the processor uses: what `set_threads` said, or all a container leaves."""
    _heed_quota()
    return torch.get_num_threads()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that a device or the host ran out of memory."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in OUT_OF_MEMORY)


def attempt(work: Callable[..., Result], *arguments: Any) -> list[Result]:
    """Return what `work` returns, alone in a list; an empty one where memory ran out, and its tensors are gone."""
    try:
        return [work(*arguments)]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return []


@contextmanager
def explaining_lack_of_memory(message: str, hint: str) -> Iterator[None]:
    """Turn what is raised inside for lack of memory into an error with these words.

    Raises:
        DeviceError: a device or the host ran out of memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(message, hint) from error


@cache
def _heed_quota() -> None:
    """Take no more threads than a container has processors for; once, since later numbers are the user's."""
    quota = processor_quota()
    if quota and quota < torch.get_num_threads() and not any(map(os.environ.get, THREADS_OF_USER)):
        torch.set_num_threads(quota)


def _is_present(kind: str, index: int = 0) -> bool:
    if kind == "cpu":
        return True
    if kind == "mps":
        return torch.backends.mps.is_available()
    backend = getattr(torch, kind, None) if kind in ("cuda", "xpu") else None
    return backend is not None and backend.is_available() and index < backend.device_count()


def _try_out(device: torch.device, host_memory: MemoryBudget) -> Device:
    """Return the device, once it has computed something if it is a card.

    Raises:
        DeviceError: it cannot; PyTorch has no kernels for it, or another program has it or its memory.
    """
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", 0)
    try:
        if device.type != "cpu":
            torch.zeros(1, device=device).add_(1).item()
        return Device(device, _has_bf16(device), host_memory)
    except (RuntimeError, torch.cuda.DeferredCudaCallError) as error:
        reason = str(error).partition("\n")[0]
        hint = OTHER_BUILD if "no kernel image" in reason else "close other programs that use it, or use --device cpu"
        raise DeviceError(f"the device {device} does not compute: {reason}", hint) from error


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "xpu":
        return True
    if device.type == "cpu" and sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as file:
                flags = file.read()
        except OSError:
            return False
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False
