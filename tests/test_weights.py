from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from restore_cli import places
from restore_cli.card import ModelCard
from restore_cli.catalog import find_card
from restore_cli.errors import DownloadError, HashMismatchError, StateDictError, WeightsError
from restore_cli.networks import build_network
from restore_cli.networks.safmn import SAFMN
from restore_cli.places import converted_path, hub_folder, put_path
from restore_cli.weights import digest_of, load_card, load_path, pull_card, save_state, verify_card

Place = Callable[[ModelCard], Path]
EMBEDDED = find_card("safmn-x4")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return dict(SAFMN(dim=8, n_blocks=1, upscaling_factor=2).state_dict())


@pytest.fixture
def published(state: dict[str, Tensor], tmp_path: Path) -> Path:
    """A file as its authors would publish it: two state dicts, `params` and `params_ema`."""
    path = tmp_path / "tiny.pth"
    torch.save({"params": state, "params_ema": {name: tensor + 1 for name, tensor in state.items()}}, path)
    return path


@pytest.fixture
def card(published: Path) -> ModelCard:
    """The card of that file, which is not at hand yet."""
    return ModelCard(
        name="tiny-x2",
        network="safmn",
        task="upscale",
        scale=2,
        summary="tiny",
        licence="CC-BY-4.0",
        attribution="A. Uthor",
        source="https://example.org",
        file="folder/tiny.pth",
        repository="owner/tiny",
        revision="0123456789abcdef0123456789abcdef01234567",
        sha256=hashlib.sha256(published.read_bytes()).hexdigest(),
        key="params",
    )


def put(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return target


def hub_path(card: ModelCard) -> Path:
    return hub_folder() / "models--owner--tiny" / "snapshots" / str(card.revision) / card.file


def flip_last_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def assert_same(left: object, right: dict[str, Tensor]) -> None:
    assert isinstance(left, dict)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in right)


def test_embedded_weights_load() -> None:
    weights = load_card(EMBEDDED)
    assert weights.path == places.embedded_path(EMBEDDED)
    assert build_network(weights.state).scale == 4
    verify_card(EMBEDDED)


def test_embedded_weights_are_checked_when_they_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = put(places.embedded_path(EMBEDDED), tmp_path / "package" / "embedded" / EMBEDDED.file)
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "package")
    assert load_card(EMBEDDED).path == copy
    flip_last_byte(copy)
    for check in (load_card, verify_card, pull_card):
        with pytest.raises(HashMismatchError, match="is not the published safmn-x4") as raised:
            check(EMBEDDED)
        assert raised.value.hint == "install restore-cli again"
    copy.unlink()
    with pytest.raises(WeightsError, match="No such file") as raised_missing:
        load_card(EMBEDDED)
    assert raised_missing.value.hint == "install restore-cli again"


def test_what_is_missing_is_said_in_two_lines(card: ModelCard) -> None:
    said: list[str] = []
    with pytest.raises(DownloadError) as raised:
        load_card(card, said.append)
    assert raised.value.message == "cannot download tiny-x2: HF_HUB_OFFLINE is set"
    assert raised.value.hint == (
        f"download {card.address} by hand and save it as {put_path(card)}; the model safmn-x2 needs no download"
    )
    assert said == []


@pytest.mark.parametrize("place", [put_path, hub_path], ids=["by hand", "hub"])
def test_a_published_file_is_converted_once(
    place: Place, card: ModelCard, published: Path, state: dict[str, Tensor]
) -> None:
    at_hand = put(published, place(card))
    first = load_card(card)
    assert first.path == converted_path(card)
    assert_same(first.state, state)
    at_hand.unlink()
    second = load_card(card)
    assert second.path == first.path
    assert_same(second.state, state)
    with safe_open(first.path, "pt") as file:
        metadata = file.metadata()
    assert (metadata["model"], metadata["licence"], metadata["attribution"]) == ("tiny-x2", "CC-BY-4.0", "A. Uthor")


@pytest.mark.parametrize("place", [put_path, hub_path], ids=["by hand", "hub"])
def test_a_file_at_hand_is_checked_before_it_is_used(place: Place, card: ModelCard, published: Path) -> None:
    at_hand = put(published, place(card))
    flip_last_byte(at_hand)
    for check in (load_card, verify_card):
        with pytest.raises(HashMismatchError, match=f"{at_hand} is not the published tiny-x2") as raised:
            check(card)
        assert raised.value.hint == "'restore models pull tiny-x2' downloads it again"
    assert not converted_path(card).exists()
    assert at_hand.exists()


@pytest.mark.parametrize("place", [put_path, hub_path], ids=["by hand", "hub"])
def test_pull_leaves_a_wrong_file_where_no_other_comes(place: Place, card: ModelCard, published: Path) -> None:
    at_hand = put(published, place(card))
    load_card(card)  # that it is converted is no reason to fetch nothing
    flip_last_byte(at_hand)
    said: list[str] = []
    with pytest.raises(DownloadError):
        pull_card(card, said.append)
    assert at_hand.exists()
    assert len(said) == 1
    assert said[0].endswith("; it is downloaded again")


def test_pull_leaves_a_right_file_alone(card: ModelCard, published: Path) -> None:
    at_hand = put(published, put_path(card))
    assert pull_card(card) == converted_path(card)
    assert at_hand.exists()


def test_the_key_is_the_cards(card: ModelCard, published: Path, state: dict[str, Tensor]) -> None:
    put(published, put_path(card))
    load_card(card)
    averaged = load_card(dataclasses.replace(card, key="params_ema"))
    assert_same(averaged.state, {name: tensor + 1 for name, tensor in state.items()})


@pytest.mark.parametrize("damage", ["cut", "empty", "byte", "replaced"])
def test_a_damaged_converted_file_is_made_again(
    damage: str, card: ModelCard, published: Path, state: dict[str, Tensor]
) -> None:
    put(published, put_path(card))
    path = load_card(card).path
    content = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "empty":
            path.write_bytes(b"")
        case "byte":
            flip_last_byte(path)
        case "replaced":
            save_file({name: tensor * 2 for name, tensor in state.items()}, path)
    with pytest.raises(WeightsError, match=str(path)):
        verify_card(card)
    said: list[str] = []
    assert_same(load_card(card, said.append).state, state)
    assert len(said) == 1
    assert said[0].endswith("; it is made again")
    verify_card(card)
    assert places.find_weights(card) == path


def test_a_damaged_converted_file_alone_is_no_weights(card: ModelCard, published: Path) -> None:
    at_hand = put(published, put_path(card))
    path = load_card(card).path
    at_hand.unlink()
    verify_card(card)
    assert places.find_weights(card) == path
    flip_last_byte(path)
    with pytest.raises(DownloadError, match="cannot download tiny-x2"):
        load_card(card)


def test_a_cache_that_cannot_be_written_costs_the_converted_file_alone(
    card: ModelCard, published: Path, state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_hand = put(published, hub_path(card))
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("RESTORE_CACHE", str(blocked))
    said: list[str] = []
    weights = load_card(card, said.append)
    assert weights.path == at_hand
    assert_same(weights.state, state)
    target = blocked / "converted" / converted_path(card).name
    assert said == [f"cannot write {target}: Not a directory; tiny-x2 is read from {at_hand} each time"]


def test_where_nothing_is_at_hand_nothing_is_wrong(card: ModelCard) -> None:
    verify_card(card)
    assert places.find_weights(card) is None


def test_a_card_without_a_hash_is_loaded_and_passes(card: ModelCard, published: Path) -> None:
    unhashed = dataclasses.replace(card, sha256=None)
    flip_last_byte(put(published, put_path(unhashed)))
    path = load_card(unhashed).path
    verify_card(unhashed)
    assert places.find_weights(unhashed) == path
    assert str(unhashed.revision)[:12] in path.name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_half_precision_builds_a_float32_network(
    dtype: torch.dtype, suffix: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    half = {f"module.{name}": tensor.to(dtype) for name, tensor in state.items()}
    path = tmp_path / f"half{suffix}"
    (torch.save if suffix == ".pth" else save_file)(half, path)
    network = build_network(load_path(path).state)
    expected = {name: tensor.to(dtype).float() for name, tensor in state.items()}
    assert_same(dict(network.state_dict()), expected)


def test_missing_and_extra_keys_are_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    state["feats.0.ccm.ccm.9.weight"] = state.pop("feats.0.ccm.ccm.2.weight")
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    with pytest.raises(StateDictError) as raised:
        build_network(load_path(path).state)
    assert "missing feats.0.ccm.ccm.2.weight" in raised.value.message
    assert "extra feats.0.ccm.ccm.9.weight" in raised.value.message


def test_wrong_shapes_are_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    state["feats.0.norm2.weight"] = torch.zeros(3)
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    with pytest.raises(StateDictError, match=r"feats\.0\.norm2\.weight is \(3,\), not \(8,\)"):
        build_network(load_path(path).state)


@pytest.mark.parametrize("name", ["nosuch.pth", "folder"])
def test_a_path_to_no_file_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(WeightsError, match=f"there is no weights file .*{name}"):
        load_path(tmp_path / name)


def test_a_path_below_a_file_is_an_error(published: Path) -> None:
    with pytest.raises(WeightsError, match="there is no weights file"):
        load_path(published / "weights.pth")


def test_saving_keeps_types_and_values_of_any_layout(tmp_path: Path) -> None:
    shared = torch.arange(12.0).reshape(3, 4)
    state = {
        "turned": shared.t(),
        "again": shared,
        "half": torch.ones(2, dtype=torch.bfloat16),
        "count": torch.tensor(3),
        "none": torch.zeros(0, 4),
    }
    path = tmp_path / "new" / "w.safetensors"
    save_state(state, path, {"network": "none"})
    read = load_path(path).state
    assert_same(read, state)
    assert read["half"].dtype == torch.bfloat16
    assert [entry.name for entry in path.parent.iterdir()] == ["w.safetensors"]


def test_saving_where_nothing_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "w.safetensors").mkdir()
    for path in (tmp_path / "file" / "w.safetensors", tmp_path / "w.safetensors"):
        with pytest.raises(WeightsError, match=f"cannot write {path}"):
            save_state({"a": torch.zeros(1)}, path, {})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "w.safetensors"]


def test_the_digest_tells_state_dicts_apart() -> None:
    plain = {"a": torch.zeros(2, 3), "b": torch.tensor(1.0)}
    variants = [
        plain,
        {"a": torch.zeros(3, 2), "b": torch.tensor(1.0)},
        {"a": torch.zeros(2, 3), "c": torch.tensor(1.0)},
        {"a": torch.zeros(2, 3), "b": torch.tensor(2.0)},
        {"a": torch.zeros(2, 3, dtype=torch.int32), "b": torch.tensor(1.0)},
        {"a": torch.zeros(2, 3)},
        {"a": torch.zeros(2, 3), "b": torch.zeros(0)},
    ]
    assert len({digest_of(state) for state in variants}) == len(variants)
    assert digest_of({"b": torch.tensor(1.0), "a": torch.zeros(3, 2).t()}) == digest_of(plain)
