from __future__ import annotations

import io

import pytest

from restore_cli.picture.metadata.directory_writer import DirectoryWriter
from restore_cli.picture.metadata.layout import LAYOUTS, LONG, SHORT, Layout
from restore_cli.picture.metadata.tiff_samples import MOST_HIDDEN, TiffSamples, read_samples_kind

PHOTOMETRIC, SUB_DIRECTORIES, EXTRA_SAMPLES = 0x0106, 0x014A, 0x0152
FILTERED, UNSPECIFIED = 32_803, 0


def tiff_of(layout: Layout, photometric: int, sub_directories: int) -> bytes:
    """Make a TIFF of a sample that is no alpha, with so many pointers to one directory, and one to nowhere."""
    writer = DirectoryWriter(layout)
    below = writer.add({PHOTOMETRIC: layout.integers(SHORT, photometric)})
    places = layout.integers(LONG, *[below] * sub_directories, 10**6)
    first = writer.add({SUB_DIRECTORIES: places, EXTRA_SAMPLES: layout.integers(SHORT, UNSPECIFIED)})
    return writer.with_header(first)


@pytest.mark.parametrize("layout", LAYOUTS.values())
@pytest.mark.parametrize(
    ("photometric", "sub_directories", "expected"),
    [
        (2, MOST_HIDDEN, TiffSamples(has_alpha=False)),
        (FILTERED, MOST_HIDDEN, TiffSamples(is_camera_raw=True, has_alpha=False)),
        (FILTERED, 1, TiffSamples()),
    ],
)
def test_few_directories_are_looked_at_and_none_of_them_may_be_damaged(
    photometric: int, sub_directories: int, expected: TiffSamples, layout: Layout
) -> None:
    content = tiff_of(layout, photometric, sub_directories)
    assert read_samples_kind(io.BytesIO(content)) == expected
