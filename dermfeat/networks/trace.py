"""Build a Keras network, cut it at its stages, and trace it to OpenVINO (in a child process, by `export`)."""

import hashlib
from pathlib import Path

import numpy as np

from dermfeat.networks.spec import LAST
from dermfeat.networks.weights import keras_weights, sha256

SEED = 0  # of the random weights


def load_file(request):
    """Return the model of a ``.keras`` file and the record of that file."""
    import keras

    path = Path(request["source"])
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:
        raise ValueError(f"{path}: Keras cannot load this file: {_first_line(error)}") from error
    if not getattr(model, "inputs", None):  # neither functional nor Sequential
        raise ValueError(f"{path}: a {type(model).__name__} cannot be cut; save a functional or Sequential model")
    shape, size = model.input_shape, request["size"]
    if isinstance(shape, list) or len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise ValueError(f"{path}: its input has the shape {shape}; one RGB image (height, width, 3) is needed")
    if None in shape[1:] and size is None:
        raise ValueError(f"{path}: its input has the free shape {shape}; give a size")
    if size is not None and not {*shape[1:]} <= {size, 3, None}:
        raise ValueError(f"{path}: its input has the shape {shape}, not size={size}; leave size out")
    if is_channels_first(model):
        keras.config.set_image_data_format("channels_first")
    return model, file_record(path)


def build(request, *, channels_first=True):
    """Return a network of keras.applications without its head, and the record of its weights.

    Its channels come before height and width where `channels_first` asks for it and the network can; ConvNeXt can't.
    """
    import keras

    factory = getattr(keras.applications, request["source"], None)
    if factory is None:
        raise ValueError(f"{request['source']}: keras.applications has no such network")
    size = request["size"]
    if channels_first:
        keras.config.set_image_data_format("channels_first")
        try:
            return _apply(factory, request, (3, size, size))
        except ValueError as error:
            if "does not support the `channels_first`" not in str(error):
                raise
    keras.config.set_image_data_format("channels_last")
    model, record = _apply(factory, request, (size, size, 3))
    return with_channels_first(model) if channels_first and _is_convolutional(model) else model, record


def _is_convolutional(model):
    """Return whether every axis of the model's layers is either that of the channels or stands in no parameter."""
    import keras

    return not any(isinstance(layer, (keras.layers.Dense, keras.layers.LayerNormalization)) for layer in model.layers)


def with_channels_first(model):
    """Return a copy of a channels-last model that takes, and computes with, channels before height and width."""
    import keras

    def turned(layer):
        config = layer.get_config()
        if config.get("data_format") == "channels_last":
            config["data_format"] = "channels_first"
        if isinstance(layer, (keras.layers.BatchNormalization, keras.layers.Concatenate)):
            config["axis"] = {-1: 1, 3: 1}.get(config["axis"], config["axis"])
        return type(layer).from_config(config)

    height, width, channels = model.input_shape[1:]
    image = keras.Input((channels, height, width))
    copy = keras.models.clone_model(model, input_tensors=image, clone_function=turned)
    copy.set_weights(model.get_weights())
    return copy


def with_dtype(model, policy):
    """Return a copy of a model whose layers compute under another dtype policy, such as "mixed_bfloat16"."""
    import keras

    def changed(layer):
        return type(layer).from_config(layer.get_config() | {"dtype": policy})

    copy = keras.models.clone_model(model, clone_function=changed)
    copy.set_weights(model.get_weights())
    return copy


def _apply(factory, request, shape):
    weights = request["weights"]
    given = None if weights in (None, "imagenet") else weights
    options = {} if request["alpha"] is None else {"alpha": request["alpha"]}
    # EfficientNet has one more rescaling where weights is "imagenet", which files derived from it need too.
    architecture = "imagenet" if given and factory.__name__.startswith("EfficientNetB") else weights
    with keras_weights(request["models"], given) as used:
        try:
            model = factory(weights=architecture, include_top=False, input_shape=shape, **options)
        except (ValueError, OSError) as error:
            if not given:
                raise
            raise ValueError(
                f"{given}: does not fit {factory.__name__}{options or ''}: {_first_line(error)}"
            ) from error
    if weights is None:
        return model, {"sha256": draw_weights(model)}
    return model, file_record(given or used[0])


def draw_weights(model):
    """Give the kernels of `model` random values, the same ones everywhere; return their SHA-256.

    They are small enough for the deepest networks: values that grow from layer to layer would end in chaos.
    """
    random, digest = np.random.default_rng(SEED), hashlib.sha256()
    for variable in model.variables:
        if len(variable.shape) < 2:
            continue  # biases and normalisation keep what they start with
        inputs = np.prod(variable.shape[: 2 if variable.shape[-1] == 1 else -1])
        kernel = random.normal(0, np.sqrt(1 / inputs), variable.shape).astype(np.float32)
        variable.assign(kernel)
        digest.update(kernel)
    return digest.hexdigest()


def file_record(path):
    """Return what identifies the weights file `path`: its path, size, time of change and SHA-256."""
    stat = Path(path).stat()
    return {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256(path)}


def image_size(model, request):
    """Return the height and width of the one image that `model` takes; a free side is the requested size."""
    sides = model.input_shape[2:] if is_channels_first(model) else model.input_shape[1:3]
    return tuple(side or request["size"] for side in sides)


def is_channels_first(model):
    """Return whether the one image that `model` takes has its channels before height and width."""
    return model.input_shape[1] == 3 and model.input_shape[3] != 3


def cut(model, stages, pooling, channels_first):
    """Return the pooled rows of each stage: a dict of column group to (n, width) symbolic tensor."""
    import keras

    layout = "channels_first" if channels_first else "channels_last"
    pools = {
        "avg": keras.layers.GlobalAveragePooling2D(data_format=layout, dtype="float32"),
        "max": keras.layers.GlobalMaxPooling2D(data_format=layout, dtype="float32"),
    }
    rows = {}
    for stage in stages:
        tensor = last_features(model) if stage == LAST else stage_output(model, stage)
        if len(tensor.shape) == 2:
            rows[stage] = tensor
        elif len(tensor.shape) == 4:
            rows |= {f"{stage}_{kind}": pools[kind](tensor) for kind in pooling.split("+")}
        else:
            raise ValueError(f"stage {stage!r} has the shape {tensor.shape}; choose a layer that gives maps or rows")
    return rows


def joined(rows):
    """Return the rows of all stages side by side, in float32."""
    import keras

    return rows[0] if len(rows) == 1 else keras.layers.Concatenate(dtype="float32")(rows)


def stage_output(model, name):
    """Return the symbolic output of the layer `name` of `model`."""
    import keras

    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        raise ValueError(f"stage {name!r} is no layer of {model.name}; it has {', '.join(layers)}")
    return keras.Operation.output.fget(layers[name])  # of a nested model too the output in this graph


def last_features(model):
    """Return the input of the final Dense head of `model`, or its output where there is none."""
    import keras

    for layer in reversed(model.layers):
        if isinstance(layer, keras.layers.Dense):
            return layer.input
        if layer.weights:
            break
    return model.outputs[0]


def to_openvino(model, shape):
    """Return the OpenVINO graph of a Keras model with one (n, \\*shape) float32 input, n free."""
    import keras
    import openvino as ov

    pixels = ov.op.Parameter(ov.Type.f32, ov.PartialShape([-1, *shape]))
    # Keras' OpenVINO backend builds a graph node for every operation that it is called with.
    output = model(keras.ops.convert_to_tensor(pixels.output(0)), training=False).output
    graph = ov.Model([output], [pixels], model.name)
    if graph.output(0).partial_shape[0].is_static:
        raise RuntimeError(f"{model.name}: a layer fixes the batch to {graph.output(0).partial_shape}")
    return graph


def with_preprocessing(graph, request, channels_first):
    """Return the graph with (n, H, W, 3) uint8 RGB input, `mean`, `scale` and `order` applied inside."""
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    processor = PrePostProcessor(graph)
    image = processor.input()
    image.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.RGB)
    image.model().set_layout(ov.Layout("NCHW" if channels_first else "NHWC"))
    steps = image.preprocess().convert_element_type(ov.Type.f32)
    if request["order"] == "BGR":
        steps = steps.convert_color(ColorFormat.BGR)
    if np.any(request["mean"]):
        steps = steps.mean(request["mean"])
    if np.any(np.not_equal(request["scale"], 1)):
        steps.scale(request["scale"])
    return processor.build()


def _first_line(error):
    return str(error).strip().partition("\n")[0] or type(error).__name__
