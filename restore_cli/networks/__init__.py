"""One file per architecture; `NETWORKS` lists them all."""

from restore_cli.networks.community import CommunityNetwork
from restore_cli.networks.darkir import DarkIR
from restore_cli.networks.denoiser import Denoiser
from restore_cli.networks.light_safmnpp import LightSAFMNPP
from restore_cli.networks.network import ContinuousNetwork, Locality, Network, StateDict, SteppedNetwork
from restore_cli.networks.part import Part
from restore_cli.networks.plainusr import PlainUSR
from restore_cli.networks.safmn import SAFMN
from restore_cli.networks.safmn_any import SAFMNAny
from restore_cli.networks.safmn_bcie import SAFMNBCIE
from restore_cli.networks.safmn_ntire import SAFMNChallenge
from restore_cli.networks.safmnpp import SAFMNPP

__all__ = [
    "NETWORKS",
    "ContinuousNetwork",
    "Locality",
    "Network",
    "Part",
    "StateDict",
    "SteppedNetwork",
    "build_network",
]

NETWORKS: tuple[type[Network], ...] = (
    SAFMN,
    SAFMNChallenge,
    SAFMNPP,
    LightSAFMNPP,
    SAFMNBCIE,
    SAFMNAny,
    PlainUSR,
    DarkIR,
    Denoiser,
)


def build_network(state: StateDict) -> Network:
    """Build the network that `state` is the state dict of; one that is none of ours is tried with spandrel.

    Raises:
        StateDictError: the architecture is unknown, keys are missing or extra, or shapes do not fit.
    """
    for network in NETWORKS:
        if network.recognises(state):
            return network.from_state_dict(state)
    return CommunityNetwork.from_state_dict(state)
