from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from restore_cli import device as device_module
from restore_cli.device import (
    Device,
    Precision,
    choose_precision,
    find_device,
    host_threads,
    is_out_of_memory,
    prepare_host,
)
from restore_cli.errors import DeviceError

Serve = Callable[[dict[str, str]], None]
BOTH = frozenset({torch.bfloat16, torch.float16})


def fake(kind: str, *, has_bf16: bool) -> Device:
    return Device(torch.device(kind), has_bf16=has_bf16)


@pytest.mark.parametrize(
    ("kind", "has_bf16", "allowed", "expected"),
    [
        ("cpu", True, BOTH, "bf16"),
        ("cpu", False, BOTH, "fp32"),
        ("cuda", True, BOTH, "bf16"),
        ("cuda", False, BOTH, "fp16"),
        ("cuda", True, frozenset({torch.float16}), "fp16"),
        ("cuda", True, frozenset(), "fp32"),
        ("mps", False, BOTH, "fp32"),
        ("xpu", True, BOTH, "bf16"),
    ],
)
def test_auto_precision(kind: str, has_bf16: bool, allowed: frozenset[torch.dtype], expected: str) -> None:
    assert choose_precision("auto", fake(kind, has_bf16=has_bf16), allowed) == expected


def test_a_precision_that_is_asked_for_is_taken() -> None:
    cpu = fake("cpu", has_bf16=False)
    assert choose_precision("bf16", cpu, BOTH) is Precision.BF16
    assert choose_precision("fp32", cpu, frozenset()) is Precision.FP32
    with pytest.raises(DeviceError, match="fp16"):
        choose_precision("fp16", cpu, frozenset({torch.bfloat16}))


def stand_in(monkeypatch: pytest.MonkeyPatch, kind: str, error: Exception | None = None) -> None:
    """Let there be a card of this kind; what is computed there comes from the processor, or ends in `error`."""

    def computed(*size: int, device: torch.device) -> Tensor:
        assert device.type == kind
        if error is not None:
            raise error
        return torch.full(size, 0.0)

    monkeypatch.setattr(device_module, "_is_present", lambda other, index=0: other in ("cpu", kind))
    monkeypatch.setattr(torch, "zeros", computed)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))


def test_auto_prefers_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "mps")
    assert find_device("auto").name == "mps"
    stand_in(monkeypatch, "cuda")
    assert find_device("auto").name == find_device("cuda").name == "cuda:0"
    monkeypatch.setattr(device_module, "_is_present", lambda kind, index=0: kind == "cpu")
    assert find_device("auto").name == "cpu"
    assert find_device("Auto").name == find_device("CPU").name == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:7", "mps", "xpu"])
def test_an_absent_device_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_is_present", lambda kind, index=0: kind == "cpu")
    with pytest.raises(DeviceError, match="not present") as caught:
        find_device(name)
    assert caught.value.exit_code == 4


NO_KERNELS = RuntimeError("CUDA error: no kernel image is available for execution on the device\nFor debugging ...")
BUSY = RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nFor debugging consider ...")
FULL = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")
LATE = torch.cuda.DeferredCudaCallError("CUDA call failed lazily at initialization with error: ...")


@pytest.mark.parametrize(
    ("error", "hint"),
    [(NO_KERNELS, "whl/cu126"), (BUSY, "close other"), (FULL, "close other"), (LATE, "close other")],
)
def test_a_card_that_does_not_compute_is_passed_over_or_an_error(
    error: Exception, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "cuda", error)
    told: list[str] = []
    assert find_device("auto", tell=told.append).name == "cpu"
    assert len(told) == 1
    with pytest.raises(DeviceError) as caught:
        find_device("cuda:1")
    assert caught.value.message == f"the device cuda:1 does not compute: {str(error).splitlines()[0]}"
    assert hint in caught.value.hint
    assert find_device("cpu").name == "cpu"


def test_a_card_that_does_not_tell_its_kind_does_not_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(device: torch.device) -> tuple[int, int]:
        raise BUSY

    stand_in(monkeypatch, "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", fail)
    assert find_device("auto").name == "cpu"


@pytest.mark.parametrize("name", ["tpu9000", "cuda:x", ""])
def test_a_name_of_no_device_is_an_error(name: str) -> None:
    with pytest.raises(DeviceError, match="no device"):
        find_device(name)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"), True),
        (RuntimeError("level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError("out of memory"), False),
    ],
)
def test_out_of_memory_is_recognised(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """What torch, which would take 16 threads in a container of 2 processors, is told of their number."""
    told: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: [16, *told][-1])
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    monkeypatch.setattr(device_module, "processor_quota", lambda: 2)
    for name in device_module.THREADS_OF_USER:
        monkeypatch.delenv(name, raising=False)
    device_module._heed_quota.cache_clear()
    yield told
    device_module._heed_quota.cache_clear()


def test_a_network_has_a_thread_for_each_processor_of_a_container(threads: list[int]) -> None:
    prepare_host()
    assert threads == [2]
    assert host_threads() == 2


def test_threads_are_as_many_as_the_user_says(threads: list[int]) -> None:
    assert host_threads() == 2
    prepare_host(8)
    prepare_host()
    assert host_threads() == 8


@pytest.mark.parametrize("quota", [None, 16, 64])
def test_a_quota_adds_no_threads(quota: int | None, threads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "processor_quota", lambda: quota)
    prepare_host()
    assert threads == []


@pytest.mark.parametrize("name", device_module.THREADS_OF_USER)
def test_variables_for_threads_keep_their_meaning(
    name: str, threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "16")
    prepare_host()
    assert threads == []


def test_bf16_is_read_from_the_processor(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    serve({"/proc/cpuinfo": "flags: sse avx512f avx512_bf16\n"})
    assert find_device("cpu").has_bf16
    serve({"/proc/cpuinfo": "flags: sse avx2\n"})
    assert not find_device("cpu").has_bf16
    monkeypatch.setattr("sys.platform", "darwin")
    assert not find_device("cpu").has_bf16


def test_float32_keeps_all_its_bits_on_nvidia_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    prepare_host()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32, "as PyTorch has it from the start"
