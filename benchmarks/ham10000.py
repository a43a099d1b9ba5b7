"""Cross-validate on HAM10000: melanoma against the rest and seven classes, by lesion, and by image beside it.

    python benchmarks/ham10000.py --data DIR [--embedding mobilenet --alpha 0.5] [--masks] [--one-per-lesion]

DIR holds HAM10000_metadata.csv and the images, anywhere below it. The ImageNet weights are those of Keras, in
$KERAS_HOME/models.

Folds by image let photos of one lesion lie on both sides; the difference of the two AUCs is what that is worth. Nothing
that was fitted to these images takes part: outlines are "otsu" (or the experts', with --masks), because "unet" and
"classical" were fitted to outlines of this very set.
"""

import argparse
import time

import numpy as np
import pandas as pd
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
from sklearn.model_selection import StratifiedKFold

from dermfeat import LesionFeatures, LesionReader, MetadataFeatures, default_steps
from dermfeat.datasets import load_ham10000
from dermfeat.evaluation import GroupedCV, binary_scores, multiclass_scores, score_row, write_results

POSITIVE = "melanoma"
METADATA = ["age", "sex", "site"]
ALONE = "age, sex, site: never looks at the lesion"


def models(args, *, pos_label=None, trees):
    """Return ``{row: steps}``."""
    common = {"reader": LesionReader(segmenter=args.segmenter), "n_jobs": args.n_jobs}
    embedding, families = backbone(args.embedding, args.alpha), unfitted_families()
    chosen = {"mask, color, texture, abcd": {"families": families}}
    if embedding is not None:
        name = f"{args.embedding} {args.alpha if embedding.alpha else ''}".strip()
        chosen[name] = {"families": [], "embedding": embedding}
        chosen["all together"] = {"families": families, "embedding": embedding}
    chosen["all together + age, sex, site"] = {"families": families, "embedding": embedding, "metadata": METADATA}
    trained = classifier(args, n_estimators=trees, pos_label=pos_label)
    found = {name: default_steps(**options, classifier=trained, **common) for name, options in chosen.items()}
    return {ALONE: [("features", MetadataFeatures()), ("classifier", trained)]} | found


def table_of(data, keep, masks):
    """Return the images (with the experts' masks if wished) and their metadata as one table."""
    images = list(zip(data.X[keep], data.masks[keep], strict=True)) if masks else data.X[keep].tolist()
    table = data.metadata[METADATA].iloc[keep].reset_index(drop=True)
    return table.assign(image=pd.Series(images, dtype=object))


def columns_for(table, steps):
    """Return the part of the table that a pipeline takes."""
    features = dict(steps)["features"]
    if isinstance(features, LesionFeatures):
        return table["image"]
    return table[METADATA] if isinstance(features, MetadataFeatures) else table


def cross_validate(table, y, groups, candidates, splitters, score, resamples):
    """Return ``{protocol: {model: scores}}`` of the out-of-fold probabilities, and the seconds they took."""
    results, seconds = {protocol: {} for protocol in splitters}, {}
    for name, steps in candidates.items():
        start = time.perf_counter()
        for protocol, splitter in splitters.items():
            apart = groups if protocol == "by lesion" else None
            proba = out_of_fold(steps, columns_for(table, steps), y, apart, splitter)
            results[protocol][name] = score(y, proba, groups, resamples)
        seconds[name] = round(time.perf_counter() - start, 1)
        print(f"{name}: {seconds[name]} s", flush=True)
    return results, seconds


def binary(y, proba, groups, resamples):
    column = np.unique(y).tolist().index(POSITIVE)
    return binary_scores(y, proba[:, column], pos_label=POSITIVE, groups=groups, n_resamples=resamples)


def many(y, proba, groups, resamples):
    return multiclass_scores(y, proba, classes=np.unique(y), groups=groups, n_resamples=resamples // 4)


def majority(y):
    """Return the binary scores of the share of melanomas, the same for every image."""
    scores = binary_scores(y, np.full(len(y), np.mean(y == POSITIVE)), pos_label=POSITIVE, n_resamples=50)
    scores.pop("auc_interval")
    return scores


def differences(results):
    """Return lines that set each model's AUC by lesion beside that by image."""
    rows = []
    for name in results["by lesion"]:
        honest, leaky = (results[protocol][name] for protocol in ("by lesion", "by image"))
        key = "auc" if "auc" in honest else "macro_auc"
        row = {"model": name, "AUC by lesion": f"{honest[key]:.3f}", "AUC by image": f"{leaky[key]:.3f}"}
        rows.append(row | {"inflated by": f"{leaky[key] - honest[key]:+.3f}"})
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with HAM10000_metadata.csv and images")
    parser.add_argument("--masks", action="store_true", help="measure within the experts' outlines")
    parser.add_argument("--one-per-lesion", action="store_true", help="keep the first photo of each lesion only")
    parser.add_argument("--trees-many", type=int, default=150, help="trees for each of the seven classes")
    add_arguments(parser, "ham10000")
    args = parser.parse_args(argv)

    data = load_ham10000(args.data, allow_incomplete=True)
    keep = drawn(len(data.X), args.limit)
    if args.one_per_lesion:
        keep = keep[~pd.Series(data.groups[keep]).duplicated().to_numpy()]
    table, diagnosis, groups = table_of(data, keep, args.masks), data.y[keep], data.groups[keep]
    melanoma = np.where(diagnosis == POSITIVE, POSITIVE, "other")
    splitters = {
        "by lesion": GroupedCV(args.folds),
        "by image": StratifiedKFold(args.folds, shuffle=True, random_state=0),
    }
    two, seconds = cross_validate(
        table, melanoma, groups, models(args, pos_label=POSITIVE, trees=args.trees), splitters, binary, args.resamples
    )
    seven = models(args, trees=args.trees_many)
    last = {name: seven[name] for name in (ALONE, "all together + age, sex, site")}
    classes, more = cross_validate(table, diagnosis, groups, last, splitters, many, args.resamples)

    rows = {"majority class": majority(melanoma)} | two["by lesion"]
    tables = {
        "Melanoma against the rest, by lesion": [score_row(name, scores) for name, scores in rows.items()],
        "What folds by image pretend (melanoma against the rest)": differences(two),
        "Classes, by lesion": [multiclass_row(name, scores) for name, scores in classes["by lesion"].items()],
        "What folds by image pretend (classes)": differences(classes),
        "Recall of each class, by lesion": recall_rows(classes["by lesion"]),
    }
    notes = [
        f"{len(keep)} images of {len(set(groups))} lesions, {(melanoma == POSITIVE).sum()} of melanoma; "
        f"{len(data.X)} of the 10015 published images were there",
        f"{args.folds} folds, stratified; out-of-fold probabilities pooled, threshold 0.5",
        "Intervals of 95 %: Wilson for shares, bootstrap over lesions for the AUC",
        f"Outlines: {'the experts' if args.masks else args.segmenter}; embedding: {args.embedding}, alpha {args.alpha}",
        f"Classifier: XGBoost with class weights, {args.trees} trees ({args.trees_many} for each of the classes), "
        "parameters fixed beforehand",
        'Metadata: age, sex, site; without "dx_type", which gives labels away',
    ]
    arguments = {name: value for name, value in vars(args).items() if name not in ("data", "out")}
    details = {"melanoma": two, "classes": classes, "seconds": {"melanoma": seconds, "classes": more}}
    print(write_results(args.out, "HAM10000", tables, notes, details | {"arguments": arguments}))
    return details


if __name__ == "__main__":
    main()
