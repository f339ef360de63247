"""restore: upscale and brighten pictures with small published networks, faithfully and fast.

What the command line does can be done from Python, too; the names below are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restore_cli.errors import RestoreError
    from restore_cli.picture.picture import Picture
    from restore_cli.picture.reading import read_picture
    from restore_cli.picture.writing import encode_picture, write_picture
    from restore_cli.restorer import Restorer, Run
    from restore_cli.tasks.enhance import Enhancer
    from restore_cli.tasks.enhancers import Brightener, Cleaner, Decompressor
    from restore_cli.tasks.sizing import Sizing
    from restore_cli.tasks.traits import Alpha, Wrap
    from restore_cli.tasks.upscale import Upscaler

__version__ = "0.1.0"
__all__ = [
    "Alpha",
    "Brightener",
    "Cleaner",
    "Decompressor",
    "Enhancer",
    "Picture",
    "RestoreError",
    "Restorer",
    "Run",
    "Sizing",
    "Upscaler",
    "Wrap",
    "__version__",
    "encode_picture",
    "read_picture",
    "write_picture",
]
MODULES = {
    "errors": ("RestoreError",),
    "picture.picture": ("Picture",),
    "picture.reading": ("read_picture",),
    "picture.writing": ("encode_picture", "write_picture"),
    "restorer": ("Restorer", "Run"),
    "tasks.enhance": ("Enhancer",),
    "tasks.enhancers": ("Brightener", "Cleaner", "Decompressor"),
    "tasks.sizing": ("Sizing",),
    "tasks.traits": ("Alpha", "Wrap"),
    "tasks.upscale": ("Upscaler",),
}
"""Where the public names come from: PyTorch takes a second to load, and `restore --help` needs none of it."""


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
