"""Add the features of a pretrained network to the clinical measures.

    python examples/03_embeddings.py --data DIR [--embedding mobilenet_v2] [--random-weights]

DIR holds one folder a class. ImageNet weights are taken from $KERAS_HOME/models, or downloaded there by Keras.
Without --data, drawn lesions are used. For research and education, not for diagnosis.
"""

import argparse

from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from dermfeat import CNNEmbedding, LesionPipeline, datasets, default_steps


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with one folder a class")
    parser.add_argument("--embedding", default="mobilenet_v2")
    parser.add_argument("--alpha", type=float)
    parser.add_argument("--random-weights", action="store_true", help="try it out with no weights at hand")
    parser.add_argument("--n", type=int, default=120, help="number of images to draw without --data")
    args = parser.parse_args(argv)

    data = datasets.load_folder(args.data) if args.data else datasets.make_lesions(args.n, random_state=0)
    weights = None if args.random_weights else "imagenet"
    embedding = CNNEmbedding(args.embedding, weights=weights, alpha=args.alpha)
    groups = range(len(data.X)) if data.groups is None else data.groups  # photos of one lesion stay together
    folds = StratifiedGroupKFold(3)
    rows = {
        "classical": default_steps(),
        "deep": default_steps(families=[], embedding=embedding),
        "classical + deep": default_steps(embedding=embedding),
    }
    for name, steps in rows.items():
        scoring = "roc_auc" if len(data.target_names) == 2 else "roc_auc_ovr"
        auc = cross_val_score(LesionPipeline(steps), data.X, data.y, groups=groups, scoring=scoring, cv=folds)
        print(f"{name:18} AUC {auc.mean():.3f} ± {auc.std():.3f}")


if __name__ == "__main__":
    main()
