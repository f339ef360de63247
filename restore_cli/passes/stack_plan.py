"""How many pictures, or tiles, of one size go through a network together."""

from __future__ import annotations

from restore_cli.device import Device
from restore_cli.networks import Network

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
