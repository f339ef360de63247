"""What the networks of the SAFMN family share: how sizes are read from a state dict, and what features take."""

from __future__ import annotations

import math
from typing import Any

from restore_cli.networks.network import StateDict, count_blocks


def read_sizes(state: StateDict, hidden: str) -> dict[str, Any]:
    """Read the arguments that the upscaling networks of the SAFMN family share; `hidden` is a block's widest weight.

    Raises:
        KeyError: a key that tells a size is missing.
    """
    dim = state["to_feat.weight"].shape[0]
    return {
        "dim": dim,
        "n_blocks": count_blocks(state, "feats"),
        "ffn_scale": state[hidden].shape[0] / dim,
        "upscaling_factor": math.isqrt(state["to_img.0.weight"].shape[0] // 3),
    }


def features_bytes(dim: int, hidden: int, scale: int) -> int:
    """Return the bytes per input pixel that a residual network of `dim` and `hidden` channels holds at its widest.

    Alive at once are two skips, a block's input, the hidden features before and after their activation; or the
    picture made from them, twice.
    """
    return 4 * max(3 * dim + 2 * hidden, 2 * dim + 6 * scale**2)
