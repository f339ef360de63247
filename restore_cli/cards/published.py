"""The checkpoints that the authors of the networks published.

Sizes and hashes are those of the files at the named revision. `hash_note` says so where the hash was not computed from
the published file by this project.

`speed` follows from PSNR on Set5, in decibels, and from time: at x4 PlainUSR small takes a third of the time of the
built-in safmn-x4, and large one and a half times as long (`restore bench --size 512x512`, a processor with bfloat16).

    PlainUSR   ultra  tiny   small  medium base   large
    x2         37.10  37.46  37.64  37.79  37.95  38.07
    x4         30.77  31.20  31.56  31.81  32.02  32.26

    x4, others: safmn-x4 31.88, light-safmnpp-x4 30.40, safmnpp-x4 32.02, safmn-ntire-x4 32.17

PlainUSR small comes near safmn-x4 in less time, and large is the best; at x3 the small SAFMN is alone.
"""

from __future__ import annotations

from restore_cli.card import ModelCard, Speed
from restore_cli.cards.origins import (
    DARKIR_AUTHORS,
    DARKIR_CODE,
    PLAINUSR_AUTHORS,
    PLAINUSR_CODE,
    SAFMN_AUTHORS,
    SAFMN_CODE,
)

STATED_BY_HOST = "as stated by its host page; checked at download"
_SAFMN_PARAMETERS = {2: 227_820, 3: 232_695, 4: 239_520}
_SAFMN_L_PARAMETERS = {2: 5_559_308, 3: 5_576_603, 4: 5_600_816}
_SAFMN_FIRST_UPLOAD = "adf5a33cea236d931fdeb2a9dd6b76955fbbb3ed"
_SAFMN_LSDIR_UPLOAD = "e0f047f85518b43c187659fa67172bbc65191c24"


def _safmn(
    name: str,
    scale: int,
    bytes: int | None,
    sha256: str,
    summary: str,
    *,
    revision: str = _SAFMN_FIRST_UPLOAD,
    speed: Speed | None = None,
) -> ModelCard:
    file = {"df2k": "SAFMN_DF2K", "l-df2k": "SAFMN_L_DF2K", "l-real": "SAFMN_L_Real_LSDIR"}[name]
    return ModelCard(
        name=f"safmn-{name}-x{scale}",
        network="safmn",
        task="upscale",
        scale=scale,
        summary=summary,
        licence="Apache-2.0",
        attribution=SAFMN_AUTHORS,
        source=SAFMN_CODE,
        file=f"{file}_x{scale}.pth",
        repository="Meloo/SAFMN",
        revision=revision,
        sha256=sha256,
        hash_note=STATED_BY_HOST,
        bytes=bytes,
        parameters=(_SAFMN_L_PARAMETERS if name.startswith("l-") else _SAFMN_PARAMETERS)[scale],
        key="params",
        speed=speed,
    )


def _plainusr(size: str, scale: int, parameters: int, bytes: int, sha256: str) -> ModelCard:
    label = {"U": "ultra", "T": "tiny", "S": "small", "M": "medium", "": "base", "L": "large"}[size]
    return ModelCard(
        name=f"plainusr-{size.lower()}-x{scale}" if size else f"plainusr-x{scale}",
        network="plainusr",
        task="upscale",
        scale=scale,
        summary=f"PlainUSR {label}: clean pictures, plain convolutions",
        licence="MIT",
        attribution=PLAINUSR_AUTHORS,
        source=PLAINUSR_CODE,
        file=f"2024_PlainUSR_ACCV/pretrained_model/PlainUSR{size}_Rep_x{scale}.pth",
        repository="icandle/PlainUSR",
        revision="d7ff11a",
        host="github",
        sha256=sha256,
        bytes=bytes,
        parameters=parameters,
        speed={"S": Speed.FAST, "L": Speed.BEST}.get(size),
    )


_SMALL = "the paper's SAFMN: clean pictures"
_LARGE = "the paper's large SAFMN: clean pictures, 23 times the size"
_REAL = "large SAFMN for real photographs: compressed, noisy, blurred"

PUBLISHED: tuple[ModelCard, ...] = (
    _safmn("df2k", 2, 958_105, "baee9b5d24fd718065ca9bbcc88bb32a8e302c9ef00bae7afac48466a4d6dfa7", _SMALL),
    _safmn(
        "df2k",
        3,
        977_561,
        "0d0c8961fbee1af6f55214d78d9363d0e52fbc9499645df701c068a56783e936",
        _SMALL,
        speed=Speed.BEST,
    ),
    _safmn("df2k", 4, 1_004_953, "fe4f38fd6c1e3692bfbc6ab94f44adb815bfb54984b8886547657727af67f49d", _SMALL),
    _safmn("l-df2k", 2, 44_669_937, "22489bd67b59fe04b2d69e29e0a01aa0bc5389577eef4e755d60160004830351", _LARGE),
    _safmn("l-df2k", 3, 44_808_305, "e23d0d6d7d329eb40772a424019292eb7d3a05f67ed2a6b78c79a0d5abc747d3", _LARGE),
    _safmn("l-df2k", 4, None, "51732de198284e2baea8b9598438ec1411af3b98fae12a6b6c87d7ebec07219d", _LARGE),
    _safmn(
        "l-real",
        2,
        44_669_937,
        "a0d838b197dcaedb58cb317bcc3bd2704cd4733083e1eb10d7eac56eb2ea6820",
        _REAL,
        revision=_SAFMN_LSDIR_UPLOAD,
    ),
    _safmn(
        "l-real",
        4,
        45_002_097,
        "f1ac0ee3ee143fbbc49aff6584cb7b48b71ba8d1961dfb8ad076b98ca4799ae2",
        _REAL,
        revision=_SAFMN_LSDIR_UPLOAD,
    ),
    ModelCard(
        name="safmn-ntire-x4",
        network="safmn-ntire",
        task="upscale",
        scale=4,
        summary="SAFMN of the NTIRE 2023 challenge: clean pictures",
        licence="Apache-2.0",
        attribution=SAFMN_AUTHORS,
        source=SAFMN_CODE,
        file="SAFMN_NTIRE_ESR_x4.pth",
        repository="Meloo/SAFMN",
        revision=_SAFMN_FIRST_UPLOAD,
        sha256="93fe3d7175ef1446cfcb3a884ddf8bbb4391f31190e9d1bf6c6c1cb768f8b565",
        bytes=971_051,
        parameters=237_000,
        key="params",
    ),
    ModelCard(
        name="safmnpp-x4",
        network="safmnpp",
        task="upscale",
        scale=4,
        summary="SAFMN++ of the NTIRE 2024 challenge: clean pictures, faster than SAFMN",
        licence="Apache-2.0",
        attribution=SAFMN_AUTHORS,
        source="https://github.com/sunny2109/SAFMN (challenge report arXiv:2404.10343)",
        file="NTIRE2024_ESR/model_zoo/team23_safmnpp.pth",
        repository="sunny2109/SAFMN",
        revision="68c2182",
        host="github",
        sha256="03bf96b5a50f43123d22c3a257341d536118250f7157f12d2832915be4f52685",
        bytes=1_715_877,
        parameters=211_572,
        key="params",
    ),
    ModelCard(
        name="light-safmnpp-x4",
        network="light-safmnpp",
        task="upscale",
        scale=4,
        summary="light SAFMN++ of the AIS 2024 challenge: AVIF-compressed pictures",
        licence="Apache-2.0",
        attribution=SAFMN_AUTHORS,
        source="https://github.com/sunny2109/SAFMN (challenge report arXiv:2404.16484)",
        file="AIS2024-RTSR/pretrained_model/light_safmnpp.pth",
        repository="sunny2109/SAFMN",
        revision="68c2182",
        host="github",
        sha256="a542c92072cb25adab1f9cc5209d4f4f4ca8549db084e6703d2e032357cd50a7",
        bytes=538_077,
        parameters=66_176,
        key="params",
    ),
    ModelCard(
        name="safmn-bcie",
        network="safmn-bcie",
        task="dejpeg",
        scale=1,
        summary="removes JPEG artefacts; large",
        licence="Apache-2.0",
        attribution=SAFMN_AUTHORS,
        source=SAFMN_CODE,
        file="SAFMN_BCIE.pth",
        repository="sunny2109/SAFMN",
        revision="v0.1.1",
        host="github-release",
        hash_note="its authors publish no hash, so a download cannot be verified",
        key="params",
    ),
    _plainusr("U", 2, 13_628, 61_094, "8c6c9f82bceaab6b84bacad643443c367bee93e9ecdabb7c7e4cc595dc82df81"),
    _plainusr("U", 4, 19_820, 85_926, "d64a40ab30019a20a34bb89dd4c6b5d0ab8b16911c65c63ce31b842f4079d15a"),
    _plainusr("T", 2, 48_724, 201_596, "65af9f10f65ec806849bc5eaffadfa0e39101f7a6d7d8f394b13090fce4ae1d4"),
    _plainusr("T", 4, 60_100, 247_164, "43f254de7f5f349256aaf7e5b40484d2c9fb3573ca1ef89478c5dd11b86331dc"),
    _plainusr("S", 2, 57_236, 248_766, "7517940668d25eb28fbc27751cd9e42258ab0277e474b65ab782bb61cac7e81d"),
    _plainusr("S", 4, 68_612, 294_450, "874b274f27c0174df744fd22eec9dea907f484014100479f822e609dda86f919"),
    _plainusr("M", 2, 148_932, 615_486, "f83f3afee4467e7a239e88b85cb0849cd627d06650bc71dd67370d9bc7c87d54"),
    _plainusr("M", 4, 165_492, 681_790, "5f277afeb3dcfc8014a1ae2fb8f79286147f670e68d43fc9d6ccbc3a9650d3d8"),
    _plainusr("", 2, 311_364, 1_265_476, "2fdda1ffebfb07352e11651f1814b74bf36446aeb2b9541bea55d0b94d55e52e"),
    _plainusr("", 4, 333_108, 1_352_516, "afdf923f7bb2e1904d26673653466bd11d809d2daf19a2c7bd6a38391a70efc2"),
    _plainusr("L", 2, 707_076, 2_851_834, "695596b258962f2e17cea71ff94cfa64067f061c748546f0d1d4b3aa46f520c2"),
    _plainusr("L", 4, 734_004, 2_959_610, "050a1d20f2046d01eadab9efd8918a5d9ef705586faab16192d42b897d99ec4e"),
    ModelCard(
        name="darkir-m",
        network="darkir",
        task="lowlight",
        scale=1,
        summary="DarkIR, width 32: brightens dark, noisy, blurred photographs",
        licence="CC-BY-4.0 (code MIT)",
        attribution=f"{DARKIR_AUTHORS}: DarkIR, CVPR 2025 (Cidaut AI)",
        source=DARKIR_CODE,
        file="DarkIR_384.pt",
        repository="Cidaut/DarkIR",
        revision="main",
        sha256="61eee7d5cfb593d408fba4c716874449b324ed1f49cbff97c2a25ce2fcbe4fde",
        hash_note="as stated by a third party; checked at download",
        bytes=13_397_397,
        parameters=3_321_638,
        key="params",
    ),
)
