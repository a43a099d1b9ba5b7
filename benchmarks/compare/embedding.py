"""Embedding: features of pretrained networks from images that are ready, and what the loop around them costs."""

import numpy as np

from benchmarks.compare import networks
from benchmarks.compare.figures import Figure, Result, rate
from benchmarks.compare.images import drawn
from benchmarks.compare.runner import competitor, interleave
from benchmarks.compare.settings import DEFAULT

MANY = 256  # images of the loop


def cnn(backbone, stages=None, **options):
    """Return dermfeat's embedding with the weights that the others get."""
    from dermfeat import CNNEmbedding

    return CNNEmbedding(backbone, stages=stages, weights=networks.weights(backbone), **options)


def last_stage(backbone):
    """Return the name of the layer that the others pool."""
    from dermfeat.embedding import find_backbone

    return [find_backbone(backbone).stages[-1]]


class _Embedding:
    """A batch of uint8 images of the network's size: pooled features of its last layer."""

    backbone = None
    timeout = 600

    def setup(self, settings=DEFAULT):
        from dermfeat import set_config

        set_config(store=False)
        self.images = drawn(settings, settings.some(networks.BATCH, 4), (224, 224))
        self._run = {}

    def _once(self, prepare, *args):
        """Return what `prepare` returns, called at the first run only: each method has a process of its own."""
        if prepare not in self._run:
            self._run[prepare] = prepare(*args)
        return self._run[prepare]

    @competitor()
    def time_dermfeat(self):
        return self._once(cnn, self.backbone, last_stage(self.backbone)).transform(self.images)

    @competitor("tensorflow", KERAS_BACKEND="tensorflow")
    def time_keras_tensorflow(self):
        return self._once(networks.keras_on_batch, self.backbone)(self.images)

    @competitor("jax", KERAS_BACKEND="jax")
    def time_keras_jax(self):
        return self._once(networks.keras_on_batch, self.backbone)(self.images)

    @competitor("torch", KERAS_BACKEND="torch")
    def time_keras_torch(self):
        return self._once(networks.keras_on_batch, self.backbone)(self.images)


class EmbeddingMobileNetV2(_Embedding):
    backbone = "mobilenet_v2"

    @competitor("timm", "torch")
    def time_timm_eager(self):
        return self._once(networks.timm_eager, "mobilenetv2_100")(self.images)

    @competitor("embetter", "timm", "torch")
    def time_embetter(self):
        return self._once(networks.embetter_encoder, "mobilenetv2_100")(self.images)

    @competitor("onnxruntime", "tf2onnx", "tensorflow", KERAS_BACKEND="tensorflow")
    def time_onnxruntime(self):
        return self._once(networks.onnx_of_tensorflow, self.backbone)(self.images)


class EmbeddingEfficientNetB0(_Embedding):
    backbone = "efficientnet_b0"


class EmbeddingDenseNet121(_Embedding):
    backbone = "densenet121"


class Loop:
    """All stages of MobileNetV2 from an array of images: LesionFeatures against the bare engine."""

    backbone = "mobilenet_v2"
    timeout = 600

    def setup(self, settings=DEFAULT):
        from dermfeat import set_config

        set_config(store=False)
        self.images = np.resize(drawn(settings, 32, (224, 224)), (settings.some(MANY, 16), 224, 224, 3))
        self._batch = None

    @competitor()
    def time_dermfeat(self):
        from dermfeat import LesionFeatures

        return LesionFeatures([("embedding", cnn(self.backbone))]).transform(self.images)

    @competitor(KERAS_BACKEND="openvino")
    def time_openvino_alone(self):
        if self._batch is None:
            self._batch = networks.ready(self.backbone, self.images)
            self._run = networks.openvino_alone(self.backbone)
        return self._run(self._batch)


def compare(settings):
    """Return the `Result` of all networks and of the loop."""
    result = Result()
    for benchmark in (EmbeddingMobileNetV2, EmbeddingEfficientNetB0, EmbeddingDenseNet121):
        _network(result, benchmark, settings)
    _loop(result, settings)
    return result


def _network(result, benchmark, settings):
    backbone, images = benchmark.backbone, settings.some(networks.BATCH, 4)
    measured = interleave(benchmark, settings, rounds=15 if backbone == "mobilenet_v2" else 9)
    told = networks.agreements(measured.values)
    kind = "ImageNet weights" if networks.weights(backbone) else "random weights"
    result.add(f"Embedding, {backbone}, float32, batch of {images}, {kind}", measured, agreement=told)
    best = measured.best("keras") or "keras"
    wanted = {"mobilenet_v2": 2.2, "efficientnet_b0": 1.7, "densenet121": 1.4}
    others = {best: ("best plain Keras", wanted[backbone])}
    if backbone == "mobilenet_v2":
        others |= {"timm_eager": ("timm eager", 6), "embetter": ("embetter", 8)}
        others["onnxruntime"] = "ONNX Runtime on the TensorFlow export", 1.1
    for name, (title, at_least) in others.items():
        label = f"embedding, {backbone}, float32, batch {images}: against {title}"
        shown = f"{name.replace('_', ' ')}: {rate(measured, name)}"
        own_rate = rate(measured, "dermfeat")
        result.figures.append(Figure(label, shown, own_rate, measured.ratio(name), at_least=at_least))


def _loop(result, settings):
    images = settings.some(MANY, 16)
    measured = interleave(Loop, settings, rounds=11)
    told = networks.agreements(measured.values)
    result.add(f"The loop's embedding, mobilenet_v2, four stages, {images} images of 224x224", measured, agreement=told)
    result.figures.append(
        Figure(
            "the loop's embedding against OpenVINO alone on ready float32 batches",
            rate(measured, "openvino_alone"),
            rate(measured, "dermfeat"),
            measured.ratio("openvino_alone"),
            at_least=0.9,
        )
    )
