"""What bfloat16 gains in speed and changes in AUC against float32, on images with a folder for each class.

    python benchmarks/precision.py --data DIR [--embedding mobilenet_v2 --alpha 1.0]

DIR is as for malignant_vs_benign.py. Only its train part is used: out-of-fold probabilities of XGBoost on the
embedding alone, photos of one lesion in one fold. The ImageNet weights are those of Keras, in $KERAS_HOME/models.
Speed is that of the network on ready images, medians of runs that alternate.
"""

import argparse
import time

import numpy as np
from common import add_arguments, backbone, classifier, out_of_fold
from malignant_vs_benign import POSITIVE, load
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold

from dermfeat import config_context, default_steps
from dermfeat.evaluation import binary_scores, write_results

PRECISIONS = ("float32", "bfloat16")
ROUNDS = 11


def images_per_second(embeddings, batch, rounds=ROUNDS):
    """Return the median speed of each ``{name: CNNEmbedding}`` on a batch, in images/s, the runs interleaved."""
    seconds = {name: [] for name in embeddings}
    with config_context(store=False):
        for embedding in embeddings.values():
            embedding.transform(batch)
        for _ in range(rounds):
            for name, embedding in embeddings.items():
                start = time.perf_counter()
                embedding.transform(batch)
                seconds[name].append(time.perf_counter() - start)
    return {name: len(batch) / float(np.median(found)) for name, found in seconds.items()}


def out_of_fold_scores(data, parts, embedding, args):
    """Return the scores of XGBoost on the embedding alone."""
    X, y = data.X[parts], data.y[parts]
    groups = parts if data.groups is None else data.groups[parts]
    steps = default_steps([], embedding=embedding, classifier=classifier(args, pos_label=POSITIVE), n_jobs=args.n_jobs)
    splitter = StratifiedGroupKFold(args.folds, shuffle=True, random_state=0)
    proba = out_of_fold(steps, X, y, groups, splitter)[:, np.unique(y).tolist().index(POSITIVE)]
    return binary_scores(y, proba, pos_label=POSITIVE, groups=groups, n_resamples=args.resamples)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train/benign and train/malignant")
    parser.add_argument("--runtime", default="auto", help="engine of CNNEmbedding")
    parser.add_argument("--images", type=int, default=128, help="of a timed run")
    add_arguments(parser, "precision")
    parser.set_defaults(embedding="mobilenet_v2", alpha=1.0)
    args = parser.parse_args(argv)

    model = backbone(args.embedding, args.alpha).set_params(runtime=args.runtime)
    models = {precision: clone(model).set_params(precision=precision) for precision in PRECISIONS}
    shape = (args.images, model.least_side, model.least_side, 3)
    speed = images_per_second(models, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    data, train, _ = load(args.data, args.limit)
    results = {precision: out_of_fold_scores(data, train, embedding, args) for precision, embedding in models.items()}
    rows = [
        {
            "precision": precision,
            "images/s": f"{speed[precision]:.0f}",
            "speed ratio": f"{speed[precision] / speed['float32']:.2f}",
            "AUC": "{:.4f} [{:.3f}, {:.3f}]".format(scores["auc"], *scores["auc_interval"]),
        }
        for precision, scores in results.items()
    ]
    notes = [
        f"{len(train)} train images; {args.folds}-fold StratifiedGroupKFold; XGBoost on the embedding alone",
        f"Embedding: {model}",
        f"Change in AUC: {results['bfloat16']['auc'] - results['float32']['auc']:+.4f}",
    ]
    details = {"results": results, "images_per_second": speed}
    print(write_results(args.out, "float32 and bfloat16", {"out of fold": rows}, notes, details))
    return results


if __name__ == "__main__":
    main()
