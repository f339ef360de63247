from __future__ import annotations

import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from restore_cli.checkpoint import read_checkpoint
from restore_cli.errors import StateDictError, WeightsError

STATE = {"body.weight": torch.arange(200.0).reshape(2, 100), "body.bias": torch.tensor([1.5, -2])}
OTHER = {name: tensor + 1 for name, tensor in STATE.items()}


class RunsCode:
    """A pickle of it creates a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (f"touch {self.marker}",)


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def assert_same(read: dict[str, Tensor], state: dict[str, Tensor] = STATE) -> None:
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_safetensors_are_known_by_their_content(name: str, tmp_path: Path) -> None:
    save_file(STATE, tmp_path / name)
    assert_same(read_checkpoint(tmp_path / name))


@pytest.mark.parametrize("name", ["weights.pth", "weights.ckpt", "weights.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_files_are_known_by_their_content(name: str, zipped: bool, tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / name, _use_new_zipfile_serialization=zipped)
    assert_same(read_checkpoint(tmp_path / name))


@pytest.mark.parametrize("key", ["params", "params_ema", "state_dict", "model"])
def test_a_state_dict_is_found_under_the_usual_keys(key: str, tmp_path: Path) -> None:
    assert_same(read_checkpoint(saved({key: OrderedDict(STATE), "iteration": 5}, tmp_path / "w.pth")))


def test_the_average_comes_first_and_a_key_decides(tmp_path: Path) -> None:
    path = saved({"params": STATE, "params_ema": OTHER, "mine": {"x": torch.zeros(1)}}, tmp_path / "w.pth")
    assert_same(read_checkpoint(path), OTHER)
    assert_same(read_checkpoint(path, "params"), STATE)
    assert_same(read_checkpoint(path, "mine"), {"x": torch.zeros(1)})


def test_a_key_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    path = saved({"params": STATE, "ema": OTHER, "iteration": 5}, tmp_path / "w.pth")
    with pytest.raises(StateDictError, match=r"w\.pth has no state dict under 'params_ema'") as raised:
        read_checkpoint(path, "params_ema")
    assert raised.value.hint == "it has: ema, params"
    with pytest.raises(StateDictError, match="under 'iteration'"):
        read_checkpoint(path, "iteration")


def test_an_unusual_key_has_to_be_named(tmp_path: Path) -> None:
    path = saved({"generator": STATE, "critic": OTHER, "iteration": 5}, tmp_path / "w.pth")
    with pytest.raises(StateDictError, match="holds no tensors") as raised:
        read_checkpoint(path)
    assert raised.value.hint == "name the place with --key: critic, generator"
    assert_same(read_checkpoint(path, "generator"))


def test_a_state_dict_is_found_level_by_level(tmp_path: Path) -> None:
    path = saved({"model": {"state_dict": STATE, "mine": {"deep": OTHER}}, "params": {}}, tmp_path / "w.pth")
    assert_same(read_checkpoint(path))
    assert_same(read_checkpoint(path, "model.mine.deep"), OTHER)
    with pytest.raises(StateDictError) as raised:
        read_checkpoint(path, "deep")
    assert raised.value.hint == "it has: model.mine.deep, model.state_dict"


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), "text", None, {}, {"lr": 0.1}])
def test_a_file_without_a_state_dict_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(StateDictError, match="holds no"):
        read_checkpoint(saved(content, tmp_path / "w.pth"))


def nested(name: str, levels: int) -> bytes:
    """Return the pickle of dictionaries in each other, which is read without recursion."""
    return b"\x80\x02" + (b"}" + named(name)) * levels + b"}" + b"s" * levels + b"."


def in_itself(*names: str) -> bytes:
    """Return the pickle of a dictionary that is its own value under each of `names`."""
    return b"\x80\x02}q\x00(" + b"".join(named(name) + b"h\x00" for name in names) + b"u."


def named(name: str) -> bytes:
    return b"X" + len(name).to_bytes(4, "little") + name.encode()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "content",
    [
        nested("params", 2000),
        nested("", 2000),
        in_itself("params_ema", "params"),
        in_itself(""),
        in_itself(*(f"k{number}" for number in range(200))),
    ],
)
def test_dictionaries_without_end_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in (("data.pkl", content), ("version", b"3\n"), ("byteorder", b"little")):
            archive.writestr(f"archive/{name}", part)
    with pytest.raises(StateDictError, match=r"holds no tensors|more dictionaries than") as raised:
        read_checkpoint(path)
    assert "alone" in raised.value.hint


def test_a_dictionary_may_be_in_two_places(tmp_path: Path) -> None:
    shared = {"state_dict": STATE}
    path = saved({"ema": shared, "model": shared}, tmp_path / "w.pth")
    assert_same(read_checkpoint(path))
    assert_same(read_checkpoint(path, "ema.state_dict"))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("safe", [True, False])
def test_the_prefix_of_a_wrapper_is_dropped(prefix: str, safe: bool, tmp_path: Path) -> None:
    wrapped = {prefix + name: tensor for name, tensor in STATE.items()}
    path = tmp_path / "w"
    if safe:
        save_file(wrapped, path)
    else:
        torch.save({"params": wrapped}, path)
    assert_same(read_checkpoint(path))


def test_the_counter_of_an_average_is_left_out(tmp_path: Path) -> None:
    averaged = {f"module.{name}": tensor for name, tensor in STATE.items()} | {"n_averaged": torch.tensor(7)}
    assert_same(read_checkpoint(saved(averaged, tmp_path / "w.pth")))


def test_a_prefix_that_not_all_names_have_belongs_to_them(tmp_path: Path) -> None:
    state = {"module.weight": torch.zeros(1), "weight": torch.ones(1)}
    assert_same(read_checkpoint(saved(state, tmp_path / "w.pth")), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("safe", [True, False])
def test_half_precision_is_read_as_it_is(dtype: torch.dtype, safe: bool, tmp_path: Path) -> None:
    state = {name: tensor.to(dtype) for name, tensor in STATE.items()}
    path = tmp_path / "w"
    (save_file if safe else torch.save)(state, path)
    assert_same(read_checkpoint(path), state)


def test_what_is_no_dense_tensor_under_a_name_is_left_out(tmp_path: Path) -> None:
    content = {**STATE, "epoch": 3, 7: torch.zeros(2), "sparse": torch.eye(3).to_sparse(), "nested": {"a": 1}}
    content |= {"meta": torch.zeros(2, device="meta"), "huge": torch.zeros(1).expand(10**12)}
    assert_same(read_checkpoint(saved(content, tmp_path / "w.pth")))


def deflated(state: dict[str, Tensor], path: Path) -> Path:
    """Save what PyTorch writes, packed as no version of it does."""
    stored = saved(state, path.with_suffix(".stored"))
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            target.writestr(part.filename, source.read(part))
    return path


def test_a_file_that_unpacks_to_far_more_than_weights_is_refused_unread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = deflated({"a": torch.zeros(1_000_000)}, tmp_path / "w.pth")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(WeightsError, match=r"w\.pth is refused: it would unpack to 4,0\d\d,\d\d\d bytes") as raised:
        read_checkpoint(path)
    assert raised.value.hint


def test_a_file_that_a_user_packed_is_read(tmp_path: Path) -> None:
    state = {"a": torch.rand(1000), "none": torch.zeros(5000)}
    assert_same(read_checkpoint(deflated(state, tmp_path / "w.pth")), state)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(zipped: bool, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    path = tmp_path / "w.pth"
    torch.save({"params": STATE, "extra": RunsCode(marker)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"asks for (posix|nt)\.system, which could run code") as raised:
        read_checkpoint(path)
    assert "safetensors" in raised.value.hint
    assert not marker.exists()


def test_a_bare_pickle_that_would_run_code_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(RunsCode(tmp_path / "marker")))
    with pytest.raises(WeightsError):
        read_checkpoint(path)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"weights", "it is neither safetensors nor a PyTorch file"),
        (b"<!DOCTYPE html><html>Not Found</html>", "it is neither"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n", "it is neither"),
        (bytes(5000), "it is neither"),
        (b"\x08\0\0\0\0\0\0\0{not json", "header"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "header"),
        (b"PK\x03\x04 and no more", "it is damaged"),
        (b"\x80\x02.", "it is damaged"),
        (b"\x80\x02}q\x00(K\x01", "it is damaged"),
    ],
)
def test_what_is_no_weights_file_is_an_error(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=words) as raised:
        read_checkpoint(path)
    assert str(path) in raised.value.message
    assert raised.value.hint


def test_lack_of_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise MemoryError

    path = saved(STATE, tmp_path / "w.pth")
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(MemoryError):
        read_checkpoint(path)


def test_a_scripted_network_is_an_error_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version", "code/network.py"):
            archive.writestr(f"network/{name}", b"3\n")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(WeightsError, match="damaged, or no file of tensors"):
            read_checkpoint(path)
    assert seen == []


@pytest.mark.parametrize("kind", ["safetensors", "zip", "pickle"])
def test_a_cut_file_is_an_error_at_every_length(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "w"
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save({"params": STATE}, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            read_checkpoint(path)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "pickle"])
def test_a_changed_byte_never_raises_anything_else(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "w"
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save({"params": STATE}, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    refused = 0
    for at in range(0, len(content), 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            read_checkpoint(path)
        except WeightsError:
            refused += 1
    assert refused > 10


def test_safetensors_have_no_keys(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    with pytest.raises(StateDictError, match="has no key 'params'"):
        read_checkpoint(tmp_path / "w.safetensors", "params")


@pytest.mark.parametrize("name", ["nosuch.pth", ""])
def test_what_cannot_be_opened_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read the weights"):
        read_checkpoint(tmp_path / name)
