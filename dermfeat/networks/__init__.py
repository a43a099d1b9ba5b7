"""Frozen Keras networks: traced and cut in a child process, compiled and run with OpenVINO."""

from dermfeat.networks.network import Network, compiled
from dermfeat.networks.spec import LAST, NetworkSpec, models_folder

__all__ = ["LAST", "Network", "NetworkSpec", "compiled", "models_folder"]
