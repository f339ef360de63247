from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.picture.formats import format_by_name
from restore_cli.picture.metadata.png_chunks import insert_chunks, read_chunks, walk_chunks
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("form", ["plain", "packed", "zTXt"])
def test_chunks_are_found_wherever_they_stand(
    late: bool, form: str, samples: np.ndarray, xmp: bytes, make_exif: Any, save: Any
) -> None:
    key = b"XML:com.adobe.xmp\0"
    text = {
        "plain": chunk(b"iTXt", key + b"\0\0en\0Titel\0" + xmp),
        "packed": chunk(b"iTXt", key + b"\1\0\0\0" + zlib.compress(xmp)),
        "zTXt": chunk(b"zTXt", key + b"\0" + zlib.compress(xmp)),
    }[form]
    plain = save(samples, "PNG")
    at = len(plain) - 12 if late else 33
    content = plain[:at] + text + chunk(b"eXIf", make_exif(6).tobytes()[6:]) + plain[at:]
    chunks = read_chunks(io.BytesIO(content))
    exif, packet, has_profile = chunks.exif, chunks.xmp, chunks.has_profile
    assert (exif, packet, has_profile) == (make_exif(6).tobytes()[6:], xmp, False)
    picture = read_picture(content)
    assert (picture.width, picture.height) == (40, 60)
    png = format_by_name("png")
    assert png is not None
    with Image.open(io.BytesIO(encode_picture(picture, png))) as image:
        assert image.info["xmp"].startswith(b'<?xpacket begin="\xef\xbb\xbf"')  # UTF-8, as the standard has it


def test_of_two_blocks_the_first_counts(samples: np.ndarray, save: Any) -> None:
    plain, key = save(samples, "PNG"), b"XML:com.adobe.xmp" + bytes(5)
    blocks = [chunk(b"eXIf", b"II*\0" + which) + chunk(b"iTXt", key + which) for which in (b"first", b"second")]
    chunks = read_chunks(io.BytesIO(plain[:33] + b"".join(blocks) + plain[33:]))
    assert (chunks.exif, chunks.xmp) == (b"II*\0first", b"first")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({b"gAMA": struct.pack(">I", 45_455)}, None),
        ({b"gAMA": struct.pack(">I", 100_000)}, "gAMA"),
        ({b"gAMA": struct.pack(">I", 100_000), b"sRGB": b"\0"}, None),
        ({b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)}, None),
        ({b"cHRM": struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)}, "cHRM"),
        ({b"cICP": bytes((1, 13, 0, 1))}, None),
        ({b"cICP": bytes((9, 16, 0, 1)), b"sRGB": b"\0"}, "cICP"),
        ({b"gAMA": b"\0"}, None),
    ],
)
def test_colours_other_than_srgb_are_told_of(
    said: dict[bytes, bytes], told: str | None, samples: np.ndarray, save: Any
) -> None:
    plain = save(samples, "PNG")
    content = plain[:33] + b"".join(chunk(kind, data) for kind, data in said.items()) + plain[33:]
    assert read_chunks(io.BytesIO(content)).other_colours == told
    notes = read_picture(content).notes
    assert any("taken for sRGB" in note for note in notes) == (told is not None)


@pytest.mark.parametrize(("coded", "is_p3"), [((12, 13), True), ((12, 16), False), ((1, 13), False)])
def test_display_p3_by_its_numbers_is_display_p3(
    coded: tuple[int, int], is_p3: bool, samples: np.ndarray, save: Any
) -> None:
    plain = save(samples, "PNG")
    picture = read_picture(plain[:33] + chunk(b"cICP", bytes((*coded, 0, 1))) + plain[33:])
    assert (picture.metadata.icc is not None) == is_p3
    assert (picture.beyond_srgb is not None) == is_p3


def test_frames_are_counted(samples: np.ndarray) -> None:
    file = io.BytesIO()
    frames = [Image.fromarray(np.roll(samples, shift, axis=0)) for shift in (1, 2)]
    Image.fromarray(samples).save(file, "PNG", save_all=True, append_images=frames)
    assert "only the first of 3 pages or frames is used" in read_picture(file.getvalue()).notes


@pytest.mark.parametrize(
    ("kind", "content"), [(b"grAb", bytes(8)), (b"oFFs", bytes(9)), (b"npTc", bytes(84)), (b"prVt", bytes(8))]
)
def test_places_in_pixels_are_told_of(kind: bytes, content: bytes, samples: np.ndarray, save: Any) -> None:
    plain = save(samples, "PNG")
    notes = read_picture(plain[:33] + chunk(kind, content) + plain[33:]).notes
    assert len(notes) == (kind != b"prVt")
    assert all(f"({kind.decode()}" in note and "left out" in note for note in notes)


@pytest.mark.parametrize("text", [b"", b"\1\0\0\0junk", b"\1\0", b"\0\0"])
def test_damaged_texts_hold_no_xmp(text: bytes, samples: np.ndarray, save: Any) -> None:
    plain = save(samples, "PNG")
    content = plain[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0" + text) + plain[33:]
    assert not read_chunks(io.BytesIO(content)).xmp
    assert (read_picture(content).pixels == samples).all()


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_chunks_are_inserted_into_files_of_any_size(size: int, tmp_path: Path) -> None:
    before = bytes(range(33)) + np.random.default_rng(size).bytes(size)
    path = tmp_path / "a.png"
    path.write_bytes(before)
    with path.open("r+b") as file:
        insert_chunks(file, b"II*\0exif", b"<xmp/>")
    after = path.read_bytes()
    inserted = chunk(b"eXIf", b"II*\0exif") + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<xmp/>")
    assert after == before[:33] + inserted + before[33:]


def test_every_chunk_is_walked_and_a_cut_one_is_the_last(samples: np.ndarray, save: Any) -> None:
    png = save(samples, "PNG")
    whole = [(part.kind, part.at, part.read()) for part in walk_chunks(io.BytesIO(png))]
    assert (whole[0][0], whole[-1]) == (b"IHDR", (b"IEND", len(png) - 4, b""))
    for length in (0, 8, 15, 16, 30, 33, 41, len(png) - 20, len(png) - 1):
        found = [(part.kind, part.at, part.read()) for part in walk_chunks(io.BytesIO(png[:length]))]
        assert found[:-1] == whole[: len(found[:-1])]
        for kind, at, content in found[-1:]:
            assert (kind, at, png[at:length]) == (*whole[len(found) - 1][:2], png[at:length])
            assert whole[len(found) - 1][2].startswith(content)


def test_a_chunk_that_is_longer_than_the_file_ends_the_walk(samples: np.ndarray, save: Any) -> None:
    head = save(samples, "PNG")[:33]
    parts = list(walk_chunks(io.BytesIO(head + struct.pack(">I", 2**32 - 1) + b"tEXt" + bytes(20))))
    assert [part.kind for part in parts] == [b"IHDR", b"tEXt"]
    assert parts[-1].read(12) == bytes(12)


def test_of_chunks_that_a_png_may_have_once_the_first_counts(samples: np.ndarray, save: Any) -> None:
    plain = save(samples, "PNG")
    stated, ratio = (chunk(b"pHYs", struct.pack(">IIB", 3000, 2000, unit)) for unit in (1, 0))
    assert read_picture(plain[:33] + stated + ratio + plain[33:]).metadata.pixels_per_mm == (3.0, 2.0)
    assert read_picture(plain[:33] + ratio + stated + plain[33:]).metadata.pixels_per_mm is None
