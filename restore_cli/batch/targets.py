"""Where results go: beside their inputs, into a folder or a file, or wherever a template says."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from pathlib import Path

from restore_cli.batch.sources import STANDARD_STREAM, Source
from restore_cli.errors import UsageError
from restore_cli.picture.formats import ALSO_KNOWN, PNG, WRITTEN, Format, format_by_name, format_of_path
from restore_cli.picture.signatures import recognise_file

Target = tuple[Path | None, Format]
"""The file to write, None for standard output, and its format."""


class Destination:
    """Where results go."""

    def __init__(
        self,
        output: str | None,
        format: Format | None,
        *,
        suffix: str,
        suffix_override: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """`output` is what `-o` says: a file, a folder, `-`, a template, or None for a place beside the input.

        `suffix` tells results from their inputs where both lie together; `suffix_override`, if given, stands in for it,
        and is in the names of results in other folders, too. `facts` is what a template knows besides the name of the
        input.

        Raises:
            UsageError: options contradict it, or a template cannot be filled in.
        """
        self.suffix = suffix if suffix_override is None else suffix_override
        self.suffix_in_folder = suffix_override or ""
        self.format = format
        self.to_stdout = output == STANDARD_STREAM
        self.template: Template | None = None
        self.file: Path | None = None
        self.folder: Path | None = None
        if output is not None and not self.to_stdout:
            if is_template(output):
                self.template = Template(output, facts or {})
            elif names_folder(output):
                self.folder = Path(output)
            else:
                self.file = Path(output)
                self.format = format_to_write(self.file, format)
        if self.folder is not None:
            _check_folder(self.folder)
        if suffix_override is not None and output is not None and self.folder is None:
            raise UsageError(f"--suffix has no place in {output}", "write it into the name")
        self.takes_one = self.to_stdout or self.file is not None

    def target(self, source: Source) -> Target:
        """Return where the result of `source` goes.

        Raises:
            UsageError: a template makes a name of it that stands for no format, or not for the one that was chosen.
        """
        format = self._format_for(source)
        if self.to_stdout:
            return None, format
        if self.file is not None:
            return self.file, format
        extension = self._extension_for(source)
        if self.template is not None:
            path = self.template.fill(source, extension)
            return path, format_to_write(path, self.format)
        if self.folder is not None:
            return self.folder / source.below / (source.path.stem + self.suffix_in_folder + extension), format
        if source.root is None:
            return self.beside(source), format
        root = source.root if source.root.name not in ("", "..") else Path(os.path.abspath(source.root))
        return root.with_name(root.name + self.suffix) / source.below / self.beside(source).name, format

    def beside(self, source: Source) -> Path:
        """Return the name beside its input that the result of `source` has by default."""
        return source.path.with_name(source.path.stem + self.suffix + self._extension_for(source))

    def _format_for(self, source: Source) -> Format:
        return self.format or format_of_path(source.path) or _format_of_content(source.path)

    def _extension_for(self, source: Source) -> str:
        """Return the file extension of the result: that of the input, if it stands for the result's format."""
        format = self._format_for(source)
        return source.path.suffix if format_of_path(source.path) is format else format.suffixes[0]


def _format_of_content(path: Path) -> Format:
    """Return the format that a file has, whose name does not tell it, if it can be written; else PNG."""
    return format_by_name(recognise_file(path) or "") or PNG


class Template:
    """A path with fields in braces: {stem}, {name}, {parent}, {ext}, and what else is known; `{{` is a brace."""

    def __init__(self, text: str, facts: Mapping[str, str]) -> None:
        """Take a template and what is known of all results alike.

        Raises:
            UsageError: its braces do not match, or a field is not known.
        """
        self.text = text
        self.facts = facts
        self.fields: list[str] = []
        """Those that the name of an input fills in, without their braces."""
        known = ["stem", "name", "parent", "ext", *facts]
        hint = f"fields are {', '.join(f'{{{field}}}' for field in known)}; {{{{ stands for a brace"
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise UsageError(f"the template {text} has a brace without its partner", hint) from error
        for _, field, shape, conversion in parts:
            if field is not None and field not in known:
                raise UsageError(f"the template {text} has a field that is not known, {{{field}}}", hint)
            if shape or conversion:
                raise UsageError(f"the template {text} says how to print {{{field}}}, which cannot be chosen", hint)
            if field is not None and field not in facts:
                self.fields.append(field)

    def fill(self, source: Source, extension: str) -> Path:
        """Return the path for `source`, whose result has this file extension.

        {name} is that of the input, {parent} its folder: below the folder that was named, or as it was named itself,
        without the `..` that would lead out of the folder of the results. Behind anything else, a drive of Windows is a
        folder in it. The stem of `...png` is all of it, since `..` would lead out, too.
        """
        stem = source.path.stem if source.path.stem not in (".", "..") else source.path.name
        fields = dict(self.facts, stem=stem, name=source.path.name, ext=extension.removeprefix("."))
        parent = source.below if source.root is not None else _without_way_up(source.path.parent)
        if not self.text.startswith("{parent}"):
            parent = _without_drive(parent)
        return Path(self.text.format(parent=parent, **fields))


def _without_way_up(folder: Path) -> Path:
    parts = Path(os.path.normpath(folder)).parts
    return Path(*(part for part in parts if part != ".."))


def _without_drive(folder: Path) -> Path:
    """Turn the drive of Windows that a name begins with, such as C:, into a folder C, and a server's into its names."""
    return Path(folder.drive.replace(":", "").strip("\\/?."), *folder.parts[1:]) if folder.drive else folder


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made, since something else has its name or that of one above it.

    Raises:
        UsageError: it is so.
    """
    for path in (folder, *folder.parents):
        if os.path.lexists(path) and not os.path.isdir(path):
            raise UsageError(f"{path} is no folder", "name another one; -o - writes to standard output")


def is_template(output: str) -> bool:
    """Tell whether `-o` has braces, and is no name of something that is there."""
    return "{" in output and not os.path.lexists(output)


def names_folder(output: str) -> bool:
    """Tell whether `-o` means a folder.

    Raises:
        UsageError: it looks like a file of a format that cannot be written, or one that lacks all but its ending.
    """
    path = Path(output)
    if output.endswith(("/", os.sep)):
        return True
    if not path.suffix and format_of_path(f"name{path.name}") is not None:
        raise UsageError(
            f"{output} is an ending without a name",
            f"in a script, a variable may be empty; for a folder write {output}/",
        )
    if os.path.isdir(path) or not path.suffix:
        return True
    if format_of_path(path) is None:
        raise UsageError(
            f"{output} names no format that can be written",
            f"for a folder write {output}/, for a file use {_extensions()}",
        )
    return False


def format_to_write(path: Path, chosen: Format | None) -> Format:
    """Return the format that the ending of `path` stands for.

    Raises:
        UsageError: it stands for none that can be written, or not for the one that was `chosen`.
    """
    format = format_of_path(path)
    if chosen not in (None, format):
        raise UsageError(
            f"{path} does not end as {chosen.name.upper()} does",
            f"leave --format away, or let the name end in {chosen.suffixes[0]}",
        )
    if format is None:
        raise UsageError(
            f"{path} names no format that can be written", f"let the template end in .{{ext}} or {_extensions()}"
        )
    return format


def _extensions() -> str:
    return ", ".join(format.suffixes[0] for format in WRITTEN) + ALSO_KNOWN
