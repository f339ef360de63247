from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from restore_cli.errors import UnreadablePictureError, UnwritablePictureError
from restore_cli.picture import heif
from restore_cli.picture.formats import format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.metadata.exif import orientation_of
from restore_cli.picture.picture import Picture
from restore_cli.picture.reading import measure_picture, read_picture
from restore_cli.picture.signatures import recognise
from restore_cli.picture.writing import check_size, encode_picture

pillow_heif: Any = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")

LOSSLESS = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
ORIENTATION = 0x0112
HEIC = format_by_name("heic")


def heic(samples: np.ndarray, **options: Any) -> bytes:
    """Encode samples without loss, those of 16 bits with `bit_depth`."""
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[samples.shape[2]] + (";16" if samples.dtype == np.uint16 else "")
    file = io.BytesIO()
    size = samples.shape[1::-1]
    pillow_heif.encode(options.pop("mode", mode), size, samples.tobytes(), file, **LOSSLESS | options)
    return file.getvalue()


# Reading


def test_eight_bits_are_read_as_they_are(samples: np.ndarray) -> None:
    for channels in (1, 3):
        picture = read_picture(heic(samples[..., :channels].copy()))
        assert (picture.format, picture.depth, picture.notes, picture.compression) == ("heic", 8, (), None)
        assert (picture.pixels == samples[..., :channels]).all()


@pytest.mark.parametrize("bits", [10, 12])
def test_deeper_samples_keep_their_bits_and_span_all_of_sixteen(bits: int, deep_samples: np.ndarray) -> None:
    deep_samples = deep_samples.copy()
    deep_samples[0], deep_samples[1] = 0, 65_535
    picture = read_picture(heic(deep_samples, bit_depth=bits))
    assert picture.depth == 16
    assert (picture.pixels >> (16 - bits) == deep_samples >> (16 - bits)).all()
    assert (picture.pixels[0] == 0).all()
    assert (picture.pixels[1] == 65_535).all()


def test_alpha_is_read_and_what_was_multiplied_with_it_divided(samples: np.ndarray, alpha: np.ndarray) -> None:
    picture = read_picture(heic(np.dstack([samples, alpha])))
    assert (picture.pixels == samples).all()
    assert (picture.alpha == alpha).all()
    half = np.full_like(alpha, 128)
    picture = read_picture(heic(np.dstack([samples // 2, half]), mode="RGBa"))
    assert (picture.alpha == half).all()
    assert np.abs(picture.pixels.astype(int) - samples).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_once(orientation: int, samples: np.ndarray, make_exif: Any) -> None:
    tags = make_exif(orientation)
    content = heic(samples, exif=tags.tobytes())
    picture = read_picture(content)
    image = Image.fromarray(samples)
    image.getexif()[ORIENTATION] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    assert measure_picture(content) == upright.shape[:2]
    assert (picture.pixels == upright).all()
    assert picture.metadata.exif is not None
    assert orientation_of(picture.metadata.exif) == 1
    again = read_picture(encode_picture(picture, HEIC))
    assert again.pixels.shape == upright.shape
    assert np.abs(again.pixels.astype(int) - upright).mean() < 4


def test_a_profile_comes_with_the_picture(samples: np.ndarray, matrix_profile: Callable[..., bytes]) -> None:
    profile = matrix_profile("p3")
    picture = read_picture(heic(samples, icc_profile=profile))
    assert picture.metadata.icc == profile
    assert picture.beyond_srgb is not None
    again = read_picture(encode_picture(picture, HEIC))
    assert again.metadata.icc == profile


@pytest.mark.parametrize(
    ("primaries", "transfer", "is_p3", "is_told"),
    [(1, 13, False, False), (12, 13, True, False), (9, 16, False, True), (12, 18, False, True)],
)
def test_named_colours_are_taken_as_those_of_other_files(
    primaries: int, transfer: int, is_p3: bool, is_told: bool, samples: np.ndarray
) -> None:
    picture = read_picture(heic(samples, color_primaries=primaries, transfer_characteristics=transfer))
    told = ("its colours are taken for sRGB, though its header says otherwise",)
    assert picture.notes == (told if is_told else ())
    assert (picture.metadata.icc is not None) == (picture.beyond_srgb is not None) == is_p3


def test_the_main_one_of_several_pictures_is_read(samples: np.ndarray) -> None:
    others = pillow_heif.from_pillow(Image.new("RGB", (9, 9)))
    others.add_from_pillow(Image.fromarray(samples))
    file = io.BytesIO()
    others.save(file, primary_index=1, **LOSSLESS)
    picture = read_picture(file.getvalue())
    assert (picture.pixels == samples).all()
    assert picture.notes == ("only the main one of its 2 pictures is used",)


def test_what_lies_beside_the_picture_is_told_of(samples: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pillow_heif.open_heif(heic(samples))
    found[0].info |= {"aux": {"urn:com:apple:photo:2020:aux:hdrgainmap": [5]}, "depth_images": [None]}
    monkeypatch.setattr(pillow_heif, "open_heif", lambda *_, **__: found)
    notes = read_picture(heic(samples)).notes
    assert notes == ("its gain map for HDR screens is left out", "its depth map is left out")


def test_a_size_other_than_the_one_of_the_header_is_damage(
    samples: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pillow_heif.open_heif(heic(samples))
    found[0].size = (60, 30)
    monkeypatch.setattr(pillow_heif, "open_heif", lambda *_, **__: found)
    with pytest.raises(UnreadablePictureError, match="its size is not the one"):
        read_picture(heic(samples))


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"\0\0\0\x18ftypheix\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heicavif", "heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif", "avif"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1heic", "avif"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42avc1", None),
    ],
)
def test_brands_tell_heic_from_avif(head: bytes, format: str | None) -> None:
    assert recognise(head) == format


def test_the_library_is_imported_when_a_heic_is_met(samples: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(samples).save(tmp_path / "a.png")
    (tmp_path / "b.HIF").write_bytes(heic(samples))
    program = (
        "import sys; from restore_cli.picture.reading import read_picture;"
        "met = [bool(read_picture(name)) and 'pillow_heif' in sys.modules for name in ('a.png', 'b.HIF')];"
        "sys.exit(met != [False, True])"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path).returncode == 0


# Writing


@pytest.mark.parametrize("depth", [8, 16])
def test_parts_show_no_borders(
    depth: int, monkeypatch: pytest.MonkeyPatch, make_exif: Any, xmp: bytes, matrix_profile: Callable[..., bytes]
) -> None:
    monkeypatch.setattr(heif, "TILE", 64)
    rows, columns = np.mgrid[0:70, 0:150]
    level = (rows * 1.5 + columns) * (1 if depth == 8 else 256)
    samples = np.repeat(level.astype(f"u{depth // 8}")[..., None], 3, axis=2)
    content = heic(samples, exif=make_exif(1).tobytes(), xmp=xmp, icc_profile=matrix_profile("p3"))
    picture = read_picture(content)
    again = encode_picture(picture, HEIC, quality=90)
    info = pillow_heif.open_heif(again, convert_hdr_to_8bit=False)[0].info
    assert (info["tiling"]["num_columns"], info["tiling"]["num_rows"]) == (2, 3), "the packet has it on its side"
    assert info["bit_depth"] == (8 if depth == 8 else 12)
    shown = read_picture(again)
    assert shown.depth == depth
    assert np.abs(shown.pixels.astype(int) - picture.pixels).max() <= 3 * 257
    assert shown.metadata.icc == picture.metadata.icc is not None
    assert b'exif:PixelXDimension="70"' in shown.metadata.xmp
    assert shown.metadata.pixels_per_mm == picture.metadata.pixels_per_mm is not None


def test_every_exif_tag_and_the_resolution_arrive(described: Any, tags_of: Any) -> None:
    content = described("jpeg")
    picture = read_picture(content)
    before, after = tags_of(content), tags_of(encode_picture(picture, HEIC))
    assert after == before | {("", ORIENTATION): 1, ("camera", 0xA002): 40, ("camera", 0xA003): 60}
    again = read_picture(encode_picture(picture, HEIC))
    assert again.metadata.pixels_per_mm == picture.metadata.pixels_per_mm
    assert read_picture(encode_picture(picture, HEIC, strip_metadata=True)).metadata.exif is None


def test_quality_trades_bytes_for_likeness(samples: np.ndarray) -> None:
    sizes = [len(encode_picture(Picture(samples), HEIC, quality=quality)) for quality in (20, 60, None, 95)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 4


def test_depths_that_are_lost_are_told(deep_samples: np.ndarray) -> None:
    for source, lost in (("png", ("HEIC holds 12 bits a sample, not 16",)), ("heic", ()), ("avif", ())):
        assert losses(Picture(deep_samples, format=source), HEIC) == lost


def test_what_the_encoder_says_is_told_in_a_line(samples: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("Encoder plugin generated an error: no\nmemory\n")

    monkeypatch.setattr(pillow_heif, "encode", fail)
    with pytest.raises(UnwritablePictureError, match="generated an error: no memory"):
        encode_picture(Picture(samples), HEIC)


def test_a_side_that_is_too_long_is_refused() -> None:
    check_size(HEIC, 16_384, 16_384)
    with pytest.raises(UnwritablePictureError, match="16,384 pixels a side that HEIC can hold"):
        check_size(HEIC, 16_385, 1)
