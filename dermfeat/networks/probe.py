"""The probe: images on which an exported network must give what plain Keras gives."""

import numpy as np

from dermfeat.networks import trace

CLOSE = {"float32": (0.99999, 1e-4), "bfloat16": (0.9, 0.5)}  # least cosine, largest relative difference


def images(size):
    """Return four drawn (n, H, W, 3) uint8 images: noise, coarse noise, a gradient and a lesion."""
    random = np.random.default_rng(0)
    height, width = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    noise = random.integers(0, 256, (height, width, 3))
    coarse = random.integers(0, 256, (8, 8, 3))[((y + 1) * 3.99).astype(int), ((x + 1) * 3.99).astype(int)]
    gradient = 127.5 + 127.5 * np.stack([x, y, -x * y], axis=-1)
    inside = ((x / 0.6) ** 2 + (y / 0.45) ** 2 < 1)[..., None]
    lesion = np.where(inside, (105, 65, 50), (215, 170, 150)) + 25 * np.sin(20 * x * y)[..., None]
    return np.clip(np.stack([noise, coarse, gradient, lesion]), 0, 255).astype(np.uint8)


def plain_rows(request, pixels):
    """Return the rows of (n, H, W, 3) uint8 images by plain Keras: float32, channels last, on the backend of Keras.

    The network is built anew and preprocessed outside of it. A ``.keras`` file keeps the layout it was saved with.
    Keras' OpenVINO backend, which computes in bfloat16 where the processor can, is told to use float32.
    """
    import keras

    keras.config.set_dtype_policy("float32")
    model, _ = trace.load_file(request) if request["is_file"] else trace.build(request, channels_first=False)
    first = trace.is_channels_first(model)
    rows = trace.cut(model, request["stages"], request["pooling"], first)
    network = keras.Model(model.inputs, trace.joined(list(rows.values())))
    pixels = pixels[..., ::-1] if request["order"] == "BGR" else pixels
    pixels = (pixels.astype(np.float32) - np.float32(request["mean"])) / np.float32(request["scale"])
    pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 1) if first else pixels)
    if keras.backend.backend() == "openvino":
        import openvino as ov

        graph = trace.to_openvino(network, pixels.shape[1:])
        return ov.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)[0]
    if keras.backend.backend() == "jax":  # compiles each operation by itself otherwise
        return network.predict_on_batch(pixels)
    return keras.ops.convert_to_numpy(network([pixels], training=False))


def agreement(rows, expected, widths):
    """Return how far rows are from the expected ones, the worst of all column groups.

    Parameters
    ----------
    rows, expected : (n, F) ndarray
    widths : dict of str to int
        Number of columns of each group.

    Returns
    -------
    dict
        ``cosine`` : the smallest cosine between a row and the expected one, within a group; ``largest_difference`` :
        of a value, as a share of the group's largest magnitude.
    """
    cosines, differences = [], []
    borders = np.cumsum(list(widths.values()))[:-1]
    for found, wanted in zip(np.split(rows, borders, axis=1), np.split(expected, borders, axis=1), strict=True):
        found, wanted = found.astype(np.float64), wanted.astype(np.float64)
        scale = max(np.abs(wanted).max(), np.finfo(np.float32).tiny)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        alike = (found * wanted).sum(axis=1) / np.where(lengths > 0, lengths, 1)
        alike[(lengths == 0) & (found == wanted).all(axis=1)] = 1
        cosines.append(alike.min())
        differences.append(np.abs(found - wanted).max() / scale)
    return {"cosine": float(np.min(cosines)), "largest_difference": float(np.max(differences))}


def refuse(found, target, backend):
    """Raise an error where the agreement `found` is beyond what the precision of `target` allows.

    Raises
    ------
    ArithmeticError
    """
    least, largest = CLOSE[target.precision]
    if not (found["cosine"] >= least and found["largest_difference"] <= largest):
        raise ArithmeticError(
            f"runtime={target.runtime!r} in {target.precision} gives other features than Keras on {backend}: cosine "
            f"{found['cosine']:.6f} (at least {least}), largest difference {found['largest_difference']:.2g} of the "
            f"largest value (at most {largest}); use another runtime, such as 'keras', or precision='float32'"
        )
