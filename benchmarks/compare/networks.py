"""Pretrained networks as others run them: each function returns another, from (n, H, W, 3) uint8 to (n, F) features."""

import os
import tempfile
from importlib import import_module
from unittest.mock import patch

import numpy as np

BATCH = 32
OTHER_WEIGHTS = "timm_eager", "embetter"  # random ones: speed does not depend on them
MODULES = {"mobilenet_v2": "mobilenet_v2", "efficientnet_b0": "efficientnet", "densenet121": "densenet"}


def weights(backbone):
    """Return "imagenet" where Keras' weights of the network are on this computer, else None: drawn ones are as fast."""
    from dermfeat.networks import models_folder

    pattern = {"mobilenet_v2": "mobilenet_v2*_1.0_224_no_top.h5", "efficientnet_b0": "efficientnetb0_notop.h5"}
    return "imagenet" if any(models_folder().glob(pattern.get(backbone, f"{backbone}*notop.h5"))) else None


def keras_model(backbone):
    """Return the network of keras.applications without its head, pooled, with the weights that dermfeat has too."""
    import keras

    from dermfeat.embedding import find_backbone
    from dermfeat.networks.trace import draw_weights

    keras.utils.set_random_seed(0)
    factory = getattr(keras.applications, find_backbone(backbone).factory)
    chosen = weights(backbone)
    model = factory(include_top=False, weights=chosen, pooling="avg", input_shape=(224, 224, 3))
    if chosen is None:
        draw_weights(model)
    return model


def preprocessed(backbone, images):
    """Return a batch as Keras' own `preprocess_input` of the network prepares it."""
    module = import_module(f"keras.applications.{MODULES[backbone]}")
    return module.preprocess_input(images.astype(np.float32))


def keras_on_batch(backbone):
    """Plain Keras on the backend of this process, one call of `predict_on_batch` a batch."""
    model = keras_model(backbone)

    def run(images):
        steps = range(0, len(images), BATCH)
        rows = [model.predict_on_batch(preprocessed(backbone, images[i : i + BATCH])) for i in steps]
        return np.concatenate([np.asarray(row) for row in rows])

    return run


def onnx_of_tensorflow(backbone):
    """ONNX Runtime on what tf2onnx makes of the Keras model on TensorFlow."""
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    model = keras_model(backbone)
    signature = [tf.TensorSpec((None, 224, 224, 3), tf.float32)]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.onnx")
        tf2onnx.convert.from_function(function, input_signature=signature, output_path=path, opset=17)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: preprocessed(backbone, images)})[0]


def timm_eager(name):
    """A timm model in evaluation mode without gradients, one call a batch."""
    import timm
    import torch

    model = timm.create_model(name, pretrained=False, num_classes=0).eval()
    mean, std = ([255 * v for v in model.default_cfg[key]] for key in ("mean", "std"))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))

    def run(images):
        with torch.inference_mode():
            return model((torch.from_numpy(images).permute(0, 3, 1, 2).float() - mean) / std).numpy()

    return run


def embetter_encoder(name):
    """The TimmEncoder of embetter on PIL images, as its users have it, but for the weights, which are random."""
    import timm
    from embetter.vision import TimmEncoder
    from PIL import Image

    create = timm.create_model
    with patch("timm.create_model", lambda name, pretrained, **options: create(name, pretrained=False, **options)):
        encoder = TimmEncoder(name=name)
    return lambda images: encoder.transform([Image.fromarray(image) for image in images])


def openvino_alone(backbone):
    """OpenVINO on ready float32 batches, channels first: an asynchronous queue and nothing around it.

    The graph is the one that dermfeat runs, traced from Keras channels first, without its preprocessing.
    """
    import openvino as ov
    from openvino.properties import hint

    queue = ov.AsyncInferQueue(
        ov.Core().compile_model(
            _traced(backbone),
            "CPU",
            {hint.performance_mode(): hint.PerformanceMode.THROUGHPUT, hint.inference_precision(): ov.Type.f32},
        )
    )

    def run(batch):
        results = [None] * len(batch)
        queue.set_callback(lambda request, i: results.__setitem__(i, request.get_output_tensor().data.copy()))
        for i in range(len(batch)):
            queue.start_async(batch[i : i + 1], i)
        queue.wait_all()
        return np.concatenate(results)

    return run


def ready(backbone, images):
    """Return images as the (n, 3, H, W) float32 batch that `openvino_alone` takes."""
    return np.ascontiguousarray(preprocessed(backbone, images).transpose(0, 3, 1, 2))


def _traced(backbone):
    import keras

    from dermfeat.embedding import find_backbone
    from dermfeat.networks import models_folder
    from dermfeat.networks.trace import build, cut, to_openvino

    found = find_backbone(backbone)
    request = {"source": found.factory, "size": 224, "alpha": found.alpha}
    model, _ = build(request | {"weights": weights(backbone), "models": str(models_folder())})
    rows = cut(model, found.stages, "avg", True).values()
    graph = to_openvino(keras.Model(model.inputs, keras.layers.Concatenate()(list(rows))), (3, 224, 224))
    graph.reshape([1, 3, 224, 224])
    return graph


def agreements(values, own="dermfeat"):
    """Return how far the features of each competitor that has the same weights are from dermfeat's, as text."""
    return {
        name: agreement(values[own], rows) if name not in OTHER_WEIGHTS else "other weights"
        for name, rows in values.items()
        if name != own and own in values
    }


def agreement(own, other):
    """Return how far two (n, F) arrays of features are apart, as text."""
    norms = np.linalg.norm(own, axis=1) * np.linalg.norm(other, axis=1)
    cosine = (own * other).sum(axis=1) / np.maximum(norms, 1e-30)
    return f"cosine {cosine.min():.6f}, largest difference {np.abs(own - other).max() / np.abs(own).max():.1e} of range"
