"""A table of a TOML file as a dataclass: its keys are checked, and its values get the types of the fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from restore_cli.errors import UsageError


def build(cls: Any, table: Mapping[str, Any], where: str, given: Mapping[str, Any]) -> Any:
    """Make a dataclass of a TOML table, and of the tables in it; `where` is what messages call it.

    `given` holds the fields that the file does not tell.

    Raises:
        UsageError: a key is missing or unknown, or a value is of another type.
    """
    hints = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.name not in given}
    unknown = sorted(table.keys() - fields.keys())
    if unknown:
        raise UsageError(f"{where} has an unknown key {unknown[0]!r}", f"it takes {', '.join(fields)}")
    values = {name: _convert(value, hints[name], f"{name} of {where}") for name, value in table.items()}
    for name, entry in fields.items():
        if name not in values and entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise UsageError(f"{where} lacks the key {name!r}")
    return cls(**values, **given)


def _convert(value: Any, hint: Any, what: str) -> Any:
    """Return a TOML value as the type that a field declares."""
    if dataclasses.is_dataclass(hint):
        if isinstance(value, dict):
            return build(hint, value, what, given={})
        raise UsageError(f"{what} is {value!r}, not a table")
    options = [option for option in get_args(hint) if option is not type(None)]
    if get_origin(hint) is Literal:
        if value in options:
            return value
        raise UsageError(f"{what} is {value!r}, not one of {', '.join(options)}")
    if get_origin(hint) is tuple:
        count = None if options[-1] is Ellipsis else len(options)
        items = value if isinstance(value, list) else [value]
        if count is not None and len(items) != count:
            raise UsageError(f"{what} is {value!r}, not a list of {count} numbers")
        return tuple(_convert(item, options[0], what) for item in items)
    if get_origin(hint) is not None and type(None) in get_args(hint):
        return _convert(value, options[0], what)
    if get_origin(hint) is not None:  # a mapping, whose keys are the network's affair
        if isinstance(value, dict):
            return value
        raise UsageError(f"{what} is {value!r}, not a table")
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is hint:
        return value
    kind = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[hint]
    raise UsageError(f"{what} is {value!r}, not {kind}")
