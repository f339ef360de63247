"""Bands of a picture in, the whole picture out."""

from __future__ import annotations

from restore_cli.picture.picture import Picture


class PictureAssembler:
    """Puts a picture together from bands of its rows, which come from the top down; it lies in the bands' storage."""

    def __init__(self, height: int) -> None:
        self.height = height
        self._reached = 0
        self._picture: Picture | None = None

    def add(self, band: Picture) -> None:
        """Take the next rows."""
        if band.height == self.height:
            self._picture, self._reached = band, band.height
            return
        whole = self._picture = self._picture or self._empty_like(band)
        rows = slice(self._reached, self._reached + band.height)
        for into, part in zip(whole.arrays, band.arrays, strict=True):
            into[rows] = part
        self._reached = rows.stop
        band.storage.release()

    @property
    def picture(self) -> Picture:
        """The whole picture; all of its rows must have been added."""
        assert self._picture is not None
        assert self._reached == self.height
        return self._picture

    def _empty_like(self, band: Picture) -> Picture:
        """Return a picture as high as the whole, without content."""
        return band.with_each(lambda array: band.storage.empty((self.height, *array.shape[1:]), array.dtype))
