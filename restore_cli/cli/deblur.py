"""`restore deblur`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from restore_cli.cli.choice import choose_enhancer
from restore_cli.cli.options import EngineOptions, Inputs, OutputOptions, ReportOptions, Tta, expand_options
from restore_cli.cli.session import plan_session, run_session
from restore_cli.display import Display

if TYPE_CHECKING:
    from restore_cli.enhance import Enhancer


@expand_options
def deblur(
    inputs: Inputs,
    strength: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="0..1", help="Share of the network's result.")
    ] = 1.0,
    tta: Tta = False,
    *,
    output: OutputOptions,
    engine: EngineOptions,
    report: ReportOptions,
) -> None:
    """Make blurred pictures sharp, with weights of your own: no model for it is listed yet.

    Without -o a result lies beside its input as NAME_deblur; a folder's results lie in FOLDER_deblur.
    """
    display = Display(quiet=report.quiet, verbose=report.verbose, json=report.json)
    card = choose_enhancer(engine.model, "deblur")

    def load() -> Enhancer:
        from restore_cli.cli.tasks import load_enhancer

        return load_enhancer(card, engine, display, strength=strength, tta=tta)

    run_session(plan_session(inputs, output, "_deblur"), load, output, report, display)
