"""Options that several commands share, each declared once, in groups that a command takes as one argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from restore_cli.batch.sources import Shard
from restore_cli.cli.engine_settings import EngineSettings
from restore_cli.cli.values import (
    PrecisionChoice,
    check_threads,
    complete_format,
    complete_model,
    parse_device,
    parse_devices,
    parse_memory,
    parse_shard,
    parse_tile,
)
from restore_cli.picture.formats import MAX_PIXELS
from restore_cli.tasks.traits import Alpha, Wrap

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        help="Pictures, folders or globs; - reads one picture from standard input.",
        metavar="PATH",
        show_default=False,
    ),
]

Device = Annotated[str, typer.Option(parser=parse_device, metavar="NAME", help="auto, cpu, cuda, cuda:N, mps or xpu.")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, callback=check_threads, metavar="N", help="Processor threads for the network; all by default."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Tta = Annotated[
    bool, typer.Option("--tta", help="Average over eight flips and turns: slightly better, takes eight times as long.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What is read besides the arguments, where results go and how they are stored."""

    heading: ClassVar = "Files"

    from_file: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Also restore what the file LIST names, one a line; - reads names from standard input."
        ),
    ] = None
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Names in LIST end with NUL, as 'find -print0' writes them.")
    ] = False
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File or folder to write (a name without an ending is a folder), - for standard output, or a template "
            "of {stem}, {name}, {parent}, {ext} and, except in 'restore run', {model} and {scale}; {model} is auto "
            "where it is chosen for each picture.",
            metavar="PATH",
        ),
    ] = None
    suffix: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Put TEXT at the end of names of results, instead of _x4 and such; without it names in a folder of -o "
            "stay as they are.",
        ),
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Format to write; follows the input by default. dz makes Deep Zoom tiles for the web.",
            autocompletion=complete_format,
        ),
    ] = None
    quality: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            metavar="1..100",
            help="Quality of JPEG (95 by default), WebP (95), AVIF and Deep Zoom (85), HEIC (70); of JPEG 2000, which "
            "is lossless without one. With 100 WebP is lossless, too.",
        ),
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False
    strip_metadata: Annotated[
        bool,
        typer.Option(
            "--strip-metadata", help="Drop EXIF, XMP, IPTC, texts and the resolution; the colour profile stays."
        ),
    ] = False
    recursive: Annotated[bool, typer.Option(help="Look for pictures in folders within folders.")] = True
    max_pixels: Annotated[
        int, typer.Option(min=1, metavar="N", help="Refuse larger inputs; guards against decompression bombs.")
    ] = MAX_PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitOptions:
    """What the user knows of the pictures."""

    heading: ClassVar = "Pictures"

    wrap: Annotated[
        Wrap | None,
        typer.Option(
            case_sensitive=False,
            help="Treat opposite edges as joined, so that the result tiles as well: x left and right, as in a 360° "
            "panorama; y top and bottom; xy both, as in a texture.",
        ),
    ] = None
    alpha: Annotated[
        Alpha,
        typer.Option(
            case_sensitive=False,
            help="What alpha means: data is for textures that keep gloss or height there, so that colours count where "
            "it is 0, too.",
        ),
    ] = Alpha.TRANSPARENCY

    @property
    def settings(self) -> dict[str, Any]:
        """What of it differs from the ordinary, as arguments of a task."""
        wrap = {} if self.wrap is None else {"wrap": self.wrap}
        return wrap | ({} if self.alpha is Alpha.TRANSPARENCY else {"alpha": self.alpha})


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Which network runs, and where."""

    heading: ClassVar = "Network"

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FILE",
            help="Name of a model ('restore models list') or a .safetensors or .pth file.",
            autocompletion=complete_model,
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where a .pth file of your own holds its weights, such as params_ema."),
    ] = None
    device: Device = "auto"
    precision: Annotated[
        PrecisionChoice,
        typer.Option(
            case_sensitive=False,
            help="Numbers to compute with; auto is bf16 where the hardware has it and the network gains by it.",
        ),
    ] = PrecisionChoice.AUTO
    tile: Annotated[
        str,
        typer.Option(
            parser=parse_tile, metavar="auto|off|N", help="Pixels a side of a tile; the result does not depend on it."
        ),
    ] = "auto"
    threads: Threads = None
    memory_limit: Annotated[
        int | None,
        typer.Option(
            parser=parse_memory,
            metavar="SIZE",
            help="Memory to stay within, such as 800M or 2G; by default what is free. What does not fit lies in "
            "RESTORE_TMPDIR; but only upscaling can do without the whole picture in memory.",
        ),
    ] = None

    @property
    def settings(self) -> EngineSettings:
        """What of it workers are sent."""
        return EngineSettings(model=self.model, key=self.key, precision=self.precision.value, tile=self.tile)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How much of a batch is done."""

    heading: ClassVar = "Batch"

    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first picture that fails.")] = False
    max_failures: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop when N pictures have failed.")] = (
        None
    )
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes that restore several pictures beside each other and share processor and memory; by default "
            "one on a graphics card, or up to 8 on the processor.",
        ),
    ] = None
    devices: Annotated[
        str | None,
        typer.Option(parser=parse_devices, metavar="NAME,...", help="Devices to spread workers over: cuda:0,cuda:1."),
    ] = None
    shard: Annotated[
        Shard | None,
        typer.Option(
            parser=parse_shard,
            metavar="K/N",
            help="Restore only part K of N; N runs together do all pictures. A picture's name decides its part.",
        ),
    ] = None
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Record what becomes of each picture, and do again what was done with other options or has changed; "
            "'restore status FILE' tells how far it is.",
        ),
    ] = None
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Go on until Ctrl-C: also restore what arrives in the folders, or changes there."),
    ] = False
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try pictures again that failed according to the manifest.")
    ] = False

    @property
    def failures_allowed(self) -> int | None:
        """How many pictures may fail before the batch stops; None is any number."""
        if self.fail_fast:
            return 0
        return None if self.max_failures is None else self.max_failures - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What the user is told."""

    heading: ClassVar = "Reports"

    json: Annotated[bool, typer.Option("--json", help="Print one JSON record per picture on standard output.")] = False
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write a page about the batch, with every picture before and after; it replaces an existing page, "
            "unless nothing was restored and nothing failed.",
        ),
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False
    quiet: Quiet = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Report how each picture was restored.")] = False
    debug: Debug = False
