"""The one pass over the images: each is decoded once, and only numbers of it are kept."""

import math
import os
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from dermfeat._errors import LesionImageError
from dermfeat.auditing.copies import fingerprint
from dermfeat.auditing.masks import mask_facts
from dermfeat.auditing.overview import overview_facts
from dermfeat.reading import sources
from dermfeat.reading.containers import container_of, load_contained

BATCH = 64  # images that a worker takes at a time
DARK = 0.25  # share of an image's pixels that its darkest part has
COLUMNS = (
    "name", "error", "mask_error", "digest", "height", "width", "bytes", "red", "green", "blue", "dark_red",
    "dark_blue", "mask_height", "mask_width", "mask_share", "mask_inversion", "confidence", "lesion_share",
    "backdrop",
)  # fmt: skip


def look(references, *, overview=False, n_jobs=None, progress=False):
    """Return what is known of each image after it was looked at once.

    Parameters
    ----------
    references : sequence of image references
    overview : bool
        Whether the lesion is looked for as well (see `overview.overview_facts`).
    n_jobs : int, optional
        Worker processes (joblib). One by default. Memory grows with it, not with the number of images.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    facts : DataFrame
        One row for each image with the columns `COLUMNS`; missing where an image is not readable or has no mask.
        ``digest`` is of the decoded pixels, ``bytes`` of the file, ``red`` ... ``blue`` are mean grey levels and
        ``dark_red``, ``dark_blue`` those of the darkest quarter.
    fingerprints : list
        `copies.fingerprint` of each image, None for those that cannot be read.
    """
    starts = range(0, len(references), BATCH)
    jobs = (delayed(_look_at_batch)(references[start : start + BATCH], start, overview) for start in starts)
    rows = []
    with tqdm(total=len(references), disable=not progress, unit="image") as bar:
        for batch in Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="2*n_jobs")(jobs):
            rows += batch
            bar.update(len(batch))
    fingerprints = [row.pop("fingerprint", None) for row in rows]
    return pd.DataFrame(rows, columns=list(COLUMNS)), fingerprints


def _look_at_batch(references, start, overview):
    rows, images = [], []
    for position, reference in enumerate(references, start):
        row, rgb = _look_at(reference, position)
        rows.append(row)
        images.append(rgb)
    if overview:
        shown = [i for i, rgb in enumerate(images) if rgb is not None]
        for i, facts in zip(shown, overview_facts([images[i] for i in shown]), strict=True):
            rows[i] |= facts
    return rows


def _look_at(reference, position):
    """Return the facts of one image, and its pixels."""
    try:
        source = sources([reference], start=position)[0]
    except LesionImageError as error:
        return {"name": error.item, "error": str(error)}, None
    row = {"name": source.name, "bytes": file_size(source)}
    try:
        rgb, mask, row["mask_error"] = *source.read(), None
    except LesionImageError as error:
        try:
            rgb, mask = replace(source, mask=None).read()
            row["mask_error"] = str(error)
        except LesionImageError as error:
            return row | {"error": str(error)}, None
    row |= image_facts(rgb)
    return row | ({} if mask is None else mask_facts(rgb, mask)), rgb


def image_facts(rgb):
    """Return size, mean colours, fingerprint and digest of an image as a dict."""
    mark = fingerprint(rgb)
    height, width = rgb.shape[:2]
    red, green, blue, _ = cv2.mean(rgb)
    small = cv2.resize(rgb, (32, 32), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    dark = small[np.argsort(small.sum(axis=1, dtype=int), kind="stable")[: math.ceil(DARK * len(small))]].mean(axis=0)
    return {
        "height": height,
        "width": width,
        "digest": bytes(mark["digest"]),
        "red": red,
        "green": green,
        "blue": blue,
        "dark_red": dark[0],
        "dark_blue": dark[2],
        "fingerprint": mark,
    }


def file_size(source):
    """Return the bytes of the image's file, also of one in a container; NaN for arrays and PIL images."""
    image = source.image
    if isinstance(image, (str, os.PathLike)):
        try:
            contained = container_of(image)
            image = load_contained(*contained, source.name) if contained else None
            if image is None:
                return float(os.path.getsize(source.image))
        except (OSError, ValueError):  # the error is told by reading the image
            return math.nan
    return float(len(image)) if isinstance(image, (bytes, bytearray)) else math.nan
