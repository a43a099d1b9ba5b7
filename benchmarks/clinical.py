"""What the clinical measures are worth: against the diagnosis, and against experts' criteria.

    python benchmarks/clinical.py --data DIR --split CSV --part pretrain [--limit N]
    python benchmarks/clinical.py --ph2 DIR

--data: melanoma against nevus in HAM10000 (HAM10000_metadata.csv, images, masks), with experts' and own masks beside
each other: the ABCD family in XGBoost, and single numbers without learning. CSV has the columns set, image_id, group,
part; the packaged segmenters were fitted to the part "pretrain", "benchmark" is for the final figures. --ph2: the same
numbers, and how asymmetry, colours and structures agree with the dermatologists' criteria of the PH2 data set. Both
can be given.
"""

import argparse
from inspect import signature

import cv2
import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from dermfeat import LesionFeatures, LesionPipeline, LesionReader, default_steps, measures
from dermfeat.datasets import load_ph2
from dermfeat.evaluation import binary_scores, bootstrap_interval, score_row, wilson_interval, write_results
from dermfeat.extraction.base import reference_lesion
from dermfeat.measures.color_clinical import DERMOSCOPIC_COLORS
from dermfeat.reading import sources

POSITIVE = "melanoma"
NAMES = {"mel": POSITIVE, "nv": "nevus"}
SINGLE = {  # measure: values from which a lesion is suspicious in the literature
    "frame_share": (),
    "asymmetry_score": (),
    "border_score": (),
    "color_score": (),
    "structure_score": (),
    "tds": (4.75, np.nextafter(5.45, 9)),  # from 4.75 and above 5.45
    "seven_point_score": (3,),
}
GRADES = [  # expert's grade, its values, measure
    ("asymmetry", range(3), "asymmetry_score"),
    ("asymmetry", range(3), "symmetric_radii_score"),
    ("colors", range(1, 7), "color_score"),
]
FINDINGS = [  # expert's criterion, entries that count, measure, value from which it counts
    ("blue_whitish_veil", [True], "blue_white_veil_share", 0.01),
    ("blue_whitish_veil", [True], "seven_point_blue_white_veil", 1),
    ("streaks", [True], "streaks_count", 3),
    ("streaks", [True], "seven_point_irregular_streaks", 1),
    ("regression_areas", [True], "regression_white_share", 0.01),
    ("regression_areas", [True], "regression_blue_share", 0.01),
    ("regression_areas", [True], "seven_point_regression", 1),
    ("pigment_network", ["atypical"], "seven_point_atypical_network", 1),
    ("dots_globules", ["typical", "atypical"], "dots_count", 3),
    ("dots_globules", ["typical", "atypical"], "globules_count", 2),
    ("dots_globules", ["atypical"], "seven_point_irregular_dots_globules", 1),
]


def taken(tables, name):
    """Return ``{masks: values}`` of the tables that hold a measure, and say so where none does."""
    found = {masks: table[c] for masks, table in tables.items() for c in table if c.rpartition("__")[2] == name}
    if not found:
        print(f"left out: no measure {name} among the features")
    return found


def measured(references, args):
    """Return the measures of images, without texture, as a DataFrame."""
    features = LesionFeatures(reader=LesionReader(segmenter=args.segmenter), n_jobs=args.n_jobs, progress=True)
    features.set_params(texture="drop", abcd__rule={"color_share": args.min_share})
    return features.set_output(transform="pandas").transform(references)


def both_masks(images, masks, args):
    """Return the measures by whose masks they were taken with."""
    return {"expert": measured(list(zip(images, masks, strict=True)), args), "own": measured(list(images), args)}


def interval(statistic, *arrays, n_resamples, seed=0):
    """Return the 95 % percentile bootstrap interval of a statistic of images; what it is undefined for is redrawn."""
    rng = np.random.default_rng(seed)
    values = []
    while len(values) < n_resamples:
        drawn = rng.integers(len(arrays[0]), size=len(arrays[0]))
        if len(arrays) == 1 or len(np.unique(arrays[0][drawn])) > 1:
            values.append(statistic(*(array[drawn] for array in arrays)))
    return tuple(np.quantile(values, [0.025, 0.975]).tolist())


def shown(value, bounds=(), digits=3):
    """Return a number with its interval as text."""
    text = f"{value:.{digits}f}"
    return f"{text} [{', '.join(f'{bound:.{digits}f}' for bound in bounds)}]" if bounds else text


def single_numbers(tables, positive, groups, n_resamples):
    """Return the lines of a table: how well one number alone tells melanoma, without any learning."""
    lines = []
    for name, cuts in SINGLE.items():
        for masks, values in taken(tables, name).items():
            known = values.notna().to_numpy()
            y, score, ids = positive[known], values.to_numpy(float)[known], groups[known]
            bounds = bootstrap_interval(roc_auc_score, y, score, groups=ids, n_resamples=n_resamples)
            about = {"number": name, "masks": masks, "n": str(len(y)), "AUC": shown(roc_auc_score(y, score), bounds)}
            lines += [about | at_cut(y, score, cut) for cut in cuts or [None]]
    return lines


def at_cut(positive, score, cut):
    """Return sensitivity and specificity of calling a lesion suspicious from `cut` on."""
    row = {"suspicious from": "-" if cut is None else f"{cut:g}"}
    for name, chosen in (("sensitivity", positive), ("specificity", ~positive)):
        right = None if cut is None else int(((score >= cut) == positive)[chosen].sum())
        bounds = None if cut is None else [100 * bound for bound in wilson_interval(right, chosen.sum())]
        row[f"{name} %"] = "-" if cut is None else shown(100 * right / chosen.sum(), bounds, 1)
    return row


def families_of(columns):
    """Return ``{row: columns}``: the ABCD family, and each measure in it alone."""
    found = {"abcd": [column for column in columns if column.startswith("abcd__")]}
    for name in measures.__all__:
        function = getattr(measures, name)
        if next(iter(signature(function).parameters), None) == "lesion":
            keys = function(reference_lesion())
            found[f"abcd: {name}"] = [column for column in found["abcd"] if column.removeprefix("abcd__") in keys]
    return {name: chosen for name, chosen in found.items() if chosen}


def out_of_fold(table, y, groups, args):
    """Return the probability of melanoma that XGBoost gives lesions it has not seen."""
    pipe = LesionPipeline(default_steps(pos_label=POSITIVE, n_jobs=args.n_jobs))[2:]  # without the extraction
    splitter = StratifiedGroupKFold(args.folds, shuffle=True, random_state=0)
    proba = cross_val_predict(pipe, table.to_numpy(), y, groups=groups, cv=splitter, method="predict_proba")
    return proba[:, np.unique(y).tolist().index(POSITIVE)]


def auc_difference(positive, pairs):
    """Return the AUC of the second column less that of the first."""
    return roc_auc_score(positive, pairs[:, 1]) - roc_auc_score(positive, pairs[:, 0])


def learned(tables, y, groups, args):
    """Return lines and scores of XGBoost on the measures, by masks, after those of the majority class."""
    majority = binary_scores(y, np.full(len(y), (y == POSITIVE).mean()), pos_label=POSITIVE, n_resamples=50)
    majority.pop("auc_interval")
    found, lines = {"majority class": majority}, [score_row("majority class", majority) | {"own less expert": ""}]
    for name, columns in families_of(tables["expert"]).items():
        proba = {masks: out_of_fold(table[columns], y, groups, args) for masks, table in tables.items()}
        pairs, positive = np.column_stack([proba["expert"], proba["own"]]), y == POSITIVE
        bounds = bootstrap_interval(auc_difference, positive, pairs, groups=groups, n_resamples=args.resamples)
        for masks, scores in proba.items():
            row = f"{name} ({len(columns)}), {masks} masks"
            found[row] = binary_scores(y, scores, pos_label=POSITIVE, groups=groups, n_resamples=args.resamples)
            difference = shown(auc_difference(positive, pairs), bounds) if masks == "own" else ""
            lines.append(score_row(row, found[row]) | {"own less expert": difference})
    return lines, found


def ham10000(args):
    """Return tables, notes and scores of melanoma against nevus."""
    split = pd.read_csv(args.split).query("set == 'ham10000' and part == @args.part")
    cases = split.merge(pd.read_csv(f"{args.data}/HAM10000_metadata.csv"), on="image_id").query("dx in ('mel', 'nv')")
    if args.limit and args.limit < len(cases):
        cases = cases.sample(args.limit, random_state=0)
    cases = cases.sort_values("image_id")
    images = [f"{args.data}/images/{name}.jpg" for name in cases["image_id"]]
    masks = [f"{args.data}/masks/{name}_segmentation.png" for name in cases["image_id"]]
    y, groups = cases["dx"].map(NAMES).to_numpy(str), cases["lesion_id"].to_numpy(str)
    tables = both_masks(images, masks, args)
    lines, scores = learned(tables, y, groups, args)
    notes = [
        f"HAM10000, part {args.part}, melanoma against nevus: {len(y)} images of {len(set(groups))} lesions, "
        f"{(y == POSITIVE).sum()} images of melanoma",
        f"{args.folds}-fold StratifiedGroupKFold by lesion; out-of-fold probabilities pooled, threshold 0.5; "
        "no metadata used",
        *(["The packaged segmenters were fitted to images of this part"] if args.part == "pretrain" else []),
    ]
    single = single_numbers(tables, y == POSITIVE, groups, args.resamples)
    return {"HAM10000: XGBoost on the measures": lines, "HAM10000: one number, no learning": single}, notes, scores


def grade_lines(tables, labels, n_resamples):
    """Return how experts' grades agree with measured ones, by weighted kappa."""
    lines = []
    for criterion, grades, name in GRADES:
        known = labels[criterion].notna().to_numpy()
        expert = labels[criterion][known].to_numpy(int)
        for masks, values in taken(tables, name).items():
            own = np.rint(values.to_numpy()[known]).astype(int)
            line = {"criterion": criterion, "number": name, "masks": masks, "n": str(len(own))}
            line["the same %"] = f"{100 * (expert == own).mean():.1f}"
            for weights in ("linear", "quadratic"):

                def kappa(one, other, weights=weights, grades=grades):
                    return cohen_kappa_score(one, other, weights=weights, labels=list(grades))

                bounds = interval(kappa, expert, own, n_resamples=n_resamples)
                line[f"{weights} kappa"] = shown(kappa(expert, own), bounds)
            lines.append(line)
    return lines


def finding_lines(tables, labels, args):
    """Return how well numbers find what experts found: AUC, and F1 from the value on that counts."""
    colors = [(f"color_{name}", [True], f"{name}_share", args.min_share) for name in DERMOSCOPIC_COLORS]
    lines = []
    for criterion, entries, name, cut in colors + FINDINGS:
        known = labels[criterion].notna().to_numpy()
        there = labels[criterion][known].isin(entries).to_numpy(bool)
        title = criterion if entries == [True] else f"{criterion} {' or '.join(entries)}"
        for masks, values in taken(tables, name).items():
            score = values.to_numpy(float)[known]
            line = {"criterion": title, "number": name, "masks": masks}
            line |= {"n": str(len(there)), "found by expert": str(there.sum()), "AUC": "-", "counts from": f"{cut:g}"}
            if 0 < there.sum() < len(there):
                bounds = bootstrap_interval(roc_auc_score, there, score, n_resamples=args.resamples)
                line["AUC"] = shown(roc_auc_score(there, score), bounds)
            line["F1"] = shown(f1_score(there, score >= cut, zero_division=0))
            line["F1 of always"] = shown(f1_score(there, np.ones_like(there), zero_division=0))
            line["kappa"] = shown(cohen_kappa_score(there, score >= cut)) if len(set(there)) > 1 else "-"
            lines.append(line)
    return lines


def mask_lines(data, args):
    """Return how far the segmenter's masks agree with the experts', at the size of the latter."""
    reader, found = LesionReader(segmenter=args.segmenter), []
    for source in sources(list(zip(data.X, data.masks, strict=True))):
        rgb, expert = source.read()
        own = reader.prepare(rgb, name=source.name).mask.astype(np.float32)
        own = cv2.resize(own, expert.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        jaccard = (own & expert).sum() / (own | expert).sum()
        found.append((jaccard, 2 * jaccard / (1 + jaccard)))
    lines = []
    for name, values in zip(("Jaccard", "Dice"), np.array(found).T, strict=True):
        mean = shown(values.mean(), interval(np.mean, values, n_resamples=args.resamples))
        lines.append({"measure": name, "mean": mean, "median": shown(np.median(values))})
    return lines


def ph2(args):
    """Return tables and notes of the agreement with PH2's experts."""
    data = load_ph2(args.ph2, allow_incomplete=True)
    labels = data.metadata.copy()
    labels["colors"] = labels[[f"color_{name}" for name in DERMOSCOPIC_COLORS]].sum(axis=1)
    tables = both_masks(data.X, data.masks, args)
    experts = labels[["asymmetry", "colors"]].astype("Float64").astype(float)
    experts.columns = ["asymmetry_score", "color_score"]
    everyone = tables | {"expert's own grade": experts}
    single = single_numbers(everyone, data.y == POSITIVE, np.arange(len(data.y)), args.resamples)
    found = {
        "PH2: grades": grade_lines(tables, labels, args.resamples),
        "PH2: findings": finding_lines(tables, labels, args),
        "PH2: melanoma against nevi, one number, no learning": single,
        "PH2: own masks": mask_lines(data, args),
    }
    return found, [f"PH2: {len(data.y)} images, {(data.y == POSITIVE).sum()} melanomas"]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of HAM10000")
    parser.add_argument("--split", help="table of the images of each part, for --data")
    parser.add_argument("--part", choices=["pretrain", "benchmark"], default="pretrain")
    parser.add_argument("--ph2", help="folder of PH2")
    parser.add_argument("--segmenter", default=LesionReader().segmenter, help="who makes the own masks, by name")
    parser.add_argument("--min-share", type=float, default=0.01, help="share from which a colour counts as present")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="use this many images of HAM10000 only, drawn at random")
    parser.add_argument("--resamples", type=int, default=1000, help="of each bootstrap")
    parser.add_argument("--n-jobs", type=int)
    parser.add_argument("--out", default="out/clinical", help="result files without ending")
    args = parser.parse_args(argv)
    if not (args.data or args.ph2) or bool(args.data) != bool(args.split):
        parser.error("give --data with --split, or --ph2, or all of them")

    tables, notes, results = {}, [], {}
    if args.data:
        tables, notes, results = ham10000(args)
    if args.ph2:
        more, about = ph2(args)
        tables, notes = tables | more, notes + about
    notes += [
        "Intervals of 95 %: Wilson for sensitivity and specificity, else bootstrap, over lesions where they are known",
        f"Segmenter of the own masks: {args.segmenter}; classifier: XGBoost with class weights, parameters fixed",
        "Number in brackets: columns of the measure. AUC of one number above 0.5: it is higher in melanoma",
    ]
    arguments = {name: value for name, value in vars(args).items() if name not in ("data", "split", "ph2", "out")}
    print(write_results(args.out, "Clinical measures", tables, notes, {"results": results, "arguments": arguments}))
    return tables


if __name__ == "__main__":
    main()
