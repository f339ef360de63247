"""From a recipe to the network that learns, and to the tensors that it starts from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch

from restore_cli.device import is_out_of_memory
from restore_cli.errors import StateDictError, UsageError
from restore_cli.networks import NETWORKS, ContinuousNetwork, Network, StateDict
from restore_cli.training.recipe import Degradations, Recipe


def build_by_recipe(recipe: Recipe) -> Network:
    """Build the network that a recipe names, with new weights by its seed, in training mode.

    Raises:
        UsageError: there is no such network, its arguments are wrong, its weights could not be loaded again, its scale
            is not that of the degradations, or the patches are off its grid.
    """
    arguments = dict(recipe.network)
    architecture = arguments.pop("architecture")
    known = {network.architecture: network for network in NETWORKS}
    if not isinstance(architecture, str) or architecture not in known:
        raise UsageError(f"no network is called {architecture!r}", f"recipes know {', '.join(known)}")
    torch.manual_seed(recipe.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch thinks of layers without weights is said below
        try:
            network = known[architecture](**arguments)
        except Exception as error:  # a constructor can raise whatever its arguments run into
            if is_out_of_memory(error):
                raise
            raise _refusal(architecture, error) from error
    _check_scale(network, recipe.degradations)
    off = [size for size in recipe.patches.size if size % network.grid]
    if off:
        raise UsageError(f"patches of {off[0]} pixels do not lie on the network's grid of {network.grid}")
    _check_loadable(network, arguments)
    _try_out(network, min(recipe.patches.size))
    return network.train()


def take_over(network: Network, start: StateDict) -> int:
    """Copy the tensors of `start` that have the name and shape of one of the network's; return how many.

    Raises:
        UsageError: there is none.
    """
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in start.items() if name in own and own[name].shape == tensor.shape}
    if not fitting:
        raise UsageError("the checkpoint to start from has no tensor that fits the network")
    network.load_state_dict(fitting, strict=False)
    return len(fitting)


def _check_scale(network: Network, degradations: Degradations) -> None:
    """Refuse a network that does not make up for what the degradations make smaller."""
    if isinstance(network, ContinuousNetwork):
        fits, may = degradations.largest_scale <= network.scale, f"up to {network.scale}"
    else:
        fits, may = degradations.scales is None and degradations.scale == network.scale, str(network.scale)
    if not fits:
        asked = list(degradations.scales) if degradations.scales else degradations.scale
        raise UsageError(f"the network {network.architecture} is for the scale {may}, the degradations are for {asked}")


def _check_loadable(network: Network, arguments: Mapping[str, Any]) -> None:
    """Refuse a network as which its own weights would not be read: they do not tell all that can be asked for."""
    state, told = network.state_dict(), f"weights of the network {network.architecture} could not be loaded again"
    try:
        network.from_state_dict(state)
    except StateDictError as error:
        raise UsageError(f"{told}: {error.message}") from error
    read = network.hyperparameters(state)
    for name in arguments.keys() & read.keys():
        asked, found = (tuple(value) if isinstance(value, list) else value for value in (arguments[name], read[name]))
        if asked != found and not isinstance(found, float):  # a float is told by a width, which is rounded
            raise UsageError(f"{told}: {name} would be read as {found}, not {asked}")


def _try_out(network: Network, side: int) -> None:
    """Refuse a network that fails on a patch."""
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, side, side))
    except Exception as error:  # a network can raise whatever its arguments run into
        if is_out_of_memory(error):
            raise
        raise _refusal(network.architecture, error) from error


def _refusal(architecture: str, error: Exception) -> UsageError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return UsageError(f"the network {architecture} cannot be built: {reason}")
