"""Folders of photographs: what is read, paired, left out and held out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_cli.errors import UsageError
from restore_cli.training.photographs import Example, check_folders, collect, digest_of

from .conftest import draw


def no_notes(line: str) -> None:
    raise AssertionError(line)


def test_folders_within_are_read_and_some_pictures_held_out(photographs: Path) -> None:
    collection = collect([photographs], None, 40, no_notes, pairs=True)
    assert len(collection.learned) == 24
    assert len(collection.held_out) == 2
    assert all(example.target.shape == (40, 48, 3) and example.input is None for example in collection.learned)
    learned = {example.target.tobytes() for example in collection.learned}
    assert not learned & {example.target.tobytes() for example in collection.held_out}


def test_a_folder_of_its_own_validates(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    Image.fromarray(draw(40, 40, 99)).save(tmp_path / "held" / "a.png")
    collection = collect([photographs], tmp_path / "held", 40, no_notes, pairs=True)
    assert len(collection.learned) == 26
    assert len(collection.held_out) == 1


def test_grey_and_deep_pictures_become_colour_of_8_bits(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    grey = draw(40, 40, 1)[..., 0]
    Image.fromarray(grey).save(folder / "a.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "b.png")
    (example,) = collect([folder], None, 8, no_notes, pairs=True).held_out
    assert np.array_equal(example.target, np.stack([grey] * 3, axis=2))
    assert np.array_equal(collect([folder], None, 8, no_notes, pairs=True).learned[0].target, example.target)


def test_pictures_too_small_or_damaged_are_left_out(photographs: Path) -> None:
    (photographs / "broken.png").write_bytes((photographs / "00.png").read_bytes()[:60])
    Image.fromarray(draw(39, 48, 1)).save(photographs / "small.png")
    notes: list[str] = []
    collection = collect([photographs], None, 40, notes.append, pairs=True)
    assert len(collection.learned) + len(collection.held_out) == 26
    assert len(notes) == 2
    assert "broken.png" in notes[0]
    assert notes[1].startswith(f"1 of the pictures in {photographs} with a side below 40 pixels")


def test_damage_to_pictures_that_can_be_read_is_told_of(tmp_path: Path) -> None:
    for name in ("low", "high"):
        (tmp_path / name).mkdir()
    for index in range(6):
        Image.fromarray(draw(40, 40, index)).save(tmp_path / "low" / f"{index}.jpg", progressive=True)
        path = tmp_path / "high" / f"{index}.jpg"
        Image.fromarray(draw(40, 40, index)).save(path)
        if index:
            path.write_bytes(path.read_bytes()[:-2])
    path = tmp_path / "low" / "0.jpg"
    path.write_bytes(path.read_bytes()[:-2] + b"\x55" * 40 + b"\xff\xd9")
    notes: list[str] = []
    assert len(collect([tmp_path], None, 8, notes.append, pairs=True).learned) == 5
    assert notes[0].startswith(f"{path}: parts of it may be damaged: Corrupt JPEG data")
    named = ", ".join(str(tmp_path / "high" / f"{index}.jpg") for index in (1, 2, 3))
    assert notes[1:] == [f"{named} and 2 more: the marker at its end is missing"]


def test_folders_of_pairs_are_paired_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("low", "high"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
    for index in range(3):
        Image.fromarray(draw(40, 40, index)).save(tmp_path / "pairs" / "high" / f"{index}.png")
        Image.fromarray(draw(40, 40, index) // 8).save(tmp_path / "pairs" / "low" / f"{index}.webp", lossless=True)
    collection = collect([tmp_path / "pairs"], None, 40, no_notes, pairs=True)
    for example in (*collection.learned, *collection.held_out):
        assert example.input is not None
        assert np.array_equal(example.input, example.target // 8)
    assert len(collection.learned) == 2
    monkeypatch.chdir(tmp_path / "pairs" / "high")
    assert all(example.input is not None for example in collect([Path()], None, 40, no_notes, pairs=True).learned)
    (tmp_path / "pairs" / "low" / "1.webp").unlink()
    with pytest.raises(UsageError, match=r"1\.png has no partner"):
        collect([tmp_path / "pairs"], None, 40, no_notes, pairs=True)


def test_folders_in_those_of_pairs_hold_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, level in (("low", 8), ("high", 1)):
        (tmp_path / name / "s" / "deep").mkdir(parents=True)
        for index, below in enumerate(("", "s", "s/deep")):
            Image.fromarray(draw(40, 40, index) // level).save(tmp_path / name / below / "1.png")
    monkeypatch.chdir(tmp_path / "high" / "s")
    for folder, count in ((tmp_path, 3), (tmp_path / "high", 3), (Path(), 2), (tmp_path / "high" / "s", 2)):
        collection = collect([folder], None, 8, no_notes, pairs=True)
        examples = (*collection.learned, *collection.held_out)
        assert len(examples) == count
        for example in examples:
            assert example.input is not None
            assert np.array_equal(example.input, example.target // 8)
    alone = collect([tmp_path], None, 8, no_notes, pairs=False)
    assert len(alone.learned) + len(alone.held_out) == 3
    (tmp_path / "low" / "s" / "deep").rename(tmp_path / "low" / "s" / "other")
    with pytest.raises(UsageError, match=r"deep/1\.png has no partner in .*low/s/deep"):
        collect([tmp_path], None, 8, no_notes, pairs=True)


def test_folders_of_inputs_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("low", "high"):
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.fromarray(draw(40, 40, index)).save(tmp_path / name / f"{index}.png")
    listed: list[Path] = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: listed.append(folder) or iterdir(folder))
    collect([tmp_path], None, 8, no_notes, pairs=True)
    assert listed == [tmp_path / "low"]


def test_a_target_with_two_inputs_is_refused(tmp_path: Path) -> None:
    for name in ("low/1.png", "low/1.webp", "high/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(draw(40, 40, 0)).save(tmp_path / name)
    with pytest.raises(UsageError, match=r"1\.png has several partners in .*low: 1\.png and 1\.webp"):
        collect([tmp_path], None, 8, no_notes, pairs=True)


def test_pairs_of_unequal_size_are_refused(tmp_path: Path) -> None:
    for name, width in (("low", 40), ("high", 44)):
        (tmp_path / name).mkdir()
        Image.fromarray(draw(40, width, 1)).save(tmp_path / name / "a.png")
    with pytest.raises(UsageError, match=r"a\.png and its partner differ in size"):
        collect([tmp_path], None, 8, no_notes, pairs=True)


def test_too_few_photographs_are_an_error_of_usage(tmp_path: Path, photographs: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="there is no folder"):
        check_folders([photographs, tmp_path / "none"])
    with pytest.raises(UsageError, match="too few photographs of at least 8 pixels"):
        collect([tmp_path / "empty"], None, 8, no_notes, pairs=True)
    with pytest.raises(UsageError, match=r"too few photographs of at least 8 pixels a side in .*empty"):
        collect([photographs], tmp_path / "empty", 8, no_notes, pairs=True)


def test_a_file_counts_once_and_is_not_learned_from_where_it_validates(photographs: Path) -> None:
    again = Path(f"{photographs}/../{photographs.name}")
    (photographs / "link.png").symlink_to(photographs / "00.png")
    notes: list[str] = []
    collection = collect([photographs, again, photographs / "more"], None, 40, notes.append, pairs=True)
    assert len(collection.learned) + len(collection.held_out) == 26
    assert [note.split()[0] for note in notes] == ["1", "27", "13"]
    assert "were read before" in notes[0]
    collection = collect([photographs], photographs / "more", 40, notes.append, pairs=True)
    assert (len(collection.learned), len(collection.held_out)) == (13, 13)
    learned = {example.target.tobytes() for example in collection.learned}
    assert not learned & {example.target.tobytes() for example in collection.held_out}
    with pytest.raises(UsageError, match="too few photographs") as caught:
        collect([photographs], photographs, 40, notes.append, pairs=True)
    assert "other than that of --validation" in caught.value.hint


def test_folders_that_cannot_be_read_are_told_of(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "more":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    notes: list[str] = []
    collection = collect([photographs], None, 40, notes.append, pairs=True)
    assert len(collection.learned) + len(collection.held_out) == 13
    assert notes == [f"cannot read {photographs / 'more'}: Permission denied; what lies in it is left out"]


def test_partners_are_pictures_and_looked_for_only_where_they_are_used(tmp_path: Path) -> None:
    for name, level in (("low", 8), ("high", 1)):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.fromarray(draw(40, 40, index) // level).save(tmp_path / name / f"{index}.png")
    (tmp_path / "low" / "0.json").write_text("{}")
    (example,) = collect([tmp_path], None, 8, no_notes, pairs=True).held_out
    assert example.input is not None
    assert np.array_equal(example.input, example.target // 8)
    (tmp_path / "low" / "1.png").unlink()
    collection = collect([tmp_path], None, 8, no_notes, pairs=False)
    for index, side in enumerate((collection.held_out, collection.learned)):
        assert side[0].input is None
        assert np.array_equal(side[0].target, draw(40, 40, index))


def test_a_digest_tells_photographs_apart() -> None:
    one, other = Example(draw(40, 48, 1)), Example(draw(40, 48, 1), input=draw(40, 48, 2))
    assert digest_of([one]) == digest_of([Example(draw(40, 48, 1))])
    assert len({digest_of(each) for each in ([one], [other], [one, other], [other, one])}) == 4
