"""The ABCD rule and the seven-point checklist against values worked out by hand and published ones."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermfeat.measures.checklist import seven_point, seven_point_from_labels
from dermfeat.measures.color_regions import DERMOSCOPIC_COLORS
from dermfeat.measures.scores import (
    abcd_score,
    structure_count,
    structures_present,
    tds_band,
    total_dermoscopy_score,
)

LINE = re.compile(r"^\s*``([a-z0-9_{},.]+)`` : \[(-?[\d.e+]+|-inf), (-?[\d.e+]+|inf)\] (\S.*)$", re.MULTILINE)
A, B = st.floats(0, 2), st.floats(0, 8)
C, D = st.floats(1, 6), st.floats(1, 5)


@pytest.mark.parametrize(
    ("parts", "score"),
    [((0, 0, 1, 1), 1.0), ((2, 8, 6, 5), 8.9), ((1, 3, 2, 3), 4.1), ((2, 4, 4, 3), 6.5), ((0, 0, 2, 3), 2.5)],
)
def test_total_dermoscopy_score_by_hand(parts, score):
    assert total_dermoscopy_score(*parts) == pytest.approx(score)
    assert isinstance(total_dermoscopy_score(*parts), float)


def test_all_810_scores_that_the_rule_allows_lie_on_tenths_from_1_to_8_9():
    every = np.array(list(itertools.product(range(3), range(9), range(1, 7), range(1, 6)))).T
    found = total_dermoscopy_score(*every)
    assert len(found) == 810
    assert np.unique(np.round(10 * found)).tolist() == list(range(10, 90))


def test_total_dermoscopy_score_broadcasts():
    found = total_dermoscopy_score(np.array([[0], [2]]), np.array([0, 4, 8]), 1, 1)
    assert found == pytest.approx(np.array([[1, 1.4, 1.8], [3.6, 4, 4.4]]))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((2.1, 0, 1, 1), "A is 2.1: it goes from 0 to 2"),
        ((0, -1, 1, 1), "B is -1"),
        ((0, 0, 0, 1), "C is 0"),
        ((0, 0, 1, 6), "D is 6"),
        ((0, 0, 1, np.nan), "D is nan"),
        ((0, [1, 2, 9], 1, 1), "B is 9"),
    ],
)
def test_a_part_out_of_its_range_is_named(parts, message):
    with pytest.raises(ValueError, match=message):
        total_dermoscopy_score(*parts)


@given(A, B, C, D, A, B, C, D)
def test_more_of_any_part_never_lowers_the_score(a, b, c, d, a2, b2, c2, d2):
    low = total_dermoscopy_score(min(a, a2), min(b, b2), min(c, c2), min(d, d2))
    high = total_dermoscopy_score(max(a, a2), max(b, b2), max(c, c2), max(d, d2))
    assert 1 <= low <= high <= 8.9 + 1e-12


@pytest.mark.parametrize(
    ("tds", "band"),
    [
        (1.0, "benign"), (4.7499, "benign"), (4.75, "suspicious"), (5.0, "suspicious"), (5.45, "suspicious"),
        (5.4501, "highly suspicious"), (8.9, "highly suspicious"),
        (6.79, "highly suspicious"), (4.27, "benign"),  # published means of melanomas and nevi
    ],
)  # fmt: skip
def test_bands_of_the_score(tds, band):
    assert tds_band(tds) == band


def test_bands_of_many_scores_and_with_other_limits():
    assert tds_band([4.27, 5.0, 6.79]).tolist() == ["benign", "suspicious", "highly suspicious"]
    assert tds_band(4.77) == "suspicious"
    assert tds_band(4.77, suspicious=4.8) == "benign"
    with pytest.raises(ValueError, match="NaN"):
        tds_band([4.0, np.nan])
    with pytest.raises(ValueError, match="above"):
        tds_band(4.0, suspicious=6)


POINTS = {  # by hand, from the checklist of 1998
    "pigment_network": {"absent": 0, "typical": 0, "atypical": 2},
    "blue_whitish_veil": {"absent": 0, "present": 2},
    "vascular_structures": {
        "absent": 0, "arborizing": 0, "comma": 0, "hairpin": 0, "within regression": 0, "wreath": 0,
        "dotted": 2, "linear irregular": 2,
    },
    "pigmentation": {
        "absent": 0, "diffuse regular": 0, "localized regular": 0, "diffuse irregular": 1, "localized irregular": 1,
    },
    "streaks": {"absent": 0, "regular": 0, "irregular": 1},
    "dots_and_globules": {"absent": 0, "regular": 0, "irregular": 1},
    "regression_structures": {"absent": 0, "blue areas": 1, "white areas": 1, "combinations": 1},
}  # fmt: skip
ABSENT = dict.fromkeys(POINTS, "absent")


@pytest.mark.parametrize("weights", ["1998", "2011"])
def test_every_combination_of_expert_labels(weights):
    cases = list(itertools.product(*POINTS.values()))
    assert len(cases) == 3 * 2 * 8 * 5 * 3 * 3 * 4
    points = np.array([[POINTS[c][label] for c, label in zip(POINTS, case, strict=True)] for case in cases])
    table = pd.DataFrame(cases, columns=list(POINTS)).assign(diagnosis="nevus")
    found = seven_point_from_labels(table, weights=weights)
    expected = points.sum(axis=1) if weights == "1998" else (points > 0).sum(axis=1)
    assert np.array_equal(found, expected)
    assert found.max() == (10 if weights == "1998" else 7)


def test_labels_of_one_case_give_a_number():
    assert seven_point_from_labels(ABSENT) == 0
    assert seven_point_from_labels(ABSENT | {"pigment_network": "atypical", "streaks": "irregular"}) == 3
    assert isinstance(seven_point_from_labels(ABSENT), int)


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_labels_may_come_in_any_text_column(dtype):
    table = pd.DataFrame([ABSENT, ABSENT | {"blue_whitish_veil": "present"}], dtype=dtype)
    assert seven_point_from_labels(table).tolist() == [0, 2]


def test_an_unknown_or_missing_label_is_named_with_its_column_and_row():
    table = pd.DataFrame([ABSENT, ABSENT, ABSENT], index=["x1", "x2", "x3"])
    table.loc["x2", "streaks"] = "wavy"
    with pytest.raises(ValueError, match="streaks is 'wavy' in row x2; known are absent, irregular, regular"):
        seven_point_from_labels(table)
    for missing in (None, np.nan, pd.NA):
        table.loc["x2", "streaks"] = missing
        with pytest.raises(ValueError, match=r"streaks is .* in row x2"):
            seven_point_from_labels(table)
    with pytest.raises(ValueError, match="pigmentation is 'Absent'; known"):
        seven_point_from_labels(ABSENT | {"pigmentation": "Absent"})
    with pytest.raises(ValueError, match="labels lack streaks, dots_and_globules"):
        seven_point_from_labels({c: "absent" for c in POINTS if c not in ("streaks", "dots_and_globules")})
    with pytest.raises(ValueError, match="in row 1"):
        seven_point_from_labels({column: ["absent", "no"] for column in POINTS})
    with pytest.raises(ValueError, match="weights='2020'"):
        seven_point_from_labels(ABSENT, weights="2020")


NOTHING = {  # a lesion without anything
    "asymmetry_score": 0, "border_score": 0.0, **{f"{name}_share": 0.0 for name in DERMOSCOPIC_COLORS},
    "network_share": 0.0, "network_hole_irregularity": 0.0, "network_color_variation": 0.0, "structureless_share": 0.0,
    "streaks_count": 0, "streaks_irregularity": 0.0, "dots_count": 0, "globules_count": 0, "blobs_offset": 0.0,
    "blobs_size_variation": 0.0, "blotch_offset": 0.0, "blue_white_veil_share": 0.0,
    "regression_white_share": 0.0, "regression_blue_share": 0.0,
}  # fmt: skip
CRITERIA = {  # what makes a criterion met, and its points in 1998
    "atypical_network": ({"network_share": 0.3, "network_hole_irregularity": 0.9}, 2),
    "blue_white_veil": ({"blue_white_veil_share": 0.2}, 2),
    "irregular_streaks": ({"streaks_count": 5, "streaks_irregularity": 0.7}, 1),
    "irregular_dots_globules": ({"dots_count": 2, "globules_count": 4, "blobs_offset": 0.3}, 1),
    "irregular_blotches": ({"blotch_offset": 0.2}, 1),
    "regression": ({"regression_white_share": 0.006, "regression_blue_share": 0.006}, 1),
}


@pytest.mark.parametrize(
    ("changed", "threshold", "present", "absent"),
    [
        ("network", "network_share", 0.11, 0.1),
        ("structureless", "structureless_share", 0.11, 0.1),
        ("streaks", "streaks_count", 3, 2),
        ("dots", "dots_count", 3, 2),
        ("globules", "globules_count", 2, 1),
    ],
)
def test_each_structure_counts_from_its_threshold(changed, threshold, present, absent):
    assert structures_present(NOTHING | {threshold: absent}) == dict.fromkeys(structures_present(NOTHING), False)
    found = structures_present(NOTHING | {threshold: present})
    assert [name for name, there in found.items() if there] == [changed]


def test_structures_are_counted_from_1_to_5():
    everything = {key: 10 for key in NOTHING}
    assert structure_count(NOTHING) == 1
    assert structure_count(NOTHING | {"dots_count": 3}) == 1
    assert structure_count(NOTHING | {"dots_count": 3, "globules_count": 2}) == 2
    assert structure_count(NOTHING | {"dots_count": 3, "globules_count": 1}, globules=1) == 2
    assert structure_count(NOTHING | {"dots_count": 3, "globules_count": 2}, dots=3) == 1
    assert structure_count(everything) == 5


def test_abcd_score_by_hand():
    assert abcd_score(NOTHING) == {"color_score": 1, "structure_score": 1, "tds": 1}
    lesion = NOTHING | {
        "asymmetry_score": 2, "border_score": 4.5, "network_share": 0.4, "dots_count": 9,
        "white_share": 0.01, "red_share": 0.2, "light_brown_share": 0.5, "black_share": 0.1, "dark_brown_share": 0.009,
    }  # fmt: skip
    found = abcd_score(lesion)
    assert (found["color_score"], found["structure_score"]) == (4, 2)
    assert found["tds"] == pytest.approx(2.6 + 0.45 + 2 + 1)
    assert tds_band(found["tds"]) == "highly suspicious"


@given(st.dictionaries(st.sampled_from(list(NOTHING)), st.floats(0, 2)), st.sampled_from(list(NOTHING)))
def test_more_of_anything_never_lowers_a_score(measured, key):
    low = NOTHING | measured
    high = low | {key: low[key] + 1 if key != "asymmetry_score" else 2}
    assert 1 <= abcd_score(low)["tds"] <= abcd_score(high)["tds"] <= 8.9
    for weights in ("1998", "2011"):
        assert (
            seven_point(low, weights=weights)["seven_point_score"]
            <= seven_point(high, weights=weights)["seven_point_score"]
        )


@pytest.mark.parametrize("name", CRITERIA)
def test_each_criterion_has_its_points(name):
    assert set(seven_point(NOTHING).values()) == {0}
    change, points = CRITERIA[name]
    found = seven_point(NOTHING | change)
    assert {key: value for key, value in found.items() if value} == {
        f"seven_point_{name}": 1, "seven_point_score": points,
    }  # fmt: skip
    revised = seven_point(NOTHING | change, weights="2011")
    assert (revised["seven_point_score"], revised["seven_point_positive"]) == (1, 1)


def test_all_criteria_and_the_threshold():
    changes = [change for change, _ in CRITERIA.values()]
    everything = NOTHING | {key: value for change in changes for key, value in change.items()}
    assert seven_point(everything)["seven_point_score"] == 8
    assert seven_point(everything, weights="2011")["seven_point_score"] == 6
    minor = NOTHING | changes[2] | changes[4]
    assert seven_point(minor)["seven_point_positive"] == 0
    assert seven_point(minor | changes[5])["seven_point_positive"] == 1
    assert seven_point(minor, threshold=2)["seven_point_positive"] == 1
    with pytest.raises(ValueError, match="weights='2012'"):
        seven_point(NOTHING, weights="2012")


def test_columns_of_a_table_give_columns():
    lesions = [NOTHING, NOTHING | CRITERIA["irregular_dots_globules"][0] | {"asymmetry_score": 1}]
    table = pd.DataFrame(lesions)
    for score in (abcd_score, seven_point):
        whole = score(table)
        for i, lesion in enumerate(lesions):
            assert {key: values[i] for key, values in whole.items()} == score(lesion)


@pytest.mark.parametrize("score", [abcd_score, seven_point, structure_count])
def test_what_was_not_measured_is_named(score):
    with pytest.raises(ValueError, match="dots_count is not among"):
        score({key: value for key, value in NOTHING.items() if key != "dots_count"})
    with pytest.raises(ValueError, match="dots_count is missing"):
        score(NOTHING | {"dots_count": np.nan})


@pytest.mark.parametrize("score", [abcd_score, seven_point])
def test_every_key_is_documented_once_with_its_range(score):
    found = {key: 0 for key in score(NOTHING)}
    for pattern, low, high, _ in LINE.findall(score.__doc__):
        pieces = re.split(r"\{([^}]*)\}", pattern)
        for key in map("".join, itertools.product(*(p.split(",") if i % 2 else [p] for i, p in enumerate(pieces)))):
            found[key] += 1
            assert float(low) <= score(NOTHING)[key] <= float(high)
    assert set(found.values()) == {1}
