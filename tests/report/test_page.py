"""Reports: what they tell, that names cannot break them, and that they stay usable."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import Image

from restore_cli.batch.outcome import Outcome, Seconds
from restore_cli.errors import RestoreError, UsageError
from restore_cli.report import entry, page
from restore_cli.report.page import check_report, write_report


class Page(HTMLParser):
    """A page taken apart."""

    def __init__(self, file: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.source = file.read_text("utf-8")
        self.feed(self.source)
        self.close()
        self.text = " ".join(self.text.replace("\u00d7", "x").split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data + " "

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def thumbnails(self) -> list[Image.Image]:
        contents = [str(image["src"]).removeprefix("data:image/webp;base64,") for image in self.every("img")]
        return [Image.open(io.BytesIO(base64.b64decode(content))) for content in contents]

    @property
    def links(self) -> list[str]:
        return [str(link["href"]) for link in self.every("a") if "href" in link]


DONE = Outcome(
    "photo.png",
    "photo_x4.png",
    "done",
    model="safmn-x4",
    scale=4.0,
    input_size=(400, 300),
    output_size=(1600, 1200),
    device="cpu",
    precision="bf16",
    tile=256,
    seconds=Seconds(0.1, 0.7, 0.2),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which the pictures of DONE lie: the result is brighter."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (400, 300), (40, 40, 40)).save("photo.png")
    Image.new("RGB", (1600, 1200), (200, 200, 200)).save("photo_x4.png")
    return tmp_path


def written(*outcomes: Outcome, target: str = "report.html", title: str = "restore upscale photo.png") -> Page:
    write_report(Path(target), outcomes, title=title, seconds=2.0, interrupted=False)
    return Page(Path(target))


@pytest.mark.usefixtures("folder")
def test_a_picture_is_shown_before_and_after_with_all_that_is_known() -> None:
    found = written(replace(DONE, notes=("only the first of 2 pages or frames is used",)))
    for words in ("400 x 300", "1600 x 1200", "x4", "safmn-x4", "bf16", "cpu", "tiles of 256", "1.0 s"):
        assert words in found.text
    assert "read 0.10, run 0.70, write 0.20" in found.text
    assert "only the first of 2 pages or frames is used" in found.text
    before, after = found.thumbnails
    assert (before.size, after.size) == ((320, 240), (320, 240))
    assert int(np.asarray(before).mean()) == pytest.approx(40, abs=2)
    assert int(np.asarray(after).mean()) == pytest.approx(200, abs=2)
    assert set(found.links) == {"photo.png", "photo_x4.png"}


@pytest.mark.usefixtures("folder")
def test_the_head_adds_up() -> None:
    failed = Outcome("bad.png", None, "failed", "cannot read bad.png: it is empty", "copy it again", 1)
    skipped = Outcome("photo.png", "photo_x4.png", "skipped", "its target exists")
    found = written(DONE, DONE, failed, skipped)
    assert "2 pictures restored restore upscale photo.png" in found.text
    assert "done 2 skipped 1 failed 1 total time 2.0 s" in found.text
    assert "megapixels 0.24 in 3.8 out megapixels a second 0.12 in 1.9 out" in found.text
    assert "read 10 % run 70 % write 20 %" in found.text
    assert found.text.index("cannot read bad.png: it is empty copy it again") < found.text.index("400 x 300")
    assert "skipped: its target exists" in found.text


@pytest.mark.usefixtures("folder")
def test_one_file_without_a_network() -> None:
    found = written(DONE)
    assert not found.every("link")
    assert all(str(image["src"]).startswith("data:") for image in found.every("img"))
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", found.source)
    (policy,) = [tag["content"] for tag in found.every("meta") if "http-equiv" in tag]
    (script,) = re.findall(r"<script>(.*?)</script>", found.source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


ODD = [
    b"a b.png",
    b"100% #1?.png",
    b"a:b.png",
    b"</article><script>alert(1)<!--.png".replace(b"/", b""),
    b"\"onload=x & <b>'.png",
    b"{{ 7 * 7 }}.png",
    b"new\nline.png",
    "😀 été.png".encode(),
    "\u202egnp.png".encode(),
    b"\xff\xfe.png",
    b"\\back.png",
]


@pytest.mark.parametrize("name", ODD)
def test_names_cannot_break_the_page(name: bytes, folder: Path) -> None:
    plain = written(replace(DONE, notes=("plain",)), title="restore")
    source, target = os.fsdecode(b"in/" + name), os.fsdecode(b"out/" + name)
    for path, origin in ((source, "photo.png"), (target, "photo_x4.png")):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(Path(origin).read_bytes())
    odd = replace(DONE, source=source, target=target, notes=(source,))
    found = written(odd, title=source, target="odd.html")
    assert [tag for tag, _ in found.tags if tag != "p"] == [tag for tag, _ in plain.tags if tag != "p"]
    assert {unquote_to_bytes(link) for link in found.links} == {b"in/" + name, b"out/" + name}
    assert all(re.fullmatch(r"[\w./~%-]+", link, re.ASCII) for link in found.links)
    assert len(found.thumbnails) == 2
    assert found.text.isprintable()
    if name.isascii() and name.decode().isprintable():
        assert name.decode() in found.text


def test_links_lead_from_the_page_to_the_pictures(folder: Path) -> None:
    found = written(DONE, target="reports/today/page.html")
    assert set(found.links) == {"../../photo.png", "../../photo_x4.png"}
    assert len(found.thumbnails) == 2
    found = written(replace(DONE, source=str(folder / "photo.png")), target="page.html")
    assert "photo.png" in found.links


@pytest.mark.usefixtures("folder")
def test_what_has_no_thumbnail_is_told_of() -> None:
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = written(
        replace(DONE, target="gone.png"),
        replace(DONE, source="broken.png"),
        replace(DONE, source="-", target="-"),
        replace(DONE, target="photo.dzi"),
    )
    for words in ("no longer there", "cannot be shown", "standard input", "not a file", "Deep Zoom tiles"):
        assert words in found.text
    assert len(found.thumbnails) == 3


@pytest.mark.usefixtures("folder")
def test_what_goes_wrong_with_a_thumbnail_never_costs_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(entry, "make_thumbnail", fail)
    assert "cannot be shown" in written(DONE).text
    monkeypatch.setattr(entry, "make_thumbnail", lambda path, side: fail_too_large())
    assert "too large for a thumbnail" in written(DONE).text
    monkeypatch.setattr(page, "THUMBNAIL_SECONDS", -1.0)
    assert "no time for more thumbnails" in written(DONE).text


def fail_too_large() -> None:
    raise entry.TooLargeError("100 megapixels")


@pytest.mark.usefixtures("folder")
def test_a_large_batch_stays_usable_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_THUMBNAILS", 2)
    monkeypatch.setattr(page, "MOST_ROWS", 4)
    failed = Outcome("bad.png", None, "failed", "it is empty")
    noted = replace(DONE, notes=("look at it",))
    found = written(*[failed] * 5, DONE, DONE, noted, *[DONE] * 6)
    assert len(found.thumbnails) == 4
    assert found.text.count("it is empty") == 5
    places = [int(str(article["data-place"])) for article in found.every("article")]
    assert places == [5, 7]
    assert len(found.every("tr")) == 1 + 4
    assert "Thumbnails are for 2 pictures, those with notes first" in found.text
    assert "3 more are counted above and not named" in found.text


def test_500_pictures_have_thumbnails(tmp_path: Path) -> None:
    found = written(*[DONE] * 502, target=str(tmp_path / "report.html"))
    assert len(found.every("article")) == 500
    assert len(found.every("tr")) == 1 + 2


@pytest.mark.usefixtures("folder")
def test_a_transparent_picture_lies_on_a_pattern() -> None:
    Image.new("RGBA", (40, 30), (200, 0, 0, 90)).save("photo.png")
    found = written(DONE)
    frames = [link["class"] for link in found.every("a") if "frame" in str(link.get("class"))]
    assert frames == ["frame clear", "frame"]


@pytest.mark.usefixtures("folder")
def test_an_interrupted_batch_and_an_empty_one() -> None:
    write_report(Path("a.html"), [], title="restore", seconds=0.0, interrupted=True)
    assert "0 pictures restored interrupted restore" in Page(Path("a.html")).text
    assert not Page(Path("a.html")).every("article")


def test_a_report_is_written_whole_or_not_at_all(folder: Path) -> None:
    Path("report.html").write_text("before")
    assert written(DONE).source.startswith("<!DOCTYPE html>")
    Path("is folder").mkdir()
    with pytest.raises(RestoreError, match="cannot write the report is folder: there is a folder of this name"):
        written(DONE, target="is folder")
    with pytest.raises(RestoreError, match=r"cannot write the report photo\.png/a\.html: File exists"):
        written(DONE, target="photo.png/a.html")
    assert sorted(path.name for path in folder.iterdir()) == ["is folder", "photo.png", "photo_x4.png", "report.html"]


@pytest.mark.usefixtures("folder")
def test_where_no_report_can_be_written_is_known_before() -> None:
    check_report(Path("report.html"))
    check_report(Path("new/folder/report.html"))
    Path("old.html").write_text("<!DOCTYPE html>\n<title>a batch</title>")
    check_report(Path("old.html"))
    with pytest.raises(UsageError, match="it is there already, and no page"):
        check_report(Path("photo.png"))
    Path("is folder").mkdir()
    with pytest.raises(UsageError, match="the report is folder cannot be written: it is a folder"):
        check_report(Path("is folder"))
    with pytest.raises(UsageError, match="cannot be written"):
        check_report(Path("photo.png/report.html"))
