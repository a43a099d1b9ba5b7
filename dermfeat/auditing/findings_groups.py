"""Lesions and patients: several photos of one, ids that are missing, and what crosses the parts of a split."""

import numpy as np
import pandas as pd

from dermfeat.auditing.finding import Finding, counted, image_items, item_table

ID_NAMES = ("lesion_id", "patient_id", "lesion", "patient")


def groups(case):
    """How many groups have several images, and which images have no id."""
    if case.groups is None:
        return _no_groups(case)
    sizes = case.groups.value_counts()
    several = sizes[sizes > 1].sort_index().sort_values(ascending=False, kind="stable")
    found = []
    missing = np.flatnonzero(case.groups.isna())
    if len(missing):
        sentence = f"{counted(len(missing), 'image')} of {len(case)} without a group id."
        cure = "Find the ids; report.groups gives each such image a group of its own."
        found.append(Finding("missing_groups", "warning", sentence, cure, image_items(case, missing, "no group id")))
    if len(several):
        items = item_table(None, several.index, [f"{n} images" for n in several])
        sentence = f"{len(several)} of {len(sizes)} groups have several images, up to {several.iloc[0]}."
        cure = "Split by groups, never by image: groups=report.groups."
        found.append(Finding("several_images_a_group", "note", sentence, cure, items))
    return found + _two_labels(case)


def _no_groups(case):
    columns = [name for name in case.metadata if str(name).lower() in ID_NAMES]
    hint = f"metadata has them: groups=metadata[{columns[0]!r}]." if columns else "Pass groups= where ids are known."
    sentence = (
        "Nobody said which images show the same lesion or patient; only copies were looked for, not further photos."
    )
    return [Finding("no_groups", "warning" if columns else "note", sentence, hint, item_table(None, [], []))]


def _two_labels(case):
    """Groups whose images carry different labels."""
    if case.labels is None:
        return []
    frame = pd.DataFrame({"group": case.groups, "label": case.labels}).dropna()
    labels = frame.groupby("group")["label"].agg(lambda column: sorted(set(column)))
    labels = labels[labels.str.len() > 1]
    if labels.empty:
        return []
    sentence = f"{counted(len(labels), 'group')} with images of more than one label."
    cure = "Usual for patients; if groups are lesions, correct the labels or the ids."
    items = item_table(None, labels.index, [" / ".join(names) for names in labels])
    return [Finding("group_two_labels", "note", sentence, cure, items)]


def across_split(case):
    """Groups and copies with images in more than one part of the split."""
    if case.split is None:
        return []
    missing = np.flatnonzero(case.split.isna())
    found = []
    if len(missing):
        sentence = f"{counted(len(missing), 'image')} of {len(case)} in no part of the split."
        cure = "Leave them out or give them a part."
        found.append(Finding("missing_split", "warning", sentence, cure, image_items(case, missing, "no part")))
    for kind, clusters in _kinds(case):
        frame = crossing(clusters, case.split)
        if frame.empty:
            continue
        what = [f"in {row.part}; {_same(case, kind, row.Index)} is also in {row.others}" for row in frame.itertuples()]
        totals = case.split.value_counts()
        shares = ", ".join(f"{n} of {totals[part]} in {part}" for part, n in frame["part"].value_counts().items())
        number = counted(frame["cluster"].nunique(), *_NOUNS[kind])
        sentence = f"{number} with images in more than one part of the split: {shares}. What is tested was trained on."
        items = image_items(case, frame.index, what, frame["partner"])
        found.append(Finding(f"{kind}_across_split", "error", sentence, CURE, items))
    return found


def across_folds(case):
    """Images that are tested in a fold which has their group or a copy of them in its training part."""
    found = _overlapping_folds(case)
    for kind, clusters in _kinds(case):
        crossed = [_crossing_fold(clusters, fold, number, len(case)) for number, fold in enumerate(case.folds)]
        frame = pd.concat(crossed) if crossed else pd.DataFrame()
        if frame.empty:
            continue
        what = [
            f"tested in fold {row.fold}, which trains on {_same(case, kind, row.Index)}" for row in frame.itertuples()
        ]
        tested = sum(len(test) for _, test in case.folds)
        sentence = f"{len(frame)} of {tested} tests are of images whose {_SHARED[kind]} the same fold trains on."
        items = image_items(case, frame.index, what, frame["partner"])
        found.append(Finding(f"{kind}_across_folds", "error", sentence, CURE, items))
    return found


CURE = "Split by groups=report.groups, with a splitter that keeps groups together such as StratifiedGroupKFold."
_NOUNS = {"groups": ("group",), "copies": ("set of copies or like shots", "sets of copies or like shots")}
_SHARED = {"groups": "lesion or patient", "copies": "copies or like shots"}


def _kinds(case):
    known = [] if case.groups is None else [("groups", case.groups)]
    return [*known, ("copies", pd.Series(case.like_clusters))]


def _same(case, kind, index):
    return f"group {case.groups[index]}" if kind == "groups" else "a copy or another shot of it"


def crossing(clusters, parts):
    """Return the items of clusters that have items in more than one part.

    Parameters
    ----------
    clusters, parts : (n,) Series
        Items where one of them is missing are passed over.

    Returns
    -------
    DataFrame
        Indexed by position: cluster, part, others (names of the other parts), partner (an item of the cluster in
        another part).
    """
    frame = pd.DataFrame({"cluster": clusters, "part": parts}).dropna()
    frame = frame[frame.groupby("cluster")["part"].transform("nunique") > 1]
    firsts = frame.rename_axis("index").reset_index().groupby(["cluster", "part"])["index"].first().reset_index()
    pairs = firsts.merge(firsts, on="cluster", suffixes=("", "_other"))
    pairs = pairs[pairs["part"] != pairs["part_other"]]
    others = pairs.groupby(["cluster", "part"]).agg(
        others=("part_other", " and ".join), partner=("index_other", "first")
    )
    return frame.join(others, on=["cluster", "part"])


def _crossing_fold(clusters, fold, number, length):
    parts = pd.Series([None] * length, dtype=object)
    parts.iloc[fold[0]] = "train"
    parts.iloc[fold[1]] = "test"
    frame = crossing(clusters, parts)
    return frame[frame["part"] == "test"].assign(fold=number)


def _overlapping_folds(case):
    both = [(number, i) for number, (train, test) in enumerate(case.folds) for i in np.intersect1d(train, test)]
    if not both:
        return []
    what = [f"trained on and tested in fold {number}" for number, _ in both]
    sentence = f"{counted(len(both), 'image')} both in the training and in the test part of a fold."
    items = image_items(case, [i for _, i in both], what)
    return [Finding("overlapping_folds", "error", sentence, "Test on images that were not trained on.", items)]
