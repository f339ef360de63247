"""Small pictures of one size on their way through a network together, each of them whole."""

from __future__ import annotations

import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.layers.sampling import place_centres
from restore_cli.networks import ContinuousNetwork, Network, Part
from restore_cli.padding import pad_to_grid
from restore_cli.passes.cuda_graphs import Call, call_plainly


@torch.inference_mode()
def restore_together(
    pictures: Tensor,
    network: Network,
    device: Device,
    size: tuple[int, int] | None = None,
    call: Call = call_plainly,
) -> Tensor:
    """Put `pictures` (n, 3, h, w float32 on the host) through a network that is on `device` already.

    `size` is the height and width that a continuous network shall make; `call` carries out other networks. Returns
    n, 3, height, width float32 on the host, finite or not; each is what the network makes of that picture alone.
    """
    height, width = pictures.shape[2:]
    padded = pad_to_grid(pictures, network.grid if network.pads_to_grid else 1)
    x = padded.to(device.torch_device).contiguous(memory_format=torch.channels_last)
    if isinstance(network, ContinuousNetwork):
        wanted = size or (height * network.scale, width * network.scale)
        return network.restore_at(x, place_centres(height, wanted[0]), place_centres(width, wanted[1])).cpu()
    restored = call(network, x, Part.of_whole(x))  # n, 3, h, w, the padding with them
    kept: Tensor = restored[..., : height * network.scale, : width * network.scale].cpu()
    return kept
