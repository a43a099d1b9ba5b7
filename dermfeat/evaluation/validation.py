"""Splits that keep whatever shows the same lesion or patient together.

The splitters of scikit-learn take groups as an option; here they are a condition. What this cannot see are copies
made beforehand: an augmented or re-encoded copy needs the id of its original as a group (see `merge_groups`), or is
better made inside the pipeline, in the slot ``augment`` of `default_steps`, which works in training folds only.
"""

import warnings
from fractions import Fraction
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator, StratifiedGroupKFold
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import _num_samples

from dermfeat.evaluation.groups import LengthError, checked_labels, group_ids, require_groups

FINEST, COARSEST = 20, 13  # most folds that a part is put together from, with few groups and with many
PLACINGS = 60_000  # groups x folds from which on fewer folds are made, as each takes some 50 microseconds
TRIES = 10  # seeds, with few groups


def grouped_split(y, groups, *, test_size=0.2, validation_size=0, random_state=0):
    """Split images into train, validation and test parts that share no group and have the classes in like shares.

    Parameters
    ----------
    y : (n,) sequence of labels
    groups : (n,) sequence, or several of them, or DataFrame
        Ids of lesions, patients ...; of several columns, images that share an id in any of them stay together. A
        missing id is an error; `merge_groups`, whose result may be given here, takes it for a group of its own.
    test_size, validation_size : float
        Shares of the images, the second may be 0.
    random_state : int, RandomState instance or None

    Returns
    -------
    GroupedParts
        Index arrays ``(train, test)``, or ``(train, validation, test)`` where `validation_size` is above 0; a tuple
        whose `shares` is a DataFrame of what was achieved: printed, it says so. They are positions: ``X[train]`` of
        an array, ``X.iloc[train]`` of a table.

    Raises
    ------
    ValueError
        If groups are missing, sizes impossible, or a class has too few groups to be in every part.

    Notes
    -----
    The folds of `StratifiedGroupKFold` are put together to parts; of several seeds and combinations the one is kept
    whose class shares come closest. Sizes are met as fractions with small denominators: 0.15 of thousands of groups
    becomes 2/13.

    Examples
    --------
    >>> import numpy as np
    >>> from dermfeat.evaluation.validation import grouped_split
    >>> lesion = np.repeat(np.arange(50), 2)
    >>> y = np.where(lesion % 5 == 0, "melanoma", "nevus")
    >>> train, validation, test = parts = grouped_split(y, lesion, test_size=0.2, validation_size=0.1)
    >>> set(lesion[train]) & set(lesion[test])
    set()
    >>> print(parts)
                images  share  groups  melanoma  nevus
    train           70    0.7      35       0.2    0.8
    validation      10    0.1       5       0.2    0.8
    test            20    0.2      10       0.2    0.8
    """
    y = checked_labels(y)
    ids = group_ids(groups, len(y))
    if test_size <= 0 or validation_size < 0 or test_size + validation_size >= 1:
        raise ValueError(
            f"test_size={test_size} and validation_size={validation_size} are no shares of the images that leave some "
            "to train on; give numbers between 0 and 1"
        )
    wanted = {"test": test_size, "validation": validation_size} if validation_size else {"test": test_size}
    require_groups(y, ids, len(wanted) + 1, "parts")
    rng = check_random_state(random_state)
    rest, parts = np.arange(len(y)), {}
    for still, (name, size) in zip(range(len(wanted), 0, -1), wanted.items(), strict=True):
        taken = _part(y[rest], ids[rest], size * len(y) / len(rest), still, rng)
        parts[name], rest = rest[taken], rest[~taken]
    return _described({"train": rest} | dict(reversed(parts.items())), y, ids)


class GroupedParts(tuple):
    """Index arrays of parts, with `shares`: a DataFrame of images, groups and class shares of each."""

    def __str__(self):
        return self.shares.round(3).to_string()


class GroupedCV(BaseCrossValidator):
    """Stratified folds that keep lesions and patients together, and refuse to be run without knowing them.

    Goes wherever scikit-learn takes a splitter: `cross_val_score`, `GridSearchCV`, `CalibratedClassifierCV`,
    `TunedThresholdClassifierCV`, `learning_curve` ... The folds are those of `StratifiedGroupKFold`,
    stratified with shuffle also before scikit-learn 1.8.

    Parameters
    ----------
    n_splits : int, default=5
        Folds.
    groups : (n,) sequence, or several of them, or DataFrame, optional
        Ids of the images that will be split, for what cannot pass groups on (`CalibratedClassifierCV` without
        metadata routing, say); otherwise give them to `split`, as ``search.fit(X, y, groups=groups)`` does. Of
        several columns, images that share an id in any of them stay together. Unlike in `merge_groups`, whose result
        may be given here, a missing id is an error.
    shuffle : bool, default=True
    random_state : int, RandomState instance or None, default=0
        Seed; repeat number r has the seed ``random_state + r``.
    n_repeats : int, default=1
        How often all folds are drawn. `cross_val_predict` takes 1 only.

    Notes
    -----
    Augmented copies made before the split must have the group of their original, or a copy is trained on and its
    original tested; in a sampler inside the pipeline they are safe.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from dermfeat.evaluation.validation import GroupedCV
    >>> X, y = make_classification(60, random_state=0)
    >>> lesion = [i // 2 for i in range(60)]
    >>> cross_val_score(LogisticRegression(), X, y, groups=lesion, cv=GroupedCV(3)).shape
    (3,)
    >>> cross_val_score(LogisticRegression(), X, y, cv=GroupedCV(3))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: groups is None, so photos of one lesion could be trained on and tested. ...
    """

    __metadata_request__split = {"groups": True}  # noqa: RUF012  read by scikit-learn's metadata routing

    def __init__(self, n_splits=5, *, groups=None, shuffle=True, random_state=0, n_repeats=1):
        self.n_splits = n_splits
        self.groups = groups
        self.shuffle = shuffle
        self.random_state = random_state
        self.n_repeats = n_repeats

    def __repr__(self):
        bound = "" if self.groups is None else ", groups=<bound>"
        seed = f"shuffle={self.shuffle}, random_state={self.random_state}, n_repeats={self.n_repeats}"
        return f"GroupedCV({self.n_splits}{bound}, {seed})"

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds in all."""
        return self.n_splits * self.n_repeats

    def split(self, X, y=None, groups=None):
        """Yield the (train, test) index arrays of each fold.

        Raises
        ------
        ValueError
            If groups are given nowhere or twice, one is missing, their number is not that of the images, or a class
            has fewer groups than there are folds.
        """
        y = checked_labels(y)
        check_consistent_length(X, y)
        ids = self._ids(len(y), groups)
        require_groups(y, ids, self.n_splits, "folds")
        for repeat in range(self._checked_repeats()):
            seed = self.random_state + repeat if isinstance(self.random_state, Integral) else self.random_state
            for train, test in _stratified(y, _shuffled(ids, seed) if self.shuffle else ids, self.n_splits):
                _require_classes(y, train, test)
                yield train, test

    def _ids(self, n, groups):
        if self.groups is None:
            return group_ids(groups, n)
        if groups is not None:
            raise ValueError("groups are bound to this GroupedCV and given to split as well; give them once")
        try:
            return group_ids(self.groups, n)
        except LengthError as error:
            raise ValueError(
                f"{error}: this GroupedCV is bound to the groups of other images. In a search within a fold X is a "
                "part of the data, and which part a splitter cannot know: use nested_cv or TunedClassifier, or pass "
                "cv=list(GroupedCV(...).split(X_part, y_part, groups_part))"
            ) from None

    def _checked_repeats(self):
        if self.n_repeats < 1 or (self.n_repeats > 1 and not self.shuffle):
            raise ValueError(f"n_repeats={self.n_repeats}, shuffle={self.shuffle}: give 1, or more with shuffle=True")
        return self.n_repeats


def grouped_folds(cv, X, y, groups, random_state=0):
    """Return the list of (train, test) pairs of `cv`, none of which tears a group apart.

    Parameters
    ----------
    cv : int, splitter, or list of (train, test)
        A number means ``GroupedCV(cv, random_state=random_state)``.
    X, y, groups
        As for `GroupedCV.split`.

    Raises
    ------
    ValueError
        If a group is on both sides of a split.
    """
    ids = group_ids(groups, _num_samples(X))
    cv = GroupedCV(cv, random_state=random_state) if isinstance(cv, Integral) else cv
    bound = getattr(cv, "groups", None) is not None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)  # looked into below
        folds = list(cv.split(X, y, None if bound else ids) if hasattr(cv, "split") else cv)
    for train, test in folds:
        torn = np.intersect1d(ids[train], ids[test])
        if len(torn):
            raise ValueError(f"{len(torn)} groups are on both sides of a split of {cv!r}; use GroupedCV")
    return folds


def _require_classes(y, train, test):
    lacking = np.setxor1d(y[train], y[test])
    if len(lacking):
        raise ValueError(
            f"class {lacking[0]!r} is not on both sides of a fold: its groups are few or large. Ask for fewer folds or "
            "try another random_state"
        )


def _shuffled(ids, seed):
    """Return the ids in another order, as the shuffle of `StratifiedGroupKFold` does, which loses the stratification
    before scikit-learn 1.8."""
    _, codes = np.unique(ids, return_inverse=True)
    return np.argsort(check_random_state(seed).permutation(codes.max() + 1))[codes]


def _stratified(y, ids, n_splits):
    return StratifiedGroupKFold(n_splits).split(y, y, ids)


def _part(y, ids, share, still, rng):
    """Return a mask of about `share` of the images; each class keeps at least `still` groups outside it."""
    count = len(np.unique(ids))
    finest = int(np.clip(PLACINGS // count, COARSEST, FINEST))
    folds, several = _folds_of(share, int(min(finest, count, np.unique(y, return_counts=True)[1].max())))
    turns = (np.arange(folds) - np.arange(folds)[:, None]) % folds < several  # each row: which folds are taken
    best, least = None, np.inf
    for _ in range(int(np.clip(PLACINGS // (10 * count * folds), 1, TRIES))):
        number = _fold_numbers(y, ids, folds, rng)
        distances = _distances(y, ids, number, turns, share, still)
        if distances.min() < least:
            best, least = turns[distances.argmin()][number], distances.min()
        if least < 0.005:
            break
    if best is None:
        raise ValueError(
            "no split has every class in every part: the groups of a class are few, or hold several classes"
        )
    return best


def _folds_of(share, most):
    """Return how many folds to make, `most` at most, and how many of them to take for a part of that share."""
    ratio = Fraction(share).limit_denominator(most)
    if 0 < ratio < 1:
        return ratio.denominator, ratio.numerator
    folds = int(np.clip(round(1 / min(share, 1 - share)), 2, most))
    return folds, 1 if share < 0.5 else folds - 1


def _fold_numbers(y, ids, folds, rng):
    """Return the fold of each image. A class may have fewer images than there are folds: parts hold several folds."""
    number = np.empty(len(y), int)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, test) in enumerate(_stratified(y, _shuffled(ids, rng), folds)):
            number[test] = fold
    return number


def _distances(y, ids, number, turns, share, still):
    """Return how far off a class is at most for each choice of folds; infinite where a part would lack a class."""
    table = pd.DataFrame({"y": y, "id": ids, "fold": number})
    images = pd.crosstab(table["fold"], table["y"]).to_numpy()
    table = table.drop_duplicates()
    groups = pd.crosstab(table["fold"], table["y"]).to_numpy()
    off = np.abs(turns @ images / images.sum(axis=0) - share).max(axis=1)
    off[(turns @ groups < 1).any(axis=1) | (~turns @ groups < still).any(axis=1)] = np.inf
    return off


def _described(parts, y, ids):
    rows = [
        {"images": len(index), "share": len(index) / len(y), "groups": len(np.unique(ids[index]))}
        | {label: np.mean(y[index] == label) for label in np.unique(y).tolist()}
        for index in parts.values()
    ]
    described = GroupedParts(parts.values())
    described.shares = pd.DataFrame(rows, index=list(parts))
    return described
