"""derm7pt, Kaggle's two sets and DermaMNIST: small folders in their layouts, every fault of them, and real copies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermfeat import LesionImageError
from dermfeat.datasets import derm7pt, dermamnist, ham10000, isic_9class, malignant_vs_benign
from dermfeat.datasets.derm7pt import load_derm7pt
from dermfeat.datasets.dermamnist import load_dermamnist
from dermfeat.datasets.isic_9class import load_isic_9class
from dermfeat.datasets.malignant_vs_benign import load_malignant_vs_benign
from dermfeat.datasets.tables import read_table
from dermfeat.measures import seven_point_from_labels
from dermfeat.reading import sources

BUNCH = {"X", "y", "groups", "metadata", "split", "target_names", "pos_label", "DESCR", "citation", "licence"}


def publish(monkeypatch, module, counts, labels=None):
    """Let a copy of these counts be complete."""
    monkeypatch.setattr(module, "CARD", replace(module.CARD, counts=counts, labels=labels or {}))


def save_image(file, value=0):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), (value, 100, 50)).save(file)


def check_bunch(data, n):
    assert set(data) - {"masks"} == BUNCH
    assert len(data.X) == len(data.y) == len(data.metadata) == n
    assert all(isinstance(x, str) for x in data.X)
    assert data.citation in data.DESCR
    assert data.licence in data.DESCR
    assert not {"diagnosis", "malignant", "melanoma", "split", "group", "reference", "class"} & set(data.metadata)


# derm7pt

CASES = """\
case_num,diagnosis,seven_point_score,pigment_network,streaks,pigmentation,regression_structures,dots_and_globules,\
blue_whitish_veil,vascular_structures,level_of_diagnostic_difficulty,elevation,location,sex,management,clinic,derm,\
case_id,notes
1,basal cell carcinoma,2,absent,absent,absent,absent,absent,absent,dotted,medium,nodular,abdomen,female,excision,\
AA/A1.JPG,AA/a2.jpg,,
2,clark nevus,1,typical,regular,absent,blue areas,absent,absent,comma,low,flat,back,male,no further examination,\
AA/a3.jpg,AA/a4.jpg,1d17,
3,melanoma (in situ),7,atypical,irregular,diffuse irregular,absent,irregular,present,absent,high,palpable,acral,,\
excision,AA/a5.jpg,BB/a6.jpg,1d17,seen twice
4,miscellaneous,0,absent,absent,localized regular,absent,regular,absent,wreath,low,flat,chest,male,excision,\
AA/a5.jpg,BB/a8.jpg,,
5,melanoma metastasis,0,absent,absent,absent,absent,absent,absent,hairpin,low,flat,chest,male,excision,\
AA/a9.jpg,BB/a10.jpg,,
"""
INDEXES = {"train": [3, 0], "valid": [1], "test": [2, 4]}


@pytest.fixture
def seven(tmp_path, monkeypatch):
    publish(monkeypatch, derm7pt, {"train": 2, "validation": 1, "test": 2})
    root = tmp_path / "release_v0"
    (root / "meta").mkdir(parents=True)
    (root / "meta/meta.csv").write_text(CASES)
    for part, rows in INDEXES.items():
        (root / f"meta/{part}_indexes.csv").write_text("\n".join(["indexes", *map(str, rows)]))
    for name in ("AA/A1.jpg", *(f"AA/a{i}.jpg" for i in (2, 3, 4, 5, 9)), *(f"BB/a{i}.jpg" for i in (6, 8, 10))):
        save_image(root / "images" / name)
    return root


def test_derm7pt_is_read(seven):
    data = load_derm7pt(seven)
    check_bunch(data, 5)
    assert data.y.tolist() == ["basal cell carcinoma", "nevus", "melanoma", "miscellaneous", "melanoma"]
    assert data.split.tolist() == ["train", "validation", "test", "train", "test"]
    assert data.groups.tolist() == ["case 1", "case 1d17", "case 1d17", "case 4", "case 5"]
    assert [Path(x).name for x in data.X] == ["a2.jpg", "a4.jpg", "a6.jpg", "a8.jpg", "a10.jpg"]
    assert data.metadata["image_id"].tolist() == list("12345")
    assert data.metadata["site"].tolist() == ["abdomen", "back", "acral", "chest", "chest"]
    assert data.metadata["sex"].isna().tolist() == [False, False, True, False, False]
    assert data.pos_label == "melanoma"
    assert load_derm7pt(seven.parent).X.tolist() == data.X.tolist()


def test_derm7pt_labels_go_into_the_checklist(seven):
    table = load_derm7pt(seven).metadata
    assert seven_point_from_labels(table).tolist() == [2, 1, 7, 0, 0]
    assert table["seven_point_score"].tolist() == [2, 1, 7, 0, 0]


def test_derm7pt_clinical_photos_are_found_whatever_their_case(seven):
    data = load_derm7pt(seven, image="clinic")
    assert [Path(x).name for x in data.X] == ["A1.jpg", "a3.jpg", "a5.jpg", "a5.jpg", "a9.jpg"]
    assert "1 cases share their photo with a case before them" in data.DESCR
    with pytest.raises(LesionImageError, match="image: 'both'"):
        load_derm7pt(seven, image="both")


def test_derm7pt_targets(seven):
    data = load_derm7pt(seven, target="malignant")
    assert data.y.tolist() == ["malignant", "benign", "malignant", None, "malignant"]
    assert "train, no label: 1" in data.DESCR
    data = load_derm7pt(seven, target="melanoma")
    assert data.y.tolist() == ["other", "other", "melanoma", "other", "melanoma"]
    assert data.pos_label == "melanoma"


def test_derm7pt_leaks(seven):
    data = load_derm7pt(seven, with_leaks=True)
    leaks = {"management", "level_of_diagnostic_difficulty", "notes", "published_diagnosis", "diagnosis"}
    assert set(data.metadata) - set(load_derm7pt(seven).metadata) == leaks
    assert data.metadata["published_diagnosis"][2] == "melanoma (in situ)"
    assert data.metadata["notes"].isna().sum() == 4


def test_derm7pt_knows_its_twenty_diagnoses():
    assert len(derm7pt.DIAGNOSES) == 20
    assert sum(derm7pt.CARD.counts.values()) == 1011


def edit(name, old, new):
    def spoil(root):
        file = root / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return spoil


def remove(name):
    return lambda root: (root / name).unlink()


SEVEN_FAULTS = {
    "no table": (remove("meta/meta.csv"), r"none of the tables \['meta/meta.csv'\]"),
    "no column": (edit("meta/meta.csv", "streaks", "stripes"), r"no columns \['streaks'\]"),
    "no part": (remove("meta/valid_indexes.csv"), "valid_indexes.csv: there is no such file"),
    "no indexes": (edit("meta/valid_indexes.csv", "indexes", "rows"), r"no columns \['indexes'\]"),
    "no number": (edit("meta/valid_indexes.csv", "1", "x"), "indexes of row 2 is 'x'"),
    "no such row": (edit("meta/valid_indexes.csv", "1", "5"), "5.0 is no row of meta.csv"),
    "half a row": (edit("meta/valid_indexes.csv", "1", "1.5"), "1.5 is no row of meta.csv"),
    "overlap": (edit("meta/valid_indexes.csv", "1", "0"), "row 0 is listed twice"),
    "twice in a part": (edit("meta/train_indexes.csv", "3\n0", "3\n3"), "row 3 is listed twice"),
    "in no part": (edit("meta/train_indexes.csv", "3\n0", "3"), r"1 rows of meta.csv in no part, such as 0"),
    "no image": (remove("images/BB/a6.jpg"), r"1 of 5 images are missing \(3\)"),
    "unknown diagnosis": (edit("meta/meta.csv", "clark", "dark"), "diagnosis of row 3 is 'dark nevus'"),
    "unknown label": (edit("meta/meta.csv", "wreath", "wealth"), "vascular_structures of row 5 is 'wealth'"),
    "wrong score": (edit("meta/meta.csv", "clark nevus,1", "clark nevus,2"), "labels of case 2 do not give"),
    "no score": (edit("meta/meta.csv", "clark nevus,1", "clark nevus,one"), "seven_point_score of row 3 is 'one'"),
    "case twice": (edit("meta/meta.csv", "2,clark", "1,clark"), "case 1 is listed twice"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SEVEN_FAULTS)
def test_derm7pt_faults(seven, fault):
    spoil, message = SEVEN_FAULTS[fault]
    load_derm7pt(seven)
    spoil(seven)
    with pytest.raises(LesionImageError, match=f"(?s){message}"):
        load_derm7pt(seven)


def test_derm7pt_incomplete_and_missing_labels(seven):
    (seven / "images/BB/a6.jpg").unlink()
    edit("meta/meta.csv", "3,melanoma (in situ),7,atypical", "3,melanoma (in situ),7,")(seven)
    data = load_derm7pt(seven, allow_incomplete=True)
    assert data.y.tolist() == ["basal cell carcinoma", "nevus", "miscellaneous", "melanoma"]
    assert "1 of 5 images are missing (3)" in data.DESCR
    edit("meta/meta.csv", "clark nevus,1", "clark nevus,")(seven)
    assert load_derm7pt(seven, allow_incomplete=True).metadata["seven_point_score"].isna().sum() == 1


# Malignant vs. benign


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    publish(monkeypatch, malignant_vs_benign, {"train": 3, "test": 2}, {"train": {"malignant": 1}})
    root = tmp_path / "archive" / "data"
    for i, file in enumerate(
        ("train/benign/1", "train/benign/2", "train/malignant/1", "test/benign/3", "test/malignant/3")
    ):
        save_image(root / f"{file}.jpg", i)
    return root


LESIONS = """\
file,label,isic_id,lesion_id
train/benign/1.jpg,benign,ISIC_1,HAM_1
train/benign/2.jpg,benign,ISIC_2,HAM_1
train/malignant/1.jpg,malignant,,
test/benign/3.jpg,benign,ISIC_3,HAM_1
"""


def test_malignant_vs_benign_without_lesions(kaggle):
    data = load_malignant_vs_benign(kaggle)
    check_bunch(data, 5)
    assert data.y.tolist() == ["benign", "benign", "malignant", "benign", "malignant"]
    assert data.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert data.groups is None
    assert data.pos_label == "malignant"
    assert data.metadata["image_id"].tolist() == ["1", "2", "1", "3", "3"]
    assert load_malignant_vs_benign(kaggle.parent).X.tolist() == data.X.tolist()


def test_malignant_vs_benign_with_lesions(kaggle):
    (kaggle / "lesions.csv").write_text(LESIONS)
    (kaggle / "lesions").mkdir()  # a folder beside train and test
    data = load_malignant_vs_benign(kaggle)
    check_bunch(data, 5)
    own = ["image:train/malignant/1.jpg", "image:test/malignant/3.jpg"]
    assert data.groups.tolist() == ["HAM_1", "HAM_1", own[0], "HAM_1", own[1]]
    assert set(data.metadata) == {"image_id"}
    leaky = load_malignant_vs_benign(kaggle, with_leaks=True).metadata
    assert set(leaky) == {"image_id", "malignant", "isic_id", "lesion_id", "in_ham10000"}
    assert leaky["in_ham10000"].tolist() == [True, True, False, True, False]
    assert leaky["isic_id"].isna().tolist() == [False, False, True, False, True]


KAGGLE_FAULTS = {
    "image gone": (remove("train/benign/2.jpg"), "'train' lists 2 images, published are 3"),
    "moved to the other class": (
        lambda root: (root / "train/benign/2.jpg").rename(root / "train/malignant/2.jpg"),
        "2 images of 'train' are labelled malignant, published are 1",
    ),
    "no test": (lambda root: (root / "test").rename(root / "other"), "'test' lists 0 images"),
    "strange class": (
        lambda root: save_image(root / "train/healthy/1.jpg"),
        r"the class folders \['benign', 'healthy'",
    ),
    "class gone": (remove("test/malignant/3.jpg"), "malignant: a class folder without images"),
    "nothing known": (
        lambda root: (root / "lesions.csv").write_text("file,isic_id,lesion_id\nx.jpg,a,b\n"),
        "such as x.jpg",
    ),
    "lesion twice": (
        lambda root: (root / "lesions.csv").write_text(LESIONS + LESIONS.splitlines()[1]),
        "train/benign/1.jpg is listed twice",
    ),
    "no column": (lambda root: (root / "lesions.csv").write_text("file,isic_id\n"), r"no columns \['lesion_id'\]"),
}


@pytest.mark.parametrize("fault", KAGGLE_FAULTS)
def test_malignant_vs_benign_faults(kaggle, fault):
    spoil, message = KAGGLE_FAULTS[fault]
    load_malignant_vs_benign(kaggle)
    spoil(kaggle)
    with pytest.raises(LesionImageError, match=message):
        load_malignant_vs_benign(kaggle)


def test_malignant_vs_benign_part_of_it_when_allowed(kaggle):
    (kaggle / "test/malignant/3.jpg").unlink()
    data = load_malignant_vs_benign(kaggle, allow_incomplete=True)
    assert len(data.X) == 4
    assert "the part 'test' lists 1 images, published are 2" in data.DESCR


def test_what_macos_leaves_beside_the_folders(kaggle):
    expected = load_malignant_vs_benign(kaggle.parent).X.tolist()
    for place in (kaggle.parent / "__MACOSX" / "train" / "benign", kaggle / "__MACOSX", kaggle / "train" / "benign"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "._1.jpg").touch()
        (place / ".DS_Store").touch()
    assert load_malignant_vs_benign(kaggle.parent).X.tolist() == expected


def test_wrong_folders(kaggle, tmp_path):
    with pytest.raises(LesionImageError, match="no such folder"):
        load_malignant_vs_benign(tmp_path / "elsewhere")
    with pytest.raises(LesionImageError, match=r"1\.jpg: a file"):
        load_malignant_vs_benign(kaggle / "train/benign/1.jpg")
    with pytest.raises(LesionImageError, match="no folders train and test"):
        load_malignant_vs_benign(kaggle / "train/benign")
    with pytest.raises(LesionImageError, match=r"tells no diagnosis. Choose target='malignant'"):
        load_malignant_vs_benign(kaggle, target="diagnosis")


def test_the_real_malignant_vs_benign(shared_data):
    folder = shared_data / "malignant_vs_benign"
    with pytest.raises(LesionImageError, match="'test' lists 0 images, published are 660"):
        load_malignant_vs_benign(folder)
    data = load_malignant_vs_benign(folder, allow_incomplete=True, with_leaks=True)
    assert len(data.X) == 2637
    assert (data.y == "malignant").sum() == 1197
    assert data.metadata["in_ham10000"].sum() == 1984
    assert data.metadata["in_ham10000"][data.y == "benign"].all()
    assert len(set(data.groups)) == data.metadata["lesion_id"].nunique() + 2637 - 1984


# ISIC, nine classes


@pytest.fixture
def nine(tmp_path, monkeypatch):
    counts = {"train": 10, "test": 9}
    publish(monkeypatch, isic_9class, counts, {"train": {"melanoma": 1}, "test": {"nevus": 1}})
    root = tmp_path / "Skin cancer ISIC"
    for i, name in enumerate(isic_9class.TRAIN):
        save_image(root / "Train" / name / f"ISIC_{i}.jpg", i)
        save_image(root / "Test" / name / f"ISIC_{10 * (i > 0) + i}.jpg", 100 + i)
    save_image(root / "Train" / "nevus" / "ISIC_3.jpg", 3)  # a melanoma's file
    return root


def test_nine_classes_are_read(nine):
    data = load_isic_9class(nine)
    check_bunch(data, 19)
    assert data.target_names == list(isic_9class.TRAIN)
    assert data.pos_label == "melanoma"
    assert sorted(data.split) == ["test"] * 9 + ["train"] * 10
    twice = data.groups == "ISIC_3"
    assert data.y[twice].tolist() == ["melanoma", "nevus"]
    assert data.groups.tolist() == data.metadata["image_id"].tolist()
    assert "1 file names lie under two classes or more, 1 in both parts" in data.DESCR
    assert load_isic_9class(nine.parent).X.tolist() == data.X.tolist()
    assert set(load_isic_9class(nine, with_leaks=True).metadata) == {"image_id", "diagnosis"}


def test_nine_classes_targets(nine):
    malignant = load_isic_9class(nine, target="malignant")
    names = load_isic_9class(nine).y
    assert set(names[malignant.y == "malignant"]) == {
        "actinic keratosis", "basal cell carcinoma", "melanoma", "squamous cell carcinoma",
    }  # fmt: skip
    melanoma = load_isic_9class(nine, target="melanoma")
    assert set(names[melanoma.y == "melanoma"]) == {"melanoma"}
    assert (melanoma.y == "melanoma").sum() == 2


def test_nine_classes_faults(nine):
    (nine / "Train/melanoma/ISIC_3.jpg").rename(nine / "Train/nevus/ISIC_33.jpg")
    with pytest.raises(LesionImageError, match="a class folder without images"):
        load_isic_9class(nine)
    save_image(nine / "Train/melanoma/ISIC_3.jpg")
    with pytest.raises(LesionImageError, match="'train' lists 11 images, published are 10"):
        load_isic_9class(nine)
    assert len(load_isic_9class(nine, allow_incomplete=True).X) == 20
    (nine / "Test/nevus").rename(nine / "Test/naevus")
    with pytest.raises(LesionImageError, match=r"the class folders .*'naevus'"):
        load_isic_9class(nine, allow_incomplete=True)


def test_the_folder_above_may_hold_several_sets(kaggle, nine):
    above = nine.parent
    assert not (above / "Train").exists()
    kaggle = kaggle.rename(above / "z_kaggle")
    assert load_isic_9class(above).X.tolist() == load_isic_9class(nine).X.tolist()
    assert load_malignant_vs_benign(above).X.tolist() == load_malignant_vs_benign(kaggle).X.tolist()
    (above / "a_other" / "train" / "cats").mkdir(parents=True)
    assert len(load_malignant_vs_benign(above).X) == 5
    twin = above / "twin"
    twin.mkdir()
    (kaggle / "train").rename(twin / "train")
    (kaggle / "test" / "malignant").rename(kaggle / "test" / "ill")
    assert load_malignant_vs_benign(above, allow_incomplete=True).split.tolist() == ["train"] * 3
    (kaggle / "test" / "ill").rename(kaggle / "test" / "malignant")
    with pytest.raises(LesionImageError, match="several folders with these classes: twin, z_kaggle"):
        load_malignant_vs_benign(above)
    (twin / "train" / "benign").rename(twin / "train" / "well")
    (kaggle / "test" / "benign").rename(kaggle / "test" / "well")
    with pytest.raises(
        LesionImageError, match=r"a_other/train holds \['cats'\]; .*twin/train holds .*'well'"
    ) as caught:
        load_malignant_vs_benign(above)
    assert str(nine.name) in caught.value.found


def test_published_counts_of_the_nine_classes():
    assert isic_9class.CARD.counts == {"train": 2239, "test": 118}


def test_the_real_malignant_vs_benign_beside_other_sets(shared_data):
    data = load_malignant_vs_benign(shared_data, allow_incomplete=True)
    assert len(data.X) == 2637
    assert all("malignant_vs_benign" in x for x in data.X)
    single = pd.Series(data.groups).str.startswith("image:").sum()
    assert f"{single} images without lesion or patient id are groups of their own" in data.DESCR


def test_the_real_nine_classes(shared_data):
    folder = shared_data / "isic_9class"
    with pytest.raises(LesionImageError, match="'train' lists 2141 images, published are 2239"):
        load_isic_9class(folder)
    with pytest.raises(LesionImageError, match=r"'test' lists 0 images, published are 118; .*; and 6 more\. Complete"):
        load_isic_9class(folder.parent)
    data = load_isic_9class(folder.parent, allow_incomplete=True)
    assert len(data.X) == 2141
    assert len(data.target_names) == 9
    rows = pd.DataFrame({"name": data.groups, "label": data.y})
    kinds = rows.groupby("name")["label"].agg(frozenset)
    both = kinds.eq(frozenset({"melanoma", "seborrheic keratosis"})).sum()
    assert both == 70
    assert f"{kinds.map(len).gt(1).sum()} file names lie under two classes" in data.DESCR


def test_tables_with_tabs(tmp_path):
    file = tmp_path / "a.tab"
    file.write_text('image_id\tsite\n"ISIC_1"\t"back, left"\n')
    assert read_table(file, ["site"])["site"].tolist() == ["back, left"]


# DermaMNIST

PARTS = {"train": 4, "val": 2, "test": 3}


def write_npz(file, side=28, **spoiled):
    rng = np.random.default_rng(side)
    arrays = {}
    for part, n in PARTS.items():
        arrays[f"{part}_images"] = rng.integers(0, 256, (n, side, side, 3), np.uint8)
        arrays[f"{part}_labels"] = np.arange(n, dtype=np.uint8)[:, None] + 3
    arrays |= spoiled
    np.savez_compressed(file, **{name: array for name, array in arrays.items() if array is not None})
    return arrays


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    publish(monkeypatch, dermamnist, {"train": 4, "validation": 2, "test": 3})
    return tmp_path / "dermamnist.npz"


def test_dermamnist_is_read(mnist):
    arrays = write_npz(mnist)
    data = load_dermamnist(mnist)
    check_bunch(data, 9)
    kinds = ["dermatofibroma", "melanoma", "nevus", "vascular lesion"]
    assert data.y.tolist() == [*kinds, *kinds[:2], *kinds[:3]]
    assert data.split.tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assert data.groups is None
    assert data.X[5] == f"{mnist}#val_images/1"
    assert data.metadata["image_id"].tolist()[3:6] == ["train/3", "val/0", "val/1"]
    for source, row in zip(sources(data.X[[1, 5, 8]]), (("train", 1), ("val", 1), ("test", 2)), strict=True):
        np.testing.assert_array_equal(source.read()[0], arrays[f"{row[0]}_images"][row[1]])
    assert "known leak" in data.DESCR
    assert "10.1038/s41597-025-04382-5" in data.DESCR
    assert set(load_dermamnist(mnist, with_leaks=True).metadata) == {"image_id", "diagnosis"}
    assert load_dermamnist(mnist, target="malignant").y.tolist().count("malignant") == 3
    assert load_dermamnist(mnist, target="melanoma").pos_label == "melanoma"


def test_dermamnist_numbers_are_those_of_medmnist():
    assert dermamnist.DIAGNOSES == (
        "actinic keratosis", "basal cell carcinoma", "benign keratosis", "dermatofibroma", "melanoma", "nevus",
        "vascular lesion",
    )  # fmt: skip


def test_published_counts_of_dermamnist_are_those_of_ham10000():
    assert dermamnist.CARD.counts == {"train": 7007, "validation": 1003, "test": 2005}
    parts = pd.DataFrame(dermamnist.CARD.labels)
    assert parts.sum(axis=1).to_dict() == ham10000.CARD.labels["all"]


def test_dermamnist_of_several_sizes(mnist):
    write_npz(mnist)
    assert load_dermamnist(mnist.parent).X[0].startswith(str(mnist))
    write_npz(mnist.with_name("dermamnist_64.npz"), 64)
    assert "dermamnist_64.npz#" in load_dermamnist(mnist.parent, size=64).X[0]
    with pytest.raises(LesionImageError, match=r"2 of the files .* or its folder and size="):
        load_dermamnist(mnist.parent)
    with pytest.raises(LesionImageError, match=r"none of the files \['dermamnist_224.npz'\] in it"):
        load_dermamnist(mnist.parent, size=224)
    with pytest.raises(LesionImageError, match="size: 32"):
        load_dermamnist(mnist.parent, size=32)


MNIST_FAULTS = {
    "strange label": ({"val_labels": np.array([[1], [7]])}, "the label 7 of val_images/1"),
    "no labels": ({"val_labels": None}, "the label None of val_images/0"),
    "too few labels": ({"val_labels": np.array([[1]])}, "2 images and labels of shape"),
    "part gone": ({"val_images": None}, "'validation' lists 0 images, published are 2"),
    "image gone": (
        {"val_images": np.zeros((1, 28, 28, 3), np.uint8), "val_labels": np.array([[1]])}, "lists 1 images",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", MNIST_FAULTS)
def test_dermamnist_faults(mnist, fault):
    spoiled, message = MNIST_FAULTS[fault]
    write_npz(mnist, **spoiled)
    with pytest.raises(LesionImageError, match=message):
        load_dermamnist(mnist)


def test_dermamnist_damaged(mnist):
    for missing in (mnist, mnist.parent / "nowhere"):
        with pytest.raises(LesionImageError, match="there is no such file"):
            load_dermamnist(missing)
    write_npz(mnist)
    mnist.write_bytes(mnist.read_bytes()[:500])
    with pytest.raises(LesionImageError, match=r"dermamnist\.npz"):
        load_dermamnist(mnist)
    write_npz(mnist, test_images=None)
    assert len(load_dermamnist(mnist, allow_incomplete=True).X) == 6
