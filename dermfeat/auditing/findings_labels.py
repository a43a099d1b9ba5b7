"""Labels and metadata: classes, and what is missing."""

import numpy as np

from dermfeat.auditing.finding import Finding, counted, image_items, item_table

SMALL_CLASS = 50  # groups below which a score of a class is mostly chance
IMBALANCE = 10  # how many times larger the largest class is than the smallest
UNKNOWN = ("unknown", "nan", "none", "n/a", "na", "?", "")


def classes(case):
    """Class counts, classes that are too small, images without a label."""
    if case.labels is None:
        return []
    counts = case.labels.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    images = case.labels.groupby(case.labels).size()
    groups = case.labels.index.to_series().groupby(case.labels).apply(lambda rows: len(set(case.merged_groups[rows])))
    small = [name for name in counts.index if groups[name] < SMALL_CLASS]
    items = item_table(None, counts.index, [_size(case, images[name], groups[name]) for name in counts.index])
    sentence = f"{counted(len(counts), 'class', 'classes')}: " + ", ".join(f"{k} {n}" for k, n in counts.items()) + "."
    cure = "One class teaches nothing." if len(counts) < 2 else "Report scores of each class, not accuracy alone."
    found = [Finding("class_counts", "warning" if len(counts) < 2 else "note", sentence, cure, items)]
    if small and len(counts) > 1:
        chosen = items[items["name"].isin(small)].reset_index(drop=True)
        few = f"fewer than {SMALL_CLASS} {'images' if case.groups is None else 'groups'}"
        sentence = f"{counted(len(small), 'class', 'classes')} with {few}: {', '.join(small)}."
        cure = "Report their scores with intervals" + (
            ", or merge or leave them out." if len(small) < len(counts) else "; better find more images."
        )
        found.append(Finding("small_class", "warning", sentence, cure, chosen))
    if len(counts) > 1 and counts.iloc[0] > IMBALANCE * counts.iloc[-1]:
        ratio = counts.iloc[0] / counts.iloc[-1]
        sentence = f"{counts.index[0]} has {ratio:.0f} times as many images as {counts.index[-1]}."
        cure = "Use class weights or a sampler inside the pipeline, and AUC or balanced accuracy as score."
        found.append(Finding("imbalance", "note", sentence, cure, item_table(None, [], [])))
    return found


def _size(case, images, groups):
    share = f"{counted(images, 'image')}, {images / len(case):.1%}"
    return share if case.groups is None else f"{share}, of {counted(groups, 'group')}"


def missing_labels(case):
    """Images without a label."""
    missing = [] if case.labels is None else np.flatnonzero(case.labels.isna())
    if len(missing) == 0:
        return []
    sentence = f"{counted(len(missing), 'image')} of {len(case)} without a label."
    cure = "Label them, or leave them out: report.clean()."
    return [Finding("missing_labels", "warning", sentence, cure, image_items(case, missing, "no label"))]


def missing_values(case):
    """Columns of metadata with missing or "unknown" values."""
    names, what = [], []
    for name, column in case.metadata.items():
        missing = column.isna()
        unknown = column[~missing].astype(str).str.strip().str.lower().isin(UNKNOWN).sum()
        if missing.any() or unknown:
            names.append(str(name))
            some = "all" if missing.all() else missing.sum()
            what.append(f"{some} missing" + (f", {unknown} unknown" if unknown else ""))
    if not names:
        return []
    sentence = f"{counted(len(names), 'column')} of metadata with missing values: {', '.join(names)}."
    cure = "Keep a missing level, or impute inside the pipeline, before a sampler."
    return [Finding("missing_values", "note", sentence, cure, item_table(None, names, what))]
