"""The names that programs in Python use."""

from __future__ import annotations

import io
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import restore_cli
from restore_cli import (
    Alpha,
    Brightener,
    Cleaner,
    Decompressor,
    Picture,
    RestoreError,
    Restorer,
    Sizing,
    Upscaler,
    Wrap,
    encode_picture,
    read_picture,
    write_picture,
)

ROOT = Path(__file__).resolve().parents[1]


def test_every_public_name_is_there_and_nothing_else() -> None:
    for name in restore_cli.__all__:
        assert getattr(restore_cli, name) is not None
    assert {name for names in restore_cli.MODULES.values() for name in names} == set(restore_cli.__all__) - {
        "__version__"
    }
    with pytest.raises(AttributeError, match="has no attribute 'upscale_all'"):
        restore_cli.upscale_all  # noqa: B018
    assert (Path(restore_cli.__file__).parent / "py.typed").exists()


def test_public_names_are_listed() -> None:
    assert set(restore_cli.__all__) <= set(dir(restore_cli))


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, restore_cli; sys.exit(bool({'torch', 'numpy', 'PIL', 'pyvips'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_example_in_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Image.open(ROOT / "docs" / "otter.png") as otter:
        otter.resize((60, 40)).save("photo.jpg")
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL
    )
    exec(compile(example, "python.md", "exec"), {})
    with Image.open("large.png") as large:
        assert large.size == (240, 160)


def test_an_empty_array_is_no_picture() -> None:
    for shape in ((0, 3, 3), (3, 0, 3), (0, 0, 1)):
        with pytest.raises(RestoreError, match="are no picture: a side is 0"):
            Picture(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("beyond", [np.zeros((3, 4, 3), np.int64), np.zeros((3, 4, 1), np.int32)])
def test_what_lies_beyond_srgb_fits_the_pixels(beyond: np.ndarray) -> None:
    with pytest.raises(RestoreError, match="a beyond_srgb of"):
        Picture(np.zeros((3, 4, 3), np.uint8), beyond_srgb=beyond)


@pytest.mark.parametrize("task", [Brightener, Cleaner, Decompressor])
def test_a_network_that_enlarges_keeps_no_size(task: type[Cleaner | Brightener]) -> None:
    with pytest.raises(RestoreError, match="a network for x4 does not keep a picture's size"):
        task(Restorer.load("safmn-x4", device="cpu"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 0}, "a tile is auto, off or a number of pixels, not 0"),
        ({"tile": "32"}, "not '32'"),
        ({"tile": None}, "not None"),
        ({"tile": 16.5}, "not 16.5"),
        ({"tile": True}, "not True"),
        ({"threads": 0}, "threads are a whole number from 1 up, not 0"),
        ({"threads": 1.5}, "threads are a whole number from 1 up, not 1.5"),
        ({"device": None}, "no device is called None"),
    ],
)
def test_options_of_a_restorer_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RestoreError, match=message):
        Restorer.load("safmn-x4", **{"device": "cpu"} | options)


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan"), "1"])
def test_a_strength_is_a_share(strength: Any) -> None:
    with pytest.raises(RestoreError, match=f"a strength is from 0 to 1, not {strength!r}"):
        Upscaler(Restorer.load("safmn-x4", device="cpu"), Sizing(scale=4), strength=strength)
    with pytest.raises(RestoreError, match=f"a strength is from 0 to 1, not {strength!r}"):
        Cleaner(Restorer.load("denoise", device="cpu"), strength=strength)


@pytest.mark.parametrize("tunes", [False, True])
def test_loading_leaves_the_memory_of_the_process_alone_unless_asked(
    tunes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("restore_cli.device.glibc_function", asked.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "")  # so that it is restored
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")
    Restorer.load("safmn-x4", device="cpu", tunes_process=tunes)
    assert asked == (["mallopt"] if tunes else [])
    assert ("THP_MEM_ALLOC_ENABLE" in os.environ) == tunes
    assert torch.backends.cudnn.allow_tf32 != tunes


def test_threads_of_the_process_are_as_many_as_loading_says(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    Restorer.load("safmn-x4", device="cpu", threads=3)
    assert told[-1] == 3


def test_traits_are_taken_by_name() -> None:
    upscale = Upscaler(Restorer.load("safmn-x2", device="cpu"), Sizing(scale=2), wrap="xy", alpha="data")
    assert (upscale.wrap, upscale.alpha) == (Wrap.XY, Alpha.DATA)
    clean = Cleaner(Restorer.load("dejpeg-s", device="cpu"), wrap="y", alpha="transparency")
    assert clean.wrap is Wrap.Y
    assert clean.alpha is Alpha.TRANSPARENCY


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"wrap": "diagonal"}, "no Wrap is called 'diagonal'"),
        ({"alpha": "zzz"}, "no Alpha is called 'zzz'"),
        ({"alpha": None}, "no Alpha is called None"),
    ],
)
def test_traits_that_there_are_not_are_refused(traits: dict[str, Any], message: str) -> None:
    with pytest.raises(RestoreError, match=message):
        Upscaler(Restorer.load("safmn-x2", device="cpu"), Sizing(scale=2), **traits)
    with pytest.raises(RestoreError, match=message):
        Brightener(Restorer.load("darkir-s", device="cpu"), **traits)


def test_an_upscaler_has_a_strength() -> None:
    with pytest.raises(RestoreError, match="a strength is from 0 to 1, not None"):
        Upscaler(Restorer.load("safmn-x4", device="cpu"), Sizing(scale=4), strength=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 3, 8, 8), (8, 8), (3, 0, 8)])
def test_a_tensor_that_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RestoreError, match=re.escape(f"a tensor of shape {shape} is no picture of shape 3, h, w")):
        Restorer.load("safmn-x4", device="cpu").restore(torch.zeros(shape))


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((3, 8, 8), np.float32), "a tensor of shape 3, h, w, not a ndarray"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "a tensor of torch.uint8 is none of floats from 0 to 1"),
        (torch.full((3, 8, 8), torch.nan), "the picture holds NaN or infinite values"),
        (torch.full((3, 8, 8), torch.inf), "the picture holds NaN or infinite values"),
    ],
)
def test_values_that_are_no_picture_are_refused(picture: Any, message: str) -> None:
    for model in ("safmn-x2", "darkir-s"):
        with pytest.raises(RestoreError, match=message):
            Restorer.load(model, device="cpu").restore(picture)


def test_pictures_that_do_not_go_together_are_refused() -> None:
    restorer = Restorer.load("safmn-x2", device="cpu")
    with pytest.raises(RestoreError, match="pictures of unlike sizes"):
        restorer.restore_stack([torch.zeros(3, 8, 8), torch.zeros(3, 8, 9)])
    with pytest.raises(RestoreError, match="is none of floats"):
        restorer.restore_stack([torch.zeros(3, 8, 8, dtype=torch.uint8)] * 2)
    with pytest.raises(RestoreError, match="a network for x2 makes 16x18 of this picture, not 20x20"):
        restorer.restore(torch.zeros(3, 9, 8), size=(20, 20))


def test_floats_of_any_kind_become_float32() -> None:
    restorer = Restorer.load("safmn-x2", device="cpu", precision="fp32")
    picture = torch.rand(3, 8, 8)
    alone, _ = restorer.restore(picture.double())
    assert torch.equal(alone, restorer.restore(picture)[0])
    for result in restorer.restore_stack([picture.double()] * 2):
        assert not isinstance(result, RestoreError)
        assert result[0].dtype == torch.float32


@pytest.mark.parametrize("model", ["safmn-any", "darkir-s"])
def test_defaults_that_a_program_has_chosen_change_nothing(model: str) -> None:
    picture = torch.rand(3, 24, 20)
    expected, _ = Restorer.load(model, device="cpu", precision="fp32").restore(picture)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            restorer = Restorer.load(model, device="cpu", precision="fp32", tile=16)
            restored, _ = restorer.restore(picture)
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert (restored.dtype, restored.device.type) == (torch.float32, "cpu")
    assert torch.allclose(restored, expected, atol=1e-3)


def test_a_model_may_be_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "weights" / "safmn-x2.safetensors", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert Restorer.load(Path("mine"), device="cpu").scale == 2


def test_pictures_go_to_other_processes_with_all_that_is_theirs(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (5, 7, 4), np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "picture.png", dpi=(300, 300))
    picture = read_picture(tmp_path / "picture.png")
    again = pickle.loads(pickle.dumps(picture))
    assert (again.pixels == pixels[..., :3]).all()
    assert (again.alpha == pixels[..., 3]).all()
    assert again.metadata == picture.metadata
    assert again.storage.empty((2, 3), np.uint8).shape == (2, 3)


def test_arrays_go_through_every_task() -> None:
    pixels = np.random.default_rng(1).integers(0, 30, (24, 16, 3), np.uint8)
    for task, model in ((Brightener, "darkir-s"), (Cleaner, "denoise"), (Decompressor, "dejpeg-s")):
        result, run = task(Restorer.load(model, device="cpu"))(Picture(pixels))
        assert result.pixels.shape == pixels.shape
        assert result.pixels.dtype == np.uint8
        assert run.precision in ("fp32", "bf16")
    upscale = Upscaler(Restorer.load("safmn-any", device="cpu"), Sizing(scale=1.5))
    assert upscale(Picture(pixels))[0].pixels.shape == (36, 24, 3)


def test_an_array_keeps_its_depth(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 65_536, (5, 7, 3), np.uint16)
    write_picture(Picture(pixels), tmp_path / "deep.png")
    again = read_picture(tmp_path / "deep.png")
    assert again.depth == 16
    assert (again.pixels == pixels).all()


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((4, 4, 3)), None),
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((4, 4, 4), np.uint8), None),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16)),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 3), np.uint8)),
    ],
)
def test_arrays_that_are_no_picture_are_refused(pixels: np.ndarray, alpha: np.ndarray | None) -> None:
    with pytest.raises(RestoreError, match="shape"):
        Picture(pixels, alpha)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[[1, 2, 3]]],), "samples are an array of NumPy, not a list"),
        ((np.zeros((4, 4, 3), np.uint8), [[1]]), "samples are an array of NumPy, not a list"),
        ((np.zeros((4, 4, 3), np.uint16), None, None, 12), "a picture has a depth of 8 or 16 bits, not 12"),
    ],
)
def test_what_is_no_picture_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(RestoreError, match=message):
        Picture(*arguments)


def test_samples_of_the_other_order_of_bytes_are_turned() -> None:
    pixels = np.random.default_rng(1).integers(0, 65_536, (5, 7, 3), np.uint16)
    other = pixels.astype(pixels.dtype.newbyteorder("S"))
    picture = Picture(other, np.ascontiguousarray(other[..., 0]))
    again = read_picture(encode_picture(picture, "png"))
    assert picture.pixels.dtype == np.uint16
    assert (again.pixels == pixels).all()
    assert (again.alpha == pixels[..., 0]).all()


def test_a_picture_is_equal_to_itself_alone() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    picture, other = Picture(pixels), Picture(pixels)
    assert picture == picture
    assert picture != other
    assert len({picture, other, picture}) == 2


def test_pictures_become_bytes_of_a_format_by_its_name(tmp_path: Path) -> None:
    picture = Picture(np.random.default_rng(1).integers(0, 255, (5, 7, 3), np.uint8))
    write_picture(picture, tmp_path / "large", "TIF", quality=np.int64(80))
    content = encode_picture(picture, "tiff")
    assert content == (tmp_path / "large").read_bytes()
    assert (read_picture(content).pixels == picture.pixels).all()
    with pytest.raises(RestoreError, match="no format is called 'psd'") as caught:
        encode_picture(picture, "psd")
    assert caught.value.hint.startswith("known are jpeg, png")
    with pytest.raises(RestoreError, match="a Deep Zoom picture is many files"):
        encode_picture(picture, "dz")


@pytest.mark.parametrize("quality", [-5, 0, 101, 50.5, "90"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.dzi"])
def test_a_quality_is_a_number_from_1_to_100(name: str, quality: Any, tmp_path: Path) -> None:
    with pytest.raises(RestoreError, match=f"a quality is a whole number from 1 to 100, not {quality!r}"):
        write_picture(Picture(np.zeros((4, 4, 3), np.uint8)), tmp_path / name, quality=quality)
    assert not list(tmp_path.iterdir())


def test_reading_leaves_the_limits_of_pillow_alone(tmp_path: Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    Image.new("RGB", (4, 4)).save(tmp_path / "small.bmp")
    read_picture(tmp_path / "small.bmp")
    assert limit == Image.MAX_IMAGE_PIXELS
    assert limit is not None


def test_pictures_are_read_from_whatever_holds_bytes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (5, 7, 3), np.uint8)
    content = encode_picture(Picture(pixels), "png")
    (tmp_path / "picture.png").write_bytes(content)
    with open(tmp_path / "picture.png", "rb") as file:
        for source in (content, bytearray(content), memoryview(content), io.BytesIO(content), file):
            assert (read_picture(source).pixels == pixels).all()
    with pytest.raises(RestoreError, match="cannot read the bytes given: it is of no known"):
        read_picture(io.BytesIO(b"abc"))


def test_wrong_kinds_of_arguments_are_told_of(tmp_path: Path) -> None:
    array: Any = np.zeros((8, 8, 3), np.uint8)
    other: Any = io.StringIO("photo.jpg")
    upscale = Upscaler(Restorer.load("safmn-x2", device="cpu"), Sizing(scale=2))
    clean = Cleaner(Restorer.load("dejpeg-s", device="cpu"))
    for task in (upscale, clean):
        with pytest.raises(RestoreError, match="a Picture is wanted, not ndarray"):
            task(array)
    with pytest.raises(RestoreError, match="a Picture is wanted, not str"):
        upscale.stream("photo.jpg", print)  # type: ignore[arg-type]
    with pytest.raises(RestoreError, match="a Picture is wanted, not ndarray"):
        write_picture(array, tmp_path / "picture.png")
    with pytest.raises(RestoreError, match="a Picture is wanted, not ndarray"):
        encode_picture(array, "png")
    with pytest.raises(RestoreError, match="a target is a path, not StringIO"):
        write_picture(Picture(array), other)
    for source in (None, other, array):
        with pytest.raises(RestoreError, match=f"a file open for reading them, not {type(source).__name__}"):
            read_picture(source)
    with pytest.raises(RestoreError, match="a Sizing is wanted, not 4"):
        Upscaler(upscale.restorer, 4)  # type: ignore[arg-type]
    with pytest.raises(RestoreError, match="a model is a name or the path of a file, not None"):
        Restorer.load(None)  # type: ignore[arg-type]
    assert upscale.restore_group([]) == clean.restore_group([]) == []


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_arrays_are_taken_as_they_come(channels: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(0, 255, (5, 7, *channels), np.uint8)
    picture = Picture.from_array(array)
    assert (picture.alpha is not None) == (channels in ((2,), (4,)))
    assert (picture.to_array() == (array[..., 0] if channels == (1,) else array)).all()
    assert (read_picture(encode_picture(picture, "png")).to_array() == picture.to_array()).all()
    with pytest.raises(RestoreError, match="are none of uint8 or uint16"):
        Picture.from_array(array[..., None, None])


def test_mistakes_are_errors_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(RestoreError, match="no precision is called 'fp8'"):
        Restorer.load("safmn-x4", precision="fp8")
    with pytest.raises(RestoreError, match="no model is called 'safmn-4x'") as caught:
        Restorer.load("safmn-4x")
    assert "did you mean safmn-x4?" in caught.value.hint
    with pytest.raises(RestoreError, match="cannot read nosuch"):
        read_picture("nosuch.png")
    with pytest.raises(RestoreError, match="stands for no format"):
        write_picture(Picture(np.zeros((4, 4, 3), np.uint8)), tmp_path / "picture.doc")
