"""What a checkpoint is, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

TaskName = Literal["upscale", "dejpeg", "lowlight", "deblur", "denoise"]

HUGGINGFACE = "https://huggingface.co"
GITHUB = "https://github.com"


class Speed(StrEnum):
    """What an upscaler is picked for where it is not named."""

    FAST = "fast"
    """Takes a third of the time of what is built in."""
    BALANCED = "balanced"
    """What is built in."""
    BEST = "best"
    """The most faithful of the small networks."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A checkpoint: what it is, where it comes from, and how to know that a file is the right one."""

    name: str
    network: str
    """Architecture, as `Network.architecture` spells it."""
    task: TaskName
    scale: int
    """Factor along a side; of a continuous network the largest."""
    summary: str
    licence: str
    attribution: str
    source: str
    """Page of the code and the paper's number."""
    file: str
    """Path in the repository, or the name in the package where the weights are embedded."""
    repository: str | None = None
    """`owner/name` at the host; None where the weights are embedded."""
    revision: str | None = None
    host: Literal["huggingface", "github", "github-release", "embedded"] = "huggingface"
    sha256: str | None = None
    hash_note: str = ""
    bytes: int | None = None
    parameters: int | None = None
    """Number of trained values."""
    continuous: bool = False
    """Whether the network takes every factor from 1 to `scale`."""
    key: str | None = None
    """Key of the state dict inside a .pth file; None where the file is the state dict itself."""
    for_compressed: bool = False
    """Whether this upscaler is made for compressed pictures; others get it only where it is named."""
    speed: Speed | None = None
    """The speed that this upscaler is picked for at its scale; the built-in ones are balanced without saying so."""
    relative_speed: float | None = None
    """Pixels a second where the default of the task and scale does 1; None where it was not measured."""

    @property
    def scales(self) -> str:
        """What the user is told of the scale: x4, x1-4."""
        return f"x1-{self.scale}" if self.continuous else f"x{self.scale}"

    def reaches(self, scale: float) -> bool:
        """Tell whether the network's own results, passed through it again where needed, can have `scale`."""
        return self.continuous or any(scale == self.scale**passes for passes in range(1, 5))

    @property
    def embedded(self) -> bool:
        """Whether the weights are part of the package."""
        return self.host == "embedded"

    @property
    def address(self) -> str | None:
        """Where a browser finds the file; None where it is embedded."""
        match self.host:
            case "huggingface":
                return f"{HUGGINGFACE}/{self.repository}/resolve/{self.revision}/{self.file}"
            case "github":
                return f"{GITHUB}/{self.repository}/raw/{self.revision}/{self.file}"
            case "github-release":
                return f"{GITHUB}/{self.repository}/releases/download/{self.revision}/{self.file}"
            case _:
                return None

    @property
    def credit(self) -> str | None:
        """What the licence asks to be shown to whoever gets the weights; None where it asks for nothing."""
        return f"{self.name}: {self.attribution}, {self.licence}" if self.licence.startswith("CC-BY") else None
