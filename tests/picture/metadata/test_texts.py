"""Text chunks of PNG and comments of JPEG go with the picture, and what cannot is named."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.metadata import png_chunks, png_text
from restore_cli.picture.metadata.png_chunks import read_chunks
from restore_cli.picture.metadata.png_text import unpack_text
from restore_cli.picture.metadata.texts import Text
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

WORDS = {"parameters": "a cat, Steps: 20", "Author": "Zoë Ångström", "prompt": '{"1": "猫"}', "Comment": "packed " * 40}


def info() -> PngInfo:
    """Return WORDS as Pillow writes them: plain, plain, international, packed."""
    texts = PngInfo()
    for keyword, words in WORDS.items():
        if keyword == "prompt":
            texts.add_itxt(keyword, words, "ja", "お題")
        else:
            texts.add_text(keyword, words, zip=keyword == "Comment")
    return texts


def written(picture: Picture, name: str, **options: Any) -> bytes:
    return encode_picture(picture, format_by_name(name), **options)


def words_in(png: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return dict(image.text)


def comments_in(jpeg: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return [content for kind, content in image.applist if kind == "COM"]


def with_comments(jpeg: bytes, *comments: bytes) -> bytes:
    return jpeg[:2] + b"".join(struct.pack(">BBH", 255, 254, len(each) + 2) + each for each in comments) + jpeg[2:]


def test_texts_of_png_are_kept(samples: np.ndarray, save: Any) -> None:
    picture = read_picture(save(samples, "PNG", pnginfo=info()))
    assert {text.keyword: text.words for text in picture.metadata.texts} == WORDS
    assert words_in(written(picture, "png")) == WORDS
    assert losses(picture, format_by_name("png")) == ()
    assert words_in(written(picture, "png", strip_metadata=True)) == {}


def test_the_language_of_a_text_and_its_keyword_in_it_are_kept(samples: np.ndarray, save: Any) -> None:
    texts = PngInfo()
    texts.add_itxt("Title", "Blick vom Hügel", "de", "Überschrift")
    texts.add_itxt("Author", "Ann", "en", zip=True)
    png = written(read_picture(save(samples, "PNG", pnginfo=texts)), "png")
    assert b"iTXtTitle\0\0\0de\0" + "Überschrift\0Blick vom Hügel".encode() in png
    assert b"iTXtAuthor\0\0\0en\0\0Ann" in png


def test_texts_behind_the_samples_are_kept(samples: np.ndarray, save: Any) -> None:
    plain = save(samples, "PNG")
    content = b"tEXtTitle\0A late one"
    late = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    assert words_in(written(read_picture(plain[:-12] + late + plain[-12:]), "png")) == {"Title": "A late one"}


def test_times_of_the_file_and_copies_of_exif_are_not_taken_along(samples: np.ndarray, save: Any) -> None:
    texts = PngInfo()
    for keyword in ("date:create", "exif:Orientation", "Raw profile type exif", "Thumb::Image::Width", "Title"):
        texts.add_text(keyword, "1")
    assert words_in(written(read_picture(save(samples, "PNG", pnginfo=texts)), "png")) == {"Title": "1"}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"tEXt", b"no keyword"),
        (b"tEXt", b"\0an empty one"),
        (b"tEXt", b"k" * 80 + b"\0too long"),
        (b"zTXt", b"Title\0\0junk"),
        (b"zTXt", b"Title\0\0" + zlib.compress(b"cut off" * 50)[:-9]),
        (b"tEXt", b"Title\0" + bytes(2001)),
        (b"zTXt", b"Title\0\0" + zlib.compress(bytes(2001))),
    ],
)
def test_damaged_and_endless_texts_are_told_of(
    kind: bytes, content: bytes, samples: np.ndarray, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png_chunks, "LARGEST_TEXTS", 2000)
    plain = save(samples, "PNG")
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    picture = read_picture(plain[:33] + chunk + plain[33:])
    assert picture.metadata.texts == ()
    assert "some of its texts are damaged, or too long, and left out" in picture.notes


def test_all_texts_together_have_a_limit(samples: np.ndarray, save: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_chunks, "LARGEST_TEXTS", 2000)
    texts = PngInfo()
    for keyword in "abc":
        texts.add_text(keyword, keyword * 900)
    picture = read_picture(save(samples, "PNG", pnginfo=texts))
    assert [text.keyword for text in picture.metadata.texts] == ["a", "b"]
    assert any("too long" in note for note in picture.notes)


def test_damaged_texts_count_among_all(samples: np.ndarray, save: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_chunks, "LARGEST_TEXTS", 200_000)
    plain, content = save(samples, "PNG"), b"Title\0\0" + zlib.compress(bytes(150_000))[:-6]
    chunk = struct.pack(">I", len(content)) + b"zTXt" + content + struct.pack(">I", zlib.crc32(b"zTXt" + content))
    rooms: list[int] = []

    def watched(kind: bytes, content: bytes, largest: int) -> Any:
        rooms.append(largest)
        return unpack_text(kind, content, largest)

    monkeypatch.setattr(png_text, "unpack_text", watched)
    assert read_chunks(io.BytesIO(plain[:33] + chunk * 4 + plain[33:])).lost_texts
    assert rooms[0] == 200_000 > 2 * rooms[1]
    assert rooms[2:] == [0, 0]


def test_comments_of_jpeg_are_kept(samples: np.ndarray, save: Any, make_exif: Any) -> None:
    source = with_comments(save(samples, "JPEG", exif=make_exif(1)), "für alle".encode(), b"caf\xe9\0", b"")
    picture = read_picture(source)
    again = written(picture, "jpeg")
    assert comments_in(again) == ["für alle".encode(), "café".encode()]
    assert again[2:4] != b"\xff\xfe"  # what belongs to applications comes first
    assert read_picture(again).metadata.texts == picture.metadata.texts
    assert losses(picture, format_by_name("jpeg")) == ()
    assert comments_in(written(picture, "jpeg", strip_metadata=True)) == []


def test_filling_before_a_comment_is_passed_over(samples: np.ndarray, save: Any) -> None:
    source = with_comments(save(samples, "JPEG"), b"here")
    assert read_picture(source[:2] + b"\xff\xff" + source[2:]).metadata.texts == (Text("Comment", "here"),)


def test_a_comment_goes_from_one_format_to_the_other(samples: np.ndarray, save: Any) -> None:
    jpeg = read_picture(with_comments(save(samples, "JPEG"), b"seen from the hill"))
    png = written(jpeg, "png")
    assert words_in(png) == {"Comment": "seen from the hill"}
    assert comments_in(written(read_picture(png), "jpeg")) == [b"seen from the hill"]


def test_texts_that_a_format_cannot_hold_are_named(samples: np.ndarray) -> None:
    texts = tuple(Text(keyword, words) for keyword, words in WORDS.items())
    picture = Picture(samples, metadata=Metadata(texts=texts))
    assert losses(picture, format_by_name("jpeg")) == (
        "JPEG is written without the picture's text (parameters, Author, prompt)",
    )
    assert losses(picture, format_by_name("webp")) == (
        "WEBP is written without the picture's text (parameters, Author, prompt, ...)",
    )
    assert losses(picture, format_by_name("webp"), strip_metadata=True) == ()


@pytest.mark.parametrize(("size", "is_lost"), [(65_533, False), (65_534, True)])
def test_a_long_comment_fits_or_is_named_as_lost(size: int, is_lost: bool, samples: np.ndarray) -> None:
    picture = Picture(samples, metadata=Metadata(texts=(Text("Comment", "x" * size),)))
    assert (not comments_in(written(picture, "jpeg"))) == is_lost
    assert bool(losses(picture, format_by_name("jpeg"))) == is_lost
