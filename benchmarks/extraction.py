"""Extraction twice, and its peak memory as the number of images grows.

    python benchmarks/extraction.py [--data DIR] [--counts 1000 10000] [--embedding mobilenet --alpha 0.5]

Each figure comes from a process of its own with an empty store. With --data, all JPEG files below DIR are extracted
twice; without, drawn lesions are written as JPEG files and --counts of them are extracted, for time and memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dermfeat.evaluation import write_results


def extract(folder, count, embedding, alpha, n_jobs):
    """Extract twice in this process and return seconds and the peak memory in MB (Linux: KB are reported)."""
    import resource  # not on Windows

    from dermfeat import CNNEmbedding, LesionFeatures
    from dermfeat.extraction import default_families

    paths = sorted(str(path) for path in Path(folder).rglob("*.jpg"))[:count]
    families = default_families()
    if embedding != "none":
        weights = None if embedding.endswith("*") else "imagenet"
        families.append(("embedding", CNNEmbedding(embedding.rstrip("*"), alpha=alpha, weights=weights)))
    features = LesionFeatures(families, n_jobs=n_jobs)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        rows = features.transform(paths)
        seconds.append(time.perf_counter() - start)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {
        "images": len(paths), "columns": rows.shape[1], "first s": seconds[0], "second s": seconds[1],
        "ms an image": 1000 * seconds[0] / len(paths), "peak MB": peak, "output MB": rows.nbytes / 2**20,
    }  # fmt: skip


def in_child(*arguments):
    """Return what `extract` gives in a fresh process with a fresh cache."""
    with tempfile.TemporaryDirectory() as cache:
        code = f"import json, runpy; f = runpy.run_path({__file__!r})['extract']; print(json.dumps(f(*{arguments!r})))"
        environment = os.environ | {"DERMFEAT_CACHE": cache, "DERMFEAT_STORE": "1"}
        printed = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    return json.loads(printed.splitlines()[-1])


def draw(folder, count):
    """Write `count` different drawn lesions of 200 x 150 as JPEG files."""
    from PIL import Image

    from dermfeat.datasets import make_lesions

    drawn = make_lesions(min(count, 500), size=(150, 200), random_state=0)
    for i in range(count):
        image = drawn.X[i % len(drawn.X)].copy()
        image[0, 0] = (i // 62500, i // 250 % 250, i % 250)  # another content, so another digest
        Image.fromarray(image).save(Path(folder) / f"{i:06}.jpg", quality=95, subsampling=0)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of JPEG files")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--embedding", default="none", help="backbone; with a * for random weights")
    parser.add_argument("--alpha", type=float)
    parser.add_argument("--n-jobs", type=int)
    parser.add_argument("--out", default="out/extraction", help="result files without ending")
    args = parser.parse_args(argv)

    options = args.embedding, args.alpha, args.n_jobs
    with tempfile.TemporaryDirectory() as folder:
        if args.data:
            found = [in_child(args.data, None, *options)]
        else:
            draw(folder, max(args.counts))
            found = [in_child(folder, count, *options) for count in args.counts]
    for row in found:
        row["second / first"] = row["second s"] / row["first s"]
        row["peak / first peak"] = (row["peak MB"] - row["output MB"]) / (found[0]["peak MB"] - found[0]["output MB"])
    table = [{k: f"{v:.4g}" for k, v in row.items()} for row in found]
    images = Path(args.data).name if args.data else "drawn, 200 x 150, JPEG"
    notes = [
        f"Images: {images}; embedding: {args.embedding} {args.alpha or ''}",
        "The output array (float32) is not counted in the ratio of peaks, nor are worker processes",
    ]
    print(write_results(args.out, "Extraction", {"time and memory": table}, notes, {"results": found}))
    return found


if __name__ == "__main__":
    main()
