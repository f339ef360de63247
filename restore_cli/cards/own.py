"""The checkpoints that were trained for this project and are part of the package; weights/README.md describes them."""

from __future__ import annotations

from typing import Any

from restore_cli.card import ModelCard
from restore_cli.cards.origins import DARKIR_AUTHORS, DARKIR_CODE, SAFMN_AUTHORS, SAFMN_CODE

_CONVOLUTIONS = (
    "SPConv by Qiulin Zhang, Zhuqing Jiang, Qishuo Lu, Jia'nan Han, Zhengxin Zeng, Shanghua Gao, Aidong Men; "
    "SAConv by Siyuan Qiao, Liang-Chieh Chen, Alan Yuille"
)


def _own(name: str, *, made_by: str, **facts: Any) -> ModelCard:
    """Make the card of `weights/NAME.safetensors`; `made_by` says who thought of its network or of parts of it."""
    return ModelCard(
        name=name,
        licence="Apache-2.0",
        attribution=f"weights by the restore project, {made_by}",
        file=f"{name}.safetensors",
        host="embedded",
        **facts,
    )


OWN: tuple[ModelCard, ...] = (
    _own(
        "safmn-x4",
        network="safmn",
        task="upscale",
        scale=4,
        summary="clean pictures; the default at x4",
        made_by=f"network by {SAFMN_AUTHORS}",
        source=SAFMN_CODE,
        sha256="6ed99acf6a9e675899bbd90dfb8d2d605d0a9c85b4de3ccc4aff9cb52a03af5f",
        bytes=972_384,
        parameters=239_520,
    ),
    _own(
        "safmn-x2",
        network="safmn",
        task="upscale",
        scale=2,
        summary="clean pictures; the default at x2",
        made_by=f"network by {SAFMN_AUTHORS}",
        source=SAFMN_CODE,
        sha256="39916aded485ee0d7b55854e9e77c6e5f2783b20c1dd1376cb8b4b2e388ac5d9",
        bytes=925_576,
        parameters=227_820,
    ),
    _own(
        "safmn-x3",
        network="safmn",
        task="upscale",
        scale=3,
        summary="clean pictures; the default at x3",
        made_by=f"network by {SAFMN_AUTHORS}",
        source=SAFMN_CODE,
        sha256="f30b9bbb34d56abb95ce3d8218ea95b987a256a80f6ab5191049a506afb3e2d9",
        bytes=945_020,
        parameters=232_695,
    ),
    _own(
        "safmn-any",
        network="safmn-any",
        task="upscale",
        scale=4,
        continuous=True,
        summary="clean pictures; the default at other scales",
        made_by=f"features by {SAFMN_AUTHORS}; head after DySample by Wenze Liu, Hao Lu, Hongtao Fu, Zhiguo Cao",
        source=SAFMN_CODE,
        sha256="4ec742e88b4c1505077a3765ae93058ecd69bfae7af9658e639c058e0a148cbe",
        bytes=1_033_060,
        parameters=254_427,
    ),
    _own(
        "safmn-x4-photo",
        network="safmn",
        task="upscale",
        scale=4,
        for_compressed=True,
        summary="compressed pictures (JPEG, lossy WebP, AVIF); the default for them above x2",
        made_by=f"network by {SAFMN_AUTHORS}",
        source=SAFMN_CODE,
        sha256="6c2bcbaf96bf27e6e5cb3233a93b839eadcbe16517bd0f4540e12ae463ba0aea",
        bytes=972_056,
        parameters=239_520,
    ),
    _own(
        "safmn-x2-photo",
        network="safmn",
        task="upscale",
        scale=2,
        for_compressed=True,
        summary="compressed pictures; the default for them up to x2",
        made_by=f"network by {SAFMN_AUTHORS}",
        source=SAFMN_CODE,
        sha256="4ea30008de688e2f7b7ee980b6a2bd4c9cd8477e1c8efbbe2036404d93764be9",
        bytes=474_520,
        parameters=227_820,
    ),
    _own(
        "denoise",
        network="denoiser",
        task="denoise",
        scale=1,
        summary="noisy pictures: white noise up to 50 of 255 levels, and the noise of cameras",
        made_by=f"convolutions after {_CONVOLUTIONS}",
        source="SPConv arXiv:2006.12085, SAConv arXiv:2006.02334",
        sha256="c106a324fa1551e63308628a849c928e298aa1a4e9e6542a17222d3ae14fc753",
        bytes=2_262_600,
        parameters=1_116_398,
    ),
    _own(
        "dejpeg-s",
        network="safmn-bcie",
        task="dejpeg",
        scale=1,
        summary="JPEG artefacts",
        made_by=f"network by {SAFMN_AUTHORS}",
        source=SAFMN_CODE,
        sha256="c75240a8aa56e3379511fd4026f58d2be087d38da37db1024252593c32431366",
        bytes=825_268,
        parameters=203_295,
    ),
    _own(
        "darkir-s",
        network="darkir",
        task="lowlight",
        scale=1,
        summary="dark, noisy photographs (DarkIR, width 16)",
        made_by=f"network by {DARKIR_AUTHORS}",
        source=DARKIR_CODE,
        sha256="6e2927c464930cd5dd19f4d8058815abc3367f7c45e8fe04d050e5613469b905",
        bytes=3_523_592,
        parameters=871_574,
    ),
)
