"""Columns that tell the label without the lesion are found, honest ones and noise are not; faults of real sets are."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermfeat.auditing import audit
from dermfeat.auditing.columns import CLINICAL, LABEL_NAMES
from dermfeat.auditing.shortcuts import auc

N = 240


@pytest.fixture(scope="module")
def images():
    """Noise of one size, so that there is nothing to learn from the images."""
    return np.random.default_rng(0).integers(60, 200, (N, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(1).permutation(np.repeat(["benign", "malignant"], N // 2))


def codes_of(report):
    return set(report.codes) - {"class_counts", "no_groups", "missing_values"}


def items(report, code):
    return {row.name: row.what for finding in report[code] for row in finding.items.itertuples()}


def test_noise_is_no_shortcut(images, labels):
    rng = np.random.default_rng(2)
    metadata = pd.DataFrame(
        {
            "number": rng.normal(size=N),
            "level": rng.choice(list("abcdef"), N),
            "id": [f"X{i:04d}" for i in rng.permutation(N)],
            "constant": 1,
            "empty": None,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, N), unit="D"),
            "flag": rng.random(N) < 0.5,
        }
    )
    assert (
        codes_of(audit(images, labels, metadata=metadata)) & {"column_predicts_label", "value_implies_label"} == set()
    )


def test_planted_columns_are_found(images, labels):
    rng = np.random.default_rng(3)
    hit = np.where(rng.random(N) < 0.85, labels == "malignant", labels != "malignant")
    metadata = pd.DataFrame(
        {
            "source": np.where(hit, "clinic", "archive"),
            "camera_id": [f"{'A' if h else 'BB'}{i}" for h, i in zip(hit, rng.permutation(N), strict=True)],
            "accession": [f"S{i + 1000 * h}" for h, i in zip(hit, rng.permutation(N), strict=True)],
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, N) + 99 * hit, unit="D"),
            "lost": np.where(hit, np.nan, rng.normal(size=N)),
            "age": rng.normal(40, 3, N) + 20 * hit,
            "unrelated": rng.choice(list("xyz"), N),
        }
    )
    report = audit(images, labels, metadata=metadata)
    (warning,) = report["column_predicts_label"]
    names = {"source", "pattern of camera_id", "number in accession", "day", "lost"}
    assert names <= set(warning.items["name"])
    assert "unrelated" not in set(warning.items["name"])
    (note,) = report["clinical_column_predicts_label"]
    assert (note.severity, note.items["name"].tolist()) == ("note", ["age"])
    assert "Decide whether" in note.cure


def test_columns_that_repeat_the_label(images, labels):
    metadata = pd.DataFrame(
        {
            "diagnosis": np.where(labels == "malignant", "melanoma", np.where(np.arange(N) % 2, "nevus", "bkl")),
            "target": (labels == "malignant").astype(int),
            "verdict": np.char.upper(labels),
            "clinic": np.where(labels == "malignant", "Vienna", "Sydney"),
        }
    )
    report = audit(images, labels, metadata=metadata)
    by_severity = {f.severity: set(f.items["name"]) for f in report["column_repeats_label"]}
    assert by_severity == {"note": {"diagnosis", "target", "verdict"}, "warning": {"clinic"}}
    assert "column_predicts_label" not in report.codes


def test_a_value_that_implies_a_class(images, labels):
    rng = np.random.default_rng(4)
    followed = (labels == "benign") & (rng.random(N) < 0.4)
    metadata = pd.DataFrame({"dx_type": np.where(followed, "follow_up", rng.choice(["histo", "consensus"], N))})
    rules = items(audit(images, labels, metadata=metadata), "value_implies_label")
    assert list(rules) == ["dx_type = follow_up"]
    assert f"{followed.sum()} of {followed.sum()} images are benign" in rules["dx_type = follow_up"]


def test_files_tell_the_label(tmp_path, images, labels):
    paths = []
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / ("new" if label == "malignant" else "old") / f"{'N' if i % 2 else 'MM'}_{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        size = (80, 64) if label == "malignant" and i % 3 else (80, 80) if i % 5 == 0 else (64, 64)
        Image.fromarray(image).resize(size).save(path, quality=60)
        paths.append(path)
    report = audit(paths, labels)
    assert {"width", "aspect ratio", "size and file size together"} <= set(items(report, "file_predicts_label"))
    assert items(report, "column_repeats_label") == {"folder": "one value for each class"}


def test_class_folders_are_no_finding(tmp_path, images, labels):
    paths = [tmp_path / label / f"{i}.png" for i, label in enumerate(labels)]
    for path, image in zip(paths, images, strict=True):
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    assert "column_repeats_label" not in audit(paths, labels).codes


def test_groups_keep_repeated_lesions_apart(images):
    """A room in which all photos of one lesion were taken tells its label again, but not that of a new lesion."""
    lesion = np.arange(N) // 12
    label = np.random.default_rng(5).permutation(np.repeat(["a", "b"], N // 24))[lesion]
    label[::12] = np.where(label[::12] == "a", "b", "a")
    metadata = pd.DataFrame({"room": [f"room {chr(65 + i)}" for i in lesion]})
    assert "column_predicts_label" in audit(images, label, metadata=metadata).codes
    assert "column_predicts_label" not in audit(images, label, groups=lesion, metadata=metadata).codes


def test_columns_that_say_the_same_are_named_once(images, labels):
    age = np.random.default_rng(8).normal(40, 3, N) + 9 * (labels == "malignant")
    metadata = pd.DataFrame({"age": age, "age_in_months": 12 * age, "born": 2020 - age})
    (note,) = audit(images, labels, metadata=metadata)["clinical_column_predicts_label"]
    assert note.items["name"].tolist() == ["age"]


def test_too_few_images_are_said_to_be(images):
    report = audit(images[:12], ["a", "b"] * 6)
    assert "shortcuts_not_examined" in report.codes
    assert "shortcuts_not_examined" not in audit(images[:40], ["a", "b"] * 20).codes


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a", None] * 20, dtype="category"),
        pd.Series([1, None] * 20, dtype="Int64"),
        pd.Series([True, None] * 20, dtype="boolean"),
        pd.Series([1.0, np.inf] * 20),
        pd.Series([1 + 2j] * 40),
        pd.Series(pd.date_range("2020-01-01", periods=40, tz="Europe/Vienna")),
        pd.Series([pd.NaT, pd.Timestamp("2020-01-01")] * 20),
        pd.Series(pd.to_timedelta(range(40), unit="D")),
        pd.Series([["a", "list"], {"b": 1}] * 20),
        pd.Series(["9" * 400, "nan", "", None] * 10),
        pd.Series([np.nan] * 40),
        pd.Series(["1", 1, 1.5, b"x"] * 10),
    ],
    ids=lambda column: f"{column.dtype}-{str(column[1])[:8]}",
)
def test_any_metadata_can_be_looked_at(images, column):
    report = audit(images[:40], ["a", "b"] * 20, metadata=pd.DataFrame({("two", "levels"): column, 3: column}))
    assert "shortcuts_not_examined" not in report.codes
    assert len(str(report)) > 100


@pytest.mark.parametrize("y", [[True, False], [1, 0], [1.0, 0.0], pd.Categorical(["a", "b"])], ids=str)
def test_any_labels(images, y):
    y = pd.Series([*y] * 20)
    report = audit(images[:40], y, metadata=pd.DataFrame({"target": y}))
    assert items(report, "column_repeats_label").keys() == {"target"}


def test_margin(images, labels):
    rng = np.random.default_rng(6)
    hit = np.where(rng.random(N) < 0.75, labels == "malignant", labels != "malignant")
    metadata = pd.DataFrame({"source": np.where(hit, "a", "b")})
    assert "column_predicts_label" in audit(images, labels, metadata=metadata).codes
    assert "column_predicts_label" not in audit(images, labels, metadata=metadata, margin=0.3).codes


def test_auc_of_a_known_column():
    rng = np.random.default_rng(7)
    codes = np.repeat([0, 1], 1000)
    order = rng.permutation(2000)
    folds = [(np.setdiff1d(order, part), part) for part in np.array_split(order, 5)]
    x = rng.normal(size=2000) + 1.0 * codes  # area under the ROC curve: Phi(1 / sqrt 2) = 0.760
    mean, low, high = auc(x[:, None], codes, folds, [False])
    assert low < 0.76 < high
    assert high - low < 0.15
    assert mean == pytest.approx(0.76, abs=0.03)


def test_names_of_columns():
    clinical = ("age", "age_approx", "Sex", "localization", "anatom_site_general", "site", "skin_type")
    assert all(CLINICAL.match(name) for name in clinical)
    assert not any(CLINICAL.match(name) for name in ("image_id", "dx_type", "source", "width"))
    assert all(LABEL_NAMES.match(name) for name in ("label", "diagnosis", "dx", "target", "benign_malignant", "class"))
    assert not any(LABEL_NAMES.match(name) for name in ("dx_type", "source", "year", "classifier_version"))


def test_class_counts(images):
    y = ["a"] * 200 + ["b"] * 36 + ["c"] * 4
    report = audit(images, y)
    assert items(report, "class_counts")["c"].startswith("4 images, 1.7%")
    assert set(items(report, "small_class")) == {"b", "c"}
    assert "imbalance" in report.codes
    single = audit(images[:5], ["a"] * 5)
    assert single["class_counts"][0].severity == "warning"
    assert not {"small_class", "shortcuts_not_examined"} & set(single.codes)


def test_missing_values(images):
    metadata = pd.DataFrame({"age": [1.0, np.nan] * 120, "sex": ["f", "unknown", None] * 80, "full": 1, "empty": None})
    assert items(audit(images, metadata=metadata), "missing_values") == {
        "age": "120 missing",
        "sex": "80 missing, 80 unknown",
        "empty": "all missing",
    }


def test_nine_classes_of_isic(shared_data):
    folder = shared_data / "isic_9class" / "Train"
    names = ("melanoma", "seborrheic keratosis", "nevus", "actinic keratosis")
    paths = [path for name in names for path in sorted((folder / name).glob("*.jpg"))]
    y = np.array([path.parent.name for path in paths])
    report = audit(paths, y, n_jobs=2)
    (doubtful,) = report["same_image_two_labels"]
    counts = pd.Series(y[doubtful.items["index"].to_numpy(int)]).value_counts()
    assert counts["seborrheic keratosis"] >= 70
    assert counts["actinic keratosis"] >= 58
    assert not set(report.clean()) & set(doubtful.items["index"])


def test_ham10000(shared_data):
    folder = shared_data / "ham10000"
    table = pd.read_csv(folder / "HAM10000_metadata.csv")
    table = table[[(folder / "images" / f"{name}.jpg").exists() for name in table["image_id"]]]
    copies = ("ISIC_0024366", "ISIC_0029861", "ISIC_0024777", "ISIC_0029938")
    lesions = pd.unique(table["lesion_id"])[::14]
    table = table[table["lesion_id"].isin(lesions) | table["image_id"].isin(copies)].reset_index(drop=True)
    split = np.where(np.random.default_rng(0).random(len(table)) < 0.2, "test", "train")
    X = [str(folder / "images" / f"{name}.jpg") for name in table["image_id"]]
    report = audit(X, table["dx"], table["lesion_id"], split, table, n_jobs=2)
    exact = {table["image_id"][i] for f in report["exact_copies"] for row in f.items.itertuples()
             for i in (row.index, row.partner)}  # fmt: skip
    assert exact == set(copies)
    crossing = pd.Series(split).groupby(table["lesion_id"]).transform("nunique") > 1
    assert report["groups_across_split"][0].items["index"].tolist() == np.flatnonzero(crossing).tolist()
    assert "dx_type = follow_up" in items(report, "value_implies_label")
    assert "dx_type" in items(report, "column_predicts_label")
    assert {"age", "localization"} & set(items(report, "clinical_column_predicts_label"))
    assert "dx" in items(report, "column_repeats_label")
    assert "unknown" in items(report, "missing_values")["localization"]


def test_ham10000_inverted_masks(shared_data):
    folder = shared_data / "ham10000"
    opened = [(path, Image.open(path)) for path in sorted((folder / "masks").glob("*.png"))[::20]]
    X = [(str(folder / "images" / f"{path.name[:12]}.jpg"), np.asarray(mask)) for path, mask in opened]
    palette = [i for i, (_, mask) in enumerate(opened) if mask.mode == "P"]
    assert len(palette) >= 10
    wrong = audit(X, n_jobs=2)["inverted_mask"][0].items["index"].tolist()
    assert set(palette) <= set(wrong)
    assert len(wrong) <= len(palette) + 1
    right = audit([(image, str(path)) for (image, _), (path, _) in zip(X, opened, strict=True)][::3], n_jobs=2)
    assert sum(len(f.items) for f in right["inverted_mask"]) <= 1


def test_malignant_vs_benign(shared_data):
    folder = shared_data / "malignant_vs_benign"
    table = pd.read_csv(folder / "lesions.csv")
    table = table[[(folder / file).exists() for file in table["file"]]]
    table = pd.concat([table.iloc[::3], table[table["file"].str.contains(r"malignant/76[89]\.")]])
    table = table.drop_duplicates().reset_index(drop=True)
    X = [str(folder / file) for file in table["file"]]
    known = table.assign(in_ham10000=table["isic_id"].notna())
    report = audit(X, table["label"], groups=table["lesion_id"], metadata=known, n_jobs=2)
    assert "in_ham10000" in items(report, "column_predicts_label")
    assert "in_ham10000 = False" in items(report, "value_implies_label")
    assert {"label"} <= set(items(report, "column_repeats_label"))
    copies = {report.facts["name"][i][-7:] for i in report["exact_copies"][0].items["index"]}
    assert copies == {"769.jpg"}


def test_siim_channels(shared_data):
    from dermfeat.reading import tfrecord_table

    files = sorted((shared_data / "siim2020" / "tfrecords").glob("*.tfrec"))
    table = pd.concat([tfrecord_table(file) for file in files], ignore_index=True)
    report = audit(table["reference"], table["target"], groups=table["patient_id"])
    (swapped,) = report["swapped_channels"]
    assert (swapped.severity, len(swapped.items)) == ("error", len(table))
