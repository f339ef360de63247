"""Read icons of Windows (ICO) with Pillow, but tell their size before they are decoded."""

from __future__ import annotations

from typing import Any

from PIL import BmpImagePlugin, IcoImagePlugin, PngImagePlugin

from restore_cli.picture.signatures import HEAD_BYTES, recognise

MAGIC = b"\0\0\1\0"


class Icon(IcoImagePlugin.IcoImageFile):
    """The largest picture of an icon, by what the icon says; its size is what the picture itself says.

    Pillow decodes it to learn that, and warns where both differ, which is usual above 256 pixels.
    """

    def _open(self) -> None:
        assert self.fp is not None
        self.ico = IcoImagePlugin.IcoFile(self.fp)
        self.info["sizes"] = self.ico.sizes()
        first: Any = self.ico.entry[0]
        self.ico.entry = [first]  # the one to decode, whatever its size
        # a dictionary before Pillow 10.4
        self._size = self._measure(first["offset"] if isinstance(first, dict) else first.offset)
        self._mode = "RGBA"  # until it is decoded

    def _measure(self, offset: int) -> tuple[int, int]:
        """Return width and height of the picture that begins at `offset`."""
        assert self.fp is not None
        self.fp.seek(offset)
        is_png = recognise(self.fp.read(HEAD_BYTES)) == "png"
        self.fp.seek(offset)
        if is_png:
            return PngImagePlugin.PngImageFile(self.fp).size
        width, height = BmpImagePlugin.DibImageFile(self.fp).size
        return width, height // 2  # below it lies a mask
