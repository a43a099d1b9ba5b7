"""Folders of images: what is read, what is refused, nothing lost on the way."""

import numpy as np
import pandas as pd
import pytest

from dermfeat import LesionImageError, datasets
from dermfeat.datasets import load_folder


def fill(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


@pytest.fixture
def plain(tmp_path):
    return fill(tmp_path, "benign/b2.jpg", "benign/a1.PNG", "malignant/c3.jpeg", "malignant/d4.jpg")


@pytest.fixture
def parted(tmp_path):
    return fill(tmp_path, "Train/nevus/1.jpg", "Train/melanoma/2.jpg", "test/nevus/3.jpg", "test/melanoma/4.jpg")


def test_class_folders(plain):
    data = load_folder(plain)
    assert data.metadata["file"].tolist() == ["benign/a1.PNG", "benign/b2.jpg", "malignant/c3.jpeg", "malignant/d4.jpg"]
    assert data.X.dtype == object
    assert data.X.tolist() == [str(plain / file) for file in data.metadata["file"]]
    assert data.y.tolist() == ["benign", "benign", "malignant", "malignant"] == data.metadata["class"].tolist()
    assert data.target_names == ["benign", "malignant"]
    assert data.pos_label == "malignant"
    assert data.split is None
    assert data.groups is None
    assert "4 images" in data.DESCR
    assert load_folder(str(plain)).X.tolist() == data.X.tolist()


def test_parts(parted):
    data = load_folder(parted)
    assert data.metadata["file"].tolist() == [
        "Train/melanoma/2.jpg",
        "Train/nevus/1.jpg",
        "test/melanoma/4.jpg",
        "test/nevus/3.jpg",
    ]
    assert data.split.tolist() == ["train", "train", "test", "test"] == data.metadata["split"].tolist()
    assert data.y[data.split == "test"].tolist() == ["melanoma", "nevus"]
    assert data.pos_label == "melanoma"
    assert "test, nevus: 1" in data.DESCR


@pytest.mark.parametrize(
    ("name", "part"), [("val", "validation"), ("Valid", "validation"), ("VALIDATION", "validation")]
)
def test_names_of_parts(tmp_path, name, part):
    data = load_folder(fill(tmp_path, "training/a/1.jpg", f"{name}/a/2.jpg"))
    assert set(data.split) == {"train", "validation"}


@pytest.mark.parametrize(
    ("classes", "pos_label"),
    [
        (("nevus", "Melanoma"), "Melanoma"),
        (("benign", "malignant"), "malignant"),
        (("malignant", "melanoma"), None),
        (("nevus", "other"), None),
        (("nevus", "melanoma", "other"), None),
    ],
)
def test_positive_class_only_where_it_is_clear(tmp_path, classes, pos_label):
    fill(tmp_path, *(f"{name}/1.jpg" for name in classes))
    assert load_folder(tmp_path).pos_label == pos_label
    assert load_folder(tmp_path, pos_label=classes[0]).pos_label == classes[0]


def test_other_files_are_counted_and_hidden_ones_passed_over(plain):
    fill(
        plain, "benign/Thumbs.db", "benign/notes.csv", "benign/._a1.jpg", "readme.txt", ".cache/x.jpg", "__MACOSX/y.jpg"
    )
    data = load_folder(plain)
    assert len(data.X) == 4
    assert "1 .csv, 1 .db" in data.DESCR


def test_extensions_may_be_chosen(plain):
    assert len(load_folder(plain, extensions=("jpg", ".JPEG", "png")).X) == 4
    assert len(load_folder(plain, extensions="jpg", allow_empty=True).X) == 2


@pytest.mark.parametrize(
    "groups",
    [
        {"a1": "L1", "b2": "L1", "c3": "L2"},
        {"benign/a1.PNG": "L1", "b2.jpg": "L1", "c3": "L2", "d4": None, "unknown": "L9"},
        pd.Series(["L1", "L1", "L2"], index=["a1", "b2", "c3"]),
        pd.Series(["L1", "L1", "L2", np.nan], index=["a1", "b2", "c3", "d4"]),
    ],
)
def test_groups_from_a_table(plain, groups):
    data = load_folder(plain, groups=groups)
    assert data.groups.tolist() == ["L1", "L1", "L2", "image:malignant/d4.jpg"]
    assert "3 groups; 1 images without an entry" in data.DESCR


def test_groups_from_csv_and_numbers(plain):
    listing = plain / "lesions.csv"
    listing.write_text("file,label,lesion_id\nbenign/a1.PNG,benign,7\nbenign/b2.jpg,benign,7\nmalignant/c3.jpeg,m,\n")
    assert load_folder(plain, groups=listing).groups.tolist() == [
        "7",
        "7",
        "image:malignant/c3.jpeg",
        "image:malignant/d4.jpg",
    ]
    assert load_folder(plain, groups={"a1": 7, "b2": 7}).groups.tolist()[:2] == ["7", "7"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"zz": "L1"}, "none of its 1 entries, such as 'zz'"),
        ({}, "none of its 0 entries"),
        (pd.Series(["L1", "L2"], index=["a1", "a1"]), "two ids for 'a1'"),
    ],
)
def test_groups_that_do_not_fit(plain, groups, message):
    with pytest.raises(LesionImageError, match=message):
        load_folder(plain, groups=groups)


def test_an_entry_for_several_images_is_refused(tmp_path):
    fill(tmp_path, "benign/1.jpg", "malignant/1.jpg")
    with pytest.raises(LesionImageError, match="'1' fits several images"):
        load_folder(tmp_path, groups={"1": "L1"})
    assert load_folder(tmp_path, groups={"benign/1.jpg": "L1"}).groups.tolist() == ["L1", "image:malignant/1.jpg"]


def test_csv_without_the_columns_is_refused(plain):
    (plain / "lesions.csv").write_text("image,lesion\na1,L1\n")
    with pytest.raises(LesionImageError, match=r"no columns \['file', 'lesion_id'\]"):
        load_folder(plain, groups=plain / "lesions.csv")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["1.jpg", "2.jpg"], "2 images beside the class folders, such as 1.jpg"),
        (["benign/1.jpg", "2.jpg"], "1 images beside the class folders"),
        (["train/benign/1.jpg", "train/2.jpg"], "1 images beside the class folders"),
        (["train/benign/1.jpg", "2.jpg"], "1 images beside the class folders"),
        (["benign/1.jpg", "malignant/x.txt"], r"a class folder without images \(1 .txt\)"),
        (["set/train/benign/1.jpg"], "a class folder with folders in it, such as train"),
        (["train/a/1.jpg", "test/b/1.jpg"], r"the part 'test' lacks the classes \['a'\]"),
        (["train/a/1.jpg", "other/b/1.jpg"], "mix parts with classes"),
        (["val/a/1.jpg", "valid/a/1.jpg"], "repeat a part"),
        (["train/x.txt"], "no class folders"),
        (["x.txt"], "no class folders"),
    ],
)
def test_what_is_refused(tmp_path, files, message):
    with pytest.raises(LesionImageError, match=message):
        load_folder(fill(tmp_path, *files))


def test_missing_folder_and_file(plain):
    with pytest.raises(LesionImageError, match="no such folder"):
        load_folder(plain / "nothing")
    with pytest.raises(LesionImageError, match="a file"):
        load_folder(plain / "benign" / "b2.jpg")
    with pytest.raises(LesionImageError, match="'nevus' is not among the classes"):
        load_folder(plain, pos_label="nevus")


def test_empty_classes_can_be_allowed(tmp_path):
    fill(tmp_path, "train/a/1.jpg", "train/b/2.jpg", "test/a/3.jpg", "test/c/x.txt")
    data = load_folder(tmp_path, allow_empty=True)
    assert data.target_names == ["a", "b", "c"]
    assert len(data.X) == 3
    (tmp_path / "empty" / "a").mkdir(parents=True)
    with pytest.raises(LesionImageError, match="no images"):
        load_folder(tmp_path / "empty", allow_empty=True)


def test_the_public_set(shared_data):
    folder = shared_data / "malignant_vs_benign" / "train"
    data = load_folder(folder)
    assert dict(zip(*np.unique(data.y, return_counts=True), strict=True)) == {"benign": 1440, "malignant": 1197}
    assert data.pos_label == "malignant"
    whole = load_folder(folder.parent, groups=folder.parent / "lesions.csv")
    assert set(whole.split) == {"train"}
    listing = pd.read_csv(folder.parent / "lesions.csv").set_index("file")["lesion_id"]
    known = listing.dropna()
    assert len(set(whole.groups)) == known.nunique() + len(listing) - len(known)
    assert (pd.Series(whole.groups, index=whole.metadata["file"])[known.index] == known).all()
    assert f"{len(listing) - len(known)} images without an entry" in whole.DESCR


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        (["images/1.jpg", "masks/1_segmentation.png"], "images"),
        (["a/1.jpg", "Ground_Truth/1.png"], "Ground_Truth"),
        (["a/1.jpg", "ISIC-2017_Training_Part1_GroundTruth/2.png"], "ISIC-2017_Training_Part1_GroundTruth"),
        (["part_1/1.jpg", "part_2/1_segmentation.png", "part_2/2_segmentation.png", "part_2/3.jpg"], "part_2"),
    ],
)
def test_folders_of_images_and_masks_are_no_classes(tmp_path, files, folder):
    fill(tmp_path, *files)
    with pytest.raises(LesionImageError, match=rf"'{folder}'.* looks like no class\. .*load_ham10000, load_isic2017"):
        load_folder(tmp_path)
    fill(tmp_path, "HAM10000_metadata.csv")
    with pytest.raises(LesionImageError, match=r"use dermfeat\.datasets\.load_ham10000;"):
        load_folder(tmp_path)


def test_classes_with_some_masks_or_such_words_in_their_names_are_read(tmp_path):
    fill(tmp_path, "benign images/1.jpg", "benign images/1_segmentation.png", "unmasked/2.jpg", "HAM10000_metadata.csv")
    assert load_folder(tmp_path).target_names == ["benign images", "unmasked"]


def test_real_ham10000_is_no_folder_of_classes(shared_data):
    with pytest.raises(LesionImageError, match="load_ham10000;"):
        load_folder(shared_data / "ham10000")


LOADERS = sorted(name for name in datasets.__all__ if name.startswith("load_"))


@pytest.mark.parametrize("name", LOADERS)
def test_places_of_data_sets(tmp_path, monkeypatch, name):
    load = getattr(datasets, name)
    with pytest.raises(LesionImageError, match=r"path: found None, which is no path .* Give the data set's folder"):
        load(None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with pytest.raises(LesionImageError) as caught:
        load("~/nowhere")
    assert caught.value.item == str(tmp_path / "nowhere")
    assert "no such" in caught.value.found


def test_a_folder_in_the_home_folder(plain, monkeypatch):
    monkeypatch.setenv("HOME", str(plain))
    monkeypatch.setenv("USERPROFILE", str(plain))
    assert load_folder("~").X.tolist() == load_folder(plain).X.tolist()
