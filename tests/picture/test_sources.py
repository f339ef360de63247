from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import pyvips

from restore_cli.errors import UnreadablePictureError
from restore_cli.picture import pillow, tga
from restore_cli.picture.formats import HAS_HEIC
from restore_cli.picture.heif import HeicImage
from restore_cli.picture.pillow import PillowImage
from restore_cli.picture.reading import measure_picture, read_picture

# Names and kinds of sources


@pytest.mark.parametrize(
    "name",
    [
        *("a b.png", "a[1].png", "a[page=2].png", "line\nbreak.png", "a.tif", "noending", "%d.png", "-.png", "a:b.png"),
        *("\N{SNOWMAN}\N{GRINNING FACE}.png", os.fsdecode(b"\xff\xfe\xe9.png")),
    ],
)
def test_any_name_is_read(name: str, tmp_path: Path, samples: np.ndarray, save: Any) -> None:
    path = tmp_path / name
    path.write_bytes(save(samples, "PNG"))
    assert (read_picture(path).pixels == samples).all()
    path.write_bytes(b"no picture")
    with pytest.raises(UnreadablePictureError) as caught:
        read_picture(path)
    assert caught.value.message.isprintable()
    caught.value.message.encode()


def test_bytes_and_files_are_read_alike(encoded: Any, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded.content)
    one, other = read_picture(path), read_picture(encoded.content)
    assert (one.pixels == other.pixels).all()
    assert (one.depth, one.format, one.metadata, one.notes) == (other.depth, other.format, other.metadata, other.notes)


@pytest.mark.parametrize("format", ["PNG", "BMP"])
def test_a_pipe_is_read(format: str, samples: np.ndarray, save: Any) -> None:
    out, into = os.pipe()

    def fill() -> None:
        with open(into, "wb") as file:
            file.write(save(samples, format))

    writer = threading.Thread(target=fill)
    writer.start()
    try:
        picture = read_picture(Path(f"/dev/fd/{out}"))
    finally:
        writer.join()
        os.close(out)
    assert (picture.pixels == samples).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "it is empty"),
        (b"This is a letter, not a picture.\n" * 20, "no known picture format"),
        (bytes(10_000), "no known picture format"),
        (b"\x89PNG", "no known picture format"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
            r"a drawing \(SVG\), which is not supported",
        ),
        (b"%PDF-1.4\n" + bytes(2000), "it is a PDF, which is not supported"),
        (b"8BPS\0\1" + bytes(2000), "it is a document of Photoshop, which is not supported"),
        (b"\xff\x0a" + bytes(2000), "it is JPEG XL, which is not supported"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(2000), "cut, damaged or of a kind that is not supported"),
        (b"P6 3 x 255\n" + bytes(99), "header is cut or damaged"),
        (b"P6 3 0 255\n" + bytes(99), "header is damaged"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadablePictureError, match=reason) as caught:
        read_picture(path)
    assert caught.value.message.startswith(f"cannot read {path}: ")
    assert "\n" not in caught.value.message


def test_heic_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch, encoded_avif: bytes) -> None:
    def decode(*_: Any) -> None:
        raise pyvips.Error("no decoder", "heif: Support for this compression format has not been built in: HEVC\n")

    monkeypatch.setattr("restore_cli.picture.reading.HAS_HEIC", False)
    heic = encoded_avif[:8] + b"heic" + encoded_avif[12:]
    assert measure_picture(heic) == read_picture(encoded_avif).pixels.shape[:2]
    monkeypatch.setattr("restore_cli.picture.vips.decode", decode)  # builds of libvips differ in what they decode
    for look, content in ((read_picture, encoded_avif), (read_picture, heic), (measure_picture, heic)):
        with pytest.raises(UnreadablePictureError, match="it is HEIC, whose compression is not supported") as caught:
            look(content)
        assert caught.value.hint == "pip install 'restore-cli[heic]', or save it as JPEG or TIFF"
    assert measure_picture(encoded_avif), "of other files nothing is decoded"


FORK = """
import os, sys
import numpy as np
from restore_cli import Picture, RestoreError, encode_picture, read_picture

picture = Picture(np.zeros((9, 9, 3), np.uint8))
if sys.argv[1] == "used":
    content = encode_picture(picture, "png")
child = os.fork()
if child == 0:
    try:
        read_picture(encode_picture(picture, "png"))
    except RestoreError as error:
        print(error, "|", error.hint, flush=True)
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no system that forks")
@pytest.mark.parametrize("before", ["used", "unused"])
def test_a_process_that_is_forked_never_hangs(before: str) -> None:
    program = [sys.executable, "-c", FORK, before]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    told = "this process was forked after pictures were read or written | start processes with spawn"
    assert done.stdout.startswith(told) if before == "used" else not done.stdout


class FailingDisk(io.RawIOBase):
    """A file of which bytes from a place on cannot be read."""

    def __init__(self, content: bytes, readable: int) -> None:
        self._content, self._readable = io.BytesIO(content), readable

    def seek(self, *place: int) -> int:
        return self._content.seek(*place)

    def tell(self) -> int:
        return self._content.tell()

    def read(self, count: int = -1) -> bytes:
        part = self._content.read(count)
        if self.tell() > self._readable:
            raise OSError(errno.EIO, "Input/output error")
        return part


@pytest.mark.parametrize("share", [0, 0.9])
@pytest.mark.parametrize("format", ["BMP", "TGA", "JPEG2000", "HEIF"])
def test_a_disk_that_fails_is_no_damage(format: str, share: float, save: Any) -> None:
    if format == "HEIF" and not HAS_HEIC:
        pytest.skip("pillow-heif is not installed")
    content = save(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8), format)
    disk = FailingDisk(content, round(share * len(content)))
    with pytest.raises(OSError, match="Input/output error"):
        decode_with_its_reader(disk, format)


def decode_with_its_reader(disk: Any, format: str) -> None:
    if format == "TGA":
        header = tga.read_header(disk)
        assert header is not None
        tga.decode(disk, header)
    else:
        (HeicImage if format == "HEIF" else PillowImage)(disk).decode()


def test_a_place_before_the_start_is_damage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def open_before_start(file: IO[bytes]) -> None:
        file.seek(-1)

    path = tmp_path / "a.tga"
    path.write_bytes(bytes(99))
    monkeypatch.setattr(pillow, "_open", open_before_start)
    with pytest.raises(UnreadablePictureError, match="its header is damaged"):
        read_picture(path)


def test_the_reason_is_what_was_wrong_and_not_where_it_showed(encoded_avif: bytes) -> None:
    with pytest.raises(UnreadablePictureError, match="cut, damaged") as caught:
        read_picture(encoded_avif[:-40])
    assert "bad seek" not in caught.value.message
    assert "Unexpected end of file" in caught.value.message


@pytest.fixture
def encoded_avif(samples: np.ndarray, to_vips: Any) -> bytes:
    content: bytes = to_vips(samples).heifsave_buffer(compression="av1", effort=1)
    return content


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePictureError, match="Is a directory"):
        read_picture(tmp_path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(UnreadablePictureError, match=r"a\\x00b\.png: no file can have this name"):
        read_picture(Path("a\0b.png"))


# Limits


def test_more_pixels_than_allowed_are_refused(encoded: Any, samples: np.ndarray) -> None:
    pixels = samples.shape[0] * samples.shape[1]
    assert read_picture(encoded.content, max_pixels=pixels).height == samples.shape[0]
    with pytest.raises(UnreadablePictureError, match=r"60x40 pixels are more than the limit of 2,399") as caught:
        read_picture(encoded.content, max_pixels=pixels - 1)
    assert "--max-pixels" in caught.value.hint


BOMBS = {
    "png": "chunk(b'IHDR', struct.pack('>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0)) + chunk(b'IDAT', bytes(9))",
    "ppm": "b'P6 60000 60000 255 '",
    "bmp": "b'BM' + struct.pack('<IIIIiiHHIIiiII', 99, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)",
}


@pytest.mark.parametrize("format", BOMBS)
def test_a_decompression_bomb_costs_neither_time_nor_memory(format: str) -> None:
    program = f"""
import resource, struct, time, zlib
from restore_cli.errors import UnreadablePictureError
from restore_cli.picture.reading import read_picture
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
bomb = {BOMBS[format]}
bomb = b'\\x89PNG\\r\\n\\x1a\\n' + bomb if {format == "png"} else bomb
since, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_picture(bomb)
except UnreadablePictureError as error:
    print(error.message)
spent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(time.perf_counter() - since < 2, spent < 30_000)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    message, verdict = done.stdout.splitlines()
    assert message.endswith("60000x60000 pixels are more than the limit of 1,000,000,000")
    assert verdict == "True True"


def test_the_file_is_closed(samples: np.ndarray, tmp_path: Path, save: Any) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(save(samples, "PNG"))
    before = set(os.listdir("/proc/self/fd"))
    picture = read_picture(path)
    path.write_bytes(b"broken")
    with pytest.raises(UnreadablePictureError):
        read_picture(path)
    assert set(os.listdir("/proc/self/fd")) <= before
    assert (picture.pixels == samples).all()
