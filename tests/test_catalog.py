from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from restore_cli import card as card_module
from restore_cli.card import ModelCard, Speed
from restore_cli.cards import CARDS
from restore_cli.cards.speeds import RELATIVE_SPEED
from restore_cli.catalog import default_for_compressed, default_upscaler, find_card
from restore_cli.checkpoint import read_checkpoint
from restore_cli.errors import UnknownModelError
from restore_cli.networks import NETWORKS, build_network
from restore_cli.places import embedded_path, put_path


def ids(card: ModelCard) -> str:
    return card.name


def test_the_catalogue_knows_which_networks_are_built() -> None:
    assert {network.architecture for network in NETWORKS} == {card.network for card in CARDS}


def test_names_and_files_tell_the_models_apart() -> None:
    assert len({card.name for card in CARDS}) == len(CARDS)
    fetched = [card for card in CARDS if not card.embedded]
    assert len({put_path(card) for card in fetched}) == len(fetched)
    assert len({card.address for card in fetched}) == len(fetched)


@pytest.mark.parametrize("card", CARDS, ids=ids)
def test_a_card_says_what_is_needed_to_get_and_know_the_file(card: ModelCard) -> None:
    assert all((card.summary, card.licence, card.attribution, card.source, card.file))
    named = re.search(r"-(x\d)(-photo)?$", card.name)
    assert (named is not None and named[1] == card.scales) or card.scale == 1 or card.continuous
    assert re.fullmatch("[0-9a-f]{64}", card.sha256 or "") or "no hash" in card.hash_note
    if card.embedded:
        assert card.address is None
    else:
        assert card.repository is not None
        assert re.fullmatch(r"[^/]+/[^/]+", card.repository)
        assert card.revision


@pytest.mark.parametrize("card", [card for card in CARDS if card.embedded], ids=ids)
def test_an_embedded_card_describes_its_file(card: ModelCard) -> None:
    content = embedded_path(card).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (card.bytes, card.sha256)
    network = build_network(read_checkpoint(embedded_path(card)))
    assert (network.architecture, network.scale) == (card.network, card.scale)
    assert sum(parameter.numel() for parameter in network.parameters()) == card.parameters


@pytest.mark.parametrize("card", [card for card in CARDS if not card.embedded], ids=ids)
def test_a_card_describes_its_published_file(card: ModelCard, shared: Path) -> None:
    path = shared / "weights" / "official" / Path(card.file).name
    if not path.exists():
        pytest.skip(f"needs the published file {path.name}")
    content = path.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (card.bytes, card.sha256)
    state = read_checkpoint(path, card.key)
    assert sum(tensor.numel() for tensor in state.values()) == card.parameters
    network = build_network(state)
    assert (network.architecture, network.scale) == (card.network, card.scale)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (
            "safmn-ntire-x4",
            "https://huggingface.co/Meloo/SAFMN/resolve/adf5a33cea236d931fdeb2a9dd6b76955fbbb3ed/SAFMN_NTIRE_ESR_x4.pth",
        ),
        (
            "plainusr-u-x2",
            "https://github.com/icandle/PlainUSR/raw/d7ff11a/2024_PlainUSR_ACCV/pretrained_model/PlainUSRU_Rep_x2.pth",
        ),
        ("safmn-bcie", "https://github.com/sunny2109/SAFMN/releases/download/v0.1.1/SAFMN_BCIE.pth"),
    ],
)
def test_addresses(name: str, address: str) -> None:
    assert find_card(name).address == address


def test_addresses_follow_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_module, "GITHUB", "http://127.0.0.1:8")
    address = find_card("safmn-bcie").address
    assert address == "http://127.0.0.1:8/sunny2109/SAFMN/releases/download/v0.1.1/SAFMN_BCIE.pth"


def test_a_card_is_found_by_its_name() -> None:
    assert find_card("SAFMN-L-DF2K-x3") is find_card("safmn-l-df2k-x3")
    assert find_card("safmn-l-df2k-x3").file == "SAFMN_L_DF2K_x3.pth"


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("safmn-4x", "did you mean safmn-x4? "),
        ("SAFMN-4X", "did you mean safmn-x4? "),
        ("noise", "did you mean denoise? "),
        ("dark", "did you mean darkir-s? "),
        ("zzz", ""),
        ("nope", ""),
        ("none", ""),
        ("realesrgan-x4", ""),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, guess: str) -> None:
    with pytest.raises(UnknownModelError) as raised:
        find_card(name)
    assert raised.value.message == f"no model is called {name!r}"
    assert raised.value.hint == f"{guess}'restore models list' shows all"
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("card", CARDS, ids=ids)
def test_every_model_can_be_asked_for(card: ModelCard) -> None:
    assert find_card(card.name) is card


@pytest.mark.parametrize("scale", [None, 1, 1.5, 2, 2.7, 3, 4, 5, 8, 16])
def test_the_default_upscaler_is_built_in(scale: float | None) -> None:
    card = default_upscaler(scale)
    assert card is default_upscaler(scale, Speed.BALANCED)
    assert card.embedded
    assert card.name == {2: "safmn-x2", 3: "safmn-x3", 4: "safmn-x4", 16: "safmn-x4"}.get(scale, "safmn-any")


@pytest.mark.parametrize(
    ("speed", "scale", "name"),
    [
        (Speed.FAST, 1, "plainusr-s-x2"),
        (Speed.FAST, 2, "plainusr-s-x2"),
        (Speed.FAST, 2.5, "plainusr-s-x4"),
        (Speed.FAST, 16, "plainusr-s-x4"),
        (Speed.BEST, 2, "plainusr-l-x2"),
        (Speed.BEST, 2.5, "safmn-df2k-x3"),
        (Speed.BEST, 4, "plainusr-l-x4"),
    ],
)
def test_an_upscaler_is_picked_by_speed(speed: Speed, scale: float, name: str) -> None:
    assert default_upscaler(scale, speed).name == name


@pytest.mark.parametrize(
    ("scale", "speed", "name"),
    [
        (1, Speed.BALANCED, "safmn-x2-photo"),
        (2, Speed.BALANCED, "safmn-x2-photo"),
        (2.1, Speed.BALANCED, "safmn-x4-photo"),
        (4, Speed.BALANCED, "safmn-x4-photo"),
        (16, Speed.BALANCED, "safmn-x4-photo"),
        (None, Speed.BALANCED, "safmn-x4-photo"),
        (4, Speed.FAST, None),
        (2, Speed.BEST, None),
    ],
)
def test_compressed_pictures_have_a_network_of_their_own_where_none_is_picked_by_speed(
    scale: float | None, speed: Speed, name: str | None
) -> None:
    card = default_for_compressed(default_upscaler(scale, speed), scale)
    assert (card and card.name) == name


@pytest.mark.parametrize("speed", list(Speed))
@pytest.mark.parametrize("scale", [None, 2, 3, 4, 16])
def test_what_is_made_for_compressed_pictures_is_no_default_for_others(scale: float | None, speed: Speed) -> None:
    assert not default_upscaler(scale, speed).for_compressed


def test_of_each_speed_there_is_one_upscaler_for_a_scale() -> None:
    picked = [(card.speed, card.scale) for card in CARDS if card.speed is not None]
    assert len(set(picked)) == len(picked)
    assert {speed for speed, _ in picked} == {Speed.FAST, Speed.BEST}
    assert all(card.task == "upscale" and card.sha256 for card in CARDS if card.speed)


@pytest.mark.parametrize(
    ("scale", "name"),
    [(1, "any"), (1.5, "any"), (2, "two"), (2.7, "any"), (3, "any"), (4, "safmn-x4"), (8, "any"), (16, "safmn-x4")],
)
def test_a_scale_without_a_model_of_its_own_goes_to_one_for_any_scale(
    scale: float, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    four = find_card("safmn-x4")
    cards = (four, replace(four, name="any", continuous=True), replace(four, name="two", scale=2))
    monkeypatch.setattr("restore_cli.catalog.CARDS", cards)
    assert default_upscaler(scale).name == name
    assert default_upscaler(None).name == "any"


@pytest.mark.parametrize(("scale", "continuous", "told"), [(4, False, "x4"), (1, False, "x1"), (4, True, "x1-4")])
def test_a_card_tells_its_scale(scale: int, continuous: bool, told: str) -> None:
    assert replace(find_card("safmn-x4"), scale=scale, continuous=continuous).scales == told


def test_attribution_is_asked_for_by_cc_by_alone() -> None:
    credited = {card.name: card.credit for card in CARDS if card.credit}
    assert credited.keys() == {"darkir-m"}
    assert "Feijoo" in credited["darkir-m"]
    assert "CC-BY-4.0" in credited["darkir-m"]


def test_relative_speeds_are_those_of_known_models_beside_a_default() -> None:
    assert RELATIVE_SPEED.keys() <= {card.name for card in CARDS}
    unmeasured = {card.name for card in CARDS if card.relative_speed is None}
    assert unmeasured == {"safmn-bcie"}  # its weights have no published hash, and its size is not known
    for card in CARDS:
        if card.embedded:
            assert card.relative_speed == 1


@pytest.mark.parametrize("scale", [2, 4])
def test_relative_speeds_fall_with_the_size_of_a_network(scale: int) -> None:
    family = [card for card in CARDS if card.network == "plainusr" and card.scale == scale]
    speeds = [card.relative_speed or 0 for card in sorted(family, key=lambda card: card.parameters or 0)]
    assert speeds == sorted(speeds, reverse=True)


def test_speeds_are_what_an_upscaler_is_picked_for() -> None:
    for card in CARDS:
        assert card.speed is not Speed.FAST or (card.relative_speed or 0) > 1.5
