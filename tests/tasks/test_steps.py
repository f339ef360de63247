"""Steps as they are written on the command line."""

from __future__ import annotations

import pytest

from restore_cli.card import Speed
from restore_cli.errors import UsageError
from restore_cli.tasks.steps import STEPS, Step, describe_keys, parse_step
from restore_cli.tasks.traits import Alpha, Wrap


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("lowlight", "lowlight", {}),
        ("upscale:scale=2", "upscale", {"scale": 2.0}),
        ("upscale:size=640x480,strength=.5,tta", "upscale", {"size": "640x480", "strength": 0.5, "tta": True}),
        ("upscale:long-edge=3840,tta=no", "upscale", {"long-edge": 3840, "tta": False}),
        ("upscale:speed=Fast", "upscale", {"speed": Speed.FAST}),
        ("upscale:speed=best", "upscale", {"speed": Speed.BEST}),
        ("lowlight:preserve-highlights=no", "lowlight", {"preserve-highlights": False}),
        ("denoise:strength=0.5", "denoise", {"strength": 0.5}),
        ("dejpeg:tta", "dejpeg", {"tta": True}),
        ("dejpeg:wrap=XY,alpha=data", "dejpeg", {"wrap": Wrap.XY, "alpha": Alpha.DATA}),
        ("deblur:model=a/b=c.pth", "deblur", {"model": "a/b=c.pth"}),
    ],
)
def test_what_is_read(text: str, name: str, values: dict[str, object]) -> None:
    assert parse_step(text) == Step(name, values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no step is called ''"),
        ("brighten", "no step is called 'brighten'"),
        ("lowlight:scale=2", "the step lowlight takes no 'scale'"),
        ("upscale:,", "the step upscale takes no ''"),
        ("upscale:scale", "scale of the step upscale is '', not a number"),
        ("upscale:width=2.5", "width of the step upscale is '2.5', not a number of pixels"),
        ("upscale:speed=slow", "speed of the step upscale is 'slow', not fast, balanced or best"),
        ("lowlight:strength=2", "strength of the step lowlight is '2', not a number from 0 to 1"),
        ("lowlight:strength=nan", "strength of the step lowlight is 'nan', not a number from 0 to 1"),
        ("upscale:wrap=z", "wrap of the step upscale is 'z', not x, y or xy"),
        ("upscale:alpha", "alpha of the step upscale is '', not transparency or data"),
        ("lowlight:tta=maybe", "tta of the step lowlight is 'maybe', not yes or no"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_step(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("upscal", "did you mean upscale? steps are"),
        ("upscale:scal=2", "did you mean scale? it takes"),
        ("denoise,upscale", "give --step once for each; "),
    ],
)
def test_what_may_have_been_meant_is_hinted_at(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_step(text)
    assert caught.value.hint.startswith(hint)


def test_an_unknown_step_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        parse_step("x")
    assert all(name in caught.value.hint for name in STEPS)


def test_every_key_is_described() -> None:
    described = describe_keys()
    assert all(f"{key} ({expected})" in described for keys in STEPS.values() for key, (_, expected) in keys.items())
    assert described.count("tta") == 1
    assert "; lowlight also preserve-highlights (yes or no)" in described
