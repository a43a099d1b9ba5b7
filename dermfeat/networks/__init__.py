"""Frozen networks, run with OpenVINO: those of Keras, traced and cut in a child process, and the packaged ones."""

from dermfeat.networks.network import Network, compiled
from dermfeat.networks.packaged import packaged_network
from dermfeat.networks.spec import LAST, NetworkSpec, models_folder

__all__ = ["LAST", "Network", "NetworkSpec", "compiled", "models_folder", "packaged_network"]
