"""Copies: the same image twice, under two labels, under two lesion ids."""

from collections import Counter

import pandas as pd

from dermfeat.auditing.copies import ORIENTATIONS
from dermfeat.auditing.finding import Finding, counted, image_items


def exact_copies(case):
    """Images with the very same pixels, beside the first of them."""
    if case.exact.empty:
        return []
    pairs = case.exact.sort_values("j")
    what = [f"same pixels as {case.names[i]}" for i in pairs["i"]]
    images, pictures = len(pairs) + pairs["i"].nunique(), pairs["i"].nunique()
    sentence = f"{images} images are only {counted(pictures, 'picture')}: the others are exact copies."
    cure = f"Keep one of each{'' if case.labels is None else ', none where labels differ'}: report.clean()."
    return [Finding("exact_copies", "warning", sentence, cure, image_items(case, pairs["j"], what, pairs["i"]))]


def near_copies(case):
    """Images that show the same photo re-encoded, resized, cropped, turned or with other light."""
    pairs = case.near
    if pairs.empty:
        return []
    sentence = (
        f"{counted(len(pairs), 'pair')} of images {'show' if len(pairs) > 1 else 'shows'} the same photo, changed a "
        f"little (encoded anew, resized, cropped, turned, lightened){_across(case, pairs)}."
    )
    cure = "Look at the pairs; split by groups=report.groups, or keep one of each: clean(also=['near_copies'])."
    return [Finding("near_copies", "warning", sentence, cure, _like_items(case, pairs))]


def same_lesion_shots(case):
    """Images that are like copies, but in which hairs or bubbles moved or the dermoscope turned."""
    pairs = case.shots
    if pairs.empty:
        return []
    sentence = (
        f"{counted(len(pairs), 'pair')} of images {'look' if len(pairs) > 1 else 'looks'} like two shots of the same "
        f"lesion, one after the other{_across(case, pairs)}."
    )
    cure = "Look at the pairs; these are no copies, but belong on one side of a split: groups=report.groups."
    severity = "note" if case.groups is not None and _is_across(case, pairs).sum() == 0 else "warning"
    return [Finding("same_lesion_shots", severity, sentence, cure, _like_items(case, pairs))]


def _is_across(case, pairs):
    """Say which pairs have two known groups that differ."""
    first, second = (case.groups.loc[pairs[side]].reset_index(drop=True) for side in "ij")
    return (first != second) & first.notna() & second.notna()


def _across(case, pairs):
    if case.groups is None:
        return ""
    return f"; {_is_across(case, pairs).sum()} of them across groups"


def _like_items(case, pairs):
    pairs = pairs.sort_values(["similarity", "i", "j"], ascending=[False, True, True])
    what = [
        f"similarity {row.similarity:.3f} to {case.names[row.i]}{_turned(row.orientation)}{_label_change(case, row)}"
        for row in pairs.itertuples()
    ]
    return image_items(case, pairs["j"], what, pairs["i"])


def _label_change(case, row):
    first, second = (None, None) if case.labels is None else (case.labels[row.i], case.labels[row.j])
    return f"; {second!r}, there {first!r}" if first and second and first != second else ""


def _turned(orientation):
    return f", {ORIENTATIONS[orientation]}" if orientation else ""


def same_image_two_labels(case):
    """Copies, exact or near, that carry different labels."""
    if case.labels is None:
        return []
    found = _at_odds(case.copy_clusters, case.labels)
    if found.empty:
        return []
    kinds = Counter(" / ".join(sorted(labels.unique())) for _, labels in found.groupby("cluster")["value"])
    what = [_two_labels(case, i, j) for i, j in zip(found["index"], found["partner"], strict=True)]
    common = ", ".join(f"{kind}: {counted(n, 'picture')}" for kind, n in kinds.most_common(4))
    more = " ..." if len(kinds) > 4 else ""
    sentence = (
        f"{len(found)} images, {counted(kinds.total(), 'picture')}, lie under more than one label ({common}{more})."
    )
    cure = "Nobody can tell which label is right: ask the source, or drop all of them: report.clean()."
    items = image_items(case, found["index"], what, found["partner"])
    return [Finding("same_image_two_labels", "error", sentence, cure, items)]


def _at_odds(clusters, values):
    """Return cluster, value, index of the images in clusters of several values, `partner` the first of another one."""
    found = pd.DataFrame({"cluster": clusters, "value": values, "index": range(len(clusters))}).dropna()
    found = found[found.groupby("cluster")["value"].transform("nunique") > 1].sort_values(["cluster", "index"])
    partners = []
    for _, members in found.groupby("cluster"):
        partners += [members["index"][members["value"] != value].iloc[0] for value in members["value"]]
    return found.assign(partner=partners)


def _two_labels(case, i, j):
    same = "same pixels as" if case.exact_clusters[i] == case.exact_clusters[j] else "near copy of"
    return f"{case.labels[i]!r}, but {case.labels[j]!r} as {same} {case.names[j]}"


def copies_across_groups(case):
    """Copies and like shots whose lesion or patient ids differ."""
    if case.groups is None:
        return []
    found = _at_odds(case.like_clusters, case.groups)
    if found.empty:
        return []
    what = [
        f"group {case.groups[i]}, but {case.names[j]}, a copy or like shot, is of group {case.groups[j]}"
        for i, j in zip(found["index"], found["partner"], strict=True)
    ]
    sentence = (
        f"{len(found)} images have a copy, or a like shot of the same lesion, in another group: the ids of these "
        f"lesions or patients look wrong{_unknown(case.groups[found['index']])}."
    )
    cure = "Split by groups=report.groups, which makes such groups one."
    items = image_items(case, found["index"], what, found["partner"])
    return [Finding("copies_across_groups", "warning", sentence, cure, items)]


def _unknown(groups):
    """Return words for groups that only stand for an unknown id, as the data sets of `dermfeat.datasets` give them."""
    alone = groups.str.startswith("image:").sum()
    return f", or are not known ({alone} of these images have none)" if alone else ""
