"""Recipes say what they mean, and mistakes in them are named."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from restore_cli.errors import UsageError
from restore_cli.training.building import build_by_recipe
from restore_cli.training.recipe import parse_recipe, read_recipe, recipe_names

from .conftest import TINY


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_of_the_package_build_their_networks(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    assert build_by_recipe(recipe).training


def test_values_have_the_types_of_their_fields() -> None:
    recipe = parse_recipe(TINY.replace("l1 = 1.0", "l1 = 1"), "tiny")
    assert recipe.loss.l1 == 1.0
    assert isinstance(recipe.loss.l1, float)
    assert recipe.patches.size == (8,)
    assert recipe.start is None
    assert recipe.text == TINY.replace("l1 = 1.0", "l1 = 1")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 3", "sede = 3", "unknown key 'sede'"),
        ("batch = 4", "batch = 4.5", "batch of patches of the recipe tiny is 4.5, not a whole number"),
        ('kind = "bicubic"', 'kind = "cubic"', "'cubic', not one of bicubic, photo"),
        ('kind = "bicubic"\n', "", "lacks the key 'kind'"),
        ("steps = 8", "steps = 0", "below 1"),
        ("size = [8]", "size = []", "below 1"),
        ("scale = 2", "scale = 0", "scale below 1"),
        ('kind = "bicubic"', 'kind = "noise"', "has a scale, but noise changes no picture's size"),
        ("scale = 2", "quality = [90, 40]", "quality of the recipe tiny is [90, 40], which is no range"),
        ("batch = 4", "batch = 4\nplaces = 0", "below 1"),
        ("batch = 4", "batch = 4\nreduced = 0.0", "not above 0"),
        ("batch = 4", "batch = 4\nreduced = 1.5", "at most 1"),
        ("batch = 4", "batch = 4\ncontrast = 1.5", "from 0 to 1"),
        ("warmup = 2", "betas = [0.9]", "not a list of 2 numbers"),
        ("warmup = 2", 'kind = "adam"', "'adam'"),
        ("bf16 = false", "bf16 = 0", "not true or false"),
        ('architecture = "safmn"\n', "", "names no network.architecture"),
        ("l1 = 1.0", "teacher = 1.0", "both a teacher and loss.teacher"),
        ("l1 = 1.0", "teacher = 1.0", "loss.teacher_psnr or loss.teacher_fft"),
        ("[network]", "[network", "is no TOML"),
        ("seed = 3", "seed = -1", "seed of the recipe tiny is -1, not from 0 to"),
        (
            "scale = 2",
            "scales = [1.0, nan]",
            "degradations.scales of the recipe tiny is [1.0, nan], not a number from 1",
        ),
        ("scale = 2", "blur = [-1.0, 1.0]", "degradations.blur of the recipe tiny is [-1.0, 1.0], not from 0 to 100"),
        ("scale = 2", "quality = [0, 300]", "degradations.quality of the recipe tiny is [0, 300], not from 1 to 100"),
        ("scale = 2", "noise = [nan, nan]", "degradations.noise of the recipe tiny is [nan, nan], not from 0 to 255"),
        ("batch = 4", "batch = 4\ndrawn = 5.0", "patches.drawn of the recipe tiny is 5.0, not from 0 to 1"),
        ("l1 = 1.0", "l1 = -1.0", "loss.l1 of the recipe tiny is -1.0, not a number from 0 up"),
        ("l1 = 1.0\nfft = 0.05", "l1 = 0.0", "no loss above 0"),
        ("rate = 1e-2", "rate = -1", "optimiser.rate of the recipe tiny is -1.0, not a number from 0 up"),
        ("rate = 1e-2", "rate = nan", "optimiser.rate of the recipe tiny is nan"),
        ("rate = 1e-2", "rate = inf", "optimiser.rate of the recipe tiny is inf"),
        ("warmup = 2", "betas = [0.9, 1.0]", "optimiser.betas of the recipe tiny is [0.9, 1.0], not from 0 to 0.99999"),
        ("warmup = 2", "weight_decay = -1.0", "optimiser.weight_decay of the recipe tiny is -1.0"),
        ("warmup = 2", "clip = 0.0", "optimiser.clip of the recipe tiny is 0.0, not a number from 1e-06 up"),
        ("warmup = 2", "average = 2.0", "optimiser.average of the recipe tiny is 2.0, not from 0 to 1"),
        ("warmup = 2", "floor = -5.0", "optimiser.floor of the recipe tiny is -5.0, not from 0 to 1"),
        ('summary = "a network of two channels a group"', "summary = 3", "3, not a text"),
        ("[loss]\nl1 = 1.0\nfft = 0.05", "loss = 3", "3, not a table"),
    ],
)
def test_mistakes_are_named(old: str, new: str, message: str) -> None:
    assert old in TINY
    text = TINY.replace(old, new)
    if new == "loss = 3":  # a plain key stands before all tables
        text = new + "\n" + TINY.replace(old, "")
    with pytest.raises(UsageError) as caught:
        parse_recipe(text, "tiny")
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('architecture = "safmn"', 'architecture = "safm"', "no network is called 'safm'"),
        ('architecture = "safmn"', 'architecture = ["safmn"]', "no network is called ['safmn']"),
        ("dim = 8", "dimension = 8", "safmn cannot be built"),
        ("dim = 8", "dim = -8", "safmn cannot be built"),
        ("dim = 8", "dim = 7", "safmn cannot be built"),
        ("dim = 8", 'dim = "wide"', "safmn cannot be built"),
        ("dim = 8", "dim = 8\nffn_scale = 0.0", "safmn could not be loaded again"),
        ("n_blocks = 1", "n_blocks = 0", "safmn could not be loaded again"),
        ("n_blocks = 1", "n_blocks = -1", "safmn could not be loaded again"),
        ("size = [8]", "size = [12]", "patches of 12 pixels do not lie on the network's grid of 8"),
        ("\nscale = 2", "\nscale = 3", "safmn is for the scale 2, the degradations are for 3"),
        ("\nscale = 2", "\nscales = [1.0, 2.0]", "safmn is for the scale 2, the degradations are for [1.0, 2.0]"),
    ],
)
def test_mistakes_about_the_network_are_named(old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_by_recipe(parse_recipe(TINY.replace(old, new), "tiny"))
    assert message in caught.value.message


def test_a_network_that_its_weights_do_not_tell_of_is_refused() -> None:
    text = read_recipe("darkir-s").text
    other = text.replace("dilations = [1, 4, 9]", "dilations = [1, 2, 3]")
    assert other != text
    with pytest.raises(UsageError, match=r"dilations would be read as \(1, 4, 9\), not \(1, 2, 3\)"):
        build_by_recipe(parse_recipe(other, "dark"))


def test_a_width_that_is_rounded_is_none_that_differs() -> None:
    text = TINY.replace("dim = 8", "dim = 8\nffn_scale = 1.3")  # 10.4 channels
    assert build_by_recipe(parse_recipe(text, "tiny")).training


@pytest.mark.parametrize(("channels", "fails"), [(16, False), (32, True)])
def test_a_network_that_fails_on_a_patch_is_refused(channels: int, fails: bool) -> None:
    plain = f"n_feat = 16\nim_feat = [{channels}, 8, 4]\nattn_feat = 4\nscale = 2\nfolded = false\n"
    text = TINY.replace("dim = 8\nn_blocks = 1\nupscaling_factor = 2\n", plain).replace("safmn", "plainusr")
    recipe = parse_recipe(text.replace("size = [8]", "size = [24]"), "tiny")
    with pytest.raises(UsageError, match="plainusr cannot be built") if fails else nullcontext():
        build_by_recipe(recipe)


def test_a_byte_order_mark_is_no_part_of_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "marked.toml").write_text(TINY, encoding="utf-8-sig")
    assert read_recipe(str(tmp_path / "marked.toml")).text == TINY


def test_a_network_for_any_scale_serves_those_up_to_its_own() -> None:
    text = read_recipe("safmn-any").text
    assert build_by_recipe(parse_recipe(text, "any")).scale == 4
    wider = text.replace("scales = [1.0, 4.0]", "scales = [1.0, 5.0]")
    assert wider != text
    with pytest.raises(UsageError, match="is for the scale up to 4, the degradations are for"):
        build_by_recipe(parse_recipe(wider, "any"))


def test_unknown_names_and_files_are_errors_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe("safmn-4x")
    assert "did you mean safmn-x4?" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        read_recipe("nope")
    assert caught.value.hint.startswith("'restore train --list'")
    with pytest.raises(UsageError, match=r"cannot read the recipe .*none\.toml"):
        read_recipe(str(tmp_path / "none.toml"))
