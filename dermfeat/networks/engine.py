"""Engine: images go in one by one, are computed on threads of its own, and come out as rows."""

import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

import cv2
import numpy as np


class Started(Future):
    """The output of one image, to come; it knows the engine that holds it."""

    def __init__(self, engine):
        super().__init__()
        self._engine = engine

    def result(self, timeout=None):
        """Return the output, which is computed now if it was held; raise what went wrong with it."""
        if not self.done():
            self._engine.flush()
        return super().result(timeout)


class Engine(ABC):
    """What every engine that runs a network shares; a subclass writes `_submit`.

    An image that comes first is held until `enough` images wait or somebody asks for one of them: one image alone
    is thus known to be alone. Rows do not depend on the images beside them, and any number of threads may call.

    Parameters
    ----------
    output : tuple of int
        Shape of what one image gives.
    enough : int
        Images that are worth starting together.
    """

    def __init__(self, output, enough):
        self.output, self._enough = tuple(output), enough
        self._held, self._lock = [], threading.Lock()

    def start(self, image):
        """Hand over one (H, W, 3) uint8 image and return at once; give what is returned to `finish`."""
        started = Started(self)
        with self._lock:
            self._held.append((image, started))
            if len(self._held) >= self._enough:
                self._go()
        return started

    def finish(self, started):
        """Return the (n, ...) float32 outputs of images that were started, in the order given.

        Raises
        ------
        Exception
            What went wrong while an image was computed.
        """
        rows = np.empty((len(started), *self.output), np.float32)
        for row, future in zip(rows, started, strict=True):
            row[...] = future.result()
        return rows

    def run(self, batch):
        """Return the (n, ...) float32 outputs of a batch of n images; n may be 0."""
        return self.finish([self.start(image) for image in batch])

    def flush(self):
        """Begin to compute what is held."""
        with self._lock:
            if self._held:
                self._go()

    def _go(self):
        held, self._held = self._held, []
        try:
            self._submit(held)
        except BaseException as error:
            for _, started in held:
                _fail(started, error)
            if not isinstance(error, Exception):  # Ctrl-C
                raise

    @abstractmethod
    def _submit(self, waiting):
        """Begin to compute the (image, future) pairs `waiting`; called under the engine's lock."""


class Parallel(Engine):
    """An engine for processors: as many images at once as its streams, each by itself.

    The first time that two images wait, the network is compiled for many images; a single image before that
    compiles it for low latency. Both happen once, and the former then serves single images too.
    """

    def __init__(self, output):
        super().__init__(output, enough=2)
        self._many = self._one = None

    @abstractmethod
    def _compile(self, many):
        """Return an executor and the function from an image to its output, for many images or for low latency."""

    def _submit(self, waiting):
        executor, compute = self._ready(len(waiting) > 1)
        for image, future in waiting:
            executor.submit(settle, future, compute, image)

    def _ready(self, many):
        if many and self._many is None:
            self._many, self._one, self._enough = self._compile(True), None, 1
        if self._many is None and self._one is None:
            self._one = self._compile(False)
        return self._many or self._one


def squashed(image, size):
    """Return an (H, W, 3) uint8 image at the height and width `size` of a network's input, whatever its shape."""
    shrinks = image.shape[0] > size[0] and image.shape[1] > size[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def settle(future, compute, image):
    """Put what `compute` makes of an image into its future: the result, or the error that `finish` raises."""
    try:
        result = compute(image)
    except BaseException as error:
        _fail(future, error)
    else:
        with suppress(InvalidStateError):  # it failed meanwhile, as its neighbours could not be started
            future.set_result(result)


def _fail(future, error):
    with suppress(InvalidStateError):
        future.set_exception(error)
