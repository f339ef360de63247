from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from restore_cli.batch import targets as targets_module
from restore_cli.batch.planning import Plan, Planner
from restore_cli.batch.sources import Shard, Source
from restore_cli.errors import UnreadablePictureError, UsageError
from restore_cli.picture.formats import HAS_HEIC


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `photos` with pictures, other files, a hidden file and a folder inside; it is the current folder."""
    for name in ("a.jpg", "b.PNG", "notes.txt", ".hidden.png", "inner/c.tif", "inner/.d/e.png", "inner/deep/f.webp"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(*inputs: str, suffix: str = "_x4", **options: object) -> Plan:
    return Planner(suffix=suffix, **options).plan(inputs)  # type: ignore[arg-type]


def targets(plan: Plan, base: Path) -> list[str]:
    return [str(job.target.absolute().relative_to(base)) for job in plan.jobs if job.target]


def test_a_file_gets_its_result_beside_it(tree: Path) -> None:
    assert targets(plan("photos/a.jpg"), tree) == ["photos/a_x4.jpg"]
    assert targets(plan("photos/b.PNG"), tree) == ["photos/b_x4.PNG"]


def test_a_folder_gets_a_folder_beside_it(tree: Path) -> None:
    found = plan("photos")
    assert targets(found, tree) == [
        "photos_x4/a_x4.jpg",
        "photos_x4/b_x4.PNG",
        "photos_x4/inner/c_x4.tif",
        "photos_x4/inner/deep/f_x4.webp",
    ]
    assert found.passed_over == 2
    assert targets(plan("photos/"), tree) == targets(found, tree)


def test_pictures_of_kinds_that_are_not_read_are_found(tree: Path) -> None:
    for name in ("1.JXL", "2.jxl", "inner/3.cr2", ".4.dng", ".5/6.nef"):
        file = tree / "photos" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"")
    inner, outer = Path("photos/inner/3.cr2"), [Path("photos/1.JXL"), Path("photos/2.jxl")]
    assert sorted(plan("photos").unread) == [*outer, inner]
    assert sorted(plan("photos/*").unread) == sorted(plan("photos", recursive=False).unread) == outer
    assert plan("photos").passed_over == 2 + 5 - 1, "all files but those in a hidden folder"
    assert not plan("photos/1.JXL").unread, "it was named, and becomes a job"


@pytest.mark.skipif(not HAS_HEIC, reason="pillow-heif is not installed")
def test_heic_is_a_picture_and_keeps_its_ending(tree: Path) -> None:
    for name in ("1.HEIC", "2.heif", "3.Hif"):
        (tree / "photos" / name).write_bytes(b"")
    found = plan("photos", recursive=False)
    assert targets(found, tree)[:3] == ["photos_x4/1_x4.HEIC", "photos_x4/2_x4.heif", "photos_x4/3_x4.Hif"]
    assert not found.unread


WITHOUT_HEIC = """
import sys
sys.modules["pillow_heif"] = None
from restore_cli.cli.app import run
for line in sys.stdin:
    print(run(["upscale", *line.split(), "--dry-run"]), file=sys.stderr)
"""


def test_without_the_extra_heic_is_not_read_and_that_is_told(tree: Path) -> None:
    for name in ("photos/1.HEIC", "heic/1.heic"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_bytes(b"")
    commands = ("photos", "heic", "photos/a.jpg --format heic", "photos/a.jpg -o a.heic")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HEIC], input="\n".join(commands), capture_output=True, text=True
    )
    said = done.stderr.splitlines()
    assert said[0] == "note: 1 picture of a kind that is not read: .heic"
    assert [line for line in said if line.isdigit()] == ["1", "1", "2", "2"]
    hints = [line for line in said if line.endswith("; HEIC after pip install 'restore-cli[heic]'")]
    assert [hint.split(" .")[0] for hint in hints] == [
        "hint: pictures are files that end in",
        "hint: known are jpeg, png, tiff, webp, avif, gif, bmp, ppm, tga, dds, jp2, dz; HEIC after pip install "
        "'restore-cli[heic]'",
        "hint: for a folder write a.heic/, for a file use",
    ]


def test_the_current_folder_gets_one_beside_it(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "photos")
    assert targets(plan(".", recursive=False), tree) == ["photos_x4/a_x4.jpg", "photos_x4/b_x4.PNG"]


def test_not_recursive(tree: Path) -> None:
    assert targets(plan("photos", recursive=False), tree) == ["photos_x4/a_x4.jpg", "photos_x4/b_x4.PNG"]


def test_an_output_folder_keeps_names_and_mirrors_the_tree(tree: Path) -> None:
    expected = ["out/a.jpg", "out/b.PNG", "out/inner/c.tif", "out/inner/deep/f.webp"]
    assert targets(plan("photos", output="out"), tree) == expected
    assert targets(plan("photos", output="out/"), tree) == expected
    assert targets(plan("photos/a.jpg", output="out"), tree) == ["out/a.jpg"]


def test_an_output_folder_inside_the_input_is_not_read_back(tree: Path) -> None:
    (tree / "photos/out").mkdir()
    (tree / "photos/out/old.png").write_bytes(b"")
    assert "photos/out/out/old.png" not in targets(plan("photos", output="photos/out"), tree)
    assert len(plan("photos", output="photos/out").jobs) == 4


def test_tiles_of_a_deep_zoom_picture_are_no_pictures_of_their_own(tree: Path) -> None:
    for folder in ("large_files/0", "other_files/0"):
        (tree / "photos" / folder).mkdir(parents=True)
        (tree / "photos" / folder / "0_0.jpg").write_bytes(b"")
    (tree / "photos/large.dzi").write_bytes(b"")
    assert [target for target in targets(plan("photos"), tree) if "_files" in target] == [
        "photos_x4/other_files/0/0_0_x4.jpg"
    ]
    assert targets(plan("photos/large_files"), tree) == ["photos/large_files_x4/0/0_0_x4.jpg"]


def test_format_changes_the_ending(tree: Path) -> None:
    assert targets(plan("photos/a.jpg", format_name="png"), tree) == ["photos/a_x4.png"]
    assert targets(plan("photos/a.jpg", format_name="jpeg"), tree) == ["photos/a_x4.jpg"]
    with pytest.raises(UsageError, match="'bpg'"):
        plan("photos/a.jpg", format_name="bpg")


def test_an_output_file_decides_the_format(tree: Path) -> None:
    job = plan("photos/a.jpg", output="result.webp").jobs[0]
    assert job.target == Path("result.webp")
    assert job.format is not None
    assert job.format.name == "webp"


def test_a_file_without_a_known_ending_becomes_png(tree: Path) -> None:
    (tree / "scan").write_bytes(b"")
    assert targets(plan("scan"), tree) == ["scan_x4.png"]


def test_an_ending_of_no_format_becomes_png_too(tree: Path) -> None:
    (tree / "photos" / "scan.dat").write_bytes(b"")
    assert targets(plan("photos/scan.dat"), tree) == ["photos/scan_x4.png"]
    assert targets(plan("photos/scan.dat", output="out"), tree) == ["out/scan.png"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe1", "photo_x4.jpg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "photo_x4.webp"),
        (b"\0\0\0\x1cftypavif", "photo_x4.avif"),
        (b"BM", "photo_x4.png"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".mpo"])
def test_a_file_whose_name_does_not_tell_is_looked_at(ending: str, head: bytes, name: str, tree: Path) -> None:
    source = tree / f"photo{ending}"
    source.write_bytes(head)
    assert targets(plan(source.name), tree) == [name]


def test_globs(tree: Path) -> None:
    assert targets(plan("photos/**/*.[jt]*"), tree) == ["photos/a_x4.jpg", "photos/inner/c_x4.tif"]
    found = plan("photos/*")
    assert targets(found, tree) == ["photos/a_x4.jpg", "photos/b_x4.PNG"]


def test_a_name_that_looks_like_a_glob_but_exists_is_a_file(tree: Path) -> None:
    (tree / "a[1].png").write_bytes(b"")
    assert targets(plan("a[1].png"), tree) == ["a[1]_x4.png"]


@pytest.mark.parametrize("name", ["nosuch.jpg", "photos/*.gif", "nosuch/"])
def test_what_is_not_there_is_refused_alone(tree: Path, name: str) -> None:
    found = plan(name, "photos/a.jpg")
    assert len(found.jobs) == 1
    assert [refusal.name for refusal in found.refusals] == [name]
    assert isinstance(found.refusals[0].error, UnreadablePictureError)


def test_a_folder_without_pictures_is_refused(tree: Path) -> None:
    (tree / "empty").mkdir()
    assert "no pictures in empty" in plan("empty").refusals[0].error.message


def test_the_same_file_twice_is_done_once(tree: Path) -> None:
    assert len(plan("photos/a.jpg", "./photos/a.jpg", "photos").jobs) == 4


def test_two_inputs_to_one_target_are_refused_by_name(tree: Path) -> None:
    (tree / "a.jpg").write_bytes(b"")
    with pytest.raises(UsageError) as caught:
        plan("a.jpg", "photos/a.jpg", output="out/")
    assert "a.jpg and photos/a.jpg would both be written to out/a.jpg" in caught.value.message
    (tree / "photos/a.png").write_bytes(b"")
    with pytest.raises(UsageError):
        plan("photos", format_name="tiff")


def test_an_output_file_takes_one_input_only(tree: Path) -> None:
    with pytest.raises(UsageError, match=r"several pictures cannot all be written to out\.png"):
        plan("photos", output="out.png")
    with pytest.raises(UsageError):
        plan("photos", output="-")


def test_an_output_of_an_unknown_format_is_refused(tree: Path) -> None:
    with pytest.raises(UsageError, match="names no format") as caught:
        plan("photos/a.jpg", output="result.xyz")
    assert "result.xyz/" in caught.value.hint
    (tree / "v1.2").mkdir()
    assert targets(plan("photos/a.jpg", output="v1.2"), tree) == ["v1.2/a.jpg"]


def test_the_input_is_never_the_target_unless_overwriting(tree: Path) -> None:
    with pytest.raises(UsageError, match="replace its input"):
        plan("photos/a.jpg", output="photos/a.jpg")
    with pytest.raises(UsageError, match="replace its input"):
        plan("photos", output="photos")
    assert len(plan("photos/a.jpg", output="photos/a.jpg", overwrite=True).jobs) == 1


def test_standard_streams(tree: Path) -> None:
    job = plan("-").jobs[0]
    assert (job.source, job.target, job.format) == (None, None, None)
    job = plan("-", output="x.jpg").jobs[0]
    assert job.target == Path("x.jpg")
    job = plan("photos/a.jpg", output="-").jobs[0]
    assert job.target is None
    assert job.format is not None
    assert job.format.name == "jpeg"
    with pytest.raises(UsageError):
        plan("-", "photos/a.jpg")
    with pytest.raises(UsageError, match="mixed"):
        Planner(suffix="_x4", output="x.jpg").plan(["-"], ["photos/a.jpg"])
    with pytest.raises(UsageError):
        plan("-", output="out/")


@pytest.mark.parametrize("output", ["{stem}.png", "out/{scale}/{name}.png", "{nosuch}.png", "{stem.png"])
def test_a_template_needs_more_than_standard_input(output: str, tree: Path) -> None:
    with pytest.raises(UsageError, match="template") as caught:
        plan("-", output=output, facts={"scale": "4"})
    assert caught.value.hint
    assert plan("-", output="out/{scale}.png", facts={"scale": "4"}).jobs[0].target == Path("out/4.png")
    assert plan("-", output="{{stem}}.png").jobs[0].target == Path("{stem}.png")
    (tree / "{stem}.png").write_bytes(b"")
    assert plan("-", output="{stem}.png").jobs[0].target == Path("{stem}.png")


@pytest.mark.parametrize("source", ["photos/a.jpg", "photos", "-"])
@pytest.mark.parametrize("output", [".png", "out/.JPEG", "photos/inner/.jpg"])
def test_an_ending_alone_is_no_name_of_a_result(output: str, source: str, tree: Path) -> None:
    (tree / "photos/inner/.jpg").mkdir()
    with pytest.raises(UsageError, match="is an ending without a name") as caught:
        plan(source, output=output)
    assert "a variable may be empty" in caught.value.hint


def test_folders_may_have_any_name(tree: Path) -> None:
    assert targets(plan("photos/a.jpg", output=".png/"), tree) == [".png/a.jpg"]
    assert targets(plan("photos/a.jpg", output=".thumbs"), tree) == [".thumbs/a.jpg"]


def test_links_in_a_circle_end(tree: Path) -> None:
    (tree / "photos/inner/round").symlink_to(tree / "photos", target_is_directory=True)
    assert len(plan("photos").jobs) == 4


def test_a_suffix_of_ones_own_stands_in_for_the_usual_one(tree: Path) -> None:
    assert targets(plan("photos/a.jpg", suffix_override="-big"), tree) == ["photos/a-big.jpg"]
    assert targets(plan("photos", suffix_override="-big", recursive=False), tree) == [
        "photos-big/a-big.jpg",
        "photos-big/b-big.PNG",
    ]
    assert targets(plan("photos/a.jpg", suffix_override="-big", output="out"), tree) == ["out/a-big.jpg"]
    with pytest.raises(UsageError, match="replace its input"):
        plan("photos/a.jpg", suffix_override="")
    with pytest.raises(UsageError, match="names a folder"):
        plan("photos/a.jpg", suffix_override="/big")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "out/{parent}/{stem}_x4.{ext}",
            ["out/a_x4.jpg", "out/b_x4.PNG", "out/inner/c_x4.tif", "out/inner/deep/f_x4.webp"],
        ),
        (
            "{model}/x{scale}/{stem}-{ext}.png",
            ["m/x4/a-jpg.png", "m/x4/b-PNG.png", "m/x4/c-tif.png", "m/x4/f-webp.png"],
        ),
        ("out/{{{stem}}}.png", ["out/{a}.png", "out/{b}.png", "out/{c}.png", "out/{f}.png"]),
    ],
)
def test_a_template_says_where_results_go(output: str, expected: list[str], tree: Path) -> None:
    found = plan("photos", output=output, facts={"model": "m", "scale": "4"})
    assert targets(found, tree) == expected


def test_a_template_follows_the_format_and_decides_it(tree: Path) -> None:
    job = plan("photos/a.jpg", output="{stem}.{ext}", format_name="webp").jobs[0]
    assert (job.target, job.format and job.format.name) == (Path("a.webp"), "webp")
    job = plan("photos/a.jpg", output="{parent}/{stem}-new.tif").jobs[0]
    assert (job.target, job.format and job.format.name) == (Path("photos/a-new.tif"), "tiff")


@pytest.mark.parametrize(
    ("source", "output"),
    [("photos/a.jpg", "new/{name}"), ("photos/a.jpg", "{stem}.jpg"), ("photos/a.jpg", "x.jpg"), ("-", "x.jpg")],
)
def test_no_result_ends_as_another_format_does(source: str, output: str, tree: Path) -> None:
    with pytest.raises(UsageError, match="does not end as PNG does") as caught:
        plan(source, output=output, format_name="png")
    assert "leave --format away" in caught.value.hint
    assert plan(source, output=output, format_name="jpeg").jobs[0].target


def test_braces_in_the_name_of_a_folder_that_exists_are_no_template(tree: Path) -> None:
    (tree / "{old}").mkdir()
    assert targets(plan("photos/a.jpg", output="{old}"), tree) == ["{old}/a.jpg"]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("{nosuch}.png", "{nosuch}"),
        ("{stem!r}.png", "{stem}"),
        ("{stem:>9}.png", "{stem}"),
        ("{stem.upper}.png", "{stem.upper}"),
        ("{}.png", "{}"),
        ("{stem.png", "brace without its partner"),
        ("{stem}.xyz", "names no format"),
        ("{parent}.png", "would both be written"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(output: str, words: str, tree: Path) -> None:
    with pytest.raises(UsageError) as caught:
        plan("photos", output=output)
    assert words in caught.value.message
    assert caught.value.hint


def test_shards_are_all_pictures_and_none_twice(tree: Path) -> None:
    for index in range(40):
        (tree / "photos" / f"{index}.png").write_bytes(b"")
    whole = {job.source for job in plan("photos").jobs}
    parts = [{job.source for job in plan("photos", shard=Shard(number, 3)).jobs} for number in (1, 2, 3)]
    assert set().union(*parts) == whole
    assert sum(map(len, parts)) == len(whole)
    assert min(map(len, parts)) > 5


def test_a_shard_does_not_depend_on_where_the_folder_is_called_from(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = [str(job.source) for job in plan("photos", shard=Shard(1, 2)).jobs]
    assert here
    monkeypatch.chdir(tree / "photos")
    assert [f"photos/{job.source}" for job in plan(".", shard=Shard(1, 2)).jobs] == here


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        (["photos/*"], {}),
        (["photos"], {"output": "photos/large/{stem}.{ext}", "recursive": True}),
        (["photos"], {"output": "photos", "suffix_override": "_large", "overwrite": True}),
    ],
)
def test_results_are_not_restored_again(inputs: list[str], options: dict[str, object], tree: Path) -> None:
    first = plan(*inputs, **options)
    made = targets(first, tree)
    for target in made:
        (tree / target).parent.mkdir(exist_ok=True, parents=True)
        (tree / target).write_bytes(b"")
    again = plan(*inputs, **options)
    assert targets(again, tree) == made
    assert not first.earlier_results
    assert sorted(str(path.absolute().relative_to(tree)) for path in again.earlier_results) == sorted(made)


def test_an_original_that_would_be_replaced_is_told_before_anything_is_done(tree: Path) -> None:
    (tree / "photos/inner/a.jpg").write_bytes(b"")
    for inputs in (["photos/a.jpg", "photos/inner/a.jpg"], ["photos/inner", "photos"]):
        with pytest.raises(UsageError, match="would both be written"):
            plan(*inputs, output="photos/inner", overwrite=True, recursive=False)


def test_a_template_never_leads_out_of_its_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "photos" / "inner")
    found = plan("../a.jpg", "../inner/c.tif", "../../photos/b.PNG", output="clean/{parent}/{stem}.{ext}")
    base = tree / "photos" / "inner" / "clean"
    assert targets(found, base) == ["a.jpg", "inner/c.tif", "photos/b.PNG"]


def test_no_more_does_one_that_is_filled_in_with_dots(tree: Path) -> None:
    names = ["photos/..png", "photos/...png", "photos/....png"]
    for name in names:
        (tree / name).write_bytes(b"")
    found = plan(*names, output="clean/{stem}/large.{ext}")
    assert targets(found, tree) == ["clean/..png/large.png", "clean/...png/large.png", "clean/.../large.png"]


@pytest.mark.parametrize(
    ("text", "folder", "expected"),
    [
        ("clean/{parent}/{name}", r"C:\photos\night", r"clean\C\photos\night\a.jpg"),
        ("clean/{parent}/{name}", "D:photos", r"clean\D\photos\a.jpg"),
        ("clean/{parent}/{name}", r"\\nas\photos\night", r"clean\nas\photos\night\a.jpg"),
        ("clean/{parent}/{name}", r"\\?\C:\photos", r"clean\C\photos\a.jpg"),
        ("clean/{parent}/{name}", "photos", r"clean\photos\a.jpg"),
        ("{parent}/large/{name}", r"C:\photos", r"C:\photos\large\a.jpg"),
    ],
)
def test_a_drive_is_a_folder_in_that_of_the_results(
    text: str, folder: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets_module, "Path", PureWindowsPath)
    source = Source(PureWindowsPath(folder, "a.jpg"), None)  # type: ignore[arg-type]
    assert str(targets_module.Template(text, {}).fill(source, ".jpg")) == expected


def test_pictures_of_one_name_and_several_kinds_are_kept_apart_by_a_template(tree: Path) -> None:
    (tree / "photos/a.png").write_bytes(b"")
    found = plan("photos/a.jpg", "photos/a.png", format_name="webp", output="out/{name}.{ext}")
    assert targets(found, tree) == ["out/a.jpg.webp", "out/a.png.webp"]


def test_the_results_of_a_linked_folder_lie_beside_the_link(tree: Path) -> None:
    (tree / "deep").mkdir()
    (tree / "photos/inner/deep").rename(tree / "deep" / "real")
    (tree / "link").symlink_to(tree / "deep" / "real")
    assert targets(plan("link"), tree) == ["link_x4/f_x4.webp"]


def test_collisions_are_found_whatever_the_shard(tree: Path) -> None:
    (tree / "photos/a.png").write_bytes(b"")
    for number in (1, 2, 3, 4):
        with pytest.raises(UsageError, match="would both be written"):
            plan("photos", format_name="tiff", shard=Shard(number, 4))


@pytest.mark.parametrize("name", ["A.jpg", "e\u0301.jpg"])
def test_on_macos_collisions_are_found_whatever_case_and_accents(
    name: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("photos/\u00e9.jpg", f"photos/inner/{name}"):
        (tree / file).write_bytes(b"")
    assert len(plan("photos", output="flat/{stem}.{ext}").jobs) == 6
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match="would both be written"):
        plan("photos", output="flat/{stem}.{ext}")


def test_a_plan_grows(tree: Path) -> None:
    (tree / "empty").mkdir()
    planner = Planner(suffix="_x4", output="out", grows=True)
    assert planner.plan(["empty"]) == Plan((), (), 0)
    source = Source(Path("empty/in/a.jpg"), Path("empty"))
    job = planner.add(source)
    assert job is not None
    assert job.target == Path("out/in/a.jpg")
    assert planner.makes(tree / "out" / "in" / "a.jpg")
    assert not planner.makes(tree / "empty" / "in" / "a.jpg")
    assert planner.add(source) == job
    with pytest.raises(UsageError, match=r"would both be written to out/in/a\.jpg"):
        planner.add(Source(Path("other/in/a.jpg"), Path("other")))


def test_a_plan_that_grows_needs_room_for_several(tree: Path) -> None:
    (tree / "empty").mkdir()
    with pytest.raises(UsageError, match="several pictures cannot all be written"):
        Planner(suffix="_x4", output="one.png", grows=True).plan(["empty"])


def test_a_picture_of_another_part_keeps_its_place(tree: Path) -> None:
    source = Source(Path("photos/a.jpg"), Path("photos"))
    mine = next(number for number in (1, 2) if Shard(number, 2).holds(source))
    planner = Planner(suffix="_x4", output="out", shard=Shard(3 - mine, 2), grows=True)
    planner.plan(["photos"])
    assert planner.add(source) is None
    assert planner.makes(Path("out/a.jpg"))
