"""The parts of which files consist: segments of JPEG, chunks of PNG, boxes of JPEG 2000, AVIF and HEIC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Part:
    """One of them, whose content is read when it is asked for."""

    file: IO[bytes]
    kind: bytes
    at: int
    """Position of the content."""
    length: int
    """Bytes of the content, as the file tells; a damaged one may tell of more than there are."""

    @property
    def end(self) -> int:
        """Position behind the content."""
        return self.at + self.length

    def read(self, most: int | None = None) -> bytes:
        """Return the content, or what it begins with; less where the file is cut."""
        self.file.seek(self.at)
        return self.file.read(self.length if most is None else min(self.length, most))
