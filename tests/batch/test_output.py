"""Where results lie until they are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from restore_cli.batch import output
from restore_cli.errors import UnwritablePictureError
from restore_cli.picture.formats import format_by_name


def test_a_folder_for_scratch_files_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr(output, "LARGEST_IN_MEMORY", 0)
    with (
        pytest.raises(UnwritablePictureError, match=r"cannot make a scratch file in .*missing: No such") as caught,
        output.writing_standard_output(2, 2, format_by_name("png")),
    ):
        pass
    assert caught.value.hint == "set RESTORE_TMPDIR to a folder that can be written"
