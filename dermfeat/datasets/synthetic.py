"""The data set that comes with the package: drawn lesions of two overlapping classes."""

from numbers import Integral
from statistics import NormalDist

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from dermfeat.datasets._draw_lesion import checked_size, draw_lesion, require, seed_of, within
from dermfeat.datasets._drawing import COLORS

__all__ = ["draw_lesion", "make_lesions"]

SEPARATION = 2.6  # of the classes' mean severities, in standard deviations
SCATTER = 0.9  # of each aspect about the severity
EXTRA_COLORS = {"black": 0.7, "blue_gray": 0.7, "red": 0.45, "white": 0.45}  # chance at the highest severity
SITES = {  # how common, and how that changes with severity
    "back": (0.25, 0.1),
    "lower extremity": (0.22, -0.1),
    "trunk": (0.18, -0.1),
    "upper extremity": (0.13, 0.1),
    "abdomen": (0.12, -0.1),
    "face": (0.10, 0.2),
}
DESCR = """Drawn dermoscopic images of two classes

{photos} photos of {lesions} drawn lesions, {malignant} of them malignant. A hidden number, the severity, is normally
distributed in each class with standard deviation 1; the means lie {separation} apart. The class acts through it
alone, on asymmetry, border, colours, structures, age, sex and site, each with a scatter of its own: no classifier
can be expected to exceed an area under the ROC curve of {bound:.3f}. Skin tone, size, place, hairs, dark corners,
light, colour cast and noise do not depend on the class. Lesions may be photographed more than once: split by
`groups`. The images show no patient and teach nothing about disease.
"""


def make_lesions(
    n=200,
    *,
    size=(240, 320),
    malignant_share=0.5,
    photos_per_lesion=1.25,
    hair=0.3,
    dark_corners=0.3,
    noise=4.0,
    missing=0.05,
    random_state=0,
):
    """Draw a data set of benign and malignant lesions for learning and testing, without any download.

    Malignant lesions tend to be less symmetric, with an irregular border, more colours (blue-gray, white, red,
    black) and more structures, but the classes overlap: the area under the ROC curve that the best possible
    classifier can be expected to reach is 0.967. Nothing that does not belong to the lesion tells the class.

    Parameters
    ----------
    n : int
        Number of photos. At 240x320 pixels one takes 10 to 20 ms and 0.3 MB.
    size : (int, int)
        Height and width in pixels, each at least 64.
    malignant_share : float in [0, 1]
        Share of the lesions that are malignant.
    photos_per_lesion : float
        Mean number of photos of one lesion, 1 or more. A further photo has another rotation, place, light,
        colour cast, noise and other hairs.
    hair, dark_corners : float in [0, 1]
        Share of the photos with hairs and with dark corners.
    noise : float
        Largest standard deviation of the sensor's noise in grey levels; each photo has its own.
    missing : float in [0, 1]
        Share of the lesions whose age is NaN; as many have the sex and as many the site "unknown".
    random_state : int, RandomState instance or None
        Decides everything. The same integer gives the same data set everywhere.

    Returns
    -------
    sklearn.utils.Bunch
        ``X`` : (n, H, W, 3) uint8 ndarray; ``y`` : (n,) ndarray of "benign" and "malignant";
        ``groups`` : (n,) ndarray of lesion ids; ``masks`` : (n, H, W) bool ndarray;
        ``metadata`` : DataFrame with lesion_id, age (years), sex, site; ``truth`` : DataFrame with what was
        drawn: severity (the hidden number that the class acts through), scalar parameters of `draw_lesion`
        and its truth, ``share_white`` ... ``share_black``; ``target_names``, ``pos_label``, ``DESCR``.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    size = checked_size(size)
    require(within(n, 1, 10**7, Integral), "n", n, "give a whole number of 1 or more")
    require(within(photos_per_lesion, 1, 10**7), "photos_per_lesion", photos_per_lesion, "give 1 or more")
    require(within(noise, 0, 100), "noise", noise, "give grey levels from 0 to 100")
    shares = {"malignant_share": malignant_share, "hair": hair, "dark_corners": dark_corners, "missing": missing}
    for name, value in shares.items():
        require(within(value, 0, 1), name, value, "give a number from 0 to 1")
    rng = np.random.default_rng(seed_of(random_state))
    count = max(round(n / photos_per_lesion), 1)
    malignant = rng.permutation(count) < round(malignant_share * count)
    severity = rng.standard_normal(count) + np.where(malignant, SEPARATION, -SEPARATION) / 2
    lesions = [_lesion(s, min(size), rng) for s in severity]
    patients = pd.DataFrame([_patient(s, missing, rng) for s in severity])
    which = np.sort(np.concatenate([np.arange(count), rng.integers(count, size=n - count)]))
    photos = [_photo(size, hair, dark_corners, noise, rng) for _ in range(n)]

    X, masks, rows = np.empty((n, *size, 3), np.uint8), np.empty((n, *size), bool), []
    for place, (number, photo) in enumerate(zip(which, photos, strict=True)):
        X[place], masks[place], truth = draw_lesion(size, **lesions[number], **photo)
        rows.append({"severity": severity[number], **_scalars(truth)})
    groups = np.array([f"lesion_{number:05d}" for number in range(count)])[which]
    metadata = patients.iloc[which].reset_index(drop=True)
    metadata.insert(0, "lesion_id", groups)
    bound = NormalDist().cdf(SEPARATION / np.sqrt(2))
    return Bunch(
        X=X,
        y=np.where(malignant, "malignant", "benign")[which],
        groups=groups,
        masks=masks,
        metadata=metadata,
        truth=pd.DataFrame(rows),
        target_names=["benign", "malignant"],
        pos_label="malignant",
        DESCR=DESCR.format(photos=n, lesions=count, malignant=malignant.sum(), separation=SEPARATION, bound=bound),
    )


def _lesion(severity, side, rng):
    """Return the parameters of `draw_lesion` that stay the same in all photos of a lesion."""

    def level():
        return 1 / (1 + np.exp(-severity - SCATTER * rng.standard_normal()))

    extra = level()
    extras = [name for name, chance in EXTRA_COLORS.items() if rng.random() < chance * extra]
    colors = ["light_brown", "dark_brown"][:: rng.choice([-1, 1])][: 1 + (rng.random() < 0.8)] + extras
    shares = rng.dirichlet([6.0] * (len(colors) - len(extras)) + [1 + 1.5 * extra] * len(extras))
    major = side * rng.uniform(0.2, 0.36)
    return {
        "axes": (major, major * rng.uniform(0.65, 0.98)),
        "asymmetry": 0.1 + 0.8 * level(),
        "border_irregularity": 0.1 + 0.9 * level(),
        "border_softness": 0.015 + 0.045 * rng.random() * (1.3 - level()),
        "colors": tuple(colors),
        "color_shares": tuple(shares.tolist()),
        "color_softness": rng.uniform(0.6, 1.8),
        "pigment": rng.uniform(0.55, 0.95),
        "dots": min(int(rng.poisson(14 * level())), 300),
        "globules": min(int(rng.poisson(8 * level())), 80),
        "network": 0.8 * rng.random(),
        "streaks": min(int(rng.poisson(9 * level() ** 2)), 60),
        "structureless": 0.6 * level() * rng.random(),
        "skin_ita": float(np.clip(rng.normal(42, 14), 5, 75)),
        "random_state": int(rng.integers(2**31)),
    }


def _photo(size, hair, dark_corners, noise, rng):
    """Return the parameters of `draw_lesion` that differ between photos of a lesion."""
    return {
        "angle": rng.uniform(0, 360),
        "centre": tuple((side - 1) / 2 + 0.05 * side * rng.uniform(-1, 1) for side in size),
        "hairs": min(int(1 + rng.exponential(10)), 80) * int(rng.random() < hair),
        "dark_corners": rng.uniform(0.2, 0.75) * (rng.random() < dark_corners),
        "shading": rng.uniform(0, 0.7),
        "blur": rng.uniform(0.5, 1.1),
        "color_cast": tuple(rng.uniform(0.93, 1.07, 3).tolist()),
        "noise": noise * rng.uniform(0.1, 1),
        "photo_state": int(rng.integers(2**31)),
    }


def _patient(severity, missing, rng):
    common, change = np.array(list(SITES.values())).T
    chances = common * np.exp(change * severity)
    age = np.clip(np.round(rng.normal(52 + 3.5 * severity, 16) / 5) * 5, 10, 90)
    sex = "male" if rng.random() < 0.52 + 0.04 * severity else "female"
    site = rng.choice(list(SITES), p=chances / chances.sum())
    age_lost, sex_lost, site_lost = rng.random(3) < missing
    return {
        "age": np.nan if age_lost else float(age),
        "sex": "unknown" if sex_lost else sex,
        "site": "unknown" if site_lost else str(site),
    }


def _scalars(truth):
    """Return the truth that fits into a table."""
    row = {name: value for name, value in truth.items() if isinstance(value, (int, float, str))}
    row["colors"] = len(truth["colors"])
    row["axis_major"], row["axis_minor"] = truth["axes"]
    row["row"], row["column"] = truth["centroid"]
    row["cast_red"], row["cast_green"], row["cast_blue"] = truth["color_cast"]
    shares = {f"share_{name}": truth["color_shares"].get(name, 0.0) for name in COLORS}
    return row | shares
