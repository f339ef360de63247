"""From the options of a command to a loaded network; imports torch, so commands import it when they need it."""

from __future__ import annotations

from restore_cli.card import ModelCard
from restore_cli.cli.engine_settings import EngineSettings
from restore_cli.device import Device
from restore_cli.networks import Network
from restore_cli.passes.tile_plan import TilePolicy
from restore_cli.restorer import Restorer
from restore_cli.telling import Tell
from restore_cli.weights import build, load_card, load_path


def load_network(card: ModelCard | None, engine: EngineSettings, tell: Tell) -> Network:
    """Build the network of `card`, or of the file that `--model` names where that is None.

    Raises:
        WeightsError: the weights are missing, wrong, or of no known architecture.
    """
    if card is None:
        weights = load_path(engine.weights_file, engine.key)
    else:
        weights = load_card(card, tell, is_named=engine.model is not None)
    return build(weights).fold()


def load_restorer(network: Network, engine: EngineSettings, device: Device) -> Restorer:
    """Put `network` on `device`, in the precision and with the tiles that the options ask for.

    Raises:
        DeviceError: the precision does not suit the network, or it does not fit the device.
    """
    return Restorer(network, device, precision=engine.precision, tile=tile_policy(engine.tile))


def tile_policy(option: str) -> TilePolicy:
    """Return what `--tile` asks for."""
    return int(option) if option.isdigit() else "off" if option == "off" else "auto"
