"""From what the user gives as X to one `Source` per image, which has a name, a digest and its pixels."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dermfeat._errors import LesionImageError
from dermfeat.reading.containers import Bgr, container_of, load_contained
from dermfeat.reading.dicom import decode_dicom, is_dicom
from dermfeat.reading.pixels import array_to_rgb, decode_mask, decode_reduced, decode_rgb, pil_to_rgb

MAX_PIXELS = 64_000_000


def as_references(X):
    """Return X as a sequence of image references that `len` and integer indices work on.

    Parameters
    ----------
    X : list, tuple, 1-D object or string ndarray, Series, or (N, H, W, 3) ndarray
        References: paths, ``container#key`` (TFRecord, HDF5, NPZ), bytes of image files, PIL images, arrays, or
        pairs ``(image, mask)``. What ``?image=``, ``?key=`` and ``?channels=bgr`` behind the key of a TFRecord file
        mean stands in `tfrecord_table`.

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
            'Give the column with the images, X["image"]; in a ColumnTransformer write "image", not ["image"].',
        )
    if isinstance(X, (str, bytes, bytearray, os.PathLike, Image.Image)):
        if isinstance(X, (str, os.PathLike)) and os.path.isdir(X):
            raise LesionImageError("X", f"found the folder {os.fspath(X)}", "List it: dermfeat.datasets.load_folder.")
        raise LesionImageError("X", "found one image where a list of images is expected", "Write [image].")
    if isinstance(X, np.ndarray):
        return _check_array(X)
    if isinstance(X, tuple) and len(X) == 2:
        raise LesionImageError(
            "X", "found a tuple of two", "For one image with its mask write [(image, mask)], for two images a list."
        )
    if isinstance(X, (list, tuple)):
        return X
    if hasattr(X, "__len__") and hasattr(X, "__getitem__") and not isinstance(X, Mapping):
        return [X[i] for i in range(len(X))]
    cure = "Give its X." if isinstance(X, Mapping) and "X" in X else "Give a list of paths, bytes or arrays."
    raise LesionImageError("X", f"found {type(X).__name__}", cure)


def _check_array(X):
    if X.ndim == 1 and X.dtype.kind in "OUT":
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
    image : str, bytes, PIL image or ndarray
        A path is absolute.
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
        return self._digest(*self._load())

    def read(self, digest=None):
        """Decode the image.

        Parameters
        ----------
        digest : str, optional
            What the content must still have.

        Returns
        -------
        rgb : (H, W, 3) uint8 ndarray
            sRGB, upright.
        mask : (H', W') bool ndarray or None
            The user's mask at its own size.
        """
        loaded = self.load(digest)
        return loaded.rgb(), loaded.mask()

    def load(self, digest=None):
        """Return the image and its mask as `Loaded`, read but not decoded; `digest` as in `read`."""
        image, mask = self._load()
        if digest is not None and self._digest(image, mask) != digest:
            raise LesionImageError(self.name, "the file changed while it was worked on", "Run again.")
        return Loaded(self, image, mask)

    def _load(self):
        mask = None if self.mask is None else _load(self.mask, self.mask_name)
        return _load(self.image, self.name), mask

    def _digest(self, image, mask):
        """Files and arrays are digested as they are, PIL images, which have much beside their pixels, decoded."""
        decoded = Loaded(self, image, mask)
        image = decoded.rgb() if isinstance(image, Image.Image) else image
        mask = decoded.mask() if isinstance(mask, Image.Image) else mask
        parts = [_digest(image, self.name)]
        return "-".join(parts if mask is None else [*parts, _digest(mask, self.mask_name)])

    @property
    def mask_name(self):
        """What error messages call the mask."""
        return f"mask of {self.name}"


@dataclass(frozen=True)
class Loaded:
    """What a `Source` has read, to be decoded: bytes of files, arrays, PIL images."""

    source: Source
    image: object
    encoded_mask: object

    def rgb(self, least_side=None):
        """Return the image as (H, W, 3) uint8 ndarray, sRGB, upright.

        With `least_side`, a JPEG file is decoded at the smallest of its half, fourth and eighth size that leaves both
        sides that long: up to three times faster. What is reduced from there is sharper than from the full size, the
        less so the longer `least_side` is.
        """
        reduced = None if least_side is None else self._reduced(least_side)
        return self._full if reduced is None else reduced

    def _reduced(self, least_side):
        if not isinstance(self.image, (bytes, bytearray, memoryview)):
            return None
        if least_side not in self._kept:
            rgb = decode_reduced(bytes(self.image), self.source.name, self.source.max_pixels, least_side)
            self._kept[least_side] = _flipped(rgb) if rgb is not None and isinstance(self.image, Bgr) else rgb
        return self._kept[least_side]

    @cached_property
    def _kept(self):
        return {}

    @cached_property
    def _full(self):
        return _rgb(self.image, self.source.name, self.source.max_pixels)

    def mask(self):
        """Return the user's mask as (H', W') bool ndarray, or None."""
        if self.encoded_mask is None:
            return None
        return decode_mask(self.encoded_mask, self.source.mask_name, self.source.max_pixels)


def sources(references, *, start=0, max_pixels=MAX_PIXELS):
    """Return the `Source` of each reference; `start` is the first one's position in X."""
    return [_source(reference, start + i, max_pixels) for i, reference in enumerate(references)]


def _source(reference, position, max_pixels):
    image, mask = reference, None
    if isinstance(reference, tuple):
        if len(reference) != 2:
            raise LesionImageError(f"X[{position}]", f"found a tuple of {len(reference)}", "A pair is (image, mask).")
        image, mask = reference
    path = os.fspath(image) if isinstance(image, (str, os.PathLike)) else ""
    name = str(path) or f"X[{position}] ({type(image).__name__})"
    return Source(_from_here(image), _from_here(mask), name, max_pixels)


def _from_here(item):
    """Return a relative path with the working directory in front, which worker processes may not share."""
    return os.path.join(os.getcwd(), item) if isinstance(item, (str, os.PathLike)) else item


def _load(item, name):
    """Return the bytes of a file, or an image of a container; leave everything else as it is."""
    if not isinstance(item, (str, os.PathLike)):
        return item
    try:
        contained = container_of(item)
        return load_contained(*contained, name) if contained else Path(item).read_bytes()
    except LesionImageError:
        raise
    except FileNotFoundError:
        cure = f"Check the path; it is looked up from {Path.cwd()}."
        cure = "Download it first; addresses are not fetched." if "://" in name else cure
        raise LesionImageError(name, "there is no such file", cure) from None
    except (OSError, ValueError) as error:
        raise LesionImageError(name, f"cannot be read ({error})", "Check that it is a file you may read.") from error


def _flipped(rgb):
    return np.ascontiguousarray(rgb[..., ::-1])


def _rgb(item, name, max_pixels):
    if isinstance(item, Bgr):
        return _flipped(_rgb(bytes(item), name, max_pixels))
    if isinstance(item, (bytes, bytearray, memoryview)):
        decode = decode_dicom if is_dicom(item, name) else decode_rgb
        return decode(bytes(item), name, max_pixels)
    if isinstance(item, Image.Image):
        return pil_to_rgb(item, name, max_pixels)
    if isinstance(item, np.ndarray):
        return array_to_rgb(item, name, max_pixels)
    raise _no_image(item, name)


def _digest(item, name):
    hasher = hashlib.blake2b(b"bgr" if isinstance(item, Bgr) else b"", digest_size=16)
    if isinstance(item, np.ndarray) and not item.dtype.hasobject:
        hasher.update(f"{item.dtype.str}{item.shape}".encode())
        item = np.ascontiguousarray(item).reshape(-1).view(np.uint8)
    elif not isinstance(item, (bytes, bytearray, memoryview)):
        raise _no_image(item, name)
    hasher.update(item)
    return hasher.hexdigest()


def _no_image(item, name):
    pair = " A pair of image and mask is a tuple." if isinstance(item, list) else ""
    found = f"found {type(item).__name__}" + (f" of {item.dtype}" if isinstance(item, np.ndarray) else "")
    return LesionImageError(name, found, f"An image is a path, the bytes of a file, a PIL image or an array.{pair}")
