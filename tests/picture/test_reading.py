from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, PngImagePlugin

from restore_cli.errors import DeviceError, UnreadablePictureError
from restore_cli.picture.compression import Compression
from restore_cli.picture.metadata.directory import read_first_directory
from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.layout import LONG, SHORT, Value
from restore_cli.picture.reading import read_picture

PHOTOMETRIC, EXTRA_SAMPLES = 0x0106, 0x0152
"""Tags of a TIFF."""
LOSSY = {
    *("jpeg", "jpeg-progressive", "jpeg-grey", "jpeg-restart", "tiff-jpeg", "jp2-lossy"),
    *("webp", "webp-alpha", "webp-animated", "dds-packed", "avif", "avif-10", "avif-12", "heic", "heic-10", "heic-12"),
}
GREY = {"jpeg-grey", "png-bitmap", "tiff-bitmap", "tiff-fax", "pgm", "pgm-plain", "pbm"}
REDUCED = {"png-palette", "gif", "gif-animated", "bmp-palette", "png-bitmap", "tiff-bitmap", "tiff-fax", "pbm"}


def test_every_kind_of_file_shows_the_picture(encoded: Any, samples: np.ndarray) -> None:
    picture = read_picture(encoded.content)
    channels = 1 if encoded.name in GREY else 3
    assert picture.format == encoded.format
    assert picture.pixels.shape == (*samples.shape[:2], channels)
    assert picture.pixels.flags.c_contiguous
    deep = encoded.name in ("png-16", "tiff-16", "avif-10", "avif-12", "heic-10", "heic-12")
    assert (picture.depth, picture.pixels.dtype) == ((16, np.uint16) if deep else (8, np.uint8))
    assert (picture.alpha is not None) == (encoded.name in ("png-alpha", "webp-alpha", "tga-packed", "dds-packed"))
    expected = samples if channels == 3 else np.asarray(Image.fromarray(samples).convert("L"))[..., None]
    difference = np.abs(picture.pixels / np.float64(257 if deep else 1) - expected)
    if encoded.name == "jpeg-cmyk":  # inks of a press are other colours, but nothing is turned or inverted
        assert np.corrcoef(picture.pixels.ravel(), samples.ravel())[0, 1] > 0.9
    elif encoded.name in LOSSY:
        assert difference.mean() < 9
    elif encoded.name not in REDUCED:
        assert difference.max() == 0
    elif channels == 3:
        assert difference.mean() < 12
    else:
        assert set(np.unique(picture.pixels)) == {0, 255}
        assert abs(float(picture.pixels.mean()) - float(expected.mean())) < 4


def test_a_system_without_threads_is_not_told_as_a_damaged_file(
    save: Any, samples: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise pyvips.Error("unable to call", detail="GThread: Error creating thread: Resource temporarily unavailable")

    file = save(samples, "jpeg")
    monkeypatch.setattr("restore_cli.picture.vips.decode", refuse)
    with pytest.raises(DeviceError, match=r"cannot read .*: the system gives no more threads") as caught:
        read_picture(file)
    assert "--threads" in caught.value.hint


def test_only_the_first_of_several_frames_is_used_and_that_is_said(encoded: Any) -> None:
    notes = read_picture(encoded.content).notes
    animated = encoded.name.endswith("-animated")
    assert ("only the first of 3 pages or frames is used" in notes) == animated


def test_only_the_first_page_of_a_tiff_is_used(samples: np.ndarray, save: Any) -> None:
    others = [Image.fromarray(255 - samples), Image.new("1", (9, 9))]
    content = save(samples, "TIFF", save_all=True, append_images=others)
    picture = read_picture(content)
    assert picture.notes == ("only the first of 3 pages or frames is used",)
    assert (picture.pixels == samples).all()


@pytest.mark.parametrize("format", ["png", "tiff", "tiff-big"])
def test_sixteen_bits_are_read_whole(format: str, deep_samples: np.ndarray, to_vips: Any) -> None:
    image = to_vips(deep_samples)
    content = image.pngsave_buffer() if format == "png" else image.tiffsave_buffer(bigtiff=format == "tiff-big")
    picture = read_picture(content)
    assert picture.depth == 16
    assert (picture.pixels == deep_samples).all()


@pytest.mark.parametrize("bits", [10, 12])
def test_white_and_black_of_a_deep_avif_stay_white_and_black(bits: int, to_vips: Any) -> None:
    halves = np.zeros((32, 64, 3), np.uint16)
    halves[:, 32:] = 65_535
    content = to_vips(halves).heifsave_buffer(compression="av1", bitdepth=bits, lossless=True, effort=1)
    picture = read_picture(content)
    assert picture.depth == 16
    assert (picture.pixels == halves).all()


def test_grey_with_alpha_keeps_both(samples: np.ndarray, alpha: np.ndarray, save: Any) -> None:
    grey = np.dstack([samples[..., 0], alpha])
    for format in ("PNG", "TIFF"):
        picture = read_picture(save(grey, format))
        assert picture.alpha is not None
        assert (picture.pixels[..., 0] == samples[..., 0]).all()
        assert (picture.alpha == alpha).all()


def test_colour_with_alpha_keeps_both(samples: np.ndarray, alpha: np.ndarray, save: Any) -> None:
    for format, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True}), ("TGA", {})):
        picture = read_picture(save(np.dstack([samples, alpha]), format, **options))
        assert picture.alpha is not None
        assert (picture.pixels == samples).all(), format
        assert (picture.alpha == alpha).all(), format


def test_premultiplied_alpha_is_undone(samples: np.ndarray, to_vips: Any) -> None:
    half = np.full(samples.shape[:2], 128, np.uint8)
    picture = read_picture(to_vips(np.dstack([samples, half])).tiffsave_buffer(premultiply=True))
    assert picture.alpha is not None
    assert (picture.alpha == 128).all()
    assert np.abs(picture.pixels.astype(int) - samples).max() <= 2


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_colour_gets_an_alpha(format: str, save: Any) -> None:
    palette = Image.new("P", (20, 10), 0)
    palette.putpalette([10, 20, 30, 200, 100, 50, 0, 0, 0])
    palette.paste(1, (10, 0, 20, 10))
    plain = read_picture(save(palette, format))
    assert plain.alpha is None
    clear = read_picture(save(palette, format, transparency=1))
    assert clear.alpha is not None
    for picture in (plain, clear):
        assert (picture.pixels[:, :10] == (10, 20, 30)).all()
    assert (plain.pixels[:, 10:] == (200, 100, 50)).all()
    assert (clear.alpha[:, :10] == 255).all()
    assert (clear.alpha[:, 10:] == 0).all()


def test_white_is_zero_in_some_tiffs(samples: np.ndarray, to_vips: Any) -> None:
    grey = np.ascontiguousarray(samples[..., 0])
    picture = read_picture(to_vips(grey).tiffsave_buffer(miniswhite=True))
    assert (picture.pixels[..., 0] == grey).all()


def test_lab_becomes_srgb(samples: np.ndarray, to_vips: Any) -> None:
    lab = to_vips(samples).colourspace("lab")
    picture = read_picture(lab.cast("float").colourspace("labs").tiffsave_buffer())
    in_gamut = np.abs(picture.pixels / 257 - samples)
    assert picture.depth == 16
    assert in_gamut.max() < 1.5


def test_a_profile_beside_lab_is_none_of_its_colours(
    samples: np.ndarray, to_vips: Any, matrix_profile: Callable[..., bytes]
) -> None:
    lab = to_vips(samples).colourspace("lab").cast("float").colourspace("labs")
    plain = read_picture(lab.tiffsave_buffer())
    for profile in (matrix_profile("p3"), b"a profile of Lab"):
        image = lab.copy()
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        picture = read_picture(image.tiffsave_buffer())
        assert (picture.pixels == plain.pixels).all()
        assert picture.metadata.icc is None
        assert picture.notes == ("L*a*b* is converted to sRGB",)


def test_alpha_beside_lab_stays(samples: np.ndarray, to_vips: Any) -> None:
    alpha = np.linspace(0, np.iinfo(np.uint16).max, samples.shape[1]).astype(np.uint16)[None].repeat(len(samples), 0)
    lab = to_vips(samples).colourspace("lab").cast("float").colourspace("labs")
    joined = lab.bandjoin(pyvips.Image.new_from_array(alpha).copy(format="short"))
    picture = read_picture(joined.copy(interpretation="labs").tiffsave_buffer())
    assert picture.alpha is not None
    assert (picture.alpha == alpha).all()
    assert np.abs(picture.pixels / 257 - samples).max() < 1.5
    assert picture.notes == ("L*a*b* is converted to sRGB",)


def test_grey_with_several_extra_channels_stays_grey(samples: np.ndarray) -> None:
    bands = pyvips.Image.new_from_array(samples).copy(interpretation="b-w")
    picture = read_picture(bands.tiffsave_buffer())
    assert (picture.pixels == samples[..., :1]).all()
    assert picture.alpha is not None
    assert (picture.alpha == samples[..., 1]).all()
    assert picture.notes == ("an extra channel is left out",)


def test_a_bitmap_that_would_be_invisible_has_no_alpha(samples: np.ndarray, alpha: np.ndarray) -> None:
    empty = read_picture(bmp_with_alpha(np.dstack([samples, np.zeros_like(alpha)])))
    assert empty.alpha is None
    assert (empty.pixels == samples).all()
    kept = read_picture(bmp_with_alpha(np.dstack([samples, alpha])))
    assert kept.alpha is not None
    assert (kept.alpha == alpha).all()


def bmp_with_alpha(samples: np.ndarray) -> bytes:
    """Encode h, w, 4 samples with the header of version 4, whose masks name an alpha."""
    height, width = samples.shape[:2]
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, width, -height, 1, 32, 3, samples.size, 2835, 2835, 0, 0) + masks
    header = header.ljust(108, b"\0")
    content = samples[..., [2, 1, 0, 3]].tobytes()
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(content), 0, 0, 14 + len(header)) + header + content


@pytest.mark.parametrize(("kind", "has_alpha"), [(0, False), (2, True), (None, True)])
def test_what_a_tiff_calls_unspecified_is_no_alpha(
    kind: int | None, has_alpha: bool, samples: np.ndarray, alpha: np.ndarray, save: Any
) -> None:
    content = with_tags(save(np.dstack([samples, alpha]), "TIFF"), {EXTRA_SAMPLES: kind})
    picture = read_picture(content)
    assert (picture.pixels == samples).all()
    assert (picture.alpha is not None) == has_alpha
    assert picture.notes == (() if has_alpha else ("an extra channel is left out",))


@pytest.mark.parametrize(
    ("photometric", "name"), [(6, "YCbCr without JPEG compression"), (9, r"L\*a\*b\*"), (10, r"L\*a\*b\*")]
)
def test_colours_that_would_be_taken_for_rgb_are_refused(
    photometric: int, name: str, samples: np.ndarray, save: Any
) -> None:
    content = with_tags(save(samples, "TIFF"), {PHOTOMETRIC: photometric})
    with pytest.raises(UnreadablePictureError, match=f"{name}.* is not supported") as caught:
        read_picture(content)
    assert caught.value.hint == "save it as RGB"


def with_tags(tiff: bytes, changed: dict[int, int | None]) -> bytes:
    """Give a TIFF other values of short numbers; None takes a tag out."""
    directory = read_first_directory(tiff)
    layout, values = directory.layout, directory.values(directory.layout)
    for tag, value in changed.items():
        values.pop(tag, None)
        if value is not None:
            values[tag] = Value(SHORT, struct.pack(f"{layout.order}H", value))
    end = len(tiff) + len(tiff) % 2
    writer = DirectoryWriter(layout, end)
    new = writer.add(values)
    return tiff[:4] + layout.offset.pack(new) + tiff[8:].ljust(end - 8, b"\0") + writer.content


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_that_lacks_its_last_marker_alone_is_whole(
    options: dict[str, bool], missing: int, samples: np.ndarray, save: Any
) -> None:
    content = save(samples, "JPEG", **options)
    whole, cut = read_picture(content), read_picture(content[:-missing])
    assert (cut.pixels == whole.pixels).all()
    assert cut.notes == ("the marker at its end is missing",)
    for lost in (12, len(content) // 3):
        with pytest.raises(UnreadablePictureError, match="cut, damaged"):
            read_picture(content[:-lost])


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (b'http://ns.adobe.com/xap/1.0/\0<x GCamera:MotionPhoto="1"/>', "the video behind it is left out"),
        (
            b"http://ns.adobe.com/xap/1.0/\0<x><GCamera:MotionPhoto>1</GCamera:MotionPhoto></x>",
            "the video behind it is left out",
        ),
        (b"http://ns.adobe.com/xap/1.0/\0<x><Camera:MotionPhoto> 0</Camera:MotionPhoto></x>", None),
        (b"http://ns.adobe.com/xmp/extension/\0" + bytes(60), "its extended XMP is left out"),
        (b'http://ns.adobe.com/xap/1.0/\0<x GCamera:MotionPhoto="0"/>', None),
    ],
)
def test_what_else_lies_in_a_jpeg_is_told_of(said: bytes, note: str | None, samples: np.ndarray, save: Any) -> None:
    content = save(samples, "JPEG")
    segment = b"\xff\xe1" + (2 + len(said)).to_bytes(2, "big") + said
    assert read_picture(content[:2] + segment + content[2:]).notes == ((note,) if note else ())


def test_the_largest_of_several_sizes_is_used_and_that_is_said(samples: np.ndarray, save: Any) -> None:
    icon = Image.fromarray(samples).resize((64, 64))
    picture = read_picture(save(icon, "ICO", sizes=[(16, 16), (64, 64), (32, 32)]))
    assert (picture.height, picture.width) == (64, 64)
    assert picture.notes == ("only the largest of its 3 sizes is used",)


def test_frames_of_an_avif_are_told_of(samples: np.ndarray, save: Any) -> None:
    frames = [Image.fromarray(np.roll(samples, shift, axis=0)) for shift in (5, 10)]
    moving = save(samples, "AVIF", save_all=True, append_images=frames, speed=10)
    assert read_picture(moving).notes == ("only the first of its frames is used",)
    assert read_picture(save(samples, "AVIF", speed=10)).notes == ()


def test_extra_channels_are_left_out_and_that_is_said(samples: np.ndarray) -> None:
    six = pyvips.Image.new_from_array(np.dstack([samples, samples])).copy(interpretation="srgb")
    picture = read_picture(six.tiffsave_buffer())
    assert (picture.pixels == samples).all()
    assert picture.notes == ("2 extra channels are left out",)


def test_floats_are_refused_with_a_way_out(samples: np.ndarray) -> None:
    image = pyvips.Image.new_from_array(samples.astype(np.float32))
    with pytest.raises(UnreadablePictureError, match="samples of kind float are not supported") as caught:
        read_picture(image.tiffsave_buffer())
    assert "8 or 16 bits" in caught.value.hint


def test_a_jpeg_with_a_gain_map_is_an_ordinary_jpeg(samples: np.ndarray) -> None:
    if not pyvips.type_find("VipsOperation", "uhdrsave_buffer"):
        pytest.skip("this libvips cannot make JPEGs with a gain map")
    bright = pyvips.Image.new_from_array((samples / np.float32(128)) ** 2).copy(interpretation="scrgb")
    picture = read_picture(bright.uhdrsave_buffer())
    assert picture.format == "jpeg"
    assert picture.pixels.shape == samples.shape
    assert picture.notes == ("its gain map for HDR screens is left out",)


def test_what_a_file_says_far_from_its_start_is_found(samples: np.ndarray, save: Any, tmp_path: Path) -> None:
    """libvips reads through the descriptor of the file that Python reads, too."""
    content, filler = save(samples, "JPEG"), b"\xff\xeb\xff\xff" + bytes(65_533)
    said = b"\xff\xeb" + (2 + len(b"hdrgm:Version")).to_bytes(2, "big") + b"hdrgm:Version"
    path = tmp_path / "far.jpg"
    path.write_bytes(content[:2] + filler + said + content[2:])
    picture = read_picture(path)
    assert picture.notes == ("its gain map for HDR screens is left out",)
    assert picture.compression == Compression("JPEG", 75)


def test_a_long_xmp_packet_of_a_png_is_read_whole(samples: np.ndarray, save: Any, tmp_path: Path) -> None:
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"".join(b"<a%d/>" % i for i in range(9000)) + b"</x:xmpmeta>"
    said = PngImagePlugin.PngInfo()
    said.add_itxt("XML:com.adobe.xmp", packet.decode())
    path = tmp_path / "long.png"
    path.write_bytes(save(samples, "PNG", pnginfo=said))
    assert read_picture(path).metadata.xmp == packet


def test_what_a_jpeg_decoder_warns_of_is_passed_on(samples: np.ndarray, save: Any) -> None:
    content = save(samples, "JPEG", progressive=True)
    padded = content[:-2] + b"\x55" * 40 + content[-2:]
    picture = read_picture(padded)
    assert (picture.pixels == read_picture(content).pixels).all()
    assert len(picture.notes) == 1
    assert picture.notes[0].startswith("parts of it may be damaged: Corrupt JPEG data")


def test_raw_files_of_cameras_are_refused(samples: np.ndarray, tmp_path: Path) -> None:
    small = pyvips.Image.new_from_array(samples).copy(interpretation="srgb").tiffsave_buffer()
    directory = read_first_directory(small)
    layout = directory.layout
    writer = DirectoryWriter(layout, len(small) + len(small) % 2)
    hidden = writer.add({0x0106: Value(SHORT, struct.pack("<H", 32_803))})
    first = writer.add(directory.values(layout) | {0x014A: Value(LONG, struct.pack("<I", hidden))})
    raw = small[:4] + struct.pack("<I", first) + small[8:] + bytes(len(small) % 2) + bytes(writer.content)
    canon = small[:8] + b"CR" + small[10:]
    for content in (raw, canon):
        with pytest.raises(UnreadablePictureError, match="camera's raw file"):
            read_picture(content)
    assert (read_picture(small).pixels == samples).all()
