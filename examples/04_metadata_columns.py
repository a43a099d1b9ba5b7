"""Age, sex and site beside the image: a table with an image column goes through a ColumnTransformer.

    python examples/04_metadata_columns.py [--n 160]

For research and education, not for diagnosis.
"""

import argparse

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from dermfeat import LesionFeatures, LesionPipeline, datasets
from dermfeat.pipeline import default_classifier


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=160, help="number of images to draw")
    args = parser.parse_args(argv)

    data = datasets.make_lesions(args.n, random_state=0)
    table = data.metadata[["age", "sex", "site"]].copy()
    table["image"] = list(data.X)

    words = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    columns = {
        "image": ("image", LesionFeatures(), "image"),
        "age": ("age", SimpleImputer(add_indicator=True), ["age"]),
        "words": ("words", words, ["sex", "site"]),
    }
    for name, parts in {"image": ["image"], "metadata": ["age", "words"], "both": list(columns)}.items():
        features = ColumnTransformer([columns[part] for part in parts])
        pipe = LesionPipeline([("features", features), ("classifier", default_classifier(class_weight="balanced"))])
        auc = cross_val_score(pipe, table, data.y, groups=data.groups, scoring="roc_auc", cv=StratifiedGroupKFold(3))
        print(f"{name:10} AUC {auc.mean():.3f} ± {auc.std():.3f}")


if __name__ == "__main__":
    main()
