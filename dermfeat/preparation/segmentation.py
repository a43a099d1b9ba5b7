"""Where the lesion is: by a network, by classical means, or by a function of the user."""

import cv2
import numpy as np

from dermfeat._errors import LesionImageError
from dermfeat.preparation import candidates
from dermfeat.preparation.artefacts import field_of_view, shrink
from dermfeat.preparation.hair import remove_hair
from dermfeat.preparation.learned import is_network, lesion_maps, outline
from dermfeat.preparation.likelihood import lesion_probability, relative_to_skin

SIDE = 128  # longest side at which the lesion is looked for
HAIRY = 64  # share of hair, of 255, above which a pixel of the reduced image is hair


def segment_lesion(rgb, *, method="unet", field=None, hair=None, probability=None, return_confidence=False):
    """Outline the lesion in a dermoscopic image.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
        sRGB image.
    method : {"unet", "classical", "otsu", "chan_vese"}, path or callable
        "unet" asks the small network that comes with the package, trained on experts' outlines; a path ending
        in ``.xml`` asks another one, see `learned.lesion_maps`.
        "classical" thresholds lesion probability (see `likelihood.lesion_probability`), distance from skin
        colour in CIELAB and the blue channel at many levels and takes the candidate that promises most: that
        others agree with, that is compact, central, and leaves little probable lesion around it.
        "otsu" thresholds the distance from skin colour after Otsu (1979, doi:10.1109/TSMC.1979.4310076).
        "chan_vese" fits two regions to that distance (Chan & Vese 2001, doi:10.1109/83.902291).
        A callable ``f(rgb) -> mask`` does it itself; its (H, W) bool mask (or an integer one with values
        0 and 1 or 0 and 255) is checked and used as it is, within the field of view.
    field : (H, W) bool ndarray, optional
        The field of view; found by `field_of_view` by default.
    hair : (H, W) bool ndarray, optional
        Hair that is still in the image; classical methods look through it (filled in as `remove_hair` does).
    probability : (h, w) float32 ndarray, optional
        The network's map of this image, where `learned.lesion_maps` has already given it.
    return_confidence : bool
        Whether to return the confidence as well.

    Returns
    -------
    mask : (H, W) bool ndarray
        True inside the lesion: one component without holes unless the method is a callable. All False where
        nothing was found, as in an image of one colour.
    confidence : float
        Only with ``return_confidence=True``, in [0, 1]; 0 where nothing was found. Of a network how decided its map
        is (`learned.outline`); else the Jaccard index with an expert's outline that the mask promises, by a
        regression fitted to HAM10000.

    Raises
    ------
    LesionImageError
        If a callable returns something else than a mask of the image's size.
    ImportError
        If a network is asked for and OpenVINO is not installed.
    FileNotFoundError
        If there is no such graph.
    ValueError
        If there is no method of that name.
    """
    if not (callable(method) or is_network(method) or method in _METHODS):
        names = ["unet", *_METHODS]
        raise ValueError(f"unknown method {method!r}; there are {names}, any FILE.xml and any callable f(rgb)")
    field = field_of_view(rgb) if field is None else field
    if is_network(method):
        probability = lesion_maps([rgb], method=method)[0] if probability is None else probability
        mask, confidence = outline(probability, rgb.shape[:2])
        mask &= field
        return (mask, confidence * bool(mask.any())) if return_confidence else mask
    view = _view(rgb, field, hair)
    mask, confidence = np.zeros(rgb.shape[:2], bool), None
    if callable(method):
        mask = checked_mask(method(rgb), rgb.shape[:2], _name(method)) & field
    elif view is not None:
        small, confidence = _METHODS[method](view)
        mask = _resized(small, rgb.shape[:2]) & field
    if not return_confidence:
        return mask
    if view is None or not mask.any():
        return mask, 0.0
    if confidence is None:
        confidence = _confidence(_resized(mask, view.usable.shape), view)
    return mask, float(np.clip(confidence, 0, 1))


def checked_mask(mask, shape, item):
    """Return a user's mask as (H, W) bool, or say what is wrong with it.

    Parameters
    ----------
    mask : array-like
        Bool, or integers of which only 0 and one other value occur.
    shape : tuple of int
        The image's height and width.
    item : str
        Who made the mask, for the message.

    Raises
    ------
    LesionImageError
        If the mask has another shape or other values.
    """
    mask = np.asarray(mask)
    if mask.shape != tuple(shape):
        cure = f"Return one value for each of the image's pixels: shape {tuple(shape)}"
        raise LesionImageError(item, f"the mask has shape {mask.shape}", cure)
    if mask.dtype == bool:
        return mask
    if not np.issubdtype(mask.dtype, np.integer) or not np.isin(mask, (0, 1, 255)).all():
        cure = "Return bool, True inside the lesion (threshold probabilities first)"
        raise LesionImageError(item, f"the mask is {mask.dtype} with values other than 0, 1, 255", cure)
    return mask > 0


def _name(method):
    return f"segmenter {getattr(method, '__name__', type(method).__name__)}"


def _view(rgb, field, hair):
    """Return the image relative to its skin at reduced size, None if it is all of one colour."""
    small = shrink(rgb, SIDE)
    if hair is not None and hair.any():
        holes = shrink(hair.astype(np.uint8) * 255, SIDE) > HAIRY
        small = remove_hair(small, holes)[0]
    usable = np.ones(small.shape[:2], bool) if field.all() else _resized(field, small.shape[:2])
    if usable.mean() < 0.05:
        usable = np.ones_like(usable)
    view = relative_to_skin(small, usable)
    return view if candidates.quantile(view.distance[usable], 0.999) > candidates.FAINT else None


def _resized(mask, shape):
    """Return the bool mask at another size, with a smooth edge where it grows."""
    if mask.shape == tuple(shape):
        return mask
    grows = shape[0] > mask.shape[0]
    soft = mask.astype(np.float32)
    soft = cv2.GaussianBlur(soft, (0, 0), 0.7) if grows and min(mask.shape) > 3 else soft
    way = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    return cv2.resize(soft, shape[::-1], interpolation=way) > 0.5


def _classical(view):
    probability = lesion_probability(view)
    masks = candidates.outlines(view, probability)
    if not masks:
        return np.zeros(view.usable.shape, bool), 0.0
    promises = candidates.promises(masks, masks, probability)
    best = int(np.argmax(promises))
    return masks[best], float(promises[best])


def _confidence(mask, view):
    """Return what a mask made otherwise promises beside the candidates of "classical"."""
    probability = lesion_probability(view)
    others = candidates.outlines(view, probability)
    return float(candidates.promises([mask], others, probability)[0]) if others and mask.any() else 0.0


def _otsu(view):
    inside = candidates.scaled(view.distance) > _otsu_level(view)
    return candidates.central(inside & view.usable, candidates.centrality(inside.shape)), None


def _otsu_level(view):
    levels = np.uint8(255 * candidates.scaled(view.distance)[view.usable])
    return cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[0] / 255


def _chan_vese(view):
    from skimage.segmentation import chan_vese

    plane = candidates.scaled(view.distance)
    start = np.where(plane > _otsu_level(view), 1.0, -1.0)
    inside = chan_vese(plane, mu=0.1, max_num_iter=60, dt=0.5, init_level_set=start)
    inside = ~inside if plane[inside].sum() * (~inside).sum() < plane[~inside].sum() * inside.sum() else inside
    return candidates.central(inside & view.usable, candidates.centrality(inside.shape)), None


_METHODS = {"classical": _classical, "otsu": _otsu, "chan_vese": _chan_vese}
