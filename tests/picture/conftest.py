"""Pictures, profiles and blocks of metadata from which the tests of this folder are made."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image

from restore_cli.picture.formats import HAS_HEIC

if HAS_HEIC:
    import pillow_heif

    pillow_heif.register_heif_opener()  # so that Pillow reads and writes it in tests

HEIGHT, WIDTH = 40, 60

D50 = (0.9642, 1.0, 0.8249)
PRIMARIES = {
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "p3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    "adobe": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "prophoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def draw(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Draw h, w, 3 uint8 samples with smooth parts, edges, noise, black and white."""
    rows, columns = np.mgrid[0:height, 0:width]
    smooth = np.stack([255 * rows / height, 255 * columns / width, 127 + 90 * np.sin(rows * columns / 150)], axis=2)
    noisy = smooth + np.random.default_rng(5).normal(0, 3, smooth.shape)
    noisy[height // 2 :, : width // 3] = (200, 40, 30)
    noisy[:3], noisy[-3:] = 0, 255
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def pillow_bytes(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def vips_image(samples: np.ndarray) -> Any:
    kinds = {(1, 1): "b-w", (1, 2): "grey16", (3, 1): "srgb", (3, 2): "rgb16"}
    colours = 1 if samples.ndim == 2 or samples.shape[2] < 3 else 3
    return pyvips.Image.new_from_array(samples).copy(interpretation=kinds[colours, samples.itemsize])


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    """A picture of 40x60 pixels, uint8 RGB."""
    return draw()


@pytest.fixture(scope="session")
def deep_samples() -> np.ndarray:
    """A picture of 40x60 pixels, uint16 RGB, that uses all its bits."""
    return np.random.default_rng(6).integers(0, 65_536, (HEIGHT, WIDTH, 3), dtype=np.uint16)


@pytest.fixture(scope="session")
def alpha() -> np.ndarray:
    """An alpha channel of 40x60 pixels, uint8, that uses all levels."""
    return np.random.default_rng(8).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


@pytest.fixture(scope="session")
def cube() -> np.ndarray:
    """All corners and edges of the RGB cube and much between them; 33, 1089, 3, uint8."""
    steps = np.linspace(0, 255, 33).round().astype(np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(33, -1, 3)


@pytest.fixture(scope="session")
def save() -> Callable[..., bytes]:
    """Encode a Pillow image, or an array that Pillow understands, to bytes: `save(image, "PNG", **options)`."""

    def save(image: Image.Image | np.ndarray, format: str, **options: Any) -> bytes:
        return pillow_bytes(image if isinstance(image, Image.Image) else Image.fromarray(image), format, **options)

    return save


@pytest.fixture(scope="session")
def to_vips() -> Callable[[np.ndarray], Any]:
    """Make a libvips image of an array."""
    return vips_image


# Files of every format, and of every kind that a decoder treats in its own way


class Encoded(NamedTuple):
    """A file that shows the picture of `draw`, or its grey or reduced form."""

    name: str
    format: str
    content: bytes


def _heic_kinds() -> dict[str, Callable[[], bytes]]:
    def encode(bits: int) -> bytes:
        file, samples = io.BytesIO(), draw() if bits == 8 else draw().astype(np.uint16) * 257
        mode = "RGB" if bits == 8 else "RGB;16"
        pillow_heif.encode(mode, (WIDTH, HEIGHT), samples.tobytes(), file, quality=90, chroma=444, bit_depth=bits)
        return file.getvalue()

    return {"heic": lambda: encode(8), "heic-10": lambda: encode(10), "heic-12": lambda: encode(12)}


def _frames(format: str) -> bytes:
    first = Image.fromarray(draw())
    others = [first.transpose(Image.Transpose.FLIP_LEFT_RIGHT), first.transpose(Image.Transpose.ROTATE_180)]
    return pillow_bytes(first, format, save_all=True, append_images=others, duration=50)


def _encoders() -> dict[str, Callable[[], bytes]]:
    colour = Image.fromarray(draw())
    grey, bitmap, palette = colour.convert("L"), colour.convert("1"), colour.quantize(64)
    clear = colour.copy()
    clear.putalpha(grey)
    plain = vips_image(draw())
    deep = vips_image(draw().astype(np.uint16) * 257)
    rows = [b" ".join(b"%d" % value for value in row) for row in np.asarray(grey)]
    return {
        "jpeg": lambda: pillow_bytes(colour, "JPEG", quality=92),
        "jpeg-progressive": lambda: pillow_bytes(colour, "JPEG", quality=92, progressive=True),
        "jpeg-grey": lambda: pillow_bytes(grey, "JPEG"),
        "jpeg-cmyk": lambda: pillow_bytes(colour.convert("CMYK"), "JPEG"),
        "jpeg-restart": lambda: plain.jpegsave_buffer(restart_interval=4),
        "png": lambda: pillow_bytes(colour, "PNG"),
        "png-interlaced": lambda: plain.pngsave_buffer(interlace=True),
        "png-16": lambda: deep.pngsave_buffer(),
        "png-palette": lambda: pillow_bytes(palette, "PNG"),
        "png-bitmap": lambda: pillow_bytes(bitmap, "PNG"),
        "png-alpha": lambda: pillow_bytes(clear, "PNG"),
        "tiff": lambda: pillow_bytes(colour, "TIFF"),
        "tiff-deflate": lambda: plain.tiffsave_buffer(compression="deflate", predictor="horizontal"),
        "tiff-lzw": lambda: plain.tiffsave_buffer(compression="lzw"),
        "tiff-packbits": lambda: plain.tiffsave_buffer(compression="packbits"),
        "tiff-jpeg": lambda: plain.tiffsave_buffer(compression="jpeg"),
        "tiff-tiled": lambda: plain.tiffsave_buffer(tile=True, tile_width=32, tile_height=32),
        "tiff-16": lambda: deep.tiffsave_buffer(compression="deflate"),
        "tiff-big": lambda: plain.tiffsave_buffer(bigtiff=True),
        "tiff-bitmap": lambda: pillow_bytes(bitmap, "TIFF"),
        "tiff-fax": lambda: pillow_bytes(bitmap, "TIFF", compression="group4"),
        "webp": lambda: pillow_bytes(colour, "WEBP", quality=92),
        "webp-lossless": lambda: pillow_bytes(colour, "WEBP", lossless=True),
        "webp-alpha": lambda: pillow_bytes(clear, "WEBP", quality=92, exact=True),
        "webp-animated": lambda: _frames("WEBP"),
        "avif": lambda: plain.heifsave_buffer(compression="av1", effort=1, Q=80),
        "avif-10": lambda: deep.heifsave_buffer(compression="av1", bitdepth=10, effort=1, Q=80),
        "avif-12": lambda: deep.heifsave_buffer(compression="av1", bitdepth=12, effort=1, Q=80),
        "gif": lambda: pillow_bytes(palette, "GIF"),
        "gif-animated": lambda: _frames("GIF"),
        "bmp": lambda: pillow_bytes(colour, "BMP"),
        "bmp-palette": lambda: pillow_bytes(palette, "BMP"),
        "ppm": lambda: pillow_bytes(colour, "PPM"),
        "pgm": lambda: pillow_bytes(grey, "PPM"),
        "pgm-plain": lambda: b"P2\n# by hand\n%d %d\n255\n" % grey.size + b"\n".join(rows) + b"\n",
        "pbm": lambda: pillow_bytes(bitmap, "PPM"),
        "tga": lambda: pillow_bytes(colour, "TGA"),
        "tga-packed": lambda: pillow_bytes(clear, "TGA", compression="tga_rle"),
        "dds": lambda: pillow_bytes(colour, "DDS"),
        "dds-packed": lambda: pillow_bytes(clear, "DDS", pixel_format="DXT5"),
        "jp2": lambda: pillow_bytes(colour, "JPEG2000"),
        "jp2-stream": lambda: pillow_bytes(colour, "JPEG2000", no_jp2=True),
        "jp2-tiled": lambda: pillow_bytes(colour, "JPEG2000", tile_size=(32, 32)),
        "jp2-lossy": lambda: pillow_bytes(
            colour, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[20, 10, 5]
        ),
        "qoi": lambda: pillow_bytes(colour, "QOI"),
        "pcx": lambda: pillow_bytes(colour, "PCX"),
        "ico": lambda: pillow_bytes(colour, "ICO", sizes=[(WIDTH, HEIGHT)]),
    }


ENCODERS = _encoders() | (_heic_kinds() if HAS_HEIC else {})
FORMATS_BY_KIND = {"pgm": "ppm", "pbm": "ppm"}


@pytest.fixture(scope="session", params=ENCODERS)
def encoded(request: pytest.FixtureRequest) -> Encoded:
    """One file after the other, of all formats and kinds."""
    kind = request.param.split("-")[0]
    return Encoded(request.param, FORMATS_BY_KIND.get(kind, kind), ENCODERS[request.param]())


# ICC profiles


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65_536)) for number in numbers)


def _tag_xyz(numbers: Any) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*numbers)


def _tag_gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _tag_description(text: str) -> bytes:
    characters = text.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(characters)) + characters + bytes(78)


def put_together(space: bytes, tags: dict[bytes, bytes], *, pcs: bytes = b"XYZ ", name: str = "test") -> bytes:
    """Put tags together as an ICC profile of version 2."""
    tags = {b"desc": _tag_description(name), b"cprt": b"text\0\0\0\0none\0", b"wtpt": _tag_xyz(D50)} | tags
    table, content = b"", b""
    for signature, data in tags.items():
        table += signature + struct.pack(">II", 132 + 12 * len(tags) + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    body = struct.pack(">I", len(tags)) + table + content
    header = bytearray(128)
    header[:4] = struct.pack(">I", 128 + len(body))
    header[8:24] = b"\x02\x40\0\0mntr" + space + pcs
    header[24:36] = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    header[36:40] = b"acsp"
    header[68:80] = _fixed(*D50)
    return bytes(header) + body


@pytest.fixture(scope="session")
def profile_of() -> Callable[..., bytes]:
    """Put tags together as an ICC profile: `profile_of(b"RGB ", {b"A2B0": ...}, pcs=b"Lab ")`."""
    return put_together


@pytest.fixture(scope="session")
def matrix_profile() -> Callable[..., bytes]:
    """Make an RGB profile: `matrix_profile("p3", curve=b"...", name="...")`, the curve a gamma of 2.2 by default."""

    def make(primaries: str, *, gamma: float = 2.2, curve: bytes | None = None, name: str = "test") -> bytes:
        def to_xyz(x: float, y: float) -> np.ndarray:
            return np.array([x / y, 1, (1 - x - y) / y])

        white = to_xyz(0.3127, 0.3290)
        unscaled = np.stack([to_xyz(*chromaticity) for chromaticity in PRIMARIES[primaries]], axis=1)
        scaled = unscaled * np.linalg.solve(unscaled, white)
        adapted = np.linalg.inv(BRADFORD) @ np.diag(BRADFORD @ D50 / (BRADFORD @ white)) @ BRADFORD @ scaled
        tags = {colour + b"XYZ": _tag_xyz(adapted[:, index]) for index, colour in enumerate((b"r", b"g", b"b"))}
        tags |= {colour + b"TRC": curve or _tag_gamma(gamma) for colour in (b"r", b"g", b"b")}
        return put_together(b"RGB ", tags, name=name)

    return make


@pytest.fixture(scope="session")
def grey_profile() -> Callable[[float], bytes]:
    """Make a grey profile of a gamma."""
    return lambda gamma: put_together(b"GRAY", {b"kTRC": _tag_gamma(gamma)})


# Metadata


@pytest.fixture(scope="session")
def make_exif() -> Callable[..., Image.Exif]:
    """Make EXIF of a camera for a picture of 60x40: with GPS, maker note, a rating, and tags of late versions."""

    def make(orientation: int = 1, *, order: str = "<", nested: bool = True) -> Image.Exif:
        exif = Image.Exif()
        exif.endian = order
        exif[0x010E], exif[0x010F], exif[0x0110], exif[0x0131] = "A hill", "Maker", "Model 7", "Firmware 1.2"
        exif[0x0132], exif[0x013B], exif[0x8298], exif[0x4746] = "2024:05:06 07:08:09", "Ann", "(c) Ann", 4
        exif[0x0112], exif[0x011A], exif[0x011B], exif[0x0128] = orientation, 300.0, 300.0, 2
        camera = exif.get_ifd(0x8769)
        camera[0x829A], camera[0x8827], camera[0x9003] = 0.004, 400, "2024:05:06 07:08:09"
        camera[0xA002], camera[0xA003], camera[0xA434] = WIDTH, HEIGHT, "35mm F2"
        camera[0x927C] = b"Maker note \0\x01\x02" * 9
        camera[0x9286] = b"UNICODE\0" + "Grüße".encode("utf-16be")
        camera[0xA460], camera[0x9400] = 2, 21.5
        if nested:
            camera[0xA005] = {1: "R98", 2: b"0100"}
        place = exif.get_ifd(0x8825)
        place[1], place[2], place[3], place[4] = "N", (51.0, 30.0, 12.5), "W", (0.0, 7.0, 1.0)
        return exif

    return make


@pytest.fixture(scope="session")
def xmp() -> bytes:
    """An XMP packet of a picture of 60x40 pixels that stands on its side."""
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
        b' xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:Orientation="6" exif:PixelXDimension="60"'
        b' exif:PixelYDimension="40" dc:format="image/jpeg"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


@pytest.fixture(scope="session")
def iptc() -> bytes:
    """IPTC records with a caption, an odd number of bytes."""
    return b"\x1c\x02\x00\x00\x02\x00\x04" + b"\x1c\x02\x78\x00\x07Caption"


EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
XMP_TAG, IPTC_TAG = 0x02BC, 0x83BB
POINTERS = {("", EXIF), ("", GPS), ("camera", INTEROPERABILITY)}
LAYOUT = {0x100, 0x101, 0x102, 0x103, 0x106, 0x111, 0x115, 0x116, 0x117, 0x11C, 0x13D, 0x153, XMP_TAG, IPTC_TAG}
"""Tags of a TIFF that are no EXIF."""


@pytest.fixture(scope="session")
def tags_of() -> Callable[[bytes], dict[tuple[str, int], Any]]:
    """Return all EXIF tags of a file as Pillow reads them, by group and tag."""

    def read(content: bytes) -> dict[tuple[str, int], Any]:
        with Image.open(io.BytesIO(content)) as image:
            exif = image.getexif()
            groups = {"": dict(exif), "camera": exif.get_ifd(EXIF), "place": exif.get_ifd(GPS)}
            groups |= {"interoperability": exif.get_ifd(INTEROPERABILITY), "thumbnail": exif.get_ifd(ExifTags.IFD.IFD1)}
            found = {(group, tag): value for group, tags in groups.items() for tag, value in tags.items()}
        return {key: found[key] for key in found if key not in POINTERS and (key[0] or key[1] not in LAYOUT)}

    return read


def photoshop(records: bytes, preview: bytes = b"") -> bytes:
    """Make an APP13 segment as Photoshop does, with another resource before the records."""

    def resource(identifier: int, name: bytes, data: bytes) -> bytes:
        name = bytes([len(name)]) + name
        head = b"8BIM" + struct.pack(">H", identifier) + name + bytes(len(name) % 2)
        return head + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)

    block = b"Photoshop 3.0\0" + resource(0x040C, b"old", preview) + resource(0x0404, b"", records)
    return b"\xff\xed" + struct.pack(">H", len(block) + 2) + block


@pytest.fixture
def described(samples: np.ndarray, make_exif: Any, xmp: bytes, iptc: bytes, save: Any) -> Callable[[str], bytes]:
    """Make a file of a format with all the metadata that Pillow can put into it; it stands on its side."""

    def make(format: str) -> bytes:
        tags = make_exif(6, nested=format != "tiff")  # which Pillow does not write into a TIFF
        if format == "png":
            return save(samples, "PNG", exif=tags)
        if format == "tiff":
            tags[XMP_TAG], tags[IPTC_TAG] = xmp, iptc
            return save(samples, "TIFF", exif=tags.tobytes())
        content = save(samples, format.upper(), exif=tags.tobytes(), xmp=xmp)
        return content[:2] + photoshop(iptc, b"preview" * 9) + content[2:] if format == "jpeg" else content

    return make
