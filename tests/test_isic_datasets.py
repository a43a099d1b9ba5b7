"""The ISIC challenges of 2017 to 2024: drawn folders in their published layouts, and the real copies where they are."""

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from container_files import write_tfrecord
from PIL import Image

from dermfeat import LesionImageError
from dermfeat.datasets import isic2017, isic2018, isic2019, isic2024, siim2020
from dermfeat.reading import sources


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (200, 150, 120)).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()))


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def published(monkeypatch, module, counts, labels=None):
    monkeypatch.setattr(module, "CARD", replace(module.CARD, counts=counts, labels=labels or {}))


@pytest.fixture
def folder2017(tmp_path, monkeypatch):
    published(monkeypatch, isic2017, {"train": 3, "validation": 1, "test": 2}, {"train": {"melanoma": 1, "nevus": 1}})
    for part, ids in {"Training": "012", "Validation": "3", "Test_v2": "45"}.items():
        for i in ids:
            picture(tmp_path / f"ISIC-2017_{part}_Data" / f"ISIC_000000{i}.jpg")
            picture(tmp_path / f"ISIC-2017_{part}_Data" / f"ISIC_000000{i}_superpixels.png")
            picture(tmp_path / f"ISIC-2017_{part}_Part1_GroundTruth" / f"ISIC_000000{i}_segmentation.png")
        rows = "\n".join(f"ISIC_000000{i},{'unknown' if i == '1' else 50},female" for i in ids)
        table = tmp_path / f"ISIC-2017_{part}_Data" / f"ISIC-2017_{part}_Data_metadata.csv"
        write(table, f"image_id,age_approximate,sex\n{rows}")
        marks = {"0": "1.0,0.0", "1": "0.0,1.0"}
        rows = "\n".join(f"ISIC_000000{i},{marks.get(i, '0.0,0.0')}" for i in ids)
        write(tmp_path / f"ISIC-2017_{part}_Part3_GroundTruth.csv", f"image_id,melanoma,seborrheic_keratosis\n{rows}")
    return tmp_path


def test_isic2017(folder2017):
    data = isic2017.load_isic2017(folder2017)
    assert data.y.tolist() == ["melanoma", "seborrheic keratosis", "nevus", "nevus", "nevus", "nevus"]
    assert data.split.tolist() == ["train"] * 3 + ["validation"] + ["test"] * 2
    assert (data.groups, data.pos_label) == (None, "melanoma")
    assert data.X[0].endswith("ISIC_0000000.jpg")
    assert data.masks[5].endswith("ISIC_0000005_segmentation.png")
    assert "no mask" not in data.DESCR
    assert list(data.metadata) == ["image_id", "age", "sex"]
    assert data.metadata["age"].isna().tolist() == [False, True, False, False, False, False]
    for target, other in (("malignant", "benign"), ("melanoma", "other")):
        assert isic2017.load_isic2017(folder2017, target=target).y.tolist() == [target] + [other] * 5
    assert "diagnosis" in isic2017.load_isic2017(folder2017, with_leaks=True).metadata


def test_isic2017_with_tables_of_melanoma_only(folder2017):
    for part in ("Training", "Validation"):
        table = folder2017 / f"ISIC-2017_{part}_Part3_GroundTruth.csv"
        raw = pd.read_csv(table, dtype=str).drop(columns="seborrheic_keratosis")
        raw.to_csv(folder2017 / f"ISIC-2017_{part}_Classes.csv", index=False)
        table.unlink()
    (folder2017 / "ISIC-2017_Test_v2_Part3_GroundTruth.csv").unlink()
    (folder2017 / "ISIC-2017_Test_v2_Data" / "ISIC-2017_Test_v2_Data_metadata.csv").unlink()
    data = isic2017.load_isic2017(folder2017, target="melanoma")
    assert data.y.tolist() == ["melanoma", "other", "other", "other", None, None]
    assert "no table of labels of the part 'test'" in data.DESCR
    assert isic2017.load_isic2017(folder2017, target="malignant").y.tolist()[:2] == ["malignant", "benign"]
    with pytest.raises(LesionImageError, match=r"no diagnosis. Choose target='malignant' or 'melanoma'"):
        isic2017.load_isic2017(folder2017)


def test_isic2017_in_folders_that_were_doubled_on_unpacking(folder2017, tmp_path):
    """Windows unpacks a.zip, which holds the folder a, to a/a."""
    expected = isic2017.load_isic2017(folder2017)
    for folder in [folder for folder in folder2017.iterdir() if folder.is_dir()]:
        moved = folder.rename(tmp_path / "moved")
        folder.mkdir()
        moved.rename(folder / folder.name)
    data = isic2017.load_isic2017(folder2017)
    pd.testing.assert_frame_equal(data.metadata, expected.metadata)
    assert all(data.masks)


def test_isic2017_incomplete(folder2017):
    (folder2017 / "ISIC-2017_Validation_Data" / "ISIC_0000003.jpg").unlink()
    data = isic2017.load_isic2017(folder2017)  # validation is absent wholly
    assert set(data.split) == {"train", "test"}
    assert "the part 'validation' is not here, 1 images" in data.DESCR
    (folder2017 / "ISIC-2017_Training_Data" / "ISIC_0000002.jpg").unlink()
    with pytest.raises(LesionImageError, match=r"1 of 5 images are missing \(ISIC_0000002\)"):
        isic2017.load_isic2017(folder2017)
    assert len(isic2017.load_isic2017(folder2017, allow_incomplete=True).X) == 4


def test_isic2017_wrong_tables(folder2017):
    table = folder2017 / "ISIC-2017_Training_Part3_GroundTruth.csv"
    text = table.read_text()
    for old, new, told in (
        ("ISIC_0000000,1.0,0.0", "ISIC_0000000,1.0,1.0", "ISIC_0000000 does not mark one of"),
        ("ISIC_0000000,1.0,0.0", "ISIC_0000000,2.0,0.0", "melanoma of row 2 is '2.0'"),
        ("ISIC_0000001", "ISIC_0000000", "'ISIC_0000000' is listed twice"),
        ("image_id", "picture", r"no columns \['image_id'\]"),
        (text, text.splitlines()[0], "a table without rows"),
        ("ISIC_0000000,1.0,0.0", "ISIC_0000000,0.0,0.0", "0 images of 'train' are labelled melanoma, published are 1"),
    ):
        table.write_text(text.replace(old, new))
        with pytest.raises(LesionImageError, match=told):
            isic2017.load_isic2017(folder2017)
    table.write_text(text)
    change(folder2017 / "ISIC-2017_Test_v2_Data" / "ISIC-2017_Test_v2_Data_metadata.csv", "50", "old")
    with pytest.raises(LesionImageError, match="age of row 2 is 'old'"):
        isic2017.load_isic2017(folder2017)
    with pytest.raises(LesionImageError, match="none of the tables"):
        isic2017.load_isic2017(folder2017 / "ISIC-2017_Test_v2_Data")
    with pytest.raises(LesionImageError, match="no such folder"):
        isic2017.load_isic2017(folder2017 / "elsewhere")


@pytest.fixture
def folder2018(tmp_path, monkeypatch):
    published(monkeypatch, isic2018, {"train": 3, "validation": 1, "test": 1}, {"train": {"actinic keratosis": 1}})
    for part, ids in {"Training": "678", "Validation": "9", "Test": "5"}.items():
        for i in ids:
            picture(tmp_path / f"ISIC2018_Task3_{part}_Input" / f"ISIC_002430{i}.jpg")
        marks = dict(zip(ids, ("0.0,1.0,0.0,0.0", "0.0,1.0,0.0,0.0", "0.0,0.0,0.0,1.0"), strict=False))
        rows = "\n".join(f"ISIC_002430{i},{marks[i]},0.0,0.0,0.0" for i in ids)
        name = f"ISIC2018_Task3_{part}_GroundTruth"
        write(tmp_path / name / f"{name}.csv", f"image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n{rows}")
    write(
        tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv",
        """image,lesion_id,diagnosis_confirm_type
        ISIC_0024306,HAM_0000550,serial imaging showing no change
        ISIC_0024307,HAM_0000550,histopathology
        ISIC_0024308,HAM_0003577,histopathology""",
    )
    return tmp_path


def test_isic2018(folder2018):
    data = isic2018.load_isic2018(folder2018)
    assert data.y.tolist() == ["nevus", "nevus", "actinic keratosis", "nevus", "nevus"]
    assert data.groups.tolist() == [
        "HAM_0000550", "HAM_0000550", "HAM_0003577", "image:ISIC_0024309", "image:ISIC_0024305",
    ]  # fmt: skip
    assert data.split.tolist() == ["train"] * 3 + ["validation", "test"]
    assert list(data.metadata) == ["image_id", "lesion_id"]
    assert "diagnosis_confirm_type, how the diagnosis was made" in data.DESCR
    leaks = isic2018.load_isic2018(folder2018, target="malignant", with_leaks=True)
    assert {"diagnosis", "diagnosis_confirm_type"} <= set(leaks.metadata)
    assert leaks.y.tolist() == ["benign", "benign", "malignant", "benign", "benign"]
    assert set(isic2018.load_isic2018(folder2018, target="melanoma").y) == {"other"}


def test_isic2018_without_lesions_or_later_parts(folder2018):
    (folder2018 / "ISIC2018_Task3_Training_LesionGroupings.csv").unlink()
    for part in ("Validation", "Test"):
        table = folder2018 / f"ISIC2018_Task3_{part}_GroundTruth" / f"ISIC2018_Task3_{part}_GroundTruth.csv"
        table.unlink()
    data = isic2018.load_isic2018(folder2018)
    assert data.groups is None
    assert data.y.tolist()[3:] == [None, None]  # listed by their folders
    assert "no table of metadata of the part 'train' here" in data.DESCR
    (folder2018 / "ISIC2018_Task3_Training_Input" / "ISIC_0024306.jpg").unlink()
    with pytest.raises(LesionImageError, match=r"1 of 5 images are missing \(ISIC_0024306\)"):
        isic2018.load_isic2018(folder2018)


@pytest.fixture
def folder2019(tmp_path, monkeypatch):
    published(monkeypatch, isic2019, {"train": 3, "test": 2}, {"train": {"squamous cell carcinoma": 1}})
    codes = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"
    write(
        tmp_path / "ISIC_2019_Training_GroundTruth.csv",
        f"""{codes}
        ISIC_0000000,0.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0
        ISIC_0000001_downsampled,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0.0
        ISIC_0000002,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0""",
    )
    write(
        tmp_path / "ISIC_2019_Training_Metadata.csv",
        """image,age_approx,anatom_site_general,lesion_id,sex
        ISIC_0000000,55.0,anterior torso,,female
        ISIC_0000001_downsampled,,,BCN_0000001,
        ISIC_0000002,30.0,upper extremity,BCN_0000001,male""",
    )
    write(
        tmp_path / "ISIC_2019_Test_GroundTruth.csv",
        f"""{codes},score_weight,validation_weight
        ISIC_0034321,0,0,0,0,0,0,0,0,1,1.0,0.0
        ISIC_0034322,0,0,0,1,0,0,0,0,0,1.0,0.0""",
    )
    write(
        tmp_path / "ISIC_2019_Test_Metadata.csv",
        """image,age_approx,anatom_site_general,sex
        ISIC_0034321,75.0,head/neck,male
        ISIC_0034322,60.0,,male""",
    )
    for name in ("ISIC_0000000", "ISIC_0000001_downsampled", "ISIC_0000002"):
        picture(tmp_path / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input" / f"{name}.jpg")
    for name in ("ISIC_0034321", "ISIC_0034322"):
        picture(tmp_path / "ISIC_2019_Test_Input" / f"{name}.jpg")
    return tmp_path


def test_isic2019(folder2019):
    data = isic2019.load_isic2019(folder2019)
    assert data.y.tolist() == [
        "nevus", "squamous cell carcinoma", "melanoma", "none of the others", "actinic keratosis",
    ]  # fmt: skip
    assert data.groups.tolist()[:3] == ["image:ISIC_0000000", "BCN_0000001", "BCN_0000001"]
    assert data.groups.tolist()[3:] == ["image:ISIC_0034321", "image:ISIC_0034322"]
    assert data.metadata["image_id"][1] == "ISIC_0000001_downsampled"
    assert set(data.metadata) == {"image_id", "lesion_id", "age", "sex", "site"}
    assert data.metadata["age"].isna().tolist() == [False, True, False, False, False]
    assert data.metadata["site"].isna().tolist() == [False, True, False, False, True]
    malignant = isic2019.load_isic2019(folder2019, target="malignant")
    assert malignant.y.tolist() == ["benign", "malignant", "malignant", None, "malignant"]
    melanoma = isic2019.load_isic2019(folder2019, target="melanoma", with_leaks=True)
    assert melanoma.y.tolist() == ["other", "other", "melanoma", "other", "other"]
    assert {"diagnosis", "score_weight", "validation_weight"} <= set(melanoma.metadata)


def test_isic2019_training_part_alone(folder2019):
    for name in ("ISIC_0034321", "ISIC_0034322"):
        (folder2019 / "ISIC_2019_Test_Input" / f"{name}.jpg").unlink()
    data = isic2019.load_isic2019(folder2019)
    assert data.y.dtype.kind == "U"
    assert set(data.split) == {"train"}
    change(folder2019 / "ISIC_2019_Training_GroundTruth.csv", "2,1.0", "2,0.0")
    with pytest.raises(LesionImageError, match="ISIC_0000002 does not mark one of"):
        isic2019.load_isic2019(folder2019)
    change(folder2019 / "ISIC_2019_Training_GroundTruth.csv", "AK", "AKIEC")
    with pytest.raises(LesionImageError, match=r"no columns \['AK'\]"):
        isic2019.load_isic2019(folder2019)


TRAIN2020 = """image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target
    ISIC_2637011,IP_7279968,male,45.0,head/neck,unknown,benign,0
    ISIC_0015719,IP_3075186,female,,upper extremity,nevus,benign,0
    ISIC_0052212,IP_2842074,,50.0,,lentigo NOS,benign,0
    ISIC_0149568,IP_0962375,female,55.0,upper extremity,melanoma,malignant,1"""


@pytest.fixture
def folder2020(tmp_path, monkeypatch):
    published(monkeypatch, siim2020, {"train": 4, "test": 1}, {"train": {"malignant": 1}})
    write(tmp_path / "train.csv", TRAIN2020)
    write(
        tmp_path / "test.csv",
        """image_name,patient_id,sex,age_approx,anatom_site_general_challenge
        ISIC_0052060,IP_3579794,male,70.0,""",
    )
    for line in TRAIN2020.splitlines()[1:]:
        picture(tmp_path / "jpeg" / "train" / f"{line.strip()[:12]}.jpg")
    return tmp_path


def test_siim2020(folder2020):
    data = siim2020.load_siim2020(folder2020)
    assert data.y.tolist() == ["benign", "benign", "benign", "malignant"]
    assert data.groups.tolist() == ["IP_7279968", "IP_3075186", "IP_2842074", "IP_0962375"]
    assert list(data.metadata) == ["image_id", "patient_id", "sex", "age", "site"]
    assert data.metadata.isna().sum().tolist() == [0, 0, 1, 1, 1]
    for told in ("the part 'test' is not here, 1 images", "lists 4 training images, 1 of them malignant", "425 images"):
        assert told in data.DESCR
    assert "BGR" not in data.DESCR
    assert siim2020.load_siim2020(folder2020, target="melanoma").y.tolist() == ["other"] * 3 + ["melanoma"]
    diagnosis = siim2020.load_siim2020(folder2020, target="diagnosis", with_leaks=True)
    assert diagnosis.y.tolist() == [None, "nevus", "lentigo", "melanoma"]
    assert {"diagnosis", "benign_malignant"} <= set(diagnosis.metadata)
    picture(folder2020 / "jpeg" / "test" / "ISIC_0052060.jpg")
    both = siim2020.load_siim2020(folder2020)
    assert both.split.tolist() == ["train"] * 4 + ["test"]
    assert both.y.tolist()[4] is None


def test_siim2020_of_the_isic_archive(folder2020):
    (folder2020 / "test.csv").unlink()
    raw = pd.read_csv(folder2020 / "train.csv", dtype=str)
    raw.insert(2, "lesion_id", [f"IL_{n}" for n in range(4)])
    raw.to_csv(folder2020 / "ISIC_2020_Training_GroundTruth_v2.csv", index=False)
    write(
        folder2020 / "ISIC_2020_Test_Metadata.csv",
        "image,patient,age_approx,anatom_site_general,sex\nISIC_1,IP_1,NA,,male",
    )
    picture(folder2020 / "ISIC_2020_Test_Input" / "ISIC_1.jpg")
    data = siim2020.load_siim2020(folder2020)
    assert data.metadata["lesion_id"].tolist()[:4] == ["IL_0", "IL_1", "IL_2", "IL_3"]
    assert data.groups.tolist()[4] == "IP_1"
    assert np.isnan(data.metadata["age"][4])


def test_siim2020_passes_over_columns_that_others_added(folder2020):
    raw = pd.read_csv(folder2020 / "train.csv", dtype=str)
    raw.assign(width="600", tfrecord="-1").to_csv(folder2020 / "train.csv", index=False)
    data = siim2020.load_siim2020(folder2020)
    assert list(data.metadata) == ["image_id", "patient_id", "sex", "age", "site"]


def test_siim2020_joins_patients_of_copies(folder2020):
    write(
        folder2020 / "ISIC_2020_Training_Duplicates.csv",
        """image_name_1,image_name_2
        ISIC_2637011,ISIC_0052212
        ISIC_0052212,ISIC_0149568
        ISIC_0015719,ISIC_9999999""",
    )
    data = siim2020.load_siim2020(folder2020)
    assert data.groups.tolist() == ["IP_7279968", "IP_3075186", "IP_7279968", "IP_7279968"]
    assert data.metadata["patient_id"].tolist()[2] == "IP_2842074"
    assert "2 pairs of copies" in data.DESCR


def test_siim2020_takes_one_kind_of_files(folder2020):
    for file in sorted((folder2020 / "jpeg" / "train").iterdir()):
        (folder2020 / f"{file.stem}.dcm").write_bytes(b"not opened")
    with pytest.raises(LesionImageError, match=r"4 jpeg files and 4 dicom files. Choose images="):
        siim2020.load_siim2020(folder2020)
    assert siim2020.load_siim2020(folder2020, images="dicom").X[0].endswith("ISIC_2637011.dcm")
    with pytest.raises(LesionImageError, match=r"no files that end in .tfrec"):
        siim2020.load_siim2020(folder2020, images="tfrecord")
    with pytest.raises(LesionImageError, match=r"images: 'png'. Choose one of"):
        siim2020.load_siim2020(folder2020, images="png")


def test_siim2020_looks_beside_its_tables_first(folder2020, tmp_path):
    expected = siim2020.load_siim2020(folder2020)
    home = tmp_path / "m" / "siim"
    home.mkdir(parents=True)
    for name in ("train.csv", "test.csv", "jpeg"):
        (folder2020 / name).rename(home / name)
    write(tmp_path / "a" / "test.csv", "of,another,set\n1,2,3")
    picture(tmp_path / "a" / "ISIC_2637011.jpg")
    (tmp_path / "a" / "ISIC_2637011.dcm").write_bytes(b"of another set")
    data = siim2020.load_siim2020(tmp_path)
    assert data.y.tolist() == expected.y.tolist()
    assert all(str(home) in x for x in data.X)
    (home / "jpeg").rename(tmp_path / "jpeg")
    (tmp_path / "a" / "ISIC_2637011.dcm").unlink()
    assert len(siim2020.load_siim2020(tmp_path).X) == 4  # elsewhere, where there are none beside
    picture(tmp_path / "jpeg" / "test" / "ISIC_0052060.jpg")
    (tmp_path / "n").mkdir()
    (home / "test.csv").rename(tmp_path / "a" / "test.csv")
    assert siim2020.load_siim2020(tmp_path).split.tolist() == ["train"] * 4 + ["test"]


def test_siim2020_channels(folder2020):
    with pytest.raises(LesionImageError, match=r"'bgr' for jpeg files\. Only TFRecord files"):
        siim2020.load_siim2020(folder2020, channels="bgr")
    with pytest.raises(LesionImageError, match=r"channels: 'brg'\. Choose one of \['rgb', 'bgr'\]"):
        siim2020.load_siim2020(folder2020, channels="brg")
    files = sorted((folder2020 / "jpeg" / "train").iterdir())
    records = [{"image": file.read_bytes(), "image_name": file.stem} for file in files]
    write_tfrecord(folder2020 / "train00.tfrec", records)
    stored = siim2020.load_siim2020(folder2020, images="tfrecord")
    turned = siim2020.load_siim2020(folder2020, images="tfrecord", channels="bgr")
    assert turned.X.tolist() == [f"{x}?channels=bgr" for x in stored.X]
    for before, after in zip(sources(stored.X), sources(turned.X), strict=True):
        np.testing.assert_array_equal(after.read()[0], before.read()[0][..., ::-1])
    assert "load them with channels='bgr'" in stored.DESCR
    assert "read with their channels reversed" in turned.DESCR
    assert "load them" not in turned.DESCR


def test_siim2020_wrong_tables(folder2020):
    table = folder2020 / "train.csv"
    text = table.read_text()
    for old, new, told in (
        ("lentigo NOS", "wart", "diagnosis of row 4 is 'wart'"),
        ("malignant,1", "malignant,3", "target of row 5 is '3'"),
        ("ISIC_0015719", "ISIC_2637011", "'ISIC_2637011' is listed twice"),
        ("malignant,1", "malignant,0", "0 images of 'train' are labelled malignant, published are 1"),
        ("patient_id", "patient_name", r"no columns \['patient_id'\]"),
    ):
        table.write_text(text.replace(old, new))
        with pytest.raises(LesionImageError, match=told):
            siim2020.load_siim2020(folder2020)
    table.write_text("\n".join(text.splitlines()[:-1]))
    with pytest.raises(LesionImageError, match="the part 'train' lists 3 images, published are 4"):
        siim2020.load_siim2020(folder2020)
    table.unlink()
    with pytest.raises(LesionImageError, match="none of the tables"):
        siim2020.load_siim2020(folder2020)


TRAIN2024 = """isic_id,target,patient_id,age_approx,sex,anatom_site_general,tbp_lv_A,attribution,copyright_license,\
lesion_id,iddx_full,iddx_1,iddx_2,iddx_3,iddx_4,iddx_5,mel_mitotic_index,mel_thick_mm,tbp_lv_dnn_lesion_confidence
    ISIC_0015670,0,IP_1235828,60.0,male,lower extremity,20.2,MSKCC,CC-BY,,Benign,Benign,,,,,,,97.5
    ISIC_0015845,0,IP_8170065,NA,,head/neck,31.7,MSKCC,CC-BY,IL_6727506,Benign,Benign,,,,,,,3.1
    ISIC_0082829,1,IP_1235828,65.0,male,,30.7,MSKCC,CC-BY,IL_1,\
Malignant::Malignant melanocytic proliferations (Melanoma)::Melanoma in situ,Malignant,,,,,0/mm^2,0.4,80.1"""


@pytest.fixture
def folder2024(tmp_path, monkeypatch):
    published(monkeypatch, isic2024, {"all": 3}, {"all": {"malignant": 1}})
    write(tmp_path / "train-metadata.csv", TRAIN2024)
    with h5py.File(tmp_path / "train-image.hdf5", "w") as file:
        for name in ("ISIC_0015670", "ISIC_0015845", "ISIC_0082829"):
            picture(tmp_path / "train-image" / "image" / f"{name}.jpg")
            file[name] = np.void((tmp_path / "train-image" / "image" / f"{name}.jpg").read_bytes())
    return tmp_path


def test_isic2024(folder2024):
    data = isic2024.load_isic2024(folder2024)
    assert data.y.tolist() == ["benign", "benign", "malignant"]
    assert data.groups.tolist() == ["IP_1235828", "IP_8170065", "IP_1235828"]
    assert data.split is None
    assert data.X[2] == f"{folder2024 / 'train-image.hdf5'}#ISIC_0082829"
    assert sources(data.X)[2].read()[0].shape == (8, 8, 3)
    assert list(data.metadata) == [
        "image_id", "patient_id", "age", "sex", "site", "tbp_lv_A", "attribution", "copyright_license",
    ]  # fmt: skip
    assert data.metadata.isna().sum().tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    assert data.metadata["tbp_lv_A"].dtype == float
    leaks = isic2024.load_isic2024(folder2024, target="melanoma", with_leaks=True)
    assert leaks.y.tolist() == ["other", "other", "melanoma"]
    assert set(isic2024.CARD.leaks) <= set(leaks.metadata)
    with pytest.raises(LesionImageError, match="Choose target='malignant' or 'melanoma'"):
        isic2024.load_isic2024(folder2024, target="diagnosis")


def test_isic2024_from_a_folder_of_images(folder2024):
    data = isic2024.load_isic2024(folder2024, images="jpeg")
    assert data.X[0].endswith("ISIC_0015670.jpg")
    (folder2024 / "train-image.hdf5").unlink()
    assert isic2024.load_isic2024(folder2024).X.tolist() == data.X.tolist()
    with pytest.raises(LesionImageError, match="none of the tables"):
        isic2024.load_isic2024(folder2024, images="hdf5")
    with pytest.raises(LesionImageError, match=r"images: 'png'. Choose one of"):
        isic2024.load_isic2024(folder2024, images="png")
    (folder2024 / "train-image" / "image" / "ISIC_0015845.jpg").unlink()
    with pytest.raises(LesionImageError, match=r"1 of 3 images are missing \(ISIC_0015845\)"):
        isic2024.load_isic2024(folder2024)
    assert isic2024.load_isic2024(folder2024, allow_incomplete=True).y.tolist() == ["benign", "malignant"]


def test_isic2024_wrong_tables(folder2024):
    table = folder2024 / "train-metadata.csv"
    text = table.read_text()
    for old, new, told in (
        ("ISIC_0082829,1", "ISIC_0082829,2", "target of row 4 is"),
        ("65.0", "old", "age of row 4 is 'old'"),
        ("ISIC_0015845", "ISIC_0015670", "'ISIC_0015670' is listed twice"),
        ("ISIC_0082829,1", "ISIC_0082829,0", "0 images of 'all' are labelled malignant, published are 1"),
        ("isic_id", "id", r"no columns \['image_id'\]"),
    ):
        table.write_text(text.replace(old, new))
        with pytest.raises(LesionImageError, match=told):
            isic2024.load_isic2024(folder2024)


def test_real_isic2017(shared_data):
    folder = shared_data / "isic2017"
    with pytest.raises(
        LesionImageError, match=r"71 of 2733 images are missing .* 'test' lists 583 .* published are 600"
    ):
        isic2017.load_isic2017(folder, target="melanoma")
    data = isic2017.load_isic2017(folder, target="melanoma", allow_incomplete=True)
    assert pd.Series(data.split).value_counts().to_dict() == {"train": 1934, "test": 583, "validation": 145}
    assert all(label is None for label in data.y[data.split == "test"])
    assert not any(label is None for label in data.y[data.split != "test"])
    with pytest.raises(LesionImageError, match="Choose target='malignant' or 'melanoma'"):
        isic2017.load_isic2017(folder, allow_incomplete=True)
    with pytest.raises(LesionImageError, match=r"no diagnosis; and an incomplete copy: 71 of 2733 images are missing"):
        isic2017.load_isic2017(folder)


def test_real_siim2020(shared_data):
    folder = shared_data / "siim2020"
    with pytest.raises(LesionImageError, match="33023 of 33126 images are missing") as caught:
        siim2020.load_siim2020(folder)
    assert "labelled" not in str(caught.value)  # 584 malignant, as published
    assert "lists" not in str(caught.value)
    data = siim2020.load_siim2020(folder, allow_incomplete=True)
    assert len(data.X) == 103
    for told in ("the table lists 33126 training images, 584 of them malignant", "blue is then brighter than red"):
        assert told in data.DESCR
    red, _, blue = np.transpose([source.read()[0].mean((0, 1)) for source in sources(data.X[::10])])
    assert (blue > red).all()
    turned = siim2020.load_siim2020(shared_data, channels="bgr", allow_incomplete=True)
    assert turned.y.tolist() == data.y.tolist()
    red, _, blue = np.transpose([source.read()[0].mean((0, 1)) for source in sources(turned.X[::10])])
    assert (red > blue).all()
