"""Networks of other projects, recognised and built by spandrel where that optional package is installed.

Source: https://github.com/chaiNNer-org/spandrel (MIT), https://chainner.app/spandrel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from restore_cli.errors import StateDictError
from restore_cli.networks.network import Locality, Network, StateDict

HALO = 64
"""Spandrel does not tell how far a network looks; most of those that tile look less far than this."""


class CommunityNetwork(Network):
    """A network that spandrel built, behind the interface of ours."""

    architecture = "community"
    signature = frozenset()
    locality = Locality.CLOSE

    def __init__(self, descriptor: Any) -> None:
        """Wrap a `spandrel.ImageModelDescriptor` of 1 or 3 input channels."""
        super().__init__()
        self.descriptor = descriptor
        self.model = descriptor.model
        self.title = str(descriptor.architecture.name)
        self.scale = descriptor.scale
        self.grid = max(descriptor.size_requirements.multiple_of, 1)
        self.halo = -(-HALO // self.grid) * self.grid
        self.receptive_field = self.halo
        self.bytes_per_pixel = 4 * 1024
        if descriptor.tiling.name != "SUPPORTED":
            self.locality = Locality.GLOBAL  # type: ignore[misc]  # known only once the network is
        supported = {torch.bfloat16: descriptor.supports_bfloat16, torch.float16: descriptor.supports_half}
        self.half_precisions = frozenset(dtype for dtype, yes in supported.items() if yes)  # type: ignore[misc]

    @classmethod
    def recognises(cls, state: StateDict) -> bool:
        return False

    @classmethod
    def hyperparameters(cls, state: StateDict) -> dict[str, Any]:
        return {"descriptor": _describe(state)}

    @classmethod
    def from_state_dict(cls, state: StateDict) -> CommunityNetwork:
        network = cls(**cls.hyperparameters(state))
        return network.eval().requires_grad_(False)

    def forward(self, x: Tensor, statistic: Tensor | None = None) -> Tensor:
        dtype = next(self.model.parameters()).dtype
        grey = self.descriptor.input_channels == 1
        restored: Tensor = self.descriptor((x.mean(dim=1, keepdim=True) if grey else x).to(dtype))
        return restored.float().expand(-1, 3, -1, -1)


def _describe(state: StateDict) -> Any:
    try:
        import spandrel
    except ImportError as error:
        raise StateDictError(
            f"the weights are of no architecture known here (first keys: {', '.join(sorted(state)[:3])})",
            "many more are known with spandrel: pip install 'restore-cli[spandrel]'",
        ) from error
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except spandrel.UnsupportedModelError as error:
        raise StateDictError(
            f"the weights are of no architecture known here or to spandrel (first keys: {', '.join(sorted(state)[:3])})"
        ) from error
    if not isinstance(descriptor, spandrel.ImageModelDescriptor) or descriptor.input_channels not in (1, 3):
        raise StateDictError(f"{descriptor.architecture.name} does not turn one picture into another")
    return descriptor
