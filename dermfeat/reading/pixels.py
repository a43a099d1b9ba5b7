"""Bytes, PIL images and arrays to upright (H, W, 3) uint8 sRGB, and masks to bool."""

import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

from dermfeat._errors import LesionImageError

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
MIN_SIDE = 8
MAX_ASPECT = 8
MAX_TINT = 8  # mean difference between the channels of a mask that was saved as colour image
MAX_LABEL = 32  # integers up to it are labels of several regions, not a graded mask


def decode_rgb(data, name, max_pixels):
    """Decode the bytes of a JPEG, PNG, BMP, TIFF or WebP file to (H, W, 3) uint8 sRGB.

    EXIF orientation is applied, an embedded colour profile converted, transparency laid on white, 16 bit scaled
    to 8.

    Raises
    ------
    LesionImageError
        If the file is empty, no image, truncated, corrupt, of several frames or larger than `max_pixels`.
    """
    with _opened(data, name, max_pixels) as image:
        return pil_to_rgb(image, name, max_pixels)


def decode_reduced(data, name, max_pixels, least_side):
    """Decode a JPEG file at the smallest of its half, fourth and eighth size with both sides at least that long.

    Returns and errors as of `decode_rgb`; None where the file is no JPEG or already too small for its half.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    with _opened(data, name, max_pixels) as image:
        size = image.size
        image.draft(image.mode, (least_side, least_side))
        return None if image.size == size else pil_to_rgb(image, name, max_pixels)


def decode_mask(item, name, max_pixels):
    """Return a mask, given as bytes, PIL image or array, as (H, W) bool ndarray.

    Palette images are taken by colour, not by index. A mask of two values, one of them 0, is True at the other; a
    graded one (up to 1, 255 or 65535, as a JPEG gives) above half of that. Labels of several regions are refused.
    """
    if isinstance(item, np.ndarray):
        gray = item
    elif isinstance(item, Image.Image):
        gray = _mask_gray(item, name)
    elif isinstance(item, (bytes, bytearray)):
        with _opened(bytes(item), name, max_pixels) as image:
            gray = _mask_gray(image, name)
    else:
        raise LesionImageError(name, f"found {type(item).__name__}", "A mask is a path, bytes, PIL image or array.")
    return _binary(gray, name)


def _mask_gray(image, name):
    image = ImageOps.exif_transpose(loaded(image, name))
    if image.mode in ("1", "L", "I;16", "I"):
        return np.asarray(image)
    rgb = image.convert("RGB")
    gray = np.asarray(rgb.convert("L"))
    if np.ptp(np.asarray(rgb), axis=2).mean() > MAX_TINT and len(np.unique(gray)) > MAX_LABEL:
        raise LesionImageError(name, "found a colour photo", "A pair is (image, mask), in this order.")
    return gray


def _binary(gray, name):
    if gray.ndim == 3 and gray.shape[2] in (1, 3) and (gray == gray[..., :1]).all():
        gray = gray[..., 0]
    if gray.ndim != 2 or gray.size == 0:
        raise LesionImageError(name, f"found shape {gray.shape}", "A mask has the shape (H, W).")
    if gray.dtype == bool:
        return gray
    if gray.dtype.kind not in "uif" or not np.isfinite(gray).all():
        raise LesionImageError(name, f"found {gray.dtype} values", "A mask is bool, or 0 outside the lesion.")
    values = np.unique(gray)
    if len(values) <= 2 and (values[0] == 0 or (len(values) == 1 and values[0] in (1, 255, 65535))):
        return gray > 0
    graded = len(values) > 2 and values[0] >= 0 and (gray.dtype.kind == "f" or values[-1] > MAX_LABEL)
    full = next((f for f in (1, 255, 65535) if f >= values[-1]), None) if graded else None
    if full is None or values[-1] <= full / 2:
        shown = ", ".join(f"{value:g}" for value in values[:6])
        raise LesionImageError(name, f"found the values {shown} ...", "A mask is 0 outside the lesion, 255 inside.")
    return gray > full / 2


def _opened(data, name, max_pixels):
    if not data:
        raise LesionImageError(name, "the file is empty", "Copy or download it again.")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        frames = getattr(image, "n_frames", 1)
    except Image.UnidentifiedImageError:
        raise LesionImageError(
            name,
            f"not an image that is known (it begins with {data[:8]!r})",
            f"Known are {', '.join(FORMATS)} and DICOM.",
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LesionImageError(
            name,
            str(error).rstrip("."),
            "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS and LesionReader's max_pixels.",
        ) from error
    except Exception as error:
        raise LesionImageError(name, f"the file is damaged ({error})", "Copy or download it again.") from error
    check_size(image.size, name, max_pixels)
    if image.format in ("TIFF", "WEBP", "PNG") and frames > 1:
        raise LesionImageError(name, f"found {frames} frames", "Save the one you mean as its own file.")
    return image


def check_size(size, name, max_pixels):
    """Refuse a (width, height) that no lesion has, or more than `max_pixels`."""
    width, height = size
    if width * height > max_pixels:
        raise LesionImageError(
            name,
            f"found {width} x {height} pixels, more than the limit of {max_pixels}",
            "If you trust it, raise max_pixels of LesionReader.",
        )
    if min(size) < MIN_SIDE or max(size) > MAX_ASPECT * min(size):
        raise LesionImageError(
            name,
            f"found {width} x {height} pixels",
            f"A lesion needs {MIN_SIDE} pixels a side at least and an aspect ratio of {MAX_ASPECT} at most.",
        )


def loaded(image, name):
    """Decode a PIL image that was only opened, and return it."""
    try:
        image.load()
    except Exception as error:
        raise LesionImageError(
            name, f"the file is truncated or damaged ({error})", "Copy or download it again."
        ) from error
    return image


def pil_to_rgb(image, name, max_pixels):
    """Return a PIL image as upright (H, W, 3) uint8 sRGB array (see `decode_rgb`)."""
    check_size(image.size, name, max_pixels)
    image = ImageOps.exif_transpose(loaded(image, name))
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        array = np.asarray(image)
        return array_to_rgb(array.astype(np.uint16) if _is_16_bit(array) else array, name, max_pixels)
    image = _to_srgb(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _is_16_bit(array):
    return array.dtype.kind in "ui" and array.min() >= 0 and array.max() <= 65535


def _to_srgb(image):
    """Convert by the embedded profile; one that is damaged or for other channels is left aside, as viewers do."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image


def array_to_rgb(array, name, max_pixels):
    """Return an image array as (H, W, 3) uint8.

    Parameters
    ----------
    array : (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) ndarray
        uint8, uint16 (scaled to 8 bit), or float in [0, 1]. A fourth channel is opacity, laid on white.

    Raises
    ------
    LesionImageError
        For any other shape, dtype or range.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise LesionImageError(name, f"found an array of shape {array.shape}", "An image has the shape (H, W, 3).")
    check_size(array.shape[1::-1], name, max_pixels)
    array = _to_uint8(array, name)
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    if array.shape[2] == 4:
        opacity = array[..., 3:].astype(np.float32) / 255
        array = np.rint(array[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return np.ascontiguousarray(array)


def _to_uint8(array, name):
    if array.dtype in (np.uint8, np.uint16):
        if 0 < array.max() <= (255 if array.dtype == np.uint16 else 1):
            raise LesionImageError(
                name, f"found {array.dtype} values up to {array.max()}", "Scale them to the whole range of their type."
            )
        return array if array.dtype == np.uint8 else np.rint(array / 257).astype(np.uint8)
    if array.dtype.kind != "f":
        raise LesionImageError(name, f"found dtype {array.dtype}", "Use uint8, uint16, or float in [0, 1].")
    if not np.isfinite(array).all():
        raise LesionImageError(name, "found NaN or infinite values", "Use float values in [0, 1].")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise LesionImageError(
            name,
            f"found float values from {low:.4g} to {high:.4g}",
            "Scale floats to [0, 1], or convert to uint8.",
        )
    return np.rint(array * 255).astype(np.uint8)
