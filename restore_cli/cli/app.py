"""All commands, and how their errors become two lines and an exit code."""

from __future__ import annotations

import io
import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import restore_cli
from restore_cli.batch.outcome import print_traceback
from restore_cli.batch.sources import PICTURE_SUFFIXES
from restore_cli.cli import bench, enhance, evaluate, models, status, train, upscale
from restore_cli.cli import run as run_steps
from restore_cli.cli.help import GroupedCommand
from restore_cli.display import Display
from restore_cli.errors import INTERRUPTED, RestoreError, UsageError

BadUsage: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's parent of all errors in arguments, which it does not export by a name of its own."""

SPINS = "20000"
"""How often a thread of the network asks whether the others are done before it sleeps. By default libgomp lets it ask
for milliseconds. Where other programs use the processor, too, it asks in vain while those others wait for a core, and
small pictures take twice as long. On an idle machine only pictures as small as 64 pixels a side notice: by a twentieth.
"""
REWORDED = (
    ("Value error, ", ""),
    ("Input should be a valid number, unable to parse string as a number", "{value} is not a number"),
    ("Input should be a valid integer, unable to parse string as an integer", "{value} is not a whole number"),
    ("Input should be", "{value} should be"),
)
"""What pydantic, which Typer leaves the checking of values to, says to programmers, and what is said to users.

{value} is what was given.
"""
FLAGS = {"help": False, "install_completion": False, "show_completion": False}
"""Typer's own flags, stated as unset: to find that out by itself it imports pydantic, a tenth of a second long."""

app = typer.Typer(
    name="restore",
    help="Restore pictures with small published networks, faithfully and fast.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "default_map": FLAGS
        | dict.fromkeys(("upscale", "lowlight", *enhance.PURPOSES, "run"), FLAGS)
        | dict.fromkeys(("evaluate", "status", "bench", "train"), FLAGS)
        | {"models": FLAGS | dict.fromkeys(("list", "show", "path"), FLAGS)},
    },
)
command = partial(app.command, cls=GroupedCommand)
command("upscale")(upscale.upscale)
command("lowlight")(enhance.lowlight)
for task in enhance.PURPOSES:
    command(task, short_help=enhance.short_help(task))(enhance.make_command(task))
command("run", short_help="Carry out several steps in one go.")(run_steps.run)
command("evaluate", short_help="Compare restored pictures with references: PSNR and SSIM.")(evaluate.evaluate)
command("status", short_help="Tell how far a batch is, by its manifest.")(status.status)
command("bench", short_help="Measure how fast models run on this machine.")(bench.bench)
command("train", short_help="Train or fine-tune a network on photographs.")(train.train)
app.add_typer(models.app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"restore {restore_cli.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command line and exit; every error that reaches this edge becomes two lines and an exit code."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # which is read when PyTorch is loaded
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the shell closed it; no file shall take its number
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 it stays open
    if isinstance(sys.stdout, io.TextIOWrapper):
        holds_all = sys.stdout.encoding.lower().replace("-", "") == "utf8"  # names are bytes, and need not be text
        sys.stdout.reconfigure(errors="surrogateescape" if holds_all else "backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line with `arguments` and return its exit code."""
    try:
        os.getcwd()
    except OSError:
        Display().error(RestoreError("the current folder is gone", "go to another one"))
        return RestoreError.exit_code
    try:
        code = app(arguments, prog_name="restore", standalone_mode=False) or 0
        sys.stdout.flush()
        return code
    except RestoreError as error:
        _trace_if_asked(error, arguments)
        Display().error(error)
        return error.exit_code
    except BadUsage as error:
        Display().error(_reworded(error, arguments))
        return UsageError.exit_code
    except BrokenPipeError:
        Display().give_up_standard_output()
        return 1
    except OSError as error:
        _trace_if_asked(error, arguments)
        if error.filename is not None:
            Display().error(RestoreError(f"cannot use {error.filename}: {error.strerror}"))
            return RestoreError.exit_code
        Display().give_up_standard_output()
        Display().error(RestoreError(f"cannot write standard output: {error.strerror}"))
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def _reworded(error: Exception, arguments: list[str]) -> UsageError:
    """Say to users what Typer says of their arguments."""
    message: str = error.format_message()  # type: ignore[attr-defined]
    found: list[dict[str, object]] = getattr(error.__cause__, "errors", list)()  # of pydantic
    value = repr(found[0]["input"]) if found else "it"
    for theirs, ours in REWORDED:
        message = message.replace(theirs, ours.replace("{value}", value))
    return UsageError(message, _help_hint(error, arguments))


def _trace_if_asked(error: Exception, arguments: list[str]) -> None:
    """Print the traceback of an error where `--debug` asks for it; the error's own line and code follow."""
    if "--debug" in arguments:
        print_traceback(error)


def _help_hint(error: Exception, arguments: list[str]) -> str:
    file = next((word for word in arguments if word.startswith("-") and len(word) > 1 and os.path.exists(word)), None)
    if file is not None:
        return f"the file is ./{file}"
    context = getattr(error, "ctx", None)
    known = {command.name for command in app.registered_commands}
    first = arguments[0] if arguments else ""
    is_command = first in known | {group.name for group in app.registered_groups}
    if not is_command and (os.path.exists(first) or Path(first).suffix.lower() in PICTURE_SUFFIXES):
        return f"say what to do with it: restore upscale {first}"
    command = f" {first}" if first in known else ""
    return f"'{context.command_path if context else f'restore{command}'} --help' shows what there is"
