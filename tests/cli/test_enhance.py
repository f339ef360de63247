"""`restore lowlight`, `deblur`, `denoise`, `dejpeg` and `run` as a user drives them; small pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from restore_cli import catalog
from restore_cli.card import ModelCard
from restore_cli.cli.app import run
from restore_cli.metrics import compare
from restore_cli.networks.darkir import DarkIR
from restore_cli.networks.denoiser import Denoiser
from restore_cli.networks.safmn import SAFMN
from restore_cli.networks.safmn_bcie import SAFMNBCIE

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dark(photo: Path) -> Path:
    """The drawn photograph, taken with a twentieth of the light."""
    with Image.open(photo) as image:
        Image.fromarray((np.asarray(image) / 255 / 20 ** (1 / 2.2) * 255).astype(np.uint8)).save("dark.png")
    return Path("dark.png")


@pytest.fixture
def small_weights(here: Path) -> Path:
    torch.manual_seed(0)
    network = DarkIR(4, enc_blk_nums=(1,), dec_blk_nums=(1,), middle_blk_num_enc=1, middle_blk_num_dec=1)
    save_file(network.state_dict(), here / "own.safetensors")
    return here / "own.safetensors"


def pixels_of(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def record(capsys: Capture) -> dict[str, object]:
    (line,) = capsys.readouterr().out.splitlines()
    loaded: dict[str, object] = json.loads(line)
    return loaded


def test_a_dark_picture_becomes_bright(dark: Path, photo: Path, capsys: Capture) -> None:
    assert run(["lowlight", str(dark), "--json"]) == 0
    told = record(capsys)
    assert (told["target"], told["model"], told["scale"]) == ("dark_lowlight.png", "darkir-s", 1)
    restored, original = pixels_of("dark_lowlight.png"), pixels_of(photo)
    assert restored.shape == original.shape
    assert np.abs(restored - original).mean() < 0.5 * np.abs(pixels_of(dark) - original).mean()


def test_the_tile_does_not_change_the_result(dark: Path) -> None:
    for tile in ("off", "16", "auto"):
        assert run(["lowlight", str(dark), "--tile", tile, "-o", f"{tile}.png", "--precision", "fp32", "-q"]) == 0
    for tile in ("16", "auto"):
        assert np.abs(pixels_of(f"{tile}.png") - pixels_of("off.png")).max() <= 1


def test_a_bright_picture_stays_and_the_user_is_told(photo: Path, capsys: Capture) -> None:
    assert run(["lowlight", str(photo)]) == 0
    told = capsys.readouterr().err
    assert "not dark" in told
    assert "so it was left as it is; strength 1 brightens it in full" in told  # --strength here, a key in a step
    assert "its file was copied" in told
    assert Path("photo_lowlight.png").read_bytes() == photo.read_bytes()
    assert run(["lowlight", str(photo), "--strength", "1", "--overwrite"]) == 0
    assert (pixels_of("photo_lowlight.png") != pixels_of(photo)).any()


def test_16_bits_stay(dark: Path, here: Path) -> None:
    import pyvips

    deep = pyvips.Image.new_from_file(str(dark)).cast("ushort") * 257
    deep.cast("ushort").copy(interpretation="rgb16").write_to_file("deep.png")
    assert run(["lowlight", "deep.png", "-o", "out.tif", "-q"]) == 0
    assert pyvips.Image.new_from_file("out.tif").format == "ushort"


def test_weights_of_ones_own(dark: Path, small_weights: Path, capsys: Capture) -> None:
    assert run(["deblur", str(dark), "-m", str(small_weights), "--json"]) == 0
    assert record(capsys)["target"] == "dark_deblur.png"
    assert run(["lowlight", str(dark), "-m", str(small_weights), "-q"]) == 0


def test_a_step_takes_the_scale_of_weights_of_ones_own(dark: Path, here: Path, capsys: Capture) -> None:
    save_file(SAFMN(8, n_blocks=1, upscaling_factor=3).state_dict(), here / "x3.safetensors")
    assert run(["run", str(dark), "--step", "upscale:model=x3.safetensors", "--json"]) == 0
    found = record(capsys)
    assert (found["target"], found["scale"]) == ("dark_x3.png", 3)


def test_a_network_that_does_not_enlarge_is_no_upscaler(dark: Path, small_weights: Path, capsys: Capture) -> None:
    assert run(["upscale", str(dark), "-m", str(small_weights), "-s", "2"]) == 3
    assert "own.safetensors does not upscale" in capsys.readouterr().err
    for command in (["upscale", "-m", str(small_weights)], ["run", "--step", f"upscale:model={small_weights}"]):
        assert run([*command, str(dark)]) == 3
        assert "own.safetensors does not upscale" in capsys.readouterr().err
    assert not Path("dark_x1.png").exists()
    assert run(["upscale", str(dark), "-m", str(small_weights), "-s", "1", "-q"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("deblur dark.png", 2, "no model for deblur is built in or listed"),
        ("denoise dark.png -m safmn-bcie", 2, "safmn-bcie is made for dejpeg, not for denoise"),
        ("denoise dark.png --strength -1", 2, "'--strength'"),
        ("dejpeg dark.png -m darkir-s", 2, "darkir-s is made for lowlight, not for dejpeg"),
        ("run dark.png --step deblur", 2, "no model for deblur is built in or listed"),
        ("run dark.png --step denoise:preserve-highlights", 2, "the step denoise takes no 'preserve-highlights'"),
        ("lowlight dark.png -m safmn-x4", 2, "safmn-x4 is made for upscale, not for lowlight"),
        ("upscale dark.png -m darkir-s", 2, "darkir-s does not upscale"),
        ("lowlight dark.png --strength 2", 2, "'--strength'"),
        ("lowlight dark.png -m nosuch", 2, "no model is called 'nosuch'"),
        ("lowlight nosuch.png", 1, "there is no file nosuch.png"),
        ("run dark.png --step nosuch", 2, "no step is called 'nosuch'"),
        ("run dark.png --step upscale:scale=99", 2, "the scale 99 is not between"),
        ("run dark.png --step lowlight:model=safmn-x4", 2, "safmn-x4 is made for upscale"),
        ("run dark.png --step lowlight -m darkir-s", 2, "--model does not say for which step"),
        ("run dark.png --step upscale:model=own.safetensors", 3, "own.safetensors"),
        ("run dark.png", 2, "Missing option '--step'"),
        ("run dark.png --step lowlight --key params", 2, "--key is for a weights file"),
        ("lowlight dark.png --key params", 2, "--key is for a weights file"),
        ("upscale dark.png -m safmn-x2 --key params", 2, "--key is for a weights file"),
    ],
)
def test_wrong_requests_get_one_line(arguments: str, code: int, words: str, dark: Path, capsys: Capture) -> None:
    assert run(arguments.split()) == code
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert words in first
    assert len(rest) <= 1
    assert [path.name for path in Path().iterdir() if path.suffix == ".png"] == ["photo.png", "dark.png"]


@pytest.mark.parametrize(
    ("command", "hint"),
    [("deblur", "with --model FILE"), ("run --step deblur", "with --step deblur:model=FILE")],
)
def test_a_hint_at_weights_of_ones_own_fits_the_command(command: str, hint: str, dark: Path, capsys: Capture) -> None:
    assert run([*command.split(), str(dark)]) == 2
    assert capsys.readouterr().err.splitlines()[1] == f"hint: give a weights file {hint}"


@pytest.fixture
def built_in(here: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A catalogue that begins with an embedded denoiser and remover of JPEG artefacts, both of random weights."""
    torch.manual_seed(1)
    denoiser, remover = Denoiser(8, kinds=("sp", "sa")), SAFMNBCIE(8, n_blocks=1, num_layers=1)
    torch.nn.init.normal_(denoiser.ending.weight, std=0.02)
    names = {}
    for task, network in (("denoise", denoiser), ("dejpeg", remover)):
        file = here / f"{task}.safetensors"
        save_file(network.state_dict(), file)
        card = ModelCard(
            name=f"{task}-s",
            network=network.architecture,
            task=task,
            scale=1,
            summary="",
            licence="",
            attribution="",
            source="",
            file=str(file),
            host="embedded",
        )
        monkeypatch.setattr("restore_cli.catalog.CARDS", (card, *catalog.CARDS))
        names[task] = card.name
    return names


each_cleaner = pytest.mark.parametrize("task", ["denoise", "dejpeg"])


@each_cleaner
def test_what_is_built_in_needs_no_model(task: str, photo: Path, built_in: dict[str, str], capsys: Capture) -> None:
    assert run([task, photo.name, "--json"]) == 0
    told = record(capsys)
    assert (told["target"], told["model"], told["scale"]) == (f"photo_{task}.png", built_in[task], 1)
    restored, original = pixels_of(f"photo_{task}.png"), pixels_of(photo)
    assert restored.shape == original.shape
    assert (restored != original).any()


def test_noise_is_taken_out_alike_whatever_the_tile(photo: Path, built_in: dict[str, str]) -> None:
    for tile in ("off", "16", "auto"):
        assert run(["denoise", str(photo), "--tile", tile, "-o", f"{tile}.png", "--precision", "fp32", "-q"]) == 0
    for tile in ("16", "auto"):
        assert np.abs(pixels_of(f"{tile}.png") - pixels_of("off.png")).max() <= 1
        assert (pixels_of(f"{tile}.png") != pixels_of("off.png")).mean() < 0.001


@each_cleaner
def test_a_folder_has_its_results_beside_it(task: str, photo: Path, built_in: dict[str, str]) -> None:
    Path("scans").mkdir()
    photo.rename("scans/a.png")
    assert run([task, "scans", "-q"]) == 0
    assert Path(f"scans_{task}/a_{task}.png").exists()


@each_cleaner
def test_strength_is_the_share_that_is_taken_away(task: str, photo: Path, built_in: dict[str, str]) -> None:
    for strength in ("0", "0.5", "1"):
        assert run([task, str(photo), "--strength", strength, "-o", f"{strength}.png", "-q"]) == 0
    original = pixels_of(photo)
    assert (pixels_of("0.png") == original).all()
    inside = (pixels_of("1.png") > 0) & (pixels_of("1.png") < 255)  # elsewhere the result is clipped
    between = (original + pixels_of("1.png")) / 2
    assert np.abs(pixels_of("0.5.png") - between)[inside].max() <= 1


@each_cleaner
@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16"])
def test_grey_alpha_and_16_bits_stay(task: str, mode: str, photo: Path, built_in: dict[str, str]) -> None:
    with Image.open(photo) as image:
        if mode == "I;16":
            made = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        else:
            made = image.convert(mode)
            if mode != "L":
                made.putalpha(Image.linear_gradient("L").resize(image.size))
        made.save("kind.png")
    assert run([task, "kind.png", "-q"]) == 0
    with Image.open("kind.png") as before, Image.open(f"kind_{task}.png") as after:
        assert after.mode == before.mode == mode
        if mode in ("LA", "RGBA"):
            assert (np.asarray(after)[..., -1] == np.asarray(before)[..., -1]).all()
        assert (np.asarray(after) != np.asarray(before)).any()


@pytest.mark.parametrize(("sigma", "gain"), [(10, 3), (25, 7), (50, 9)])
def test_noise_goes_and_the_picture_stays(sigma: int, gain: float, here: Path) -> None:
    """The otter with white noise of `sigma` levels; `gain` is in decibels on RGB."""
    with Image.open(Path(__file__).parents[2] / "docs" / "otter.png") as image:
        clean = np.asarray(image.convert("RGB"))
    noisy = clean + np.random.default_rng(1).normal(0, sigma, clean.shape)
    noisy = np.rint(noisy).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save("noisy.png")
    assert run(["denoise", "noisy.png", "-q"]) == 0
    with Image.open("noisy_denoise.png") as image:
        restored = np.asarray(image)
    gained = compare(restored, clean, channel="rgb").psnr - compare(noisy, clean, channel="rgb").psnr
    assert gained > gain


def test_cleaning_is_a_step_of_a_chain(photo: Path, built_in: dict[str, str], capsys: Capture) -> None:
    steps = ["--step", "denoise:strength=0.5", "--step", "dejpeg", "--step", "upscale:scale=2"]
    assert run(["run", photo.name, *steps, "--json"]) == 0
    told = record(capsys)
    assert told["target"] == "photo_denoise_dejpeg_x2.png"
    assert told["model"] == "denoise-s+dejpeg-s+safmn-x2"


def test_what_is_not_built_in_is_fetched(photo: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_cli.card.GITHUB", "http://127.0.0.1:9")
    assert run(["dejpeg", str(photo), "-m", "safmn-bcie"]) == 3
    told = capsys.readouterr().err
    assert "safmn-bcie" in told
    assert "http://127.0.0.1:9/sunny2109/SAFMN/releases/download/v0.1.1/SAFMN_BCIE.pth" in told


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("denoise", "the network finds out by itself. Without -o"),
        ("deblur", "No model for it is listed yet"),
        ("dejpeg", "of the best nothing, unless --strength is given. Without -o"),
    ],
)
def test_help_says_where_the_model_comes_from(task: str, words: str, capsys: Capture) -> None:
    assert run([task, "--help"]) == 0
    assert words in " ".join(capsys.readouterr().out.split())


def test_weights_that_upscale_are_refused(dark: Path, capsys: Capture) -> None:
    weights = Path(__file__).parents[2] / "weights" / "safmn-x4.safetensors"
    assert run(["lowlight", str(dark), "-m", str(weights)]) == 3
    assert "makes pictures 4 times as large" in capsys.readouterr().err


def test_a_chain_of_steps(dark: Path, capsys: Capture) -> None:
    steps = ["--step", "lowlight:strength=1", "--step", "upscale:scale=2"]
    assert run(["run", str(dark), *steps, "--json", "--precision", "fp32"]) == 0
    told = record(capsys)
    assert told["target"] == "dark_lowlight_x2.png"
    assert (told["model"], told["precision"], told["scale"]) == ("darkir-s+safmn-x2", "fp32", 2)
    run(["lowlight", str(dark), "--strength", "1", "-o", "one.png", "-q", "--precision", "fp32"])
    run(["upscale", "one.png", "-s", "2", "-o", "two.png", "-q", "--precision", "fp32"])
    chained, apart = pixels_of("dark_lowlight_x2.png"), pixels_of("two.png")
    assert chained.shape == apart.shape
    assert 0 < np.abs(chained - apart).max() <= 12, "the same but for the rounding in between"


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("upscale", "dark_x4.png"),
        ("upscale:model=safmn-df2k-x2", "dark_x2.png"),
        ("upscale:long-edge=60", "dark_l60.png"),
        ("lowlight", "dark_lowlight.png"),
    ],
)
def test_names_of_results_tell_the_steps(step: str, name: str, dark: Path, capsys: Capture) -> None:
    assert run(["run", str(dark), "--step", step, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith(f"dark.png -> {name} (restore, ")


def test_a_dry_run_of_steps_knows_the_size_they_lead_to(dark: Path, capsys: Capture) -> None:
    with Image.open(dark) as image:
        (width, height), longest = image.size, max(image.size)
    steps = [f"upscale:long-edge={2 * longest}", f"upscale:long-edge={longest}"]
    assert run(["run", str(dark), "--step", steps[1], "--dry-run"]) == 0
    assert "(skip, it is large enough already" in capsys.readouterr().out
    assert run(["run", str(dark), *(word for step in steps for word in ("--step", step)), "--dry-run"]) == 0
    assert f"(restore, {width}x{height} to {2 * width}x{2 * height})" in capsys.readouterr().out
    large = ["--step", "upscale:scale=16", "--step", "upscale:scale=16", "--step", "upscale:scale=16"]
    assert run(["run", str(dark), *large, "--format", "webp", "--dry-run"]) == 1
    assert "that WEBP can hold" in capsys.readouterr().err


def test_lol_pictures_reach_their_score(shared: Path, here: Path) -> None:
    """The first three of LOL v1's test pictures, measured on RGB."""
    folder = shared / "data" / "lol_v1" / "eval15"
    names = sorted(path.name for path in (folder / "low").iterdir())[:3]
    scores = []
    for name in names:
        assert run(["lowlight", str(folder / "low" / name), "-o", f"{here}/out/", "-q"]) == 0
        restored, reference = (
            np.asarray(Image.open(path).convert("RGB")) for path in (here / "out" / name, folder / "high" / name)
        )
        scores.append(compare(restored, reference, channel="rgb").psnr)
    assert np.mean(scores) > 17
