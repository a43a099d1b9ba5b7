"""The door that published data sets take: counts, missing files, leaks, targets; and HAM10000 through it."""

import inspect
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import dermfeat
from dermfeat import LesionImageError
from dermfeat.datasets import derm7pt, diagnoses, ham10000, isic2017, isic2018, isic2019, isic_9class, ph2, siim2020
from dermfeat.datasets.collection import Card, assemble
from dermfeat.datasets.tables import find_files, find_table, locate, numbers, read_table, words

CARD = Card("Drawn", "nobody 2020", "CC0", {"all": 4}, leaks={"how": "it tells"}, notes=("a note",))


def table(**columns):
    given = {
        "image_id": ["a", "b", "c", "d"],
        "reference": ["a.jpg", "b.jpg", "c.jpg", "d.jpg"],
        "group": ["1", "1", None, None],
        "diagnosis": ["melanoma", "nevus", "basal cell carcinoma", "nevus"],
        "how": ["histo", "follow_up", "histo", "follow_up"],
        "age": [50, np.nan, 30, 20],
    }
    return pd.DataFrame(given | columns)


def test_bunch():
    data = assemble(CARD, "here", table())
    assert data.X.tolist() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert data.X.dtype == object
    assert data.y.tolist() == ["melanoma", "nevus", "basal cell carcinoma", "nevus"]
    assert data.groups.tolist() == ["1", "1", "image:c", "image:d"]
    assert data.split is None
    assert list(data.metadata) == ["image_id", "age"]
    assert data.metadata["age"].isna().tolist() == [False, True, False, False]
    assert data.target_names == ["basal cell carcinoma", "melanoma", "nevus"]
    assert data.pos_label == "melanoma"
    for told in ("4 images in 3 groups", "nevus: 2", "how, it tells", "a note", "nobody", "CC0", "not for diagnosis"):
        assert told in data.DESCR
    assert pickle.loads(pickle.dumps(data)).y.tolist() == data.y.tolist()


def test_targets():
    malignant = assemble(CARD, "here", table(), target="malignant")
    assert malignant.y.tolist() == ["malignant", "benign", "malignant", "benign"]
    assert malignant.pos_label == "malignant"
    melanoma = assemble(CARD, "here", table(), target="melanoma")
    assert melanoma.y.tolist() == ["melanoma", "other", "other", "other"]
    told = assemble(CARD, "here", table(malignant=[False, True, None, True]), target="malignant")
    assert told.y.tolist() == ["benign", "malignant", None, "malignant"]  # the set's own word goes first
    assert "no label: 1" in told.DESCR
    with pytest.raises(LesionImageError, match=r"target: 'cancer'. Choose one of"):
        assemble(CARD, "here", table(), target="cancer")
    undecided = assemble(CARD, "here", table(diagnosis=["miscellaneous", "nevus", None, "nevus"]), target="malignant")
    assert undecided.y.tolist() == [None, "benign", None, "benign"]
    only = table(melanoma=[True, False, False, None]).drop(columns="diagnosis")
    assert assemble(CARD, "here", only, target="melanoma").y.tolist() == ["melanoma", "other", "other", None]
    with pytest.raises(LesionImageError, match=r"tells no diagnosis. Choose target='melanoma'"):
        assemble(CARD, "here", only)
    with pytest.raises(LesionImageError, match="does not tell what is malignant"):
        assemble(CARD, "here", only, target="malignant")


def test_leaks_come_only_when_asked_for():
    data = assemble(CARD, "here", table(), with_leaks=True)
    assert list(data.metadata) == ["image_id", "diagnosis", "how", "age"]
    assert "left out" not in data.DESCR


def test_incomplete_copy():
    lacking = table(reference=["a.jpg", None, "c.jpg", "d.jpg"]).iloc[:3]
    with pytest.raises(LesionImageError, match=r"1 of 3 images are missing \(b\); its table lists 3 .* are 4"):
        assemble(CARD, "here", lacking)
    data = assemble(CARD, "here", lacking, allow_incomplete=True)
    assert data.X.tolist() == ["a.jpg", "c.jpg"]
    assert data.y.tolist() == ["melanoma", "basal cell carcinoma"]
    assert len(data.metadata) == 2
    assert "1 of 3 images are missing (b)" in data.DESCR
    with pytest.raises(LesionImageError, match="none of the images"):
        assemble(CARD, "here", table(reference=[None] * 4), allow_incomplete=True)


def test_parts_are_counted():
    card = replace(CARD, counts={"train": 3, "test": 1})
    assert assemble(card, "here", table(split=["train", "train", "train", "test"])).split.tolist()[-1] == "test"
    with pytest.raises(LesionImageError, match=r"the part 'train' lists 4 images, published are 3; the part 'test'"):
        assemble(card, "here", table(split=["train"] * 4))


def test_wrong_target_and_incomplete_copy_are_told_at_once():
    only = table(melanoma=[True, False, False, None], reference=["a.jpg", None, "c.jpg", "d.jpg"])
    with pytest.raises(LesionImageError, match="tells no diagnosis; and an incomplete copy: 1 of 4") as caught:
        assemble(CARD, "here", only.drop(columns="diagnosis"))
    assert caught.value.cure == "Choose target='melanoma'. Complete it, or pass allow_incomplete=True."
    with pytest.raises(LesionImageError, match=r"^here: its table tells no diagnosis\. Choose"):
        assemble(CARD, "here", only.drop(columns="diagnosis"), allow_incomplete=True)
    with pytest.raises(LesionImageError, match=r"^target: 'cancer'\. Choose one of"):
        assemble(CARD, "here", only, target="cancer")


def test_few_labels_are_named():
    published = {"melanoma": 2, "nevus": 3, "lentigo": 1, "melanosis": 1, "dermatofibroma": 1}
    card = replace(CARD, counts={"all": 9}, labels={"all": published})
    with pytest.raises(LesionImageError) as caught:
        assemble(card, "here", table())
    assert caught.value.found.startswith("an incomplete copy: its table lists 4 images, published are 9; 1 images of")
    assert caught.value.found.count("labelled") == 3
    assert caught.value.found.endswith("; and 2 more")
    assert assemble(card, "here", table(), allow_incomplete=True).DESCR.count("labelled") == 5


def test_description_tells_how_to_go_on():
    data = assemble(CARD, "here", table(mask=["a.png", None, "c.png", "d.png"]))
    assert "2 images without lesion or patient id are groups of their own" in data.DESCR
    assert "list(zip(data.X, data.masks)) are references with mask" in data.DESCR
    assert "pos_label: melanoma, the class that" in data.DESCR
    assert list(zip(data.X, data.masks, strict=True))[1] == ("b.jpg", None)
    two = assemble(CARD, "here", table(group=["1", "1", "2", "3"]), target="melanoma")
    assert "groups of their own" not in two.DESCR
    assert "pos_label" not in two.DESCR
    assert "masks" not in two.DESCR


@pytest.mark.parametrize("masks", [{}, {"mask": ["a.png", None, "c.png", "d.png"]}])
def test_audit_can_be_called_as_the_description_says(masks):
    data = assemble(CARD, "here", table(**masks))
    call = next(line for line in data.DESCR.splitlines() if "dermfeat.audit(" in line).partition(": ")[2]

    def audit(X, *args, **kwargs):
        return inspect.signature(dermfeat.audit).bind(X, *args, **kwargs).arguments

    given = eval(call, {"data": data, "dermfeat": SimpleNamespace(audit=audit)})
    assert list(given) == ["X", "y", "groups", "split", "metadata"]
    assert given["X"][1] == (("b.jpg", None) if masks else "b.jpg")


def test_repeated_id():
    with pytest.raises(LesionImageError, match="'a' is listed twice"):
        assemble(CARD, "here", table(image_id=["a", "b", "a", "d"], reference=["a.jpg", "b.jpg", "a.jpg", "d.jpg"]))


def test_diagnoses_are_sorted_once():
    named = [*diagnoses.MALIGNANT, *diagnoses.BENIGN, *diagnoses.UNDECIDED]
    sets = (derm7pt, ham10000, isic2017, isic2018, isic2019, siim2020)
    used = {word for module in sets for word in module.DIAGNOSES.values() if word}
    used |= {name.replace("_", " ") for name in ph2.DIAGNOSES} | set(isic_9class.TRAIN)
    assert sorted(named) == sorted(used)
    assert diagnoses.is_malignant("melanoma")
    assert diagnoses.is_malignant("nevus") is False
    assert diagnoses.is_malignant("miscellaneous") is None


def test_files_are_found_by_stem(tmp_path):
    for name in ("x/b.jpg", "x/a.JPG", "y/a.jpg", "y/z.jpg", "y/.hidden.jpg", "__MACOSX/c.jpg", "x/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    paths, notes = locate(tmp_path, pd.Series(["a", "b", "c"]), endings=(".jpg",))
    assert paths[:2].tolist() == [str(tmp_path / "x" / "a.JPG"), str(tmp_path / "x" / "b.jpg")]
    assert paths.isna().tolist() == [False, False, True]
    assert notes[0].startswith("1 images lie there twice")
    assert notes[1] == "1 images that the table does not list, such as z, are passed over"


def test_links_to_folders_are_followed_once(tmp_path):
    disk, data = tmp_path / "disk", tmp_path / "data"
    disk.mkdir()
    (disk / "a.jpg").touch()
    (disk / "round").symlink_to(disk)
    data.mkdir()
    (data / "images").symlink_to(disk)
    assert find_files(data) == ({"a": str(data / "images" / "a.jpg")}, [])


@pytest.mark.parametrize("name", ["t.csv", "x/t.csv", "x/x/t.csv", "x/x/x/t.csv", "__MACOSX/t.csv", ".draft/t.csv"])
def test_where_tables_are_looked_for(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    seen = name in ("t.csv", "x/t.csv", "x/x/t.csv")
    assert find_table(tmp_path, "t.csv", required=False) == (tmp_path / name if seen else None)


def test_the_nearest_table_is_taken(tmp_path):
    for place in ("b", "a/b"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "t.csv").touch()
    assert find_table(tmp_path, "t.csv") == tmp_path / "b" / "t.csv"


@pytest.mark.parametrize(
    "text", ["id,age\n1,2\n", "id;age\r\n1;2\r\n", "id\tage\n1\t2\n", "\ufeffid,age\n1,2,\n", '"id";"age"\n"1";2']
)
def test_tables_as_programs_save_them(tmp_path, text):
    file = tmp_path / "t.CSV"
    file.write_bytes(text.encode())
    assert read_table(file, ["id", "age"]).to_dict("list") == {"id": ["1"], "age": ["2"]}


@pytest.mark.parametrize("rows", ["1,2,9\n", "1,2\n3,4,9\n"])
def test_rows_longer_than_the_header_are_refused(tmp_path, rows):
    (tmp_path / "t.csv").write_text(f"id,age\n{rows}")
    with pytest.raises(LesionImageError, match="not a csv table"):
        read_table(tmp_path / "t.csv", ["id"])


def test_tables(tmp_path):
    file = tmp_path / "below" / "t.csv"
    file.parent.mkdir()
    file.write_text("id,age,dx\nNA,50,mel\nb,,nv\nc,old,what\n")
    assert find_table(tmp_path, "other.csv", "t.csv") == file
    read = read_table(file, ["id", "age"])
    assert read["id"].tolist() == ["NA", "b", "c"]  # an id is no missing value
    assert numbers(read["age"][:2], file).isna().tolist() == [False, True]
    assert words(read["dx"][:2], {"mel": "melanoma", "nv": None}, file).isna().tolist() == [False, True]
    with pytest.raises(LesionImageError, match="age of row 4 is 'old'"):
        numbers(read["age"], file)
    with pytest.raises(LesionImageError, match=r"dx of row 4 is 'what'. Known are \['mel', 'nv'\]"):
        words(read["dx"], {"mel": "melanoma", "nv": "nevus"}, file)
    with pytest.raises(LesionImageError, match=r"no columns \['sex'\]"):
        read_table(file, ["sex"])
    with pytest.raises(LesionImageError, match=r"none of the tables \['u.csv'\]"):
        find_table(tmp_path, "u.csv")
    with pytest.raises(LesionImageError, match="no such folder"):
        find_table(tmp_path / "nowhere", "u.csv")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00a,b\n")
    with pytest.raises(LesionImageError, match="not a csv table"):
        read_table(tmp_path / "bad.csv", [])


@pytest.fixture
def drawn_ham10000(tmp_path, monkeypatch):
    """Return a folder in HAM10000's layout with four photos of three lesions."""
    rows = ["lesion_id,image_id,dx,dx_type,age,sex,localization"]
    rows += ["HAM_1,ISIC_1,mel,histo,80.0,male,scalp", "HAM_1,ISIC_2,mel,histo,80.0,male,scalp"]
    rows += ["HAM_2,ISIC_3,nv,follow_up,,unknown,unknown", "HAM_3,ISIC_4,akiec,histo,40.0,female,back"]
    (tmp_path / "HAM10000_metadata.csv").write_text("\n".join(rows))
    for i, part in enumerate((1, 1, 2, 2), start=1):
        file = tmp_path / f"HAM10000_images_part_{part}" / f"ISIC_{i}.jpg"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), (200, 150, 140)).save(file)
    (tmp_path / "masks").mkdir()
    Image.new("L", (64, 64), 255).save(tmp_path / "masks" / "ISIC_1_segmentation.png")
    monkeypatch.setattr(ham10000, "CARD", replace(ham10000.CARD, counts={"all": 4}, labels={}))
    return tmp_path


def test_ham10000(drawn_ham10000):
    data = ham10000.load_ham10000(drawn_ham10000)
    assert data.y.tolist() == ["melanoma", "melanoma", "nevus", "actinic keratosis"]
    assert data.groups.tolist() == ["HAM_1", "HAM_1", "HAM_2", "HAM_3"]
    assert list(data.metadata) == ["image_id", "lesion_id", "age", "sex", "site"]
    assert data.metadata.loc[2, ["age", "sex", "site"]].isna().all()
    assert data.masks[0].endswith("ISIC_1_segmentation.png")
    assert data.masks[1:].tolist() == [None] * 3
    assert "3 images have no mask" in data.DESCR
    assert "dx_type" in ham10000.load_ham10000(drawn_ham10000, with_leaks=True).metadata
    malignant = ham10000.load_ham10000(drawn_ham10000, target="malignant")
    assert malignant.y.tolist() == ["malignant", "malignant", "benign", "malignant"]


def test_ham10000_incomplete(drawn_ham10000):
    (drawn_ham10000 / "HAM10000_images_part_2" / "ISIC_3.jpg").unlink()
    with pytest.raises(LesionImageError, match=r"1 of 4 images are missing \(ISIC_3\)"):
        ham10000.load_ham10000(drawn_ham10000)
    assert len(ham10000.load_ham10000(drawn_ham10000, allow_incomplete=True).X) == 3


def test_real_ham10000(shared_data):
    with pytest.raises(LesionImageError, match="824 of 10015 images are missing"):
        ham10000.load_ham10000(shared_data / "ham10000")
    data = ham10000.load_ham10000(shared_data / "ham10000", allow_incomplete=True)
    assert len(data.X) == 9191
    assert None not in data.masks
    table = pd.read_csv(shared_data / "ham10000" / "HAM10000_metadata.csv").set_index("image_id")
    there = table.loc[data.metadata["image_id"]]
    assert (data.groups == there["lesion_id"].to_numpy(str)).all()
    assert ((data.y == "melanoma") == (there["dx"] == "mel").to_numpy()).all()
    assert data.metadata["age"].isna().sum() == there["age"].isna().sum() > 0
