from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import ImageCms

from restore_cli.picture.formats import HAS_HEIC, format_by_name
from restore_cli.picture.losses import losses
from restore_cli.picture.picture import Metadata, Picture
from restore_cli.picture.reading import read_picture
from restore_cli.picture.writing import encode_picture

HEIC = pytest.param("heic", marks=pytest.mark.skipif(not HAS_HEIC, reason="pillow-heif is not installed"))


@pytest.mark.parametrize(
    "name", ["jpeg", "png", "tiff", "webp", "avif", "gif", "bmp", "ppm", "tga", "dds", "jp2", HEIC]
)
def test_losses_name_what_does_not_arrive(name: str, samples: np.ndarray, alpha: np.ndarray, described: Any) -> None:
    deep = samples.astype(np.uint16) * 257
    metadata = read_picture(described("jpeg")).metadata
    picture = Picture(deep, alpha.astype(np.uint16) * 257, depth=16, metadata=metadata)
    said = " ".join(losses(picture, format_by_name(name)))
    again = read_picture(encode_picture(picture, format_by_name(name)))
    assert ("8 bits a sample" in said) == (again.depth == 8)
    assert ("transparency" in said) == (again.alpha is None)
    assert ("12 bits a sample" in said) == (name in ("avif", "heic"))
    assert ("half-transparent" in said) == (name == "gif")
    assert ("EXIF" in said) == (again.metadata.exif is None)
    assert ("XMP" in said) == (again.metadata.xmp is None)
    assert ("IPTC" in said) == (again.metadata.iptc is None)
    assert ("resolution" in said) == (again.metadata.pixels_per_mm is None)
    silent = " ".join(losses(picture, format_by_name(name), strip_metadata=True))
    assert not any(block in silent for block in ("EXIF", "XMP", "IPTC", "resolution"))


def test_srgb_is_no_loss_where_there_is_no_place_for_a_profile(samples: np.ndarray, matrix_profile: Any) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile, is_lost in ((srgb, False), (matrix_profile("p3"), True)):
        picture = Picture(samples, metadata=Metadata(icc=profile))
        assert bool(losses(picture, format_by_name("bmp"))) is is_lost
        assert losses(picture, format_by_name("png")) == ()


@pytest.mark.parametrize(("size", "is_lost"), [(65_502, False), (65_503, True), (100_000, True)])
def test_a_long_xmp_packet_fits_or_is_named_as_lost(size: int, is_lost: bool, samples: np.ndarray) -> None:
    picture = Picture(samples, metadata=Metadata(xmp=b"x" * size))
    assert (read_picture(encode_picture(picture, format_by_name("jpeg"))).metadata.xmp is None) == is_lost
    assert bool(losses(picture, format_by_name("jpeg"))) == is_lost
    assert read_picture(encode_picture(picture, format_by_name("png"))).metadata.xmp == b"x" * size
    assert losses(picture, format_by_name("png")) == ()


@pytest.mark.parametrize(("size", "is_lost"), [(65_500, False), (65_600, True)])
def test_long_iptc_records_fit_or_are_named_as_lost(size: int, is_lost: bool, samples: np.ndarray) -> None:
    picture = Picture(samples, metadata=Metadata(iptc=b"\x1c" * size))
    assert (read_picture(encode_picture(picture, format_by_name("jpeg"))).metadata.iptc is None) == is_lost
    assert bool(losses(picture, format_by_name("jpeg"))) == is_lost
    assert read_picture(encode_picture(picture, format_by_name("tiff"))).metadata.iptc == b"\x1c" * size


def test_a_lost_profile_is_named(samples: np.ndarray, matrix_profile: Callable[..., bytes], grey_profile: Any) -> None:
    colour = Picture(samples, metadata=Metadata(icc=matrix_profile("p3")))
    grey = Picture(np.ascontiguousarray(samples[..., :1]), metadata=Metadata(icc=grey_profile(1.8)))
    assert "profile" in " ".join(losses(colour, format_by_name("bmp")))
    assert losses(colour, format_by_name("webp")) == ()
    assert "profile" in " ".join(losses(grey, format_by_name("webp")))
    assert losses(grey, format_by_name("jpeg")) == ()


def test_an_alpha_that_hides_nothing_is_no_loss(samples: np.ndarray) -> None:
    picture = Picture(samples, np.full(samples.shape[:2], 255, np.uint8))
    assert picture.is_opaque
    for name in ("jpeg", "ppm", "gif"):
        assert "transpar" in " ".join(losses(picture, format_by_name(name)))
        assert "transpar" not in " ".join(losses(picture, format_by_name(name), opaque=True))
    seen_through = np.full(samples.shape[:2], 255, np.uint8)
    seen_through[7, 9] = 254
    assert not Picture(samples, seen_through).is_opaque
    assert Picture(samples).is_opaque


def test_grey_loses_no_colours_in_gif(samples: np.ndarray) -> None:
    assert losses(Picture(samples[..., :1]), format_by_name("gif")) == ()
    assert losses(Picture(samples), format_by_name("gif")) != ()


def test_avif_loses_no_bits_of_avif(deep_samples: np.ndarray) -> None:
    assert losses(Picture(deep_samples, format="avif"), format_by_name("avif")) == ()
    assert losses(Picture(deep_samples, format="png"), format_by_name("avif")) != ()
