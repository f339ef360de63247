"""Groups of options as single arguments of a command, while Typer sees each option by itself."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection
from typing import Annotated, Any, get_args, get_type_hints


def expand_options(command: Callable[..., None], hidden: Collection[str] = ()) -> Callable[..., None]:
    """Let `command` take option dataclasses, and Typer see their fields as options of their own.

    The `hidden` fields are not offered; who gives such an option is told by the command what to do instead.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            members = _fields_as_parameters(groups[name], hidden)
        else:
            members = [parameter.replace(annotation=hints[name])]
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


def _fields_as_parameters(group: Any, hidden: Collection[str]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_as_shown(hints[field.name], group.heading, is_hidden=field.name in hidden),
        )
        for field in dataclasses.fields(group)
    ]


def _as_shown(hint: Any, heading: str, *, is_hidden: bool) -> Any:
    """Return the annotation of an option as one that stands under `heading` in the help, or nowhere."""
    kind, option = get_args(hint)
    option = copy.copy(option)  # several groups and commands may share it
    option.rich_help_panel = heading
    option.hidden = is_hidden
    return Annotated[kind, option]
