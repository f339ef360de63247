from __future__ import annotations

import pytest

from restore_cli.picture.metadata.xmp import sized_xmp, upright_xmp


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'tiff:Orientation="8"', b'tiff:Orientation="1"'),
        (b"tiff:Orientation = '3'", b"tiff:Orientation = '1'"),
        (b"<tiff:Orientation>6</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
        (b"<tiff:Orientation>\n 6</tiff:Orientation>", b"<tiff:Orientation>\n 1</tiff:Orientation>"),
        (b"<a><xmp:Thumbnails><rdf:Alt>\n/9j/4AAQ</rdf:Alt></xmp:Thumbnails></a>", b"<a></a>"),
        (b'<a hdrgm:Version="1.0" b="2"/>', b'<a b="2"/>'),
        (b"<a><Container:Directory><c/></Container:Directory></a>", b"<a></a>"),
        (b"<a><GCamera:MotionPhoto>1</GCamera:MotionPhoto><b/></a>", b"<a><b/></a>"),
        (b"<a><Camera:MotionPhotoVersion >1</Camera:MotionPhotoVersion><b/></a>", b"<a><b/></a>"),
        (b"<a><hdrgm:GainMapMax><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></hdrgm:GainMapMax ></a>", b"<a></a>"),
        (b'<a><hdrgm:Gamma/><b/><hdrgm:Gamma c="1" /><b></b></a>', b"<a><b/><b></b></a>"),
        (b"<a><xmpNote:HasExtendedXMP>AB</xmpNote:HasExtendedXMP></a>", b"<a></a>"),
        (b'<a dc:title="tiff orientation 6"/>', b'<a dc:title="tiff orientation 6"/>'),
    ],
)
def test_xmp_is_made_upright(before: bytes, after: bytes) -> None:
    assert upright_xmp(before, 1) == after


def test_xmp_gets_the_new_size() -> None:
    packet = b'<a tiff:ImageWidth="60" tiff:ImageLength="40"><exif:PixelXDimension>60</exif:PixelXDimension></a>'
    assert sized_xmp(packet, (240, 160)) == packet.replace(b"60", b"240").replace(b"40<", b"40<").replace(
        b'ImageLength="40"', b'ImageLength="160"'
    )


def test_a_panorama_is_scaled_where_its_size_is_known() -> None:
    packet = (
        b'<a GPano:FullPanoWidthPixels="100" GPano:CroppedAreaLeftPixels="7" GPano:ProjectionType="cylindrical">'
        b"<GPano:CroppedAreaImageHeightPixels>40</GPano:CroppedAreaImageHeightPixels></a>"
    )
    assert sized_xmp(packet, (240, 160)) == packet
    assert sized_xmp(packet, (240, 120), (60, 40)) == packet.replace(b"100", b"400").replace(b'"7"', b'"28"').replace(
        b">40<", b">120<"
    )
