"""`restore lowlight`."""

from __future__ import annotations

from typing import Annotated

import typer

from restore_cli.cli.enhance import enhance
from restore_cli.cli.expansion import expand_options
from restore_cli.cli.options import BatchOptions, EngineOptions, FileOptions, Inputs, ReportOptions, TraitOptions, Tta
from restore_cli.cli.request import Request


@expand_options
def lowlight(
    inputs: Inputs = None,
    strength: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="0..1",
            help="Share of the network's light; by default full for dark pictures, none for bright ones.",
        ),
    ] = None,
    preserve_highlights: Annotated[
        bool, typer.Option(help="Keep differences between bright parts that would all become white.")
    ] = True,
    tta: Tta = False,
    *,
    traits: TraitOptions,
    files: FileOptions,
    engine: EngineOptions,
    batch: BatchOptions,
    report: ReportOptions,
) -> None:
    """Make dark, noisy pictures clear.

    Without -o a result lies beside its input as NAME_lowlight; a folder's results lie in FOLDER_lowlight.
    """
    settings = {"strength": strength, "tta": tta, "preserve_highlights": preserve_highlights} | traits.settings
    enhance("lowlight", Request(inputs, files, batch, engine, report), **settings)
