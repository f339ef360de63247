"""`restore models`: what there is to run, where it lies, whether it is what was published."""

from __future__ import annotations

import dataclasses
import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from restore_cli.catalog import CARDS, ModelCard, find_card
from restore_cli.display import Display
from restore_cli.errors import UsageError, WeightsError

app = typer.Typer(help="List, fetch and check the models.", no_args_is_help=True)


def _complete_name(incomplete: str) -> list[tuple[str, str]]:
    return [(card.name, card.summary) for card in CARDS if card.name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=_complete_name)]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", autocompletion=_complete_name)]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON record per model.")]


@app.command("list")
def list_models(json: Json = False) -> None:
    """Show every model known by name."""
    for card in CARDS:
        if json:
            print(json_format.dumps(dataclasses.asdict(card) | {"address": card.address}))
        else:
            size = f"{card.parameters / 1e6:.2f} M" if card.parameters else "-"
            place = "built in" if card.embedded else "to fetch"
            print(f"{card.name:18} {card.task:9} x{card.scale}  {size:>7}  {place:8}  {card.summary}")


@app.command("show")
def show(name: Name, json: Json = False, debug: Debug = False) -> None:
    """Show one model: its origin, licence, attribution and hash."""
    from restore_cli.weights import find_weights

    card = find_card(name)
    path = find_weights(card)
    if json:
        print(
            json_format.dumps(dataclasses.asdict(card) | {"address": card.address, "path": str(path) if path else None})
        )
        return
    for label, value in _facts(card, path):
        print(f"{label + ':':12} {value}")


@app.command("pull")
def pull(names: Names, debug: Debug = False) -> None:
    """Fetch models, check their hashes and convert them, so that they run without a network."""
    from restore_cli.weights import load_card

    display = Display()
    cards = [find_card(name) for name in names]
    for card in cards:
        print(f"{card.name}\t{load_card(card, display.note).path}")


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]")] = None, debug: Debug = False
) -> None:
    """Check the hashes of models at hand; of all of them without a name."""
    from restore_cli.weights import verify_card

    display = Display()
    worst = 0
    for card in [find_card(name) for name in names] if names else CARDS:
        try:
            path = verify_card(card)
        except WeightsError as error:
            display.error(error)
            worst = error.exit_code
            continue
        if path is not None:
            print(f"{card.name}\t{'ok' if card.sha256 else 'no published hash'}\t{path}")
        elif names:
            display.error(
                WeightsError(f"{card.name} is not at hand", f"fetch it with 'restore models pull {card.name}'")
            )
            worst = WeightsError.exit_code
    if worst:
        raise typer.Exit(worst)


@app.command("path")
def path(name: Name, debug: Debug = False) -> None:
    """Print where a model's file lies."""
    from restore_cli.weights import find_weights

    card = find_card(name)
    found = find_weights(card)
    if found is None:
        raise WeightsError(f"{card.name} is not at hand", f"fetch it with 'restore models pull {card.name}'")
    print(found)


@app.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A .pth, .pt, .ckpt or .safetensors file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.safetensors")],
    key: Annotated[str | None, typer.Option(help="Where IN holds its weights, such as params_ema.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    debug: Debug = False,
) -> None:
    """Turn a weights file into safetensors, which loads fast and cannot run code."""
    if target.suffix != ".safetensors":
        raise UsageError(f"{target} does not end in .safetensors")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists", "--overwrite replaces it")

    from restore_cli.networks import build_network
    from restore_cli.weights import load_path, save_state

    weights = load_path(source, key)
    network = build_network(weights.state)
    save_state(weights.state, target, {"network": network.architecture})
    print(f"{target}\t{network.architecture} x{network.scale}")


def _facts(card: ModelCard, path: Path | None) -> list[tuple[str, str]]:
    return [
        ("name", card.name),
        ("summary", card.summary),
        ("task", f"{card.task}, x{card.scale}"),
        ("network", card.network),
        ("parameters", f"{card.parameters:,}" if card.parameters else "not stated"),
        ("size", f"{card.bytes:,} bytes" if card.bytes else "not stated"),
        ("licence", card.licence),
        ("attribution", card.attribution),
        ("source", card.source),
        ("file", card.address or "part of the package"),
        ("sha256", (card.sha256 or "none") + (f" ({card.hash_note})" if card.hash_note else "")),
        ("at hand", str(path) if path else "no; it is fetched when first used"),
    ]
