"""Splits never tear a group apart, whatever they are called through."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    learning_curve,
)

from dermfeat.evaluation.groups import group_ids, merge_groups
from dermfeat.evaluation.validation import GroupedCV, grouped_folds, grouped_split

FEW = st.one_of(st.none(), st.integers(0, 6))


def photos(lesions=60, *, classes=("benign", "malignant"), seed=0):
    """Return rows, labels and lesion ids: one to four photos of a lesion, the last class seldom."""
    rng = np.random.default_rng(seed)
    share = np.linspace(3, 1, len(classes))
    label = rng.choice(classes, size=lesions, p=share / share.sum())
    which = np.repeat(np.arange(lesions), rng.integers(1, 5, lesions))
    X = rng.normal(size=(len(which), 3)) + (label[which] == classes[-1])[:, None]
    return X, label[which], np.array([f"lesion_{i}" for i in which])


def components(columns):
    """Return the components found by joining whatever shares an id until nothing changes."""
    n = len(columns[0])
    number = list(range(n))
    changed = True
    while changed:
        changed = False
        for i in range(n):
            for j in range(n):
                tied = any(column[i] is not None and column[i] == column[j] for column in columns)
                if tied and number[i] != number[j]:
                    number[i] = number[j] = min(number[i], number[j])
                    changed = True
    return number


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.lists(FEW, min_size=n, max_size=n), min_size=1, max_size=3)))
def test_merge_groups_joins_what_shares_any_id_and_nothing_else(columns):
    assert merge_groups(*columns).tolist() == pd.factorize(np.array(components(columns)))[0].tolist()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "nan", "None", "unknown"])
def test_missing_ids_tie_nothing(missing):
    column = pd.Series(["a", missing, "a", missing], dtype=object)
    assert merge_groups(column).tolist() == [0, 1, 0, 2]
    with pytest.raises(ValueError, match=r"group of image 1 is missing \(2 of 4"):
        group_ids(column, 4)


def test_ids_turned_to_text_with_their_gaps_are_seen_through():
    text = np.array(pd.Series(["a", np.nan, np.nan]).astype(object).tolist()).astype(str)
    assert text.tolist() == ["a", "nan", "nan"]
    assert merge_groups(text).tolist() == [0, 1, 2]


def test_ids_read_half_as_numbers_and_half_as_text_are_the_same():
    assert merge_groups(np.array([7, "7", 7.0, " 7", "08", 8], object)).tolist() == [0, 0, 0, 0, 1, 2]


def test_ids_of_different_columns_are_different_things():
    assert merge_groups([1, 2], [2, 3]).tolist() == [0, 1]


def test_merge_groups_refuses():
    with pytest.raises(ValueError, match=r"\[2, 3\] ids"):
        merge_groups(["a", "b"], ["p", "p", "q"])
    with pytest.raises(ValueError, match="one or more"):
        merge_groups()
    with pytest.raises(ValueError, match="one id per image"):
        merge_groups(np.zeros((3, 2)))


@pytest.mark.parametrize("form", ["frame", "list", "array"])
def test_several_columns_can_be_groups(form):
    frame = pd.DataFrame({"lesion": ["a", "a", "b", "c"], "patient": ["p", "p", "p", "q"]})
    groups = {"frame": frame, "list": [frame["lesion"], frame["patient"]], "array": frame.to_numpy()}[form]
    assert group_ids(groups, 4).tolist() == [0, 0, 0, 1]


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([0.1, 0.15, 0.2, 0.25, 1 / 3, 0.5]), st.sampled_from([0, 0.1, 0.2]),
    st.sampled_from([("benign", "malignant"), ("bkl", "mel", "nv")]),
)  # fmt: skip
def test_grouped_split(seed, test_size, validation_size, classes):
    _, y, lesion = photos(60, classes=classes, seed=seed)
    parts = grouped_split(y, lesion, test_size=test_size, validation_size=validation_size, random_state=seed)
    assert len(parts) == (3 if validation_size else 2)
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    ids = [set(lesion[part]) for part in parts]
    assert sum(map(len, ids)) == len(set(lesion))
    assert all(set(y[part]) == set(classes) for part in parts)
    assert abs(len(parts[-1]) / len(y) - test_size) < 0.05
    for label in classes:
        assert abs(np.mean(y[parts[-1]] == label) - np.mean(y == label)) < 0.15


def test_grouped_split_says_what_it_achieved():
    _, y, lesion = photos(100)
    train, test = parts = grouped_split(y, lesion, test_size=0.3, random_state=1)
    assert parts.shares.loc["test", "share"] == len(test) / len(y)
    assert parts.shares.loc["train", "malignant"] == np.mean(y[train] == "malignant")
    assert parts.shares["groups"].sum() == 100
    assert "malignant" in str(parts)
    again = grouped_split(y, lesion, test_size=0.3, random_state=1)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))
    other = grouped_split(y, lesion, test_size=0.3, random_state=2)
    assert not np.array_equal(test, other[1])


def test_grouped_split_of_the_fewest_groups():
    y = np.repeat(["a", "b"], 6)
    groups = np.repeat(np.arange(6), 2)
    parts = grouped_split(y, groups, test_size=1 / 3, validation_size=1 / 3)
    assert [len(part) for part in parts] == [4, 4, 4]
    with pytest.raises(ValueError, match="class 'b' has 1 groups, too few for 2 parts"):
        grouped_split(["a", "a", "b", "b"], ["x", "y", "z", "z"])
    with pytest.raises(ValueError, match="no split has every class in every part"):
        grouped_split(["a", "b", "c"] * 2, ["x", "x", "z", "y", "z", "y"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": None}, "groups is None"),
        ({"groups": ["a"] * 3}, "3 groups and 8 images"),
        ({"y": [*"aabbaab", None]}, r"y\[7\] is missing"),
        ({"y": ["a"] * 8}, "two classes"),
        ({"test_size": 0}, "no shares"),
        ({"test_size": 0.8, "validation_size": 0.2}, "no shares"),
        ({"test_size": 0.7, "validation_size": 0.3}, "no shares"),
        ({"validation_size": -0.1}, "no shares"),
    ],
)
def test_grouped_split_refuses(changed, message):
    with pytest.raises(ValueError, match=message):
        grouped_split(**{"y": list("aabbaabb"), "groups": range(8)} | changed)


def test_grouped_cv_is_stratified_group_k_fold():
    X, y, lesion = photos()
    ids = pd.factorize(lesion)[0]
    expected = StratifiedGroupKFold(4).split(X, y, ids)
    found = GroupedCV(4, shuffle=False).split(X, y, lesion)
    for (train, test), (expected_train, expected_test) in zip(found, expected, strict=True):
        assert np.array_equal(train, expected_train)
        assert np.array_equal(test, expected_test)


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_folds_are_stratified(seed):
    X, y, lesion = photos(100, seed=seed)
    for train, test in GroupedCV(5, random_state=seed).split(X, y, lesion):
        assert not set(lesion[train]) & set(lesion[test])
        assert abs(np.mean(y[test] == "malignant") - np.mean(y == "malignant")) < 0.06
        assert abs(len(test) / len(y) - 0.2) < 0.04


def test_repeats_are_drawn_anew():
    X, y, lesion = photos()
    cv = GroupedCV(3, n_repeats=2)
    folds = list(cv.split(X, y, lesion))
    assert len(folds) == cv.get_n_splits() == 6
    for repeat in (folds[:3], folds[3:]):
        assert sorted(np.concatenate([test for _, test in repeat])) == list(range(len(y)))
    assert not any(np.array_equal(folds[0][1], test) for _, test in folds[3:])
    with pytest.raises(ValueError, match="n_repeats"):
        next(GroupedCV(3, n_repeats=2, shuffle=False).split(X, y, lesion))
    assert len(list(GroupedCV(3, shuffle=False).split(X, y, lesion))) == 3


def test_patients_and_lesions_stay_together():
    X, y, lesion = photos()
    patient = pd.factorize(lesion)[0] // 3
    copies = np.where(np.arange(len(y)) < 2, 0, np.arange(len(y)))
    for train, test in GroupedCV(4, groups=[lesion, patient, copies]).split(X, y):
        for column in (lesion, patient, copies):
            assert not set(column[train]) & set(column[test])


def test_grouped_cv_refuses():
    X, y, lesion = photos()
    with pytest.raises(ValueError, match="groups is None"):
        cross_val_score(LogisticRegression(), X, y, cv=GroupedCV(3))
    with pytest.raises(ValueError, match="y is None"):
        next(GroupedCV(3).split(X, groups=lesion))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        next(GroupedCV(3).split(X, y[:-1], lesion))
    with pytest.raises(ValueError, match="give them once"):
        next(GroupedCV(3, groups=lesion).split(X, y, lesion))
    with pytest.raises(ValueError, match="missing"):
        next(GroupedCV(3, groups=np.where(lesion == "lesion_3", None, lesion)).split(X, y))
    seldom = np.where(np.isin(lesion, ["lesion_1", "lesion_2"]), "seldom", y)
    with pytest.raises(ValueError, match="'seldom' has 2 groups, too few for 3 folds"):
        next(GroupedCV(3).split(X, seldom, lesion))


def test_a_class_on_one_side_only_is_an_error():
    y = ["a", "b", "c"] * 2
    with pytest.raises(ValueError, match="not on both sides of a fold"):
        list(GroupedCV(2).split(y, y, ["x", "x", "z", "y", "z", "y"]))


class Remembers(ClassifierMixin, BaseEstimator):
    """Notes the lesions, which stand in the last column, of each fit and each prediction."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        EVENTS.append(("fit", set(X[:, -1])))
        self.model_ = LogisticRegression(C=self.C).fit(X[:, :-1], y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        EVENTS.append(("predict", set(X[:, -1])))
        return self.model_.predict_proba(X[:, :-1])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


EVENTS = []


def torn():
    """Return how many predictions were asked of a model fitted to one of the same lesions, just before."""
    return sum(a == "fit" and b == "predict" and bool(x & y) for (a, x), (b, y) in pairwise(EVENTS))


WAYS = {
    "cross_val_score": lambda cv, X, y, g: cross_val_score(Remembers(), X, y, cv=cv, scoring="roc_auc", **g),
    "GridSearchCV": lambda cv, X, y, g: GridSearchCV(Remembers(), {"C": [0.1, 1]}, cv=cv, scoring="roc_auc").fit(
        X, y, **g
    ),
    "learning_curve": lambda cv, X, y, g: learning_curve(
        Remembers(), X, y, cv=cv, scoring="roc_auc", train_sizes=[0.6, 1.0], **g
    ),
    "CalibratedClassifierCV": lambda cv, X, y, g: CalibratedClassifierCV(Remembers(), cv=cv).fit(X, y, **g),
    "TunedThresholdClassifierCV": lambda cv, X, y, g: TunedThresholdClassifierCV(Remembers(), cv=cv).fit(X, y, **g),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bound", [True, False])
def test_scikit_learn_runs_on_grouped_cv(way, bound):
    X, y, lesion = photos()
    codes = pd.factorize(lesion)[0]
    X = np.c_[X, codes]
    y = (y == "malignant").astype(int)
    if bound:
        WAYS[way](GroupedCV(3, groups=codes), X, y, {})
    elif way in ("CalibratedClassifierCV", "TunedThresholdClassifierCV"):
        with config_context(enable_metadata_routing=True):
            WAYS[way](GroupedCV(3), X, y, {"groups": codes})
    else:
        WAYS[way](GroupedCV(3), X, y, {"groups": codes})
    assert sum(kind == "predict" for kind, _ in EVENTS) >= 3
    assert torn() == 0


def test_the_spy_sees_torn_groups():
    X, y, lesion = photos()
    EVENTS.clear()
    cross_val_score(Remembers(), np.c_[X, pd.factorize(lesion)[0]], y, cv=KFold(3, shuffle=True), scoring="roc_auc")
    assert torn() == 3


@pytest.fixture(autouse=True)
def _no_events():
    EVENTS.clear()


def test_bound_groups_in_a_nested_search_say_what_to_do():
    X, y, lesion = photos()
    y = (y == "malignant").astype(int)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=GroupedCV(3, groups=lesion), scoring="roc_auc")
    with pytest.raises(ValueError, match=r"nested_cv or TunedClassifier"):
        cross_val_score(search, X, y, cv=GroupedCV(3, groups=lesion), error_score="raise")


def test_grouped_cv_is_cloned_with_its_search_and_shown_briefly():
    _, _, lesion = photos()
    search = clone(GridSearchCV(LogisticRegression(), {"C": [1]}, cv=GroupedCV(3, groups=lesion)))
    assert search.cv.n_splits == 3
    assert np.array_equal(search.cv.groups, lesion)
    assert repr(search.cv).startswith("GroupedCV(3, groups=<bound>")


def test_grouped_folds_refuse_a_splitter_that_tears_groups_apart():
    X, y, lesion = photos()
    with pytest.raises(ValueError, match=r"groups are on both sides of a split of KFold"):
        grouped_folds(KFold(3, shuffle=True, random_state=0), X, y, lesion)
    given_folds = list(GroupedCV(3).split(X, y, lesion))
    assert len(grouped_folds(given_folds, X, y, lesion)) == len(grouped_folds(3, X, y, lesion)) == 3
    assert len(grouped_folds(GroupedCV(3, groups=lesion), X, y, lesion)) == 3
