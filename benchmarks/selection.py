"""Bins, early stopping, fewer columns: what they cost or win in AUC, and how long a fit takes.

    python benchmarks/selection.py --data DIR [--embedding mobilenet --alpha 0.5]

DIR and options as for malignant_vs_benign.py. Classical families and embedding are measured once on the train part; on
these rows each way to fit is cross-validated, groups kept together; in each fold all ways are fitted in turn.
"""

import argparse
import time

import numpy as np
from common import add_arguments, backbone, classifier, unfitted_families
from malignant_vs_benign import POSITIVE, load
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, f_classif
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from dermfeat import LesionPipeline, LesionReader, default_steps
from dermfeat.evaluation import binary_scores, bootstrap_interval, write_results

PATIENCE = 30  # trees without gain, after which early stopping stops
AS_IT_IS = "all columns, 64 bins"


def measured(X, args):
    """Return the (n, n_columns) rows of the classical families and the embedding."""
    options = {"reader": LesionReader(segmenter=args.segmenter), "n_jobs": args.n_jobs}
    steps = dict(default_steps(unfitted_families(), embedding=backbone(args.embedding, args.alpha), **options))
    return steps["features"].transform(X)


def ways(args):
    """Return ``{row: (selector, classifier)}``."""

    def model(**params):
        return classifier(args, pos_label=POSITIVE, **params)

    quick = model(n_estimators=max(args.trees // 8, 1))
    return {
        AS_IT_IS: ("passthrough", model(max_bin=64)),
        "all columns, 256 bins": ("passthrough", model(max_bin=256)),
        f"all columns, early stopping after {PATIENCE}": ("passthrough", model(early_stopping_rounds=PATIENCE)),
        f"{args.columns} best by F value": (SelectKBest(f_classif, k=args.columns), model()),
        f"{args.columns} best by a small XGBoost": (
            SelectFromModel(quick, max_features=args.columns, threshold=-np.inf),
            model(),
        ),
        f"PCA to {args.components}": (PCA(args.components, random_state=0), model()),
    }


def cross_validated(rows, y, groups, found, folds):
    """Return ``{row: (out-of-fold probabilities of the positive class, seconds of CPU a fit)}``."""
    proba, seconds = {name: np.empty(len(y)) for name in found}, dict.fromkeys(found, 0.0)
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(rows, y, groups):
        for name, (selector, model) in found.items():
            steps = [("constant", VarianceThreshold()), ("scaler", StandardScaler()), ("selector", selector)]
            pipe = LesionPipeline([*steps, ("classifier", model)])
            start = time.process_time()
            pipe.fit(rows[train], y[train], classifier__groups=groups[train])
            seconds[name] += (time.process_time() - start) / folds
            proba[name][test] = pipe.positive_proba(rows[test])
    return {name: (proba[name], seconds[name]) for name in found}


def difference(is_positive, proba, other, groups, resamples):
    """Return the difference of two AUCs on the same images, and its interval."""

    def gain(truth, pair):
        return roc_auc_score(truth, pair[:, 0]) - roc_auc_score(truth, pair[:, 1])

    pair = np.column_stack([proba, other])
    return gain(is_positive, pair), bootstrap_interval(gain, is_positive, pair, groups=groups, n_resamples=resamples)


def table_row(name, result):
    """Return one line of the table."""
    low, high = result["auc_interval"]
    row = {"fit": name, "AUC": f"{result['auc']:.3f} [{low:.3f}, {high:.3f}]", "against the first": ""}
    if "difference" in result:
        low, high = result["difference_interval"]
        row["against the first"] = f"{result['difference']:+.4f} [{low:+.4f}, {high:+.4f}]"
    return row | {"CPU seconds a fit": f"{result['seconds']:.1f}"}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train/benign and train/malignant")
    parser.add_argument("--columns", type=int, default=200, help="kept by the selectors")
    parser.add_argument("--components", type=int, default=64, help="of the PCA")
    add_arguments(parser, "selection")
    args = parser.parse_args(argv)

    data, train, _ = load(args.data, args.limit)
    y = data.y[train]
    groups = np.arange(len(y)) if data.groups is None else data.groups[train]
    rows = measured(data.X[train], args)
    found = cross_validated(rows, y, groups, ways(args), args.folds)
    results = {}
    for name, (proba, seconds) in found.items():
        scores = binary_scores(y, proba, pos_label=POSITIVE, groups=groups, n_resamples=args.resamples)
        results[name] = {"auc": scores["auc"], "auc_interval": scores["auc_interval"], "seconds": seconds}
        if name != AS_IT_IS:
            gain, interval = difference(y == POSITIVE, proba, found[AS_IT_IS][0], groups, args.resamples)
            results[name] |= {"difference": gain, "difference_interval": interval}
    notes = [
        f"{len(y)} train images, {(y == POSITIVE).sum()} malignant, {rows.shape[1]} columns",
        f"{args.folds}-fold StratifiedGroupKFold, {'grouped by lesion' if data.groups is not None else 'not grouped'}; "
        "out-of-fold probabilities pooled",
        "Intervals of 95 %: bootstrap over lesions, for the difference on the same images",
        f"XGBoost: {args.trees} trees; seconds of CPU time, scaler and selector included",
        f"Segmenter: {args.segmenter}; embedding: {args.embedding}, alpha {args.alpha}",
    ]
    tables = {"ways to fit": [table_row(name, result) for name, result in results.items()]}
    arguments = {name: value for name, value in vars(args).items() if name not in ("data", "out")}
    details = {"results": results, "arguments": arguments}
    print(write_results(args.out, "Columns and bins", tables, notes, details))
    return results


if __name__ == "__main__":
    main()
