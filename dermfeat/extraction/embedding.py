"""CNNEmbedding: pooled features of a pretrained network as a family of columns."""

from dermfeat.embedding import find_backbone
from dermfeat.extraction.base import LesionTransformer
from dermfeat.networks import NetworkSpec, compiled, squashed

OVERSAMPLING = 3  # with 2, rows of large JPEG files move by up to 8 % of their length, with 3 by about 2 %


class CNNEmbedding(LesionTransformer):
    """Features of a frozen network, pooled over the image at several depths.

    The network is exported once, in a child process with a Keras of its own, checked against plain Keras, and then
    run by the fastest engine that is installed, while the next images are decoded and measured. It sees the whole
    image, squashed to its input size; colour constancy, hair removal and mask do not touch it.

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
    runtime : "auto", "openvino", "onnx" or "keras", default="auto"
        The engine; "auto" takes the first of these that is installed. In float32 the rows are the same to 1e-4 of a
        stage's largest value, which is checked, on the CPU, when a network is exported. With "openvino" and "onnx"
        the Keras of this process, its backend and its settings are neither used nor changed. "keras" runs the network
        on the Keras of this process and its backend, TensorFlow, JAX or torch, on a GPU where that has one, and
        changes no setting either: it is for GPUs, and for machines that the others have no package for.
    precision : "float32" or "bfloat16", default="float32"
        The arithmetic. "bfloat16" changes the rows by about a tenth of their length, and is faster on processors with
        matrix units for it (AMX) and on GPUs, but not on all that can compute in it: ``benchmarks/precision.py``
        prints what it gains on a machine and what it does to the AUC.
    batch_size : int, optional
        Images that the engine "keras" computes together at most, by default 32, and 256 on a GPU; it is not given
        more at a time than ``LesionFeatures(batch_size=...)``, so raise that too. The other engines compute each image
        by itself, several at once.

    Notes
    -----
    A JPEG file whose sides are six times those of the network's input, or more, is decoded at a half, a fourth or an
    eighth of its size, which is faster and moves the row by about 2 % of its length.

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
        runtime="auto",
        precision="float32",
        batch_size=None,
    ):
        self.backbone = backbone
        self.stages = stages
        self.pooling = pooling
        self.weights = weights
        self.alpha = alpha
        self.input_size = input_size
        self.runtime = runtime
        self.precision = precision
        self.batch_size = batch_size

    @property
    def least_side(self):
        """Sides in pixels that an image is decoded to at least: `OVERSAMPLING` times those of the network's input."""
        return OVERSAMPLING * max(self._network().size)

    def prepare(self, rgb):
        """Hand the image, squashed to the network's input size, over to the network; return what `finish` needs."""
        network = self._network()
        return network.start(squashed(rgb, network.size))

    def flush(self):
        """Let the network begin with an image that it still holds."""
        self._network().flush()

    def finish(self, prepared, names=None):
        """Return the (n, n_features) float32 rows of a batch of prepared images."""
        return self._network().finish(prepared)

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion`, from its raw pixels."""
        row = self.finish([self.prepare(lesion.raw)])[0]
        return dict(zip(self.names(), map(float, row), strict=True))

    def names(self):
        """Return the tuple of column names; the network is traced if it has not been."""
        widths = self._network().widths
        return tuple(f"{group}_{channel}" for group, width in widths.items() for channel in range(width))

    def store_identity(self):
        """Return the digest of weights, cut, preprocessing and precision, and of the engine unless in float32."""
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
        options = {"runtime": self.runtime, "precision": self.precision, "batch_size": self.batch_size}
        return compiled(spec, **options)
