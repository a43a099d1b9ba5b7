"""Frozen networks and the engines that run them: those of Keras, cut in a child process, and the packaged ones."""

from dermfeat.networks.engine import squashed
from dermfeat.networks.network import Network, compiled
from dermfeat.networks.packaged import packaged_network
from dermfeat.networks.spec import LAST, NetworkSpec, models_folder

__all__ = ["LAST", "Network", "NetworkSpec", "compiled", "models_folder", "packaged_network", "squashed"]
