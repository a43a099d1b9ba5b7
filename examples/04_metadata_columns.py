"""Age, sex and site, and the other lesions of the patient, beside the image; and which images are strange.

    python examples/04_metadata_columns.py [--n 160]

Drawn lesions belong to nobody and are dealt out to patients by chance: comparing a lesion with the others of its
patient cannot help here as it may with real patients. For research and education, not for diagnosis.
"""

import argparse

import numpy as np
from sklearn.model_selection import cross_val_score

from dermfeat import LesionPipeline, datasets, default_steps
from dermfeat.evaluation import GroupedCV, grouped_split
from dermfeat.learning import LesionNovelty

PARTS = (["image"], ["metadata"], ["image", "metadata"], ["image", "metadata", "patient"])


def draw_table(n):
    """Return a table with the columns image, age, sex, site, patient_id and lesion_id, and the labels."""
    data = datasets.make_lesions(n, random_state=0)
    lesions, number = np.unique(data.groups, return_inverse=True)
    owner = np.random.default_rng(0).integers(max(len(lesions) // 4, 5), size=len(lesions))
    patients = [f"patient_{one}" for one in owner[number]]
    table = data.metadata[["age", "sex", "site"]]
    return table.assign(image=list(data.X), patient_id=patients, lesion_id=data.groups), data.y


def pipeline(parts):
    columns = {"metadata": ["age", "sex", "site"], "patient_id": "patient_id", "lesion_id": "lesion_id"}
    steps = default_steps(**columns, pos_label="malignant")
    dropped = {"image", "metadata", "patient"} - set(parts)
    return LesionPipeline(steps).set_params(**{f"features__{part}": "drop" for part in dropped})


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=160, help="number of images to draw")
    args = parser.parse_args(argv)

    table, y = draw_table(args.n)
    folds = {"groups": table["patient_id"], "cv": GroupedCV(3)}
    for parts in PARTS:
        auc = cross_val_score(pipeline(parts), table, y, scoring="roc_auc", **folds)
        print(f"{' + '.join(parts):28} AUC {auc.mean():.3f} ± {auc.std():.3f}")

    known, unseen = grouped_split(y, table["patient_id"])
    train, new = table.iloc[known], table.iloc[unseen]
    pipe = pipeline(["image", "metadata"]).fit(train, y[known])
    novelty = LesionNovelty(pipe).fit(train, groups=train["patient_id"])
    negatives = new.assign(image=[255 - image for image in new["image"]])
    print("median share of the training images that are less strange:")
    for name, rows in {"new photos": new, "their negatives": negatives}.items():
        print(f"{name:28} {np.median(novelty.percentile(rows)):.2f}")


if __name__ == "__main__":
    main()
