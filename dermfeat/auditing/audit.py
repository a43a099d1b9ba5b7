"""`audit`: look at a data set before learning from it."""

import numpy as np
import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.auditing import findings_copies, findings_groups, findings_images, findings_labels
from dermfeat.auditing.copies import exact_copies, near_copies
from dermfeat.auditing.inputs import Case, fold_list, table, texts
from dermfeat.auditing.one_pass import look
from dermfeat.auditing.report import AuditReport
from dermfeat.auditing.shortcuts import shortcuts
from dermfeat.auditing.shots import other_shots
from dermfeat.reading import as_references

CHECKS = (
    findings_images.unreadable,
    findings_labels.missing_labels,
    findings_copies.same_image_two_labels,
    findings_groups.across_split,
    findings_groups.across_folds,
    findings_images.swapped_channels,
    findings_images.masks,
    findings_copies.exact_copies,
    findings_copies.near_copies,
    findings_copies.same_lesion_shots,
    findings_copies.copies_across_groups,
    shortcuts,
    findings_images.not_dermoscopy,
    findings_images.small_images,
    findings_groups.groups,
    findings_labels.classes,
    findings_labels.missing_values,
)


def audit(
    X,
    y=None,
    groups=None,
    split=None,
    metadata=None,
    *,
    folds=None,
    overview=False,
    margin=0.05,
    n_jobs=None,
    random_state=0,
    progress=False,
):
    """Look for what spoils results: copies, leaks, shortcuts, broken images and masks.

    Each image is decoded once, those of like pairs again. A faulty image never stops the audit; it becomes a finding.

    Parameters
    ----------
    X : sequence of n image references
        Paths, bytes, PIL images, arrays, strings into containers, or pairs ``(image, mask)``.
    y : (n,) array of labels, optional
        None or NaN where one is missing.
    groups : (n,) array, optional
        The lesion or patient of each image.
    split : (n,) array of str, optional
        The part of each image, such as "train" and "test".
    metadata : DataFrame of n rows, optional
        What else is known of the images. Columns that repeat the label are recognised.
    folds : list of (train, test) or scikit-learn splitter, optional
        A cross-validation to check; positions in X, or an object with ``split(X, y, groups)``.
    overview : bool
        Whether to look for the lesion too and name photos that have none or show a whole limb: ten times slower.
    margin : float in [0, 0.5)
        A column, or the files' sizes and names, are said to predict the label if the lower end of the 95 % interval of
        their cross-validated AUC lies above ``0.5 + margin``.
    n_jobs : int, optional
        Worker processes for the pass over the images (joblib; -1 for one a core). One by default.
    random_state : int
        Decides the folds of those models; the same input and number give the same report.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    AuditReport
        ``print(report)`` for the text, ``report.to_frame()``, ``report.save("audit.html")``; ``report.groups`` for a
        splitter; ``X[report.clean()]`` for what to keep.

    Raises
    ------
    LesionImageError
        If X is no sequence of references, or another argument does not have an entry for each image.
    ValueError
        If `margin` is out of its range.

    Examples
    --------
    >>> from dermfeat import audit, datasets
    >>> data = datasets.make_lesions(24, size=(96, 128), random_state=0)
    >>> report = audit([*data.X, data.X[3]], [*data.y, "nevus"])
    >>> print(report["same_image_two_labels"][0].items["index"].tolist())
    [3, 24]
    >>> len(report.clean())
    23
    """
    if not 0 <= margin < 0.5:
        raise ValueError(f"margin={margin}: give a number from 0 to below 0.5")
    references = as_references(X)
    length = len(references)
    if length == 0:
        raise LesionImageError("X", "no images", "Give a list of paths, bytes or arrays.")
    labels, groups = texts(y, "y", length), texts(groups, "groups", length)
    split, metadata = texts(split, "split", length), table(metadata, length)
    folds = fold_list(folds, labels, groups, length)
    facts, fingerprints = look(references, overview=overview, n_jobs=n_jobs, progress=progress)
    exact, like = _pairs(facts["digest"], fingerprints)
    shot = other_shots(references, like, n_jobs=n_jobs)
    pairs = {"exact": exact, "near": like[~shot], "shots": like[shot]}
    case = Case(
        references, facts, labels, groups, split, folds, metadata, **pairs, margin=margin, random_state=random_state
    )
    return AuditReport(case, [finding for check in CHECKS for finding in check(case)])


def _pairs(digests, fingerprints):
    """Return the pairs of exact copies, each with the first of them, and of like images among what is then left."""
    readable = np.flatnonzero(digests.notna())
    clusters = exact_copies(digests[readable])
    exact = pd.DataFrame([(c[0], other) for c in clusters for other in c[1:]], columns=["i", "j"], dtype=int)
    like = pd.DataFrame(near_copies([fingerprints[i] for i in readable]))
    like = like.rename(columns={"first": "i", "second": "j"})
    for pairs in (exact, like):
        pairs[["i", "j"]] = readable[pairs[["i", "j"]].to_numpy()]
    return exact, like
