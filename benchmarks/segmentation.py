"""Compare segmenters with experts' outlines, side by side on the same images.

    python benchmarks/segmentation.py --data DIR --split CSV --part pretrain [--segmenter otsu chan_vese] [--limit N]
    python benchmarks/segmentation.py --ph2 DIR [--sheet worst.png]

--data holds images/<id>.jpg and masks/<id>_segmentation.png, as HAM10000 does; CSV has the columns set, image_id,
group, part. The packaged segmenters were fitted to the part "pretrain"; "benchmark" is for the final figures. --ph2 is
the PH2 data set. Each image is prepared once as `LesionReader` does, and outlined by every segmenter; the outline is
compared at the size of the expert's mask. --sheet draws the worst outlines: expert green, segmenter magenta.
"""

import argparse
import time

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from dermfeat import LesionReader
from dermfeat.datasets import load_ph2
from dermfeat.evaluation import bootstrap_interval, write_results
from dermfeat.lesion import centred_ellipse
from dermfeat.preparation.learned import is_network, start_map
from dermfeat.reading import sources

GOOD, FAILED = 0.65, 0.5  # Jaccard index; below the first, the threshold Jaccard of ISIC 2018 is 0
BASELINES = {"centred ellipse": centred_ellipse, "whole frame": lambda shape: np.ones(shape, bool)}
FLIPS = "+flips"  # after the name of a network: it looks at mirror images too
WORST, ABREAST = 20, 5
TILE, LABEL = (320, 240), 20  # pixels
GREEN, MAGENTA = (0, 255, 0), (255, 0, 255)


def ham10000(folder, split, part):
    """Return one row for each image of a part: image_id, group (lesion), image and mask (paths)."""
    table = pd.read_csv(split).query("set == 'ham10000' and part == @part").reset_index(drop=True)
    return pd.DataFrame({
        "image_id": table["image_id"],
        "group": table["group"],
        "image": [f"{folder}/images/{name}.jpg" for name in table["image_id"]],
        "mask": [f"{folder}/masks/{name}_segmentation.png" for name in table["image_id"]],
    })  # fmt: skip


def ph2(folder):
    """Return the same of PH2, each image a group of its own."""
    data = load_ph2(folder, allow_incomplete=True)
    names = data.metadata["image_id"]
    return pd.DataFrame({"image_id": names, "group": names, "image": data.X, "mask": data.masks})


def read(image, mask):
    """Return the image prepared as `LesionReader` does but not yet outlined, and the expert's mask."""
    rgb, expert = sources([(image, mask)])[0].read()
    return LesionReader(segmenter="otsu").draft(rgb, name=image), expert


def outlined(draft, segmenter):
    """Return the mask that a segmenter finds, its confidence and the seconds."""
    name = segmenter.removesuffix(FLIPS)
    start = time.perf_counter()
    if is_network(name):
        draft = draft._replace(started=start_map(draft.raw, method=name, flips=name != segmenter))
    lesion = LesionReader(segmenter=name).lesion(draft)
    seconds = time.perf_counter() - start
    return lesion.mask, lesion.confidence, seconds


def overlap(found, expert):
    """Return how far a bool mask agrees with an expert's, at the size of the latter."""
    found = resized(found, expert.shape)
    both, either = (found & expert).sum(), (found | expert).sum()
    return {
        "jaccard": both / max(either, 1),
        "dice": 2 * both / max(found.sum() + expert.sum(), 1),
        "sensitivity": both / max(expert.sum(), 1),
        "specificity": (expert.size - either) / max((~expert).sum(), 1),
    }


def resized(mask, shape):
    way = cv2.INTER_LINEAR if shape[0] > mask.shape[0] else cv2.INTER_AREA
    return cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=way) > 0.5


def measure(cases, segmenters):
    """Return one row for each image and segmenter."""
    rows, warm = [], set()
    for case in tqdm(cases.itertuples(), total=len(cases)):
        draft, expert = read(case.image, case.mask)
        about = {"image_id": case.image_id, "group": case.group}
        for name in segmenters:
            if name not in warm:  # loading and compiling is not timed
                warm.add(name)
                outlined(draft, name)
            mask, confidence, seconds = outlined(draft, name)
            found = {"segmenter": name, "confidence": confidence, "seconds": seconds}
            rows.append(about | found | overlap(mask, expert))
        for name, baseline in BASELINES.items():
            rows.append(about | {"segmenter": name} | overlap(baseline(expert.shape), expert))
    return pd.DataFrame(rows)


def mean_interval(values, groups, n_resamples, *, seed=0):
    """Return the 95 % percentile bootstrap interval of a mean, groups resampled as wholes."""
    _, codes = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(codes, values), np.bincount(codes)
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(n_resamples):
        drawn = rng.integers(len(sums), size=len(sums))
        means.append(sums[drawn].sum() / counts[drawn].sum())
    return tuple(np.quantile(means, [0.025, 0.975]).tolist())


def summary(rows, first, n_resamples):
    """Return the scores of one segmenter, beside those of the first one."""
    jaccard, groups = rows["jaccard"].to_numpy(), rows["group"]
    lead = jaccard - first["jaccard"].to_numpy()
    scores = {
        "n": len(rows),
        "jaccard": jaccard.mean(), "jaccard_interval": mean_interval(jaccard, groups, n_resamples),
        "lead": lead.mean(), "lead_interval": mean_interval(lead, groups, n_resamples),
        "median": np.median(jaccard),
        "threshold_jaccard": np.where(jaccard >= GOOD, jaccard, 0).mean(),
        "failed": (jaccard < FAILED).mean(), "not_good": (jaccard < GOOD).mean(),
    }  # fmt: skip
    scores |= rows[["dice", "sensitivity", "specificity"]].mean().to_dict()
    if rows["confidence"].notna().all():
        scores |= {"ms": 1000 * rows["seconds"].mean(), "time": rows["seconds"].mean() / first["seconds"].mean()}
        scores |= worth_of_confidence(jaccard, rows["confidence"].to_numpy(), groups, n_resamples)
    return scores


def worth_of_confidence(jaccard, confidence, groups, n_resamples):
    """Return how well low confidence finds outlines that are not good; None where that cannot be told."""
    not_good = jaccard < GOOD
    worth = {"confidence_auc": None, "confidence_spearman": None}
    if 0 < not_good.sum() < len(jaccard):
        worth["confidence_auc"] = roc_auc_score(not_good, -confidence)
        worth["confidence_auc_interval"] = bootstrap_interval(
            roc_auc_score, not_good, -confidence, groups=groups, n_resamples=n_resamples
        )
    if len(set(confidence)) > 1 and len(set(jaccard)) > 1:
        worth["confidence_spearman"] = spearmanr(confidence, jaccard).statistic
    return worth


def shown(scores, key, digits=3):
    """Return a score with its interval as text."""
    if scores.get(key) is None:
        return "-"
    bounds = [f"{bound:.{digits}f}" for bound in scores.get(f"{key}_interval", ())]
    return f"{scores[key]:.{digits}f}" + (f" [{', '.join(bounds)}]" if bounds else "")


def overlap_row(name, scores, first):
    return {
        "segmenter": name, "n": scores["n"], "mean Jaccard": shown(scores, "jaccard"),
        f"less that of {first}": shown(scores, "lead"), "median": shown(scores, "median"),
        "threshold Jaccard": shown(scores, "threshold_jaccard"),
        f"below {FAILED} %": f"{100 * scores['failed']:.1f}", f"below {GOOD} %": f"{100 * scores['not_good']:.1f}",
        "Dice": shown(scores, "dice"), "sensitivity": shown(scores, "sensitivity"),
        "specificity": shown(scores, "specificity"), f"time, {first} = 1": shown(scores, "time", 2),
    }  # fmt: skip


def confidence_row(name, scores):
    return {
        "segmenter": name, f"AUC for Jaccard below {GOOD}": shown(scores, "confidence_auc"),
        "Spearman with Jaccard": shown(scores, "confidence_spearman"),
    }  # fmt: skip


def tile(case, row):
    """Return one picture of the sheet: the image with both outlines and what it is."""
    draft, expert = read(case["image"], case["mask"])
    picture = cv2.resize(draft.raw, TILE, interpolation=cv2.INTER_AREA)
    found, _, _ = outlined(draft, row.segmenter)
    for mask, color in ((expert, GREEN), (found, MAGENTA)):
        edges, _ = cv2.findContours(resized(mask, TILE[::-1]).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, edges, -1, color, 1)
    picture[:LABEL] = 0
    text = f"{row.segmenter} {row.image_id} {row.jaccard:.2f}"
    return cv2.putText(picture, text, (4, LABEL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255))


def sheet(cases, worst):
    """Return the (H, W, 3) uint8 contact sheet of the worst outlines, segmenter after segmenter."""
    cases = cases.set_index("image_id").to_dict("index")
    strips = []
    for rows in worst.values():
        tiles = [tile(cases[row.image_id], row) for row in rows.itertuples()]
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % ABREAST)
        strips += [np.hstack(tiles[i : i + ABREAST]) for i in range(0, len(tiles), ABREAST)]
    return np.vstack(strips)


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", help="folder with images and masks")
    data.add_argument("--ph2", help="folder of PH2")
    parser.add_argument("--split", help="table of the images of each part, for --data")
    parser.add_argument("--part", choices=["pretrain", "benchmark"], default="pretrain")
    parser.add_argument(
        "--segmenter",
        nargs="+",
        default=[LesionReader().segmenter],
        help="one or more, by name; unet+flips: with mirror images",
    )
    parser.add_argument("--limit", type=int, help="use this many images only, drawn at random")
    parser.add_argument("--resamples", type=int, default=2000, help="of each bootstrap")
    parser.add_argument("--sheet", help="PNG file for the worst outlines")
    parser.add_argument("--out", default="out/segmentation", help="result files without ending")
    args = parser.parse_args(argv)
    if args.data and not args.split:
        parser.error("--data needs --split")
    return args


def notes(cases, args):
    about = f"HAM10000, part {args.part}" if args.data else "PH2"
    found = [
        f"{len(cases)} images of {cases['group'].nunique()} lesions of {about}",
        "Compared at the size of the expert's mask; intervals of 95 %: bootstrap over lesions",
        f"Threshold Jaccard: 0 where the Jaccard index is below {GOOD}",
        "Time: of outline and confidence, one image after the other, all segmenters in turn in one run",
    ]
    if args.data and args.part == "pretrain":
        found.append("The packaged segmenters were fitted to images of this part: their figures are too good")
    return found


def main(argv=None):
    args = arguments(argv)
    cases = ham10000(args.data, args.split, args.part) if args.data else ph2(args.ph2)
    if cases.empty:
        raise SystemExit(f"{args.split} lists no image of ham10000 in the part {args.part}")
    if args.limit and args.limit < len(cases):
        cases = cases.sample(args.limit, random_state=0).sort_index()
    rows = measure(cases, args.segmenter)
    first = args.segmenter[0]
    by_name = {name: rows[rows["segmenter"] == name].reset_index(drop=True) for name in (*args.segmenter, *BASELINES)}
    results = {name: summary(found, by_name[first], args.resamples) for name, found in by_name.items()}
    worst = {name: by_name[name].nsmallest(WORST, "jaccard") for name in args.segmenter}
    if args.sheet:
        Image.fromarray(sheet(cases, worst)).save(args.sheet)

    tables = {
        "agreement with the expert": [overlap_row(name, scores, first) for name, scores in results.items()],
        "what confidence is worth": [confidence_row(name, results[name]) for name in args.segmenter],
    }
    listed = {name: found[["image_id", "jaccard", "confidence"]].to_dict("records") for name, found in worst.items()}
    for name, records in listed.items():
        lines = [record | {key: f"{record[key]:.3f}" for key in ("jaccard", "confidence")} for record in records]
        tables[f"worst outlines of {name}"] = lines
    private = ("data", "split", "ph2", "sheet", "out")
    chosen = {name: value for name, value in vars(args).items() if name not in private}
    details = {"results": results, "worst": listed, "arguments": chosen}
    print(write_results(args.out, "Segmentation", tables, notes(cases, args), details))
    return results


if __name__ == "__main__":
    main()
