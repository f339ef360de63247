"""Groups of options as single arguments of a command, while Typer sees each option by itself."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_type_hints


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let `command` take option dataclasses, and Typer see their fields as options of their own."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        members = _fields_as_parameters(groups[name]) if name in groups else [parameter.replace(annotation=hints[name])]
        parameters += [member.replace(kind=inspect.Parameter.KEYWORD_ONLY) for member in members]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in dataclasses.fields(group)})
        command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run


def _fields_as_parameters(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_under_heading(hints[field.name], group.heading),
        )
        for field in dataclasses.fields(group)
    ]


def _under_heading(hint: Any, heading: str) -> Any:
    """Return the annotation of an option as one that stands under `heading` in the help."""
    kind, option = get_args(hint)
    option = copy.copy(option)  # several groups and commands may share it
    option.rich_help_panel = heading
    return Annotated[kind, option]
