"""Which network runs and how, as plain data: it is sent to workers, which need nothing of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What decides which network is loaded, and how it runs wherever it does."""

    model: str | None = None
    """A model's name or a weights file; None where the command has one of its own."""
    key: str | None = None
    """Where a .pth file holds its weights."""
    precision: str = "auto"
    tile: str = "auto"
    """auto, off or pixels a side."""

    @property
    def weights_file(self) -> Path:
        """The file that `model` names; only where no card was chosen."""
        assert self.model is not None
        return Path(self.model)
