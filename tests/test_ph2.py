"""PH2: a small folder in its layout, with a real workbook, and every fault of it."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook
from PIL import Image

from dermfeat import LesionImageError
from dermfeat.datasets import draw_lesion, load_ph2
from dermfeat.datasets import ph2 as module
from dermfeat.reading import sources

HEADER = [
    "Image Name", "Histological Diagnosis", "Common Nevus", "Atypical Nevus", "Melanoma", "Asymmetry\n(0/1/2)",
    "Pigment Network\n(AT/T)", "Dots/Globules\n(A/AT/T)", "Streaks\n(A/P)", "Regression Areas\n(A/P)",
    "Blue-Whitish Veil\n(A/P)", "White", "Red", "Light-Brown", "Dark-Brown", "Blue-Gray", "Black",
]  # fmt: skip
COLORS = ["white", "red", "light_brown", "dark_brown", "blue_gray", "black"]
LESIONS = {  # diagnosis, asymmetry, network, dots and globules, streaks, regression, veil, colours
    "IMD009": ("Atypical Nevus", 1, "T", "AT", "A", "A", "A", ["light_brown", "dark_brown"]),
    "IMD003": ("Common Nevus", 0, "T", "A", "A", "A", "A", ["light_brown"]),
    "IMD085": ("Melanoma", 2, "AT", "AT", "P", "P", "P", ["dark_brown", "blue_gray", "black", "white"]),
}


def many_lesions(count):
    """Return lesions of the three kinds in turn that differ in what is drawn."""
    kinds = list(LESIONS.values())
    return {f"IMD{i:03}": kinds[i % 3] for i in range(1, count + 1)}


def rows_of(lesions):
    """Return the table's rows under HEADER, as the data set writes them."""
    rows = []
    for name, (diagnosis, *criteria, colors) in lesions.items():
        marks = ["X" if diagnosis == heading else None for heading in HEADER[2:5]]
        histology = "Melanoma" if diagnosis == "Melanoma" else None
        rows.append([name, histology, *marks, *criteria, *("x" if color in colors else None for color in COLORS)])
    return rows


def write_workbook(file, rows, header=(HEADER,)):
    book = Workbook()
    for row in [["PH2 Dataset"], [], ["Legend"], [None, "A - Absent", "AT - Atypical"], *header, *rows]:
        book.active.append(row)
    book.save(file)


def write_ph2(root, lesions=LESIONS, size=(96, 128)):
    """Write drawn lesions in PH2's layout and return the folder PH2Dataset."""
    root = root / "PH2Dataset"
    for i, (name, (_, asymmetry, network, dots, streaks, *_, colors)) in enumerate(lesions.items()):
        image, mask, _ = draw_lesion(
            size, colors=colors, asymmetry=asymmetry / 2, network=0.9 if network == "AT" else 0.3,
            dots=0 if dots == "A" else 8, streaks=12 if streaks == "P" else 0, random_state=i,
        )  # fmt: skip
        folder = root / "PH2 Dataset images" / name
        for part, pixels in ((f"{name}_Dermoscopic_Image/{name}", image), (f"{name}_lesion/{name}_lesion", mask)):
            file = folder / f"{part}.bmp"
            file.parent.mkdir(parents=True)
            Image.fromarray(pixels).save(file)
        (folder / f"{name}_roi").mkdir()
    write_workbook(root / "PH2_dataset.xlsx", rows_of(lesions))
    return root


@pytest.fixture
def ph2(tmp_path, monkeypatch):
    """Return a folder whose three lesions count as complete."""
    labels = {"all": dict.fromkeys(["common nevus", "atypical nevus", "melanoma"], 1)}
    monkeypatch.setattr(module, "CARD", replace(module.CARD, counts={"all": 3}, labels=labels))
    return write_ph2(tmp_path)


def test_everything_is_read(ph2):
    data = load_ph2(ph2, with_leaks=True)
    assert data.y.tolist() == ["common nevus", "atypical nevus", "melanoma"]
    assert data.target_names == ["atypical nevus", "common nevus", "melanoma"]
    assert data.pos_label == "melanoma"
    assert data.groups is None
    assert data.split is None
    assert data.X.tolist() == [
        str(ph2 / f"PH2 Dataset images/{name}/{name}_Dermoscopic_Image/{name}.bmp") for name in sorted(LESIONS)
    ]
    table = data.metadata.set_index("image_id")
    assert table["diagnosis"].tolist() == data.y.tolist()
    assert table["histological_diagnosis"].isna().tolist() == [True, True, False]
    assert table["asymmetry"].tolist() == [0, 1, 2]
    assert table["pigment_network"].tolist() == ["typical", "typical", "atypical"]
    assert table["dots_globules"].tolist() == ["absent", "atypical", "atypical"]
    for name in ("streaks", "regression_areas", "blue_whitish_veil"):
        assert table[name].tolist() == [False, False, True]
        assert table[name].dtype == "boolean"
    for name, lesion in LESIONS.items():
        assert [color for color in COLORS if table.loc[name, f"color_{color}"]] == sorted(lesion[-1], key=COLORS.index)
    assert table["asymmetry"].dtype == "Int64"
    assert isinstance(table["pigment_network"].dtype, pd.CategoricalDtype)
    assert "3 images" in data.DESCR
    assert "melanoma: 1" in data.DESCR
    assert "Mendonça" in data.DESCR
    assert data.licence in data.DESCR


def test_the_diagnosis_is_not_among_the_metadata_unless_asked_for(ph2):
    data = load_ph2(ph2)
    leaks = {"diagnosis", "histological_diagnosis"}
    assert set(load_ph2(ph2, with_leaks=True).metadata) - set(data.metadata) == leaks
    assert "left out of the metadata (with_leaks=True brings it): histological_diagnosis" in data.DESCR


@pytest.mark.parametrize("target", ["malignant", "melanoma"])
def test_two_classes_on_request(ph2, target):
    data = load_ph2(ph2, target=target)
    assert data.y.tolist().index(target) == data.X.tolist().index(next(x for x in data.X if "IMD085" in x))
    assert data.y.tolist().count(target) == 1
    assert data.pos_label == target


def test_an_incomplete_copy_is_refused_unless_allowed(ph2, monkeypatch):
    monkeypatch.setattr(module, "CARD", replace(module.CARD, counts={"all": 200}, labels={"all": {"melanoma": 40}}))
    with pytest.raises(LesionImageError, match=r"lists 3 images, published are 200; 1 images .* published are 40"):
        load_ph2(ph2)
    (ph2 / image("IMD003", "Dermoscopic_Image/IMD003")).unlink()
    (ph2 / image("IMD085", "lesion/IMD085_lesion")).unlink()
    data = load_ph2(ph2, allow_incomplete=True)
    assert data.y.tolist() == ["atypical nevus", "melanoma"]
    assert [mask is None for mask in data.masks] == [False, True]
    for said in (
        "1 of 3 images are missing (IMD003)",
        "1 images have no mask here, such as IMD085",
        "published are 200",
    ):
        assert said in data.DESCR


def save_palette_upside_down(mask):
    """Return an image of palette indices in which index 0 is white."""
    image = Image.fromarray(np.uint8(~mask))
    image.putpalette([255, 255, 255, 0, 0, 0])
    return image


FORMS = {
    "1": lambda mask: Image.fromarray(mask),
    "RGB": lambda mask: Image.fromarray(np.repeat(np.uint8(255) * mask[..., None], 3, axis=2)),
    "L": lambda mask: Image.fromarray(np.uint8(255) * mask),
    "P": save_palette_upside_down,
}


@pytest.mark.parametrize("form", FORMS)
def test_masks_of_every_form_read_the_same(ph2, form):
    data = load_ph2(ph2)
    before = [source.read()[1] for source in sources(list(zip(data.X, data.masks, strict=True)))]
    saved = FORMS[form](before[0])
    assert saved.mode == form
    saved.save(data.masks[0])
    with Image.open(data.masks[0]) as kept:
        assert kept.mode == form
    _, mask = sources([(data.X[0], data.masks[0])])[0].read()
    np.testing.assert_array_equal(mask, before[0])
    assert 0 < mask.mean() < 1


def test_pairs_are_references(ph2):
    data = load_ph2(ph2)
    order = {name: i for i, name in enumerate(LESIONS)}
    for source, name in zip(sources(list(zip(data.X, data.masks, strict=True))), sorted(LESIONS), strict=True):
        image, mask = source.read()
        _, drawn, _ = draw_lesion((96, 128), asymmetry=LESIONS[name][1] / 2, random_state=order[name])
        assert image.shape == (96, 128, 3)
        np.testing.assert_array_equal(mask, drawn)


@pytest.mark.parametrize("place", ["..", ".", "PH2 Dataset images"])
def test_any_of_its_folders_will_do(ph2, place):
    assert load_ph2((ph2 / place).resolve()).X.tolist() == load_ph2(str(ph2)).X.tolist()


def as_csv(ph2, delimiter):
    lines = [["PH2", "", ""], HEADER, *rows_of(LESIONS)]
    quoted = [[f'"{cell}"' if cell is not None else "" for cell in line] for line in lines]
    (ph2 / "PH2_dataset.csv").write_text("\n".join(map(delimiter.join, quoted)), encoding="utf-8-sig")


def as_text(ph2):
    """Write the text table: diagnosis counted from 0, colours from 1."""
    columns = ["Name", "Histological Diagnosis", "Clinical Diagnosis", "Asymmetry", "Pigment Network"]
    columns += ["Dots/Globules", "Streaks", "Regression Areas", "Blue-Whitish Veil", "Colors"]
    lines = [columns]
    for name, (diagnosis, *criteria, colors) in LESIONS.items():
        histology = "Melanoma" if diagnosis == "Melanoma" else ""
        codes = "  ".join(str(1 + COLORS.index(color)) for color in colors)
        lines.append([name, histology, str(HEADER[2:5].index(diagnosis)), *map(str, criteria), codes])
    text = "\n".join("|| " + " || ".join(line) + " ||" for line in lines)
    (ph2 / "PH2_dataset.txt").write_text(text + "\n\nLegend: Colors: 1 - White; 2 - Red; 3 - Light-Brown\n")


@pytest.mark.parametrize("write", [lambda f: as_csv(f, ","), lambda f: as_csv(f, ";"), as_text])
def test_other_forms_of_the_table_say_the_same(ph2, write):
    expected = load_ph2(ph2).metadata
    (ph2 / "PH2_dataset.xlsx").unlink()
    write(ph2)
    pd.testing.assert_frame_equal(load_ph2(ph2).metadata, expected)


def test_heading_in_two_rows_and_counts_as_floats(ph2):
    expected = load_ph2(ph2).metadata
    upper = [*HEADER[:2], "Clinical Diagnosis", None, None, *HEADER[5:11], "Colors"]
    lower = [None, None, *HEADER[2:5], *[None] * 6, *HEADER[11:]]
    rows = [[float(cell) if cell in (0, 1, 2) else cell for cell in row] for row in rows_of(LESIONS)]
    write_workbook(ph2 / "PH2_dataset.xlsx", rows, header=(upper, lower))
    pd.testing.assert_frame_equal(load_ph2(ph2).metadata, expected)


def test_an_empty_criterion_is_missing(ph2):
    rows = rows_of(LESIONS)
    for column in (5, 6, 8):
        rows[0][column] = None
    write_workbook(ph2 / "PH2_dataset.xlsx", rows)
    data = load_ph2(ph2)
    row = data.metadata.set_index("image_id").loc[rows[0][0]]
    assert row[["asymmetry", "pigment_network", "streaks"]].isna().all()
    assert "streaks: no entry for 1 images" in data.DESCR


def change(column, value):
    def spoil(ph2):
        rows = rows_of(LESIONS)
        rows[1][column] = value
        write_workbook(ph2 / "PH2_dataset.xlsx", rows)

    return spoil


def headed(*names):
    def spoil(ph2):
        write_workbook(ph2 / "PH2_dataset.xlsx", rows_of(LESIONS), header=([*names, *HEADER[len(names) :]],))

    return spoil


def image(name, part):
    return f"PH2 Dataset images/{name}/{name}_{part}.bmp"


def text_with(old, new):
    def spoil(ph2):
        as_text(ph2)
        (ph2 / "PH2_dataset.xlsx").unlink()
        file = ph2 / "PH2_dataset.txt"
        file.write_text(file.read_text().replace(old, new))

    return spoil


FAULTS = {
    "no table": (lambda ph2: (ph2 / "PH2_dataset.xlsx").unlink(), "no table of the lesions.*PH2_dataset.csv"),
    "no workbook": (lambda ph2: (ph2 / "PH2_dataset.xlsx").write_bytes(b"PK"), "xlsx: no workbook"),
    "no header": (headed("Picture"), "no header with 'Image Name'"),
    "no lesions": (lambda ph2: write_workbook(ph2 / "PH2_dataset.xlsx", []), "no image .* below"),
    "no column": (headed("Image Name", "Histological Diagnosis", "Nevus"), r"no columns \['common_nevus'\]"),
    "no image": (
        lambda ph2: (ph2 / image("IMD003", "Dermoscopic_Image/IMD003")).unlink(),
        r"1 of 3 images are missing \(IMD003\)",
    ),
    "no mask": (
        lambda ph2: (ph2 / image("IMD085", "lesion/IMD085_lesion")).unlink(),
        "1 images have no mask here, such as IMD085",
    ),
    "no row": (lambda ph2: (ph2 / "PH2 Dataset images" / "IMD111").mkdir(), "no row for 1 folders .* IMD111"),
    "listed twice": (change(0, "IMD009"), "IMD009 is listed twice"),
    "unknown asymmetry": (change(5, 3), "'asymmetry': '3' for IMD003. Known are '0', '1', '2'"),
    "unknown network": (change(6, "A"), "'pigment_network': 'A' for IMD003. Known are 'T', 'AT'"),
    "unknown presence": (change(8, "yes"), "'streaks': 'yes' for IMD003. Known are 'A', 'P'"),
    "unknown mark": (change(12, "o"), "'red': 'o' for IMD003. Known are 'X'"),
    "two diagnoses": (change(4, "X"), "2 diagnoses for IMD003"),
    "no diagnosis": (change(2, None), "0 diagnoses for IMD003"),
    "unknown code": (text_with("4  5  6  1", "4  7"), "'colors': '4  7' for IMD085. Known are '1', '2'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_clear_error(ph2, fault):
    spoil, message = FAULTS[fault]
    load_ph2(ph2)
    spoil(ph2)
    with pytest.raises(LesionImageError, match=f"(?s){message}"):
        load_ph2(ph2)


def test_wrong_folders(ph2, tmp_path):
    with pytest.raises(LesionImageError, match="no folder 'PH2 Dataset images' in it"):
        load_ph2(ph2 / "PH2 Dataset images" / "IMD003")
    with pytest.raises(LesionImageError, match="no such folder"):
        load_ph2(tmp_path / "elsewhere")


def test_without_openpyxl_the_error_names_the_extra(ph2, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"dermfeat\[ph2\]"):
        load_ph2(ph2)
