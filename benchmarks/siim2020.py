"""Cross-validate on SIIM-ISIC 2020, grouped by patient: metadata alone, shortcuts, and the images that are there.

    python benchmarks/siim2020.py --data DIR [--embedding mobilenet --alpha 0.5] [--limit 3000]

DIR holds train.csv and the images as JPEG, DICOM or TFRecord files, in any number: the rows of metadata use the whole
table, the rows of images those whose files are there. The ImageNet weights are those of Keras, in $KERAS_HOME/models.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from common import add_arguments, backbone, classifier, drawn, out_of_fold, unfitted_families

from dermfeat import LesionReader, MetadataFeatures, audit, default_steps
from dermfeat.datasets import load_siim2020
from dermfeat.evaluation import GroupedCV, binary_scores, score_row, write_results

POSITIVE = "malignant"
METADATA = ["age", "sex", "site"]


def whole_table(path):
    """Return metadata, labels and patients of all rows of train.csv, whether their images are there or not."""
    table = pd.read_csv(Path(path) / "train.csv")
    metadata = table.rename(columns={"age_approx": "age", "anatom_site_general_challenge": "site"})[METADATA]
    return metadata, np.where(table["target"] == 1, POSITIVE, "benign"), table["patient_id"].to_numpy(str)


def image_models(args):
    """Return ``{row: options of default_steps}``."""
    embedding = backbone(args.embedding, args.alpha)
    images = {"families": unfitted_families(), "embedding": embedding}
    return {
        "images": images,
        "images + age, sex, site": images | {"metadata": METADATA},
        "images + age, sex, site + the patient's other lesions": images
        | {"metadata": METADATA, "patient_id": "patient_id"},
    }


def scored(steps, X, y, groups, args):
    """Return the scores of the out-of-fold probabilities, by patient."""
    proba = out_of_fold(steps, X, y, groups, GroupedCV(args.folds))
    column = np.unique(y).tolist().index(POSITIVE)
    return binary_scores(y, proba[:, column], pos_label=POSITIVE, groups=groups, n_resamples=args.resamples)


def table_rows(path, args):
    """Return the rows that need no image, on the whole table."""
    metadata, y, patients = whole_table(path)
    majority = binary_scores(y, np.full(len(y), np.mean(y == POSITIVE)), pos_label=POSITIVE, n_resamples=20)
    majority.pop("auc_interval")
    number = pd.Series(patients).groupby(patients).transform("size").to_numpy(float)
    steps = [("features", MetadataFeatures()), ("classifier", classifier(args, pos_label=POSITIVE))]
    few = binary_scores(y, 1 / number, pos_label=POSITIVE, groups=patients, n_resamples=args.resamples)
    return {
        "majority class": majority,
        "few images of the patient: a shortcut, never looks at the lesion": few,
        "age, sex, site: never looks at the lesion": scored(steps, metadata, y, patients, args),
    }


def image_rows(data, keep, args):
    """Return the rows of models that look at the images `keep`."""
    y, patients = data.y[keep], data.groups[keep]
    table = data.metadata[[*METADATA, "patient_id"]].iloc[keep].reset_index(drop=True)
    table["image"] = pd.Series(data.X[keep].tolist(), dtype=object)
    rows = {}
    for name, options in image_models(args).items():
        reader = LesionReader(segmenter=args.segmenter)
        steps = default_steps(
            **options, classifier=classifier(args, pos_label=POSITIVE), reader=reader, n_jobs=args.n_jobs
        )
        rows[name] = scored(steps, table if "metadata" in options else table["image"], y, patients, args)
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train.csv and images")
    parser.add_argument("--images", default="auto", help="jpeg, dicom, tfrecord or auto")
    add_arguments(parser, "siim2020")
    args = parser.parse_args(argv)

    rows = table_rows(args.data, args)
    tables = {"Whole table, no image": [score_row(name, scores) for name, scores in rows.items()]}
    data = load_siim2020(args.data, images=args.images, allow_incomplete=True)
    keep = drawn(len(data.X), args.limit)
    positive = set(data.groups[keep][data.y[keep] == POSITIVE])
    report = audit(data.X[keep], data.y[keep], groups=data.groups[keep], n_jobs=args.n_jobs)
    print(report)
    seen = f"{len(keep)} images, {len(positive)} patients with a malignant one"
    notes = [
        f"{rows['majority class']['n']} rows in train.csv; {seen}; the audit of the images finds: "
        + (", ".join(f.code for f in report.findings) or "nothing"),
        f"{args.folds} folds by patient; out-of-fold probabilities pooled, threshold 0.5",
        "Intervals of 95 %: Wilson for shares, bootstrap over patients for the AUC",
        f"Outlines: {args.segmenter}; embedding: {args.embedding}, alpha {args.alpha}; XGBoost, {args.trees} trees",
    ]
    if len(positive) < args.folds:
        notes.append(f"No rows of images: {len(positive)} patients with malignant ones are too few for the folds")
    else:
        found = image_rows(data, keep, args)
        tables["Images"] = [score_row(name, scores) for name, scores in found.items()]
        rows |= found
    arguments = {name: value for name, value in vars(args).items() if name not in ("data", "out")}
    print(write_results(args.out, "SIIM-ISIC 2020", tables, notes, {"results": rows, "arguments": arguments}))
    return rows


if __name__ == "__main__":
    main()
