"""Stacks: small pictures, or tiles, of one size that go through a network together."""

from __future__ import annotations

import torch
from torch import Tensor

from restore_cli.device import Device
from restore_cli.layers.hardware import memory_format
from restore_cli.layers.sampling import place_centres
from restore_cli.networks import ContinuousNetwork, Network, Part
from restore_cli.padding import pad_to_grid
from restore_cli.passes.cuda_graphs import Call

PIXELS_ON_HOST = 1 << 16
"""Input pixels that go through together on a processor, at the most. With the built-in network for x4 in bfloat16,
sixteen pictures of 32 pixels a side take a third to a half of their time alone, of 64 two thirds to three quarters, and
four of 128 nine tenths; in float32 there is less to gain. Larger ones keep all cores busy by themselves."""
PIXELS_ON_CARD = 1 << 22
"""The same on a graphics card, which has far more to keep busy."""
LARGEST_STACK = 32
STACK_SHARE = 1 / 2
"""Of a device's free memory that a stack may take."""


def plan_stack(network: Network, device: Device, height: int, width: int) -> int:
    """Return how many inputs of `height` by `width` pixels go through `network` together; at least 1."""
    if not network.treats_apart:
        return 1
    worthwhile = PIXELS_ON_HOST if device.is_host else PIXELS_ON_CARD
    most = min(LARGEST_STACK, worthwhile // (height * width))
    if most < 2:
        return 1
    room = STACK_SHARE * device.free_memory() / network.bytes_per_pixel
    return max(1, min(most, int(room) // (height * width)))


@torch.inference_mode()
def restore_together(
    pictures: Tensor,
    network: Network,
    device: Device,
    size: tuple[int, int] | None,
    call: Call,
) -> Tensor:
    """Put `pictures` (n, 3, h, w float32 on the host) through a network that is on `device` already.

    `size` is the height and width that a continuous network shall make; `call` carries out other networks. Returns
    n, 3, height, width float32 on the host, finite or not; each is what the network makes of that picture alone.
    """
    height, width = pictures.shape[2:]
    padded = pad_to_grid(pictures, network.padding_grid)
    x = padded.to(device.torch_device).contiguous(memory_format=memory_format(device.torch_device))
    if isinstance(network, ContinuousNetwork):
        wanted = size or (height * network.scale, width * network.scale)
        return network.restore_at(x, place_centres(height, wanted[0]), place_centres(width, wanted[1])).cpu()
    restored = call(network, x, Part.of_whole(x))  # n, 3, h, w, the padding with them
    kept: Tensor = restored[..., : height * network.scale, : width * network.scale].cpu()
    return kept
