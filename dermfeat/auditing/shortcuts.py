"""Does something beside the lesion tell the label? Cross-validated models that never see an image's content."""

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from dermfeat.auditing.columns import LABEL_NAMES, columns
from dermfeat.auditing.finding import Finding, counted, item_table

FOLDS = 5
FEW = 10  # groups that a class, or a level of a column, needs at least to be looked at
PURE = 0.99  # share of a level's images in one class from which the level is said to imply it
CHANCE = 1e-3  # how probable a rule may be by chance, over all levels of its column
SELF = "the label itself"
CURE = "Leave it out of the features, or balance it between the classes; test on images where it tells nothing."
KNOWN = "Decide whether it will be known, and mean the same, where the model is used; if not, leave it out."


def shortcuts(case):
    """Columns, file facts and single levels that alone predict the label."""
    if case.labels is None or case.labels.nunique() < 2:
        return []
    codes, classes, rows, why_not = _task(case)
    if why_not:
        sentence = f"Whether anything beside the lesion tells the label was not examined: {why_not}."
        return [Finding("shortcuts_not_examined", "note", sentence, "Add images.", item_table(None, [], []))]
    repeats, others = [], []
    for column in columns(case):
        repeat = _repeats(column, case)
        repeats += [(column, repeat)] if repeat else []
        others += [] if repeat else [column]
    folds = _folds(codes, case.merged_groups[rows], case.random_state)
    scores = [(column, auc(column.codes()[rows, None], codes, folds, [not column.is_numeric])) for column in others]
    together = _together([column for column in others if column.kind == "image"], codes, rows, folds)
    return [
        *_repeated(repeats),
        *_predicting(scores + together, case.margin, len(classes)),
        *_rules(others, case),
    ]


def _task(case):
    """Return class codes, class names and positions of the images that take part, or why it cannot be done."""
    frame = pd.DataFrame({"label": case.labels, "group": case.merged_groups})
    frame = frame[case.labels.notna() & case.facts["error"].isna()]
    groups = frame.groupby("label")["group"].nunique()
    frame = frame[frame["label"].isin(groups.index[groups >= FEW])]
    codes, classes = pd.factorize(frame["label"], sort=True)
    unit = "images" if case.groups is None else "groups"
    why_not = "" if len(classes) > 1 else f"fewer than two classes have {FEW} {unit}"
    return codes, classes, frame.index.to_numpy(), why_not


def _folds(codes, groups, random_state):
    X = np.zeros(len(codes))
    if len(np.unique(groups)) == len(groups):
        return list(StratifiedKFold(FOLDS, shuffle=True, random_state=random_state).split(X, codes))
    return list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=random_state).split(X, codes, groups))


def auc(X, codes, folds, categorical):
    """Return the cross-validated AUC of a small gradient boosting, with an interval.

    Parameters
    ----------
    X : (n, k) float ndarray
    codes : (n,) int ndarray
        Classes from 0; with more than two the mean of one class against the rest.
    folds : list of (train, test) arrays
    categorical : list of k bool

    Returns
    -------
    (float, float, float)
        Mean over the folds, and the ends of its 95 % interval after Nadeau and Bengio (2003,
        doi:10.1023/A:1024068626366), whose variance allows for training parts that overlap.
    """
    values = []
    for train, test in folds:
        model = HistGradientBoostingClassifier(
            max_iter=10, learning_rate=0.3, max_leaf_nodes=8, min_samples_leaf=max(2, min(20, len(train) // 20)),
            max_bins=64, categorical_features=categorical, early_stopping=False, random_state=0,
        ).fit(X[train], codes[train])  # fmt: skip
        values.append(_macro_auc(codes[test], model.predict_proba(X[test]), model.classes_))
    values = np.array(values)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float(values.mean()) if len(values) else 0.5, 0.0, 1.0
    spread = values.std(ddof=1) * np.sqrt(1 / len(values) + 1 / (len(folds) - 1))
    half = t.ppf(0.975, len(values) - 1) * spread
    return float(values.mean()), float(max(values.mean() - half, 0)), float(min(values.mean() + half, 1))


def _macro_auc(codes, probability, classes):
    kept = range(1, 2) if len(classes) == 2 else range(len(classes))
    hits = [(codes == classes[k], probability[:, k]) for k in kept]
    return float(np.mean([roc_auc_score(hit, p) for hit, p in hits if hit.any() and not hit.all()] or [np.nan]))


def _together(found, codes, rows, folds):
    """Return what all image facts together predict, as a list of (name, score)."""
    if len(found) < 2:
        return []
    return [("size and file size together", auc(np.transpose([c.codes()[rows] for c in found]), codes, folds, None))]


def _predicting(scores, margin, classes):
    """Return findings of the columns whose AUC is above chance by more than `margin`, at the interval's lower end."""
    found = {"file": [], "metadata": [], "clinical": []}
    for column, score in scores:
        kind = "file" if isinstance(column, str) or column.kind in ("image", "name") else column.kind
        if score[1] > 0.5 + margin:
            found[kind].append((column if isinstance(column, str) else column.name, score))
    measure = "AUC" if classes == 2 else "mean AUC of one class against the rest"
    texts = {
        "file": ("file_predicts_label", "warning", "size, file or name of an image", CURE),
        "metadata": ("column_predicts_label", "warning", "metadata", KNOWN),
        "clinical": ("clinical_column_predicts_label", "note", "what is known of the patient", KNOWN),
    }
    return [_prediction(*texts[kind], found[kind], measure) for kind in found if found[kind]]


def _prediction(code, severity, source, cure, found, measure):
    found = sorted(found, key=lambda item: -item[1][0])
    what = [f"AUC {mean:.2f} [{low:.2f}, {high:.2f}]" for _, (mean, low, high) in found]
    listed = ", ".join(f"{name} {mean:.2f}" for name, (mean, _, _) in found)
    sentence = f"Without any look at the lesion, {source} alone predicts the label ({measure}: {listed}; chance 0.50)."
    if any("file size" in name for name, _ in found):
        cure = f"A lesion rich in detail makes a larger JPEG, so some of it may be the lesion itself. {cure}"
    return Finding(code, severity, sentence, cure, item_table(None, [name for name, _ in found], what))


def _repeats(column, case):
    """Return how a column says the label itself, "" where it does not."""
    known = case.labels.notna()
    levels, labels = column.values[known], case.labels[known]
    if not column.is_numeric and (levels.str.casefold() == labels.str.casefold()).all():
        return SELF
    if levels.isna().any() or len(set(case.merged_groups[known])) < FEW * levels.nunique():
        return ""
    forth = labels.groupby(levels).nunique().max() == 1
    back = levels.groupby(labels).nunique().max() == 1
    if forth and back:
        return "one value for each class"
    return "each value in only one class" if forth else "the same value in all of a class" if back else ""


def _repeated(repeats):
    """Return findings of columns that repeat the label: those that say so in their name or values as a note."""
    repeats = [(column, how) for column, how in repeats if (column.kind, how) != ("name", SELF)]
    is_label = [how == SELF or bool(LABEL_NAMES.match(column.name)) for column, how in repeats]
    texts = {
        True: ("note", "The label in other words: {}."),
        False: ("warning", "The label in other words, or for each class a source of its own: {}."),
    }
    findings = []
    for kind, (severity, sentence) in texts.items():
        chosen = [(column.name, how) for (column, how), is_it in zip(repeats, is_label, strict=True) if is_it == kind]
        if chosen:
            names, what = zip(*chosen, strict=True)
            sentence = sentence.format(", ".join(names))
            cure = "Keep it out of the features."
            findings.append(Finding("column_repeats_label", severity, sentence, cure, item_table(None, names, what)))
    return findings


def _rules(found, case):
    """Return findings of values that imply a class, of clinical columns as a note."""
    shares = case.labels.value_counts(normalize=True)
    rules = {"warning": {}, "note": {}}
    for column in sorted(found, key=lambda column: len(column.name)):
        severity = "note" if column.kind == "clinical" else "warning"
        for images, rule in _level_rules(column, case, shares):
            rules[severity].setdefault(images, rule)  # the same images by another name are no news
    return [_implication(severity, list(some.values())) for severity, some in rules.items() if some]


def _implication(severity, rules):
    verb = "implies" if len(rules) == 1 else "imply"
    listed = "; ".join(f"{name}: {what}" for name, what in rules[:3]) + (" ..." if len(rules) > 3 else ".")
    sentence = f"{counted(len(rules), 'value')} of a column all but {verb} a class. {listed}"
    return Finding("value_implies_label", severity, sentence, KNOWN, item_table(None, *zip(*rules, strict=True)))


def _level_rules(column, case, shares):
    """Return (images, (name, what)) of each value of a column that belongs nearly to one class alone."""
    frame = pd.DataFrame({"level": column.levels, "label": case.labels, "group": case.merged_groups}).dropna()
    rules = []
    for level, rows in frame.groupby("level"):
        counts = rows["label"].value_counts()
        label, groups = counts.index[0], rows["group"].nunique()
        surprising = groups * np.log(shares[label]) < np.log(CHANCE / frame["level"].nunique())
        if groups >= FEW and counts.iloc[0] >= PURE * len(rows) and surprising:
            what = f"{counts.iloc[0]} of {counted(len(rows), 'image')} are {label}, {shares[label]:.0%} of all are"
            rules.append((tuple(rows.index), (f"{column.name} = {level}", what)))
    return rules
