"""How a command's help is laid out."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand


class GroupedCommand(TyperCommand):
    """A command in whose help arguments stand by name alone, and options under the heading of their group.

    Typer has such headings (`rich_help_panel`) in the frames that Rich draws only, and adds Python's types to names.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections into `formatter` in the order in which they are declared; Typer exports neither type."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            name, explanation = record
            if isinstance(parameter, TyperArgument):
                heading, name = "Arguments", parameter.display_name_raw
            else:
                heading = getattr(parameter, "rich_help_panel", None) or "Options"
            sections.setdefault(heading, []).append((name, explanation))
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)
