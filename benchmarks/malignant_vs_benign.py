"""Cross-validate on Kaggle's "Skin Cancer: Malignant vs. Benign": classical, deep and both.

    python benchmarks/malignant_vs_benign.py --data DIR [--embedding mobilenet --alpha 0.5]

DIR holds train/benign, train/malignant and, if wished, test/...; with a lesions.csv (columns file, lesion_id) beside
them, photos of one lesion stay in one fold. The ImageNet weights are those of Keras, in $KERAS_HOME/models.

The default segmenter here is "otsu", whose outlines are fitted to no image: "unet" and "classical" were fitted to masks
of HAM10000, where all benign images of this set come from (their model cards say to which).
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import add_arguments, backbone, classifier, drawn, out_of_fold, unfitted_families
from sklearn.model_selection import StratifiedGroupKFold

from dermfeat import LesionPipeline, LesionReader, default_steps
from dermfeat.datasets import load_folder
from dermfeat.evaluation import binary_scores, score_row, write_results

POSITIVE = "malignant"


def models(embedding, args):
    """Return ``{row: steps}``."""
    common = {"reader": LesionReader(segmenter=args.segmenter), "n_jobs": args.n_jobs}
    common["classifier"] = classifier(args, pos_label=POSITIVE)
    families = unfitted_families()
    found = {"classical (mask, color, texture, abcd)": default_steps(families, **common)}
    if embedding is not None:
        found["deep (embedding)"] = default_steps([], embedding=embedding, **common)
        found["classical + deep"] = default_steps(families, embedding=embedding, **common)
    return found


def baseline_rows(data, train, parts):
    """Return the rows of models that never look at the lesion, on the images `parts`."""
    y = data.y[parts]
    majority = np.full(len(y), (data.y[train] == POSITIVE).mean())
    rows = {"majority class": binary_scores(y, majority, pos_label=POSITIVE, n_resamples=50)}
    rows["majority class"].pop("auc_interval")
    if data.groups is not None and data.metadata["in_ham10000"].any():
        elsewhere = (~data.metadata["in_ham10000"].to_numpy()[parts]).astype(float)
        name = '"came from HAM10000, so benign"'
        rows[name] = binary_scores(y, elsewhere, pos_label=POSITIVE, groups=data.groups[parts])
    return rows


def cross_validate(data, parts, steps, args):
    """Return the scores of the out-of-fold probabilities."""
    X, y = data.X[parts], data.y[parts]
    groups = np.arange(len(y)) if data.groups is None else data.groups[parts]
    splitter = StratifiedGroupKFold(args.folds, shuffle=True, random_state=0)
    proba = out_of_fold(steps, X, y, groups, splitter)
    column = np.unique(y).tolist().index(POSITIVE)
    return binary_scores(y, proba[:, column], pos_label=POSITIVE, groups=groups, n_resamples=args.resamples)


def test_once(data, train, test, steps):
    """Fit on the train part and return the scores on the test part."""
    pipe = LesionPipeline(steps).fit(data.X[train], data.y[train])
    groups = None if data.groups is None else data.groups[test]
    return binary_scores(data.y[test], pipe.positive_proba(data.X[test]), pos_label=POSITIVE, groups=groups)


def load(folder, limit):
    """Return the Bunch, with the column ``in_ham10000`` where lesions.csv tells it."""
    listing = Path(folder) / "lesions.csv"
    data = load_folder(folder, pos_label=POSITIVE, groups=listing if listing.exists() else None)
    if listing.exists():
        table = pd.read_csv(listing)
        known = {Path(folder, f).resolve() for f in table["file"][table["lesion_id"].notna()]}
        data.metadata["in_ham10000"] = [Path(path).resolve() in known for path in data.X]
    keep = drawn(len(data.X), limit)
    split = np.full(len(data.X), "train") if data.split is None else np.asarray(data.split)
    return data, keep[split[keep] == "train"], keep[split[keep] == "test"]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train/benign and train/malignant")
    add_arguments(parser, "malignant_vs_benign")
    args = parser.parse_args(argv)

    embedding = backbone(args.embedding, args.alpha)
    data, train, test = load(args.data, args.limit)
    results = {"cross-validation on train": baseline_rows(data, train, train)}
    seconds = {}
    candidates = models(embedding, args)
    for name, steps in candidates.items():
        start = time.perf_counter()
        results["cross-validation on train"][name] = cross_validate(data, train, steps, args)
        seconds[name] = round(time.perf_counter() - start, 1)
    if len(test):
        found = {name: test_once(data, train, test, steps) for name, steps in candidates.items()}
        results["test part, evaluated once"] = baseline_rows(data, train, test) | found
    grouped = "grouped by lesion" if data.groups is not None else "not grouped: no lesions.csv"
    notes = [
        f"{len(train)} train images, {(data.y[train] == POSITIVE).sum()} malignant; {len(test)} test images",
        f"{args.folds}-fold StratifiedGroupKFold, {grouped}; out-of-fold probabilities pooled, threshold 0.5",
        "Intervals of 95 %: Wilson for shares, bootstrap over lesions for the AUC",
        f"Segmenter: {args.segmenter}; embedding: {embedding}",
        "Classifier: XGBoost with class weights, parameters fixed beforehand",
    ]
    tables = {title: [score_row(name, s) for name, s in rows.items()] for title, rows in results.items()}
    arguments = {name: value for name, value in vars(args).items() if name not in ("data", "out")}
    details = {"results": results, "seconds": seconds, "arguments": arguments}
    print(write_results(args.out, "Malignant vs. benign", tables, notes, details))
    return results


if __name__ == "__main__":
    main()
