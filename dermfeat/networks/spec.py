"""NetworkSpec: what is traced, where it is cut and how pixels enter it, in strings and numbers."""

import os
from dataclasses import dataclass
from pathlib import Path

POOLINGS = ("avg", "max", "avg+max")
LAST = "last"  # the stage every network has: its last feature layer


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A frozen network, the stages it is cut at, and its preprocessing.

    Parameters
    ----------
    source : str
        A function of ``keras.applications`` (``"MobileNetV2"``), or the path of a ``.keras`` file.
    size : int, optional
        Height and width of the input in pixels. Needed for a function of ``keras.applications``; by
        default the size that the ``.keras`` file was built for.
    stages : sequence of str, optional
        Names of the layers to cut at, in the order of the columns. ``"last"`` is the last feature layer:
        the input of the final ``Dense`` head if there is one, else the output; it is the default.
    pooling : {"avg", "max", "avg+max"}
        How the map of each stage becomes one row. A stage that is a row already is taken as it is.
    weights : str, optional
        ``"imagenet"``, the path of a weights file, or None for random weights drawn from a fixed seed
        (for tests: the features mean nothing). A ``.keras`` file brings its own.
    alpha : float, optional
        Width multiplier of the MobileNets.
    mean, scale : (3,) tuples of float
        ``(pixel - mean) / scale`` enters the network, per channel in the order `order`, pixels in [0, 255].
    order : {"RGB", "BGR"}
        Order of the channels that the network expects. Images given to `Network.run` are always RGB.

    Raises
    ------
    ValueError
        Where a parameter has none of the values above.
    FileNotFoundError
        Where a file named by `source` or `weights` is missing.
    """

    source: str
    size: int | None = None
    stages: tuple[str, ...] | None = (LAST,)
    pooling: str = "avg"
    weights: str | None = "imagenet"
    alpha: float | None = None
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    order: str = "RGB"

    def __post_init__(self):
        stages = (self.stages,) if isinstance(self.stages, str) else tuple(self.stages or (LAST,))
        for name, value in {"stages": stages, "mean": tuple(self.mean), "scale": tuple(self.scale)}.items():
            object.__setattr__(self, name, value)
        if len(set(stages)) < len(stages):
            raise ValueError(f"stages={stages} names a layer twice; name each one once")
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling={self.pooling!r} is unknown; choose one of {POOLINGS}")
        if self.order not in {"RGB", "BGR"}:
            raise ValueError(f"order={self.order!r} is unknown; choose 'RGB' or 'BGR'")
        if self.is_file:
            object.__setattr__(self, "source", _existing(self.source))
            object.__setattr__(self, "weights", self.source)
        elif self.size is None:
            raise ValueError(f"size is missing: give the height and width of the input of {self.source}")
        elif self.weights not in {None, "imagenet"}:
            object.__setattr__(self, "weights", _existing(self.weights))

    @property
    def is_file(self):
        """Whether `source` is a ``.keras`` file."""
        return str(self.source).endswith(".keras")


def models_folder():
    """Return the folder of the user's Keras weights, ``$KERAS_HOME/models`` (``~/.keras/models``)."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home).expanduser().absolute() / "models"


def _existing(path):
    path = Path(path).expanduser().absolute()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; give the path of an existing network or weights file")
    return str(path)
