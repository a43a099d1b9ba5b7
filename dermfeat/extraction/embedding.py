"""CNNEmbedding: pooled features of a pretrained network as a family of columns."""

import cv2
import numpy as np

from dermfeat.embedding import find_backbone
from dermfeat.extraction.base import LesionTransformer
from dermfeat.networks import NetworkSpec, compiled


class CNNEmbedding(LesionTransformer):
    """Features of a frozen network, pooled over the image at several depths.

    The network is traced once, in a child process with a Keras of its own, and then run by OpenVINO: Keras, its
    backend and its settings in this process are neither used nor changed. It sees the whole decoded image, squashed
    to its input size; colour constancy, hair removal and mask do not touch it.

    Parameters
    ----------
    backbone : str, default="mobilenet_v2"
        A name in ``dermfeat.embedding.BACKBONES``, or the path of a ``.keras`` file, which must contain its own
        preprocessing of RGB in [0, 255].
    stages : sequence of str, optional
        Names of the layers whose feature maps are pooled. By default three or four depths of the backbone; the
        shallow ones matter as much as the last for skin lesions.
    pooling : "avg", "max" or "avg+max", default="avg"
        How a feature map becomes one number a channel.
    weights : "imagenet", path or None, default="imagenet"
        None gives random weights from a fixed seed, for tests.
    alpha : float, optional
        Width of the MobileNets.
    input_size : int, optional
        Height and width of the network's input in pixels, the size it was trained at by default.
    batch_size : int, default=32
        Images handed to the network at a time.

    Notes
    -----
    Columns are called ``<stage>_<pooling>_<channel>``. Only strings and numbers are held, so that clones, pickles
    and worker processes are cheap.
    """

    looks_at = "pixels"

    def __init__(
        self,
        backbone="mobilenet_v2",
        *,
        stages=None,
        pooling="avg",
        weights="imagenet",
        alpha=None,
        input_size=None,
        batch_size=32,
    ):
        self.backbone = backbone
        self.stages = stages
        self.pooling = pooling
        self.weights = weights
        self.alpha = alpha
        self.input_size = input_size
        self.batch_size = batch_size

    def prepare(self, rgb):
        """Return the image squashed to the network's input size, uint8."""
        height, width = self._network().size
        shrinks = rgb.shape[0] > height and rgb.shape[1] > width
        return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def finish(self, prepared, names=None):
        """Return the (n, n_features) float32 rows of a batch of prepared images."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size}: give 1 or more")
        network = self._network()
        steps = range(0, len(prepared), self.batch_size)
        return np.concatenate([network.run(np.stack(prepared[i : i + self.batch_size])) for i in steps])

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion`, from its raw pixels."""
        row = self.finish([self.prepare(lesion.raw)])[0]
        return dict(zip(self.names(), map(float, row), strict=True))

    def names(self):
        """Return the tuple of column names; the network is traced if it has not been."""
        widths = self._network().widths
        return tuple(f"{group}_{channel}" for group, width in widths.items() for channel in range(width))

    def store_identity(self):
        """Return the digest of weights, cut and preprocessing."""
        return self._network().digest

    def _network(self):
        if str(self.backbone).endswith(".keras"):
            if self.alpha is not None or self.weights != "imagenet":
                raise ValueError(f"{self.backbone} brings its own weights and width; leave weights and alpha out")
            spec = NetworkSpec(
                source=str(self.backbone), size=self.input_size, stages=self.stages, pooling=self.pooling
            )
        else:
            spec = find_backbone(self.backbone).spec(
                weights=self.weights,
                size=self.input_size,
                stages=self.stages,
                pooling=self.pooling,
                alpha=self.alpha,
            )
        return compiled(spec)
