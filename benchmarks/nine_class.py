"""Cross-validate on Kaggle's nine-class ISIC set: as it is published, and after the audit has cleaned it.

    python benchmarks/nine_class.py --data DIR [--embedding mobilenet --alpha 0.5]

DIR holds Train/<class>/*.jpg and, if wished, Test. The ImageNet weights are those of Keras, in $KERAS_HOME/models.

Side by side: all files, copied to 500 a class before the split (as published notebooks augment them); all files, split
by image; and what `audit` leaves, split so that copies stay together, with class weights or copied inside the fold.
"""

import argparse

import numpy as np
from common import (
    add_arguments,
    backbone,
    classifier,
    drawn,
    multiclass_row,
    out_of_fold,
    recall_rows,
    unfitted_families,
)
from imblearn.over_sampling import RandomOverSampler
from sklearn.model_selection import StratifiedKFold

from dermfeat import LesionPipeline, LesionReader, audit, default_steps
from dermfeat.datasets import load_isic_9class
from dermfeat.evaluation import GroupedCV, multiclass_scores, write_results

BALANCED = 500  # images of each class that the published notebooks augment to
BEFORE, BY_IMAGE = "all files, copied to 500 a class before the split", "all files, by image"
CLEANED, SAMPLED = "cleaned, copies together", "cleaned, copied inside the fold"


def steps(args, sampler=None):
    """Return the steps of the one model that all protocols share."""
    embedding = backbone(args.embedding, args.alpha)
    return default_steps(
        unfitted_families(),
        embedding=embedding,
        sampler=sampler,
        reader=LesionReader(segmenter=args.segmenter),
        n_jobs=args.n_jobs,
        classifier=classifier(args, class_weight="balanced" if sampler is None else None),
    )


def balanced(y):
    """Return ``{class: images}`` for `RandomOverSampler`: every class that has fewer is brought to 500 images."""
    return {label: max(n, BALANCED) for label, n in zip(*np.unique(y, return_counts=True), strict=True)}


def published(X, y, args):
    """Return the scores of the two protocols that take the files as they come."""
    splitter = StratifiedKFold(args.folds, shuffle=True, random_state=0)
    index, _ = RandomOverSampler(sampling_strategy=balanced, random_state=0).fit_resample(np.arange(len(y))[:, None], y)
    index = index[:, 0]
    return {BEFORE: scored(X[index], y[index], None, splitter, args), BY_IMAGE: scored(X, y, None, splitter, args)}


def scored(X, y, groups, splitter, args, sampler=None):
    proba = out_of_fold(steps(args, sampler), X, y, groups, splitter)
    return multiclass_scores(y, proba, classes=np.unique(y), groups=groups, n_resamples=args.resamples // 4)


def clean(X, y, folds, n_jobs):
    """Return what the audit leaves: indices, their groups, the report, and the classes too small for the folds."""
    report = audit(X, y, n_jobs=n_jobs)
    keep = report.clean()
    groups = np.asarray(report.groups)
    sizes = {label: len(set(groups[keep][y[keep] == label])) for label in np.unique(y).tolist()}
    small = {label: n for label, n in sizes.items() if n < folds}
    keep = keep[~np.isin(y[keep], list(small))]
    return keep, groups[keep], report, small


def test_once(data, train, keep, args):
    """Return the scores on the test part, evaluated once, of the classes that are left."""
    test = np.flatnonzero((data.split == "test") & np.isin(data.y, np.unique(data.y[train][keep])))
    pipe = LesionPipeline(steps(args)).fit(data.X[train][keep], data.y[train][keep])
    present = np.isin(pipe.classes_, data.y[test])
    proba = pipe.predict_proba(data.X[test])[:, present]
    return multiclass_scores(data.y[test], proba, classes=pipe.classes_[present])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with Train/<class>")
    add_arguments(parser, "nine_class", trees=150)
    args = parser.parse_args(argv)

    data = load_isic_9class(args.data, allow_incomplete=True)
    train = np.flatnonzero(data.split == "train")
    train = train[drawn(len(train), args.limit)]
    X, y = data.X[train], data.y[train]
    keep, groups, report, small = clean(X, y, args.folds, args.n_jobs)
    print(report)
    results = published(X, y, args)
    cleaned = X[keep], y[keep], groups, GroupedCV(args.folds), args
    results[CLEANED] = scored(*cleaned)
    inside = RandomOverSampler(sampling_strategy=balanced, random_state=0)
    results[SAMPLED] = scored(*cleaned, sampler=inside)
    tables = {
        "Protocols": [multiclass_row(name, scores) for name, scores in results.items()],
        "Recall of each class, as published": recall_rows({name: results[name] for name in (BEFORE, BY_IMAGE)}),
        "Recall of each class, cleaned": recall_rows({name: results[name] for name in (CLEANED, SAMPLED)}),
    }
    if (data.split == "test").any():
        results["test"] = test_once(data, train, keep, args)
        tables["Test part, evaluated once"] = [multiclass_row(CLEANED, results["test"])]
    notes = [
        f"{len(X)} files in train; the audit leaves {len(keep)} of {len(set(groups))} groups of copies",
        f"Classes left out after cleaning, with fewer groups than folds: {small or 'none'}",
        "Cleaned rows have fewer classes and no contradicting labels, so they can score higher than all files by image",
        f"{args.folds} folds, stratified; out-of-fold probabilities pooled; intervals of 95 %: Wilson, bootstrap",
        f"Outlines: {args.segmenter}; embedding: {args.embedding}, alpha {args.alpha}",
        f"Classifier: XGBoost, {args.trees} trees a class, parameters fixed beforehand",
        "Lesion ids are not published with this set: photos of one lesion that are no copies may still be apart",
    ]
    details = {"results": results, "audit": [f.code for f in report.findings]}
    print(write_results(args.out, "ISIC, nine classes", tables, notes, details))
    return results


if __name__ == "__main__":
    main()
