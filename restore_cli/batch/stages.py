"""What a worker holds of a job between its stages: the picture that was read, and its result."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from restore_cli.batch.outcome import Seconds
from restore_cli.batch.planning import Job
from restore_cli.passes.tile_plan import LARGEST_BAND
from restore_cli.picture.formats import Format
from restore_cli.picture.picture import Picture
from restore_cli.restorer import Run


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """A picture that was read and is claimed for this worker; give it up once it is written or has failed."""

    job: Job
    source: Path | bytes
    """Its file, or the bytes of one that came by standard input."""
    picture: Picture
    size: tuple[int, int]
    """Height and width of the result."""
    format: Format
    seconds: float
    held: ExitStack

    @property
    def bytes(self) -> int:
        """What its arrays take, and its result as far as that waits to be written."""
        picture = self.picture
        height, width = self.size
        result: int = height * width * picture.pixels.shape[2] * picture.pixels.itemsize
        return sum(array.nbytes for array in picture.arrays) + min(result, LARGEST_BAND)

    @property
    def may_be_copied(self) -> bool:
        """Whether a copy of its file is as good a result as a new one, where its pixels stay as they are."""
        suffixes = {path.suffix.lower() for path in (self.job.source, self.job.target) if path is not None}
        is_there = isinstance(self.source, bytes) or self.source.is_file()  # a pipe gives it once
        return is_there and self.picture.as_stored and self.picture.format == self.format.name and len(suffixes) < 2

    def goes_with(self, other: OpenedPicture) -> bool:
        """Tell whether both pictures are of one size and depth, so that they can be restored together."""
        ours, theirs = self.picture, other.picture
        return (ours.height, ours.width, ours.depth) == (theirs.height, theirs.width, theirs.depth)

    def give_up(self) -> None:
        """Let others have the job."""
        self.held.close()


@dataclass(frozen=True, slots=True)
class RestoredPicture:
    """A picture that went through the network. Its result is written already, unless it is small enough to wait."""

    opened: OpenedPicture
    run: Run
    result: Picture
    """The result, or where it was large, its first rows."""
    is_written: bool
    seconds: Seconds
