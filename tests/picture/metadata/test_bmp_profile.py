from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np

from restore_cli.picture.metadata.bmp_profile import read_profile
from restore_cli.picture.reading import read_picture


def with_profile(content: bytes, profile: bytes, kind: bytes = b"DEBM") -> bytes:
    """Give a BMP a header of version 5 and a profile behind its samples."""
    header = content[14 : struct.unpack_from("<I", content, 10)[0]]
    samples = content[14 + len(header) :]
    fifth = struct.pack("<I", 124) + header[4:40] + bytes(16) + kind + bytes(52)
    fifth += struct.pack("<II", 124 + len(samples), len(profile)) + bytes(4)
    assert len(fifth) == 124
    file = struct.pack("<2sIII", b"BM", 14 + 124 + len(samples) + len(profile), 0, 14 + 124)
    return file + fifth + samples + profile


def test_the_profile_comes_with_the_picture(samples: np.ndarray, save: Any, matrix_profile: Any) -> None:
    profile = matrix_profile("p3")
    content = with_profile(save(samples, "BMP"), profile)
    assert read_profile(io.BytesIO(content)) == profile
    assert read_picture(content).metadata.icc == profile


def test_there_is_none_in_others(samples: np.ndarray, save: Any, matrix_profile: Any) -> None:
    plain, profile = save(samples, "BMP"), matrix_profile("p3")
    linked = with_profile(plain, profile, kind=b"KNIL")
    cut = with_profile(plain, profile)[:-1]
    for content in (plain, linked, cut, plain[:60], b"BM"):
        assert read_profile(io.BytesIO(content)) is None
