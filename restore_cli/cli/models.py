"""`restore models`: what there is to run, where it lies, whether it is what was published."""

from __future__ import annotations

import dataclasses
import json as json_format
import os
import shutil
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from restore_cli.card import ModelCard
from restore_cli.cards import CARDS
from restore_cli.catalog import find_card
from restore_cli.cli.help import GroupedCommand
from restore_cli.cli.options import Debug
from restore_cli.cli.values import complete_model
from restore_cli.display import Display
from restore_cli.errors import UsageError, WeightsError
from restore_cli.places import find_published, find_weights

INDENT = "    "

app = typer.Typer(help="List, download and check the models.", invoke_without_command=True)
command = partial(app.command, cls=GroupedCommand)

NAMED = "As 'restore models list' shows it."
Name = Annotated[str, typer.Argument(metavar="NAME", help=NAMED, autocompletion=complete_model)]
Names = Annotated[list[str], typer.Argument(metavar="NAME", help=NAMED, autocompletion=complete_model)]
AnyNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Models to check; all at hand by default.", autocompletion=complete_model),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON record per model.")]


@app.callback()
def _show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@command("list", short_help="Show all models, and which are at hand.")
def list_models(json: Json = False, debug: Debug = False) -> None:
    """Show every model known by name, and which are at hand; in a pipe, one line of tab-separated fields each.

    A speed of 2 means half the time of what is built in for the task and scale.
    """
    if json:
        for card in CARDS:
            print(json_format.dumps(_record(card)))
    elif sys.stdout.isatty():
        _print_table()
    else:
        for card in CARDS:
            size = str(card.parameters or "")
            print(card.name, card.task, card.scales, size, _speed(card), _state(card), card.summary, sep="\t")


@command("show")
def show(name: Name, json: Json = False, debug: Debug = False) -> None:
    """Show one model: its origin, licence, attribution and hash."""
    card = find_card(name)
    if json:
        print(json_format.dumps(_record(card)))
        return
    for label, value in _facts(card):
        print(f"{label + ':':12} {value}")


@command("pull", short_help="Download models, to work without a network later.")
def pull(names: Names, json: Json = False, debug: Debug = False) -> None:
    """Download models, check their hashes and convert them, so that they run without a network."""
    cards = [find_card(name) for name in names]

    from restore_cli.weights import pull_card

    display = Display()
    failed = False
    for card in cards:
        at_hand = find_weights(card) is not None
        try:
            path = pull_card(card, display.note)
        except WeightsError as error:
            failed = True
            display.error(error)
            continue
        if at_hand and card.credit is not None:  # fetching has said it otherwise
            display.note(card.credit)
        print(json_format.dumps(_record(card)) if json else f"{card.name}\t{path}")
    if failed:
        raise typer.Exit(WeightsError.exit_code)


@command("verify", short_help="Check the hashes of models at hand.")
def verify(names: AnyNames = None, json: Json = False, debug: Debug = False) -> None:
    """Check the hashes of models at hand; of all of them without a name.

    Where the published file was deleted, the converted one is checked instead.
    """
    cards = [find_card(name) for name in names] if names else CARDS
    display = Display()
    failed = False
    for card in cards:
        path = find_weights(card)
        if path is None and not names:
            continue
        try:
            if path is None:
                raise _missing(card)
            verdict = _verify(card)
        except WeightsError as error:
            failed, verdict = True, "missing" if path is None else "wrong"
            display.error(error)
        if json:
            print(json_format.dumps({"name": card.name, "verdict": verdict, "path": str(path) if path else None}))
        else:
            print(card.name, verdict, path or "", sep="\t")
    if failed:
        raise typer.Exit(WeightsError.exit_code)


def _verify(card: ModelCard) -> str:
    """Check a model's weights, which are at hand, and say in words what was found.

    Raises:
        WeightsError: they are wrong.
    """
    from restore_cli.weights import verify_card

    verify_card(card)
    if not card.embedded and find_published(card) is None:
        return "converted"
    return "ok" if card.sha256 else "no published hash"


@command("path")
def path(name: Name, debug: Debug = False) -> None:
    """Print where a model's file lies."""
    card = find_card(name)
    found = find_weights(card)
    if found is None:
        raise _missing(card)
    print(found)


@command("convert", short_help="Turn a weights file into safetensors.")
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A .pth, .pt, .ckpt or .safetensors file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where IN holds its weights, such as params_ema.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    debug: Debug = False,
) -> None:
    """Turn a weights file into safetensors, which loads fast and cannot run code; training forms become plain."""
    if target.suffix != ".safetensors":
        raise UsageError(f"{target} does not end in .safetensors")
    if os.path.lexists(target) and not overwrite:
        raise UsageError(f"{target} exists", "--overwrite replaces it")

    from restore_cli.networks import ContinuousNetwork
    from restore_cli.weights import build, load_path, save_state

    weights = load_path(source, key)
    network = build(weights)
    folded = network.fold()
    if folded is not network:
        Display().note(f"{source} is in the form that is trained, {target} in the plain one, which is equal and faster")
    state = weights.state if folded is network else folded.state_dict()
    save_state(state, target, {"network": network.architecture})
    scale = "any" if isinstance(network, ContinuousNetwork) else f"x{network.scale}"
    print(f"{target}\t{network.architecture} {scale}")


def _print_table() -> None:
    """Print the models in columns; summaries stand on lines of their own where the terminal is too narrow."""
    width = shutil.get_terminal_size().columns
    rows = [(_row("name", "task", "scale", "size", "speed", "weights"), "summary")]
    for card in CARDS:
        size = f"{card.parameters / 1e6:.2f} M" if card.parameters else "-"
        row = _row(card.name, card.task, card.scales, size, _speed(card) or "-", _state(card))
        rows.append((row, card.summary))
    is_wide = all(len(row) + 2 + len(summary) <= width for row, summary in rows)
    for row, summary in rows:
        if is_wide:
            print(row, summary, sep="  ")
        else:
            print(row.rstrip())
            print(textwrap.fill(summary, width, initial_indent=INDENT, subsequent_indent=INDENT))


def _row(name: str, task: str, scale: str, size: str, speed: str, state: str) -> str:
    return f"{name:18} {task:8} {scale:5} {size:>7} {speed:>5}  {state:11}"


def _speed(card: ModelCard) -> str:
    return "" if card.relative_speed is None else f"{card.relative_speed:.2g}"


def _state(card: ModelCard) -> str:
    if card.embedded:
        return "built in"
    return "at hand" if find_weights(card) else "to download"


def _record(card: ModelCard) -> dict[str, Any]:
    path = find_weights(card)
    return dataclasses.asdict(card) | {
        "address": card.address,
        "path": str(path) if path else None,
    }


def _facts(card: ModelCard) -> list[tuple[str, str]]:
    path = find_weights(card)
    return [
        ("name", card.name),
        ("summary", card.summary),
        ("task", f"{card.task}, {card.scales}" + (f", picked by --speed {card.speed}" if card.speed else "")),
        ("speed", f"{_speed(card)} times that of the default" if card.relative_speed else "not measured"),
        ("network", card.network),
        ("parameters", f"{card.parameters:,}" if card.parameters else "not stated"),
        ("size", f"{card.bytes:,} bytes" if card.bytes else "not stated"),
        ("licence", card.licence),
        ("attribution", card.attribution),
        ("source", card.source),
        ("file", card.address or "part of the package"),
        ("sha256", (card.sha256 or "none") + (f" ({card.hash_note})" if card.hash_note else "")),
        ("at hand", str(path) if path else "no; it is downloaded when first used"),
    ]


def _missing(card: ModelCard) -> WeightsError:
    return WeightsError(f"{card.name} is not at hand", f"download it with 'restore models pull {card.name}'")
