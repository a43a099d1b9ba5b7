"""From what the user gives as X to one `Source` per image, which has a name, a digest and its pixels."""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dermfeat._errors import LesionImageError
from dermfeat.reading.pixels import array_to_rgb, decode_mask, decode_rgb, loaded, pil_to_rgb

MAX_PIXELS = 64_000_000


def as_references(X):
    """Return X as a sequence of image references that `len` and integer indices work on.

    Parameters
    ----------
    X : list, tuple, 1-D object or string ndarray, Series, or (N, H, W, 3) ndarray
        References: paths, bytes of image files, PIL images, arrays, or pairs ``(image, mask)``.

    Raises
    ------
    LesionImageError
        If X is one bare image, one reference, a table of numbers or anything else.
    """
    if isinstance(X, pd.Series):
        return X.to_numpy()
    if isinstance(X, pd.DataFrame):
        raise LesionImageError(
            "X",
            f"found a DataFrame with the columns {list(X.columns)[:5]}",
            'Give the column with the images, X["image"], or put the features into a ColumnTransformer.',
        )
    if isinstance(X, (str, bytes, os.PathLike, Image.Image)):
        raise LesionImageError("X", "found one image where a list of images is expected", "Write [image].")
    if isinstance(X, np.ndarray):
        return _check_array(X)
    if isinstance(X, (list, tuple)):
        return X
    if hasattr(X, "__len__") and hasattr(X, "__getitem__"):
        return [X[i] for i in range(len(X))]
    raise LesionImageError("X", f"found {type(X).__name__}", "Give a list of paths, bytes or arrays.")


def _check_array(X):
    if X.ndim == 1 and X.dtype.kind in "OU":
        return X
    if X.ndim == 4 and X.shape[-1] in (1, 3, 4):
        return X
    found = f"found an array of shape {X.shape} and dtype {X.dtype}"
    if X.ndim == 3 and X.shape[-1] in (1, 3, 4):
        raise LesionImageError("X", f"{found}, which is one image", "Write [image] or image[np.newaxis].")
    if X.ndim == 2:
        raise LesionImageError("X", f"{found}, which is a table", "Give images, not features measured on them.")
    raise LesionImageError("X", found, "Give a list of paths, bytes or arrays, or one (N, H, W, 3) array.")


@dataclass(frozen=True)
class Source:
    """One image to read, and its mask where the user has one.

    Attributes
    ----------
    image : str, Path, bytes, PIL image or ndarray
    mask : the same, or None
    name : str
        What error messages call it.
    max_pixels : int
        An image with more is refused before it is decoded.
    """

    image: object
    mask: object
    name: str
    max_pixels: int = MAX_PIXELS

    @cached_property
    def digest(self):
        """Hexadecimal digest of the content of image and mask; equal content gives equal digests."""
        parts = [_digest(self.image, self.name)]
        if self.mask is not None:
            parts.append(_digest(self.mask, f"mask of {self.name}"))
        return "-".join(parts)

    def read(self):
        """Decode the image.

        Returns
        -------
        rgb : (H, W, 3) uint8 ndarray
            sRGB, upright.
        mask : (H', W') bool ndarray or None
            The user's mask at its own size.
        """
        rgb = _rgb(self.image, self.name, self.max_pixels)
        if self.mask is None:
            return rgb, None
        name = f"mask of {self.name}"
        return rgb, decode_mask(_load(self.mask, name), name, self.max_pixels)


def sources(references, *, start=0, max_pixels=MAX_PIXELS):
    """Return the `Source` of each reference; `start` is the first one's position in X."""
    return [_source(reference, start + i, max_pixels) for i, reference in enumerate(references)]


def _source(reference, position, max_pixels):
    image, mask = reference, None
    if isinstance(reference, tuple):
        if len(reference) != 2:
            raise LesionImageError(f"X[{position}]", f"found a tuple of {len(reference)}", "A pair is (image, mask).")
        image, mask = reference
    is_path = isinstance(image, (str, os.PathLike))
    name = os.fspath(image) if is_path else f"X[{position}] ({type(image).__name__})"
    return Source(image, mask, name, max_pixels)


def _load(item, name):
    """Return the bytes of a file; leave everything else as it is."""
    if not isinstance(item, (str, os.PathLike)):
        return item
    try:
        return Path(item).read_bytes()
    except FileNotFoundError:
        raise LesionImageError(
            name, "there is no such file", f"Check the path; it is looked up from {Path.cwd()}."
        ) from None
    except OSError as error:
        raise LesionImageError(
            name, f"cannot be read ({error.strerror})", "Check that it is a file you may read."
        ) from error


def _rgb(item, name, max_pixels):
    item = _load(item, name)
    if isinstance(item, (bytes, bytearray, memoryview)):
        return decode_rgb(bytes(item), name, max_pixels)
    if isinstance(item, Image.Image):
        return pil_to_rgb(item, name, max_pixels)
    if isinstance(item, np.ndarray):
        return array_to_rgb(item, name, max_pixels)
    raise LesionImageError(
        name,
        f"found {type(item).__name__}",
        "An image is a path, the bytes of a file, a PIL image or an array.",
    )


def _digest(item, name):
    item = _load(item, name)
    hasher = hashlib.blake2b(digest_size=16)
    if isinstance(item, Image.Image):
        loaded(item, name)
        hasher.update(repr((item.mode, item.getpalette(), sorted(item.getexif().items()))).encode())
        hasher.update(item.info.get("icc_profile") or b"")
        item = np.asarray(item)
    if isinstance(item, np.ndarray):
        hasher.update(f"{item.dtype.str}{item.shape}".encode())
        item = np.ascontiguousarray(item).view(np.uint8).reshape(-1) if item.size else b""
    elif not isinstance(item, (bytes, bytearray, memoryview)):
        raise LesionImageError(
            name,
            f"found {type(item).__name__}",
            "An image is a path, the bytes of a file, a PIL image or an array.",
        )
    hasher.update(item)
    return hasher.hexdigest()
