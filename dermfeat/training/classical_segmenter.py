"""Fit the weights of the classical segmenter, `segment_lesion(method="classical")`, to images and expert masks.

    python -m dermfeat.training.classical_segmenter --data DIR --split CSV [--images 1800]

DIR holds images/<id>.jpg and masks/<id>_segmentation.png, as HAM10000 does. CSV is a table with the columns set,
image_id, group, part; only images of the set "ham10000" in the part "pretrain" are used. Prints FIRST and SECOND of
`dermfeat.preparation.likelihood` and WEIGHTS of `dermfeat.preparation.candidates`, and what the segmenter reaches
with them on images held aside.
"""

import argparse
import json
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from dermfeat.preparation import candidates, field_of_view, likelihood, segment_lesion, segmentation
from dermfeat.reading import sources

PIXELS = 0.02  # share of an image's pixels that the logistic regressions see
HOMES = {"FIRST": likelihood, "SECOND": likelihood, "WEIGHTS": candidates}


def sample(split, images, seed=0):
    """Draw the images to fit to, and a third as many to hold aside, less those of lesions that are fitted.

    Parameters
    ----------
    split : path of a CSV file
        Columns set, image_id, group (lesion) and part.
    images : int
        Number of images to fit to.
    seed : int

    Returns
    -------
    fitted, aside : list of str
        Image ids.

    Raises
    ------
    ValueError
        If there are too few images, or none is left aside.
    """
    table = pd.read_csv(split).query("set == 'ham10000' and part == 'pretrain'")
    groups = dict(zip(table["image_id"], table["group"], strict=True))
    names = np.random.default_rng(seed).permutation(sorted(groups)).tolist()
    fitted = names[images // 3 :][:images]
    seen = {groups[name] for name in fitted}
    aside = [name for name in names[: images // 3] if groups[name] not in seen]
    if len(fitted) < images or not aside:
        found = f"{len(names)} images of ham10000's part pretrain do not suffice to fit to {images} and hold some aside"
        raise ValueError(f"{split}: {found}. Give --images between 3 and three quarters of what there is")
    return fitted, aside


def cases(folder, names, title):
    """Yield (H, W, 3) uint8 image and (H, W) bool expert mask of each name, with a progress bar."""
    pairs = [(Path(folder) / f"images/{name}.jpg", Path(folder) / f"masks/{name}_segmentation.png") for name in names]
    for source in tqdm(sources(pairs), title):
        image, mask = source.read()
        yield image, _resized(mask, image.shape)


def views(folder, names, title):
    """Yield what the segmenter sees of each image, and the expert mask at that size; skip images of one colour."""
    for image, mask in cases(folder, names, title):
        view = segmentation._view(image, field_of_view(image), None)
        if view is not None:
            yield view, _resized(mask, view.usable.shape)


def _resized(mask, shape):
    """Return a bool mask at the height and width of another shape."""
    return cv2.resize(mask * np.uint8(255), shape[1::-1], interpolation=cv2.INTER_AREA) > 127


def fit(folder, names):
    """Fit the three sets of weights to images of a folder, each given those before it.

    Returns
    -------
    dict of dict
        FIRST, SECOND and WEIGHTS, each {name of a feature, or "constant": weight of 4 significant digits}.
    """
    first = _fit_pixels(views(folder, names, "FIRST"), likelihood.first_features)

    def second_features(view):
        return likelihood.second_features(view, likelihood._logit(likelihood.first_features(view), first))

    weights = {"FIRST": first, "SECOND": _fit_pixels(views(folder, names, "SECOND"), second_features)}
    with in_use(weights):
        return weights | {"WEIGHTS": _fit_candidates(views(folder, names, "WEIGHTS"))}


def _fit_pixels(cases, features):
    rng = np.random.default_rng(0)
    rows, truths = [], []
    for view, truth in cases:
        chosen = rng.random(truth.shape) < PIXELS
        planes = features(view)
        rows.append(np.stack([np.broadcast_to(plane, truth.shape)[chosen] for plane in planes.values()], axis=1))
        truths.append(truth[chosen])
    return _fitted(LogisticRegression(C=0.1, max_iter=2000), rows, truths, planes)


def _fit_candidates(cases):
    rows, reached = [], []
    for view, truth in cases:
        probability = likelihood.lesion_probability(view)
        masks = candidates.outlines(view, probability)
        if masks:
            traits = candidates.describe(masks, masks, probability)
            rows.append(np.stack(list(traits.values()), axis=1))
            reached.append([jaccard(mask, truth) for mask in masks])
    return _fitted(Ridge(10), rows, reached, traits)


def _fitted(regression, rows, targets, names):
    """Return the regression's weights of the features as they are, not standardised."""
    model = make_pipeline(StandardScaler(), regression).fit(np.concatenate(rows), np.concatenate(targets))
    weights = np.ravel(regression.coef_) / model[0].scale_
    constant = np.ravel(regression.intercept_)[0] - weights @ model[0].mean_
    return {name: float(f"{w:.4g}") for name, w in zip([*names, "constant"], [*weights, constant], strict=True)}


@contextmanager
def in_use(weights):
    """Let the segmenter use other weights for a while."""
    before = {name: getattr(HOMES[name], name) for name in weights}
    try:
        for name, values in weights.items():
            setattr(HOMES[name], name, values)
        yield
    finally:
        for name, values in before.items():
            setattr(HOMES[name], name, values)


def jaccard(mask, truth):
    """Return the Jaccard index of two bool masks, 1 where both are empty."""
    either = (mask | truth).sum()
    return (mask & truth).sum() / either if either else 1.0


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", required=True, help="table of the images that may be used")
    parser.add_argument("--images", type=int, default=1800, help="how many to fit to; a third as many are held aside")
    args = parser.parse_args(argv)
    fitted, aside = sample(args.split, args.images)
    weights = fit(args.data, fitted)
    for name, values in weights.items():
        print(f"{name} = {json.dumps(values, indent=4)}")
    with in_use(weights):
        reached = np.array([jaccard(segment_lesion(image), mask) for image, mask in cases(args.data, aside, "aside")])
    failed = (reached < 0.5).mean()
    print(f"# {len(aside)} images of lesions held aside: mean Jaccard {reached.mean():.4f}, {failed:.1%} below .5")


if __name__ == "__main__":
    main()
