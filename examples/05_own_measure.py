"""A measure of your own: a function from a lesion to named numbers.

    python examples/05_own_measure.py [--n 120]

For research and education, not for diagnosis.
"""

import argparse

import numpy as np

from dermfeat import ColorFeatures, FunctionFeatures, LesionFeatures, LesionPipeline, datasets, default_steps


def redness(lesion):
    """CIELAB a* of the lesion's inner half and of its rim, each against the surrounding skin."""
    depth = lesion.signed_distance / max(lesion.signed_distance.max(), 1)
    a = lesion.lab[..., 1]
    skin = np.median(a[lesion.skin])
    core, rim = lesion.mask & (depth >= 0.5), lesion.mask & (depth < 0.5)
    return {
        "core_minus_skin": float(a[core].mean() - skin) if core.any() else 0.0,
        "rim_minus_skin": float(a[rim].mean() - skin) if rim.any() else 0.0,
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=120, help="number of images to draw")
    args = parser.parse_args(argv)

    data = datasets.make_lesions(args.n, random_state=0)
    features = LesionFeatures([("redness", FunctionFeatures(redness, version="1"))]).set_output(transform="pandas")
    print(features.fit_transform(data.X[:5]).round(2).to_string())

    families = [("color", ColorFeatures()), ("redness", FunctionFeatures(redness, version="1"))]
    pipe = LesionPipeline(default_steps(families, pos_label=data.pos_label)).fit(data.X, data.y)
    names = pipe[:-1].get_feature_names_out()
    for i in np.argsort(pipe[-1].feature_importances_)[::-1][:8]:
        print(f"{pipe[-1].feature_importances_[i]:.3f}  {names[i]}")


if __name__ == "__main__":
    main()
