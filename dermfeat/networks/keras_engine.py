"""The engine Keras: batches on the backend that this process' Keras has, on a GPU where there is one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dermfeat.networks.engine import Engine
from dermfeat.networks.runtime import keras_backend, load_keras

ON_CPU, ON_GPU = 32, 256  # images of a batch


class Batches(Engine):
    """A saved Keras model from (n, H, W, 3) uint8 images to rows.

    It is run by the Keras of this process, on the backend that is set there; no setting is read or changed, for
    layout and precision are part of the saved model. One thread computes a batch while the caller prepares the
    next one. Batches that are not full are padded to a power of two, so that a backend compiles few shapes.

    Parameters
    ----------
    file : path-like
        The ``.keras`` file.
    batch_size : int, optional
        Images computed together, by default 32, and 256 on a GPU.

    Attributes
    ----------
    output : tuple of int
        Shape of what one image gives.
    """

    def __init__(self, file, *, batch_size=None):
        keras = load_keras()
        self._model = keras.saving.load_model(file, compile=False)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="dermfeat-keras")
        super().__init__(self._model.output_shape[1:], batch_size or (ON_GPU if has_gpu() else ON_CPU))

    def _submit(self, waiting):
        batch = np.stack([image for image, _ in waiting])
        missing = min(self._enough, 1 << (len(batch) - 1).bit_length()) - len(batch)
        if missing > 0:
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.uint8)])
        self._executor.submit(self._compute, batch, [future for _, future in waiting])

    def _compute(self, batch, futures):
        try:
            rows = np.asarray(self._model.predict_on_batch(batch), np.float32)
        except BaseException as error:
            for future in futures:
                future.set_exception(error)
            return
        for future, row in zip(futures, rows, strict=False):  # the rest is padding
            future.set_result(row)


def has_gpu():
    """Return whether the backend of this process' Keras computes on something faster than the CPU."""
    backend = keras_backend()
    if backend == "tensorflow":
        import tensorflow

        return bool(tensorflow.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return jax.default_backend() != "cpu"
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()
