"""`restore lowlight`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from restore_cli.cli.choice import choose_enhancer
from restore_cli.cli.options import EngineOptions, Inputs, OutputOptions, ReportOptions, Tta, expand_options
from restore_cli.cli.session import plan_session, run_session
from restore_cli.display import Display

if TYPE_CHECKING:
    from restore_cli.enhance import Brightener


@expand_options
def lowlight(
    inputs: Inputs,
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
    output: OutputOptions,
    engine: EngineOptions,
    report: ReportOptions,
) -> None:
    """Make dark, noisy pictures clear.

    Without -o a result lies beside its input as NAME_lowlight; a folder's results lie in FOLDER_lowlight.
    """
    display = Display(quiet=report.quiet, verbose=report.verbose, json=report.json)
    card = choose_enhancer(engine.model, "lowlight")

    def load() -> Brightener:
        from restore_cli.cli.tasks import load_brightener

        return load_brightener(
            card, engine, display, strength=strength, tta=tta, preserve_highlights=preserve_highlights
        )

    run_session(plan_session(inputs, output, "_lowlight"), load, output, report, display)
