"""Steps of a chain, as they are written on the command line: `lowlight`, `upscale:scale=2,tta`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from restore_cli.card import Speed, TaskName
from restore_cli.errors import UsageError, did_you_mean
from restore_cli.tasks.traits import Alpha, Wrap

Value = str | float | bool
Key = tuple[Callable[[str], Value], str]
"""How a value is read, and what it should look like."""


def parse_share(text: str) -> float:
    """Read a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def parse_flag(text: str) -> bool:
    """Read a yes or no; a key without a value is a yes."""
    return {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[text.lower()]


ENHANCER: dict[str, Key] = {
    "model": (str, "a name or a file"),
    "strength": (parse_share, "a number from 0 to 1"),
    "tta": (parse_flag, "yes or no"),
    "wrap": (lambda text: Wrap(text.lower()), "x, y or xy"),
    "alpha": (lambda text: Alpha(text.lower()), "transparency or data"),
}
STEPS: Mapping[TaskName, Mapping[str, Key]] = {
    "upscale": {
        **ENHANCER,
        "scale": (float, "a number"),
        "size": (str, "WIDTHxHEIGHT"),
        "width": (int, "a number of pixels"),
        "height": (int, "a number of pixels"),
        "long-edge": (int, "a number of pixels"),
        "restore-alpha": (parse_flag, "yes or no"),
        "speed": (lambda text: Speed(text.lower()), "fast, balanced or best"),
    },
    "lowlight": {**ENHANCER, "preserve-highlights": (parse_flag, "yes or no")},
    "deblur": ENHANCER,
    "denoise": ENHANCER,
    "dejpeg": ENHANCER,
}
"""What each step can be told."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain."""

    name: TaskName
    values: Mapping[str, Value] = field(default_factory=dict)


def describe_keys() -> str:
    """Say which keys steps take, and what their values look like."""
    sentence = f"Every step takes {_listed(ENHANCER)}"
    for name, keys in STEPS.items():
        own = {key: read for key, read in keys.items() if key not in ENHANCER}
        sentence += f"; {name} also {_listed(own)}" if own else ""
    return f"{sentence}."


def _listed(keys: Mapping[str, Key]) -> str:
    return ", ".join(f"{key} ({expected})" for key, (_, expected) in keys.items())


def parse_step(text: str) -> Step:
    """Read `NAME` or `NAME:KEY=VALUE,KEY=VALUE`.

    Raises:
        UsageError: there is no such step or key, or a value is not what it should be.
    """
    called, _, rest = text.partition(":")
    name = next((name for name in STEPS if name == called), None)
    if name is None:
        several = "give --step once for each; " if "," in called else ""
        raise UsageError(
            f"no step is called {called!r}", f"{several}{did_you_mean(called, STEPS)}steps are {', '.join(STEPS)}"
        )
    values: dict[str, Value] = {}
    for part in rest.split(",") if rest else []:
        key, _, value = part.partition("=")
        if key not in STEPS[name]:
            close = did_you_mean(key, STEPS[name])
            raise UsageError(f"the step {name} takes no {key!r}", f"{close}it takes {', '.join(STEPS[name])}")
        if key in values:
            raise UsageError(f"the step {name} is told {key} twice", "give it once")
        read, expected = STEPS[name][key]
        try:
            values[key] = read(value)
        except (ValueError, KeyError) as error:
            raise UsageError(f"{key} of the step {name} is {value!r}, not {expected}") from error
    return Step(name, values)
