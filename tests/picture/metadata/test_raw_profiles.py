"""Metadata in texts of PNG, as ImageMagick and others write it."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.metadata.iptc import photoshop_block
from restore_cli.picture.metadata.png_chunks import Chunks, read_chunks
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import open_picture, read_picture
from restore_cli.picture.writing import encode_picture


def raw_text(kind: str, block: bytes, length: int | None = None) -> bytes:
    digits = block.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return "\n".join(["", kind, f"{len(block) if length is None else length:8}", *lines, ""]).encode()


def with_text(png: bytes, kind: str, text: bytes, chunk: bytes = b"zTXt") -> bytes:
    """Put a text behind the header of a PNG."""
    keyword = f"Raw profile type {kind}".encode()
    content = (
        chunk
        + {
            b"tEXt": keyword + b"\0" + text,
            b"zTXt": keyword + b"\0\0" + zlib.compress(text),
            b"iTXt": keyword + bytes(5) + text,
        }[chunk]
    )
    return png[:33] + struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content)) + png[33:]


def chunks_of(png: bytes) -> Chunks:
    with open_picture(png) as file:
        return read_chunks(file)


@pytest.mark.parametrize("chunk", [b"tEXt", b"zTXt", b"iTXt"])
@pytest.mark.parametrize("kind", ["exif", "APP1"])
def test_exif_in_a_text_turns_the_picture(
    kind: str, chunk: bytes, samples: np.ndarray, make_exif: Any, save: Any, tags_of: Any
) -> None:
    block = make_exif(6).tobytes()
    picture = read_picture(with_text(save(samples, "PNG"), kind, raw_text(kind, block), chunk))
    assert (picture.width, picture.height) == (40, 60)
    assert (picture.notes, picture.metadata.texts) == ((), ())
    assert tags_of(encode_picture(picture, format_by_name("png")))["", 0x010F] == "Maker"


def test_the_chunk_proper_counts_more_than_a_text(samples: np.ndarray, make_exif: Any, save: Any) -> None:
    png = save(samples, "PNG", exif=make_exif(1))
    picture = read_picture(with_text(png, "exif", raw_text("exif", make_exif(6).tobytes())))
    assert (picture.width, picture.height) == (60, 40)


@pytest.mark.parametrize(("kind", "before"), [("xmp", b""), ("APP1", b"http://ns.adobe.com/xap/1.0/\0")])
def test_xmp_in_a_text_is_read(kind: str, before: bytes, samples: np.ndarray, xmp: bytes, save: Any) -> None:
    png = with_text(save(samples, "PNG"), kind, raw_text(kind, before + xmp))
    assert chunks_of(png).xmp == xmp


@pytest.mark.parametrize("kind", ["iptc", "8bim"])
@pytest.mark.parametrize("form", ["bare", "resource", "segment"])
def test_iptc_in_a_text_is_read(kind: str, form: str, samples: np.ndarray, iptc: bytes, save: Any) -> None:
    wrapped = photoshop_block(iptc)
    block = {"bare": iptc, "resource": wrapped.removeprefix(b"Photoshop 3.0\0"), "segment": wrapped}[form]
    picture = read_picture(with_text(save(samples, "PNG"), kind, raw_text(kind, block)))
    assert picture.metadata.iptc == iptc


def test_png_holds_iptc(samples: np.ndarray, iptc: bytes) -> None:
    picture, png = Picture(samples, metadata=Metadata(iptc=iptc * 20)), format_by_name("png")
    assert losses(picture, png) == ()
    again = read_picture(encode_picture(picture, png))
    assert again.metadata.iptc == iptc * 20
    assert again.metadata.texts == ()
    assert b"Raw profile" not in encode_picture(picture, png, strip_metadata=True)


@pytest.mark.parametrize("kind", ["exif", "APP1"])
@pytest.mark.parametrize(
    "text", [b"", b"\nexif\n", b"\nexif\n 2\n4d4\n", b"\nexif\n 2\nxy\n", raw_text("exif", b"MM", 3)]
)
def test_a_damaged_text_is_told_of(text: bytes, kind: str, samples: np.ndarray, save: Any) -> None:
    picture = read_picture(with_text(save(samples, "PNG"), kind, text))
    assert picture.metadata.exif is None
    assert picture.notes == ("some of its texts are damaged, or too long, and left out",)
