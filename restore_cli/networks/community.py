"""Networks of other projects, recognised and built by spandrel where that optional package is installed.

Source: https://github.com/chaiNNer-org/spandrel (MIT), https://chainner.app/spandrel. What spandrel does not tell of a
network is taken on the safe side: its windows are kept whole by the grid, its memory is measured without running it.
"""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any, Self

import torch
from torch import Tensor, nn

from restore_cli.errors import StateDictError
from restore_cli.networks.network import Locality, Network, StateDict
from restore_cli.networks.part import Part, cut_core

HALO = 64
"""Spandrel does not tell how far a network looks; most of those that tile look less far than this."""
WINDOWS = ("window_size", "split_size")
"""Attributes by which networks with attention in windows say how large these are."""
ALIVE = 4
"""Tensors as large as the largest output of a module that are in memory at once; 1 to 4 in most networks."""
UNKNOWN_BYTES = 64 * 1024
"""Bytes per input pixel of a network that cannot be measured; about the most of those that can."""


class CommunityNetwork(Network):
    """A network that spandrel built, behind the interface of ours.

    A network for grey pictures is given red, green and blue one after the other.
    """

    architecture = "community"
    signature = frozenset()
    locality = Locality.CLOSE
    treats_apart = False  # most do, but nothing says which
    is_recordable = False  # the same

    def __init__(self, descriptor: Any) -> None:
        """Wrap a `spandrel.ImageModelDescriptor` with as many output as input channels, 1 or 3."""
        super().__init__()
        self.descriptor = descriptor
        self.model = descriptor.model
        self.title = str(descriptor.architecture.name)
        self.scale = descriptor.scale
        self.grid = math.lcm(descriptor.size_requirements.multiple_of, *_windows(descriptor.model))
        self.halo = -(-HALO // self.grid) * self.grid
        self.receptive_field = self.halo
        self.bytes_per_pixel = _measure_bytes(descriptor)
        if descriptor.tiling.name != "SUPPORTED":
            self.locality = Locality.GLOBAL
        # Not bfloat16: the last layer's result, the picture, would be rounded to its 8 bits too.
        half = {torch.float16} if descriptor.supports_half else set()
        self.half_precisions = frozenset(half)

    @classmethod
    def recognises(cls, state: StateDict) -> bool:
        return False

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        return {"descriptor": _describe(state)}

    @classmethod
    def from_state_dict(cls, state: StateDict) -> Self:
        network = cls(**cls.hyperparameters(state))
        return network.eval().requires_grad_(False)

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        x = x.to(next(self.model.parameters()).dtype).contiguous()
        channels = torch.split(x, self.descriptor.input_channels, dim=1)
        restored = [self.descriptor(channel) for channel in channels]  # n, 1 or 3, h·scale, w·scale each
        picture = torch.cat(restored, dim=1).float()
        return cut_core(picture, part, self.scale)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move or convert as `nn.Module.to` does, but keep the memory format; some of these networks bear no other."""
        kwargs.pop("memory_format", None)
        return super().to(*args, **kwargs)


def _describe(state: StateDict) -> Any:
    keys = f"first keys: {', '.join(sorted(state)[:3])}"
    try:
        import spandrel
    except ImportError as error:
        raise StateDictError(
            f"the weights are of no architecture known here ({keys})",
            "many more are known with spandrel: pip install 'restore-cli[spandrel]'",
        ) from error
    except Exception as error:  # torchvision, which it needs, fails in its own ways beside another torch
        raise StateDictError(
            f"the weights are of no architecture known here ({keys}), and spandrel cannot be imported: {_line(error)}",
            "install a torchvision that fits torch",
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # these networks use what torch is about to drop
            descriptor = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except spandrel.UnsupportedModelError as error:
        raise StateDictError(f"the weights are of no architecture known here or to spandrel ({keys})") from error
    except Exception as error:  # it takes names alone for a sign, and then runs into missing keys or other shapes
        raise StateDictError(f"spandrel cannot build a network of the weights ({keys}): {_line(error)}") from error
    channels = (descriptor.input_channels, descriptor.output_channels)
    if not isinstance(descriptor, spandrel.ImageModelDescriptor) or channels not in ((1, 1), (3, 3)):
        raise StateDictError(f"{descriptor.architecture.name} does not turn one picture into another of its kind")
    return descriptor


def _windows(model: nn.Module) -> list[int]:
    """Collect the window sizes of `model`: tiles that begin between windows would be cut into others."""
    found = [getattr(module, name, None) for module in model.modules() for name in WINDOWS]
    sides = [side for size in found for side in (size if isinstance(size, list | tuple) else [size])]
    return [side for side in sides if isinstance(side, int) and side > 0]


def _measure_bytes(descriptor: Any) -> int:
    """Return the bytes per input pixel of the largest output of a module, `ALIVE` times, in float32.

    A copy of the network without values is given a picture without values.
    """
    needs = descriptor.size_requirements
    side: int = max(needs.minimum, -(-64 // needs.multiple_of) * needs.multiple_of)
    model = descriptor.model
    valueless = {id(tensor): _without_values(tensor) for tensor in (*model.parameters(), *model.buffers())}
    largest = 0

    def remember(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal largest
        parts = output if isinstance(output, list | tuple) else [output]
        largest = max(largest, sum(part.numel() for part in parts if isinstance(part, Tensor)))

    try:
        probe = copy.deepcopy(descriptor, valueless)
        for module in probe.model.modules():
            module.register_forward_hook(remember)
        probe.eval()(torch.empty(1, descriptor.input_channels, side, side, device="meta"))
    except Exception:  # a network that looks at values cannot do without them
        return UNKNOWN_BYTES
    return ALIVE * 4 * largest // side**2 or UNKNOWN_BYTES


def _without_values(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta")
    return nn.Parameter(empty, requires_grad=False) if isinstance(tensor, nn.Parameter) else empty


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
