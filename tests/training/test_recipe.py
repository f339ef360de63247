"""Recipes say what they mean, and mistakes in them are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from restore_cli.errors import UsageError
from restore_cli.training.learner import build_by_recipe
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
        ("warmup = 2", "betas = [0.9]", "not a list of 2 numbers"),
        ("bf16 = false", "bf16 = 0", "not true or false"),
        ('architecture = "safmn"\n', "", "names no network.architecture"),
        ("l1 = 1.0", "teacher = 1.0", "both a teacher and loss.teacher"),
        ("[network]", "[network", "is no TOML"),
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
        ("dim = 8", "dimension = 8", "safmn cannot be built"),
        ("size = [8]", "size = [12]", "patches of 12 pixels do not lie on the network's grid of 8"),
        ("\nscale = 2", "\nscale = 3", "safmn is for the scale 2, the degradations are for 3"),
        ("\nscale = 2", "\nscales = [1.0, 2.0]", "safmn is for the scale 2, the degradations are for [1.0, 2.0]"),
    ],
)
def test_mistakes_about_the_network_are_named(old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_by_recipe(parse_recipe(TINY.replace(old, new), "tiny"))
    assert message in caught.value.message


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
    with pytest.raises(UsageError, match=r"cannot read the recipe .*none\.toml"):
        read_recipe(str(tmp_path / "none.toml"))
