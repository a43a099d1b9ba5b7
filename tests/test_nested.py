"""Nothing that learns or chooses sees the test groups: shown by spies, by a planted leak and by hand."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from joblib import parallel_backend
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.fixes import parse_version

from dermfeat import LesionPipeline, datasets, default_steps
from dermfeat.evaluation.metrics import binary_scores
from dermfeat.evaluation.multiclass import multiclass_scores
from dermfeat.evaluation.nested import nested_cv
from dermfeat.evaluation.thresholds import choose_threshold
from dermfeat.evaluation.tuned import NEED_POSITIVE, TunedClassifier
from dermfeat.evaluation.validation import GroupedCV

EVENTS = []  # (what happened, positions of the rows)


@pytest.fixture(autouse=True)
def _no_events():
    EVENTS.clear()


class Spy(ClassifierMixin, BaseEstimator):
    """A classifier that notes which rows, by the position in their last column, it is fitted to and asked about."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        EVENTS.append(("fit", rows(X)))
        self.model_ = LogisticRegression(C=self.C).fit(X[:, :-1], y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        EVENTS.append(("predict", rows(X)))
        return self.model_.predict_proba(X[:, :-1])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class SpySampler(RandomOverSampler):
    """Notes the rows that it gets and the rows that it makes."""

    def fit_resample(self, X, y):
        made = super().fit_resample(X, y)
        EVENTS.append(("sample", rows(X)))
        EVENTS.append(("made", rows(made[0])))
        return made


class SpySplitter(GroupedCV):
    """Notes the rows that it splits."""

    def split(self, X, y=None, groups=None):
        EVENTS.append(("split", rows(X)))
        return super().split(X, y, groups)


def rows(X):
    return X[:, -1].astype(int)


def photos(lesions=60, *, classes=("nevus", "melanoma"), signal=1.0, per_lesion=3, fingerprint=0.0, seed=0):
    """Return X (the last column is the row's position), labels and lesions; `fingerprint` marks each lesion."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.resize(classes, lesions))
    lesion = np.repeat(np.arange(lesions), per_lesion)
    X = rng.normal(size=(len(lesion), 4)) + signal * (label[lesion] == classes[1])[:, None]
    X += signal * 2 * (label[lesion] == classes[-1])[:, None] * [1, 0, 0, 0] if len(classes) > 2 else 0
    marks = fingerprint * rng.normal(size=(lesions, 4))[lesion]
    return np.c_[X * (0.1 if fingerprint else 1) + marks, np.arange(len(lesion))], label[lesion], lesion


def spied(y, lesion, outer_test, n_inner):
    """Check the events of one outer fold and return how many were looked at."""
    *inside, last = EVENTS
    assert last[0] == "predict"
    assert np.array_equal(last[1], outer_test)
    train = np.setdiff1d(np.arange(len(y)), outer_test)
    for what, seen in inside:
        assert not set(lesion[seen]) & set(lesion[outer_test]), what
    fits = [i for i, (what, _) in enumerate(inside) if what == "fit"]
    inner_predictions = []
    for i in fits:
        assert inside[i - 1][0] == "made"
        assert inside[i - 2][0] == "sample"
        assert set(inside[i - 1][1]) == set(inside[i - 2][1]) == set(inside[i][1])
        counts = pd.Series(y[inside[i][1]]).value_counts()
        assert counts.nunique() == 1  # balanced: the sampler did its work, within these rows
        if i + 1 < len(inside) and inside[i + 1][0] == "predict":
            assert not set(lesion[inside[i][1]]) & set(lesion[inside[i + 1][1]])
            inner_predictions.append(inside[i + 1][1])
        else:
            assert set(inside[i][1]) == set(train)
    for first in range(0, len(inner_predictions), n_inner):
        validated = np.concatenate(inner_predictions[first : first + n_inner])
        assert np.array_equal(np.sort(validated), train)
    assert [what for what, _ in inside].count("split") == 1
    return len(fits)


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({}, 1),
        ({"param_grid": {"spy__C": [0.1, 1]}}, 2 * 3 + 1),
        ({"threshold": "balanced_accuracy"}, 1 + 3),
        ({"param_grid": {"spy__C": [0.1, 1]}, "calibration": "sigmoid", "threshold": {"sensitivity": 0.9}}, 10),
    ],
)  # fmt: skip
def test_spies_see_no_test_group(options, fits):
    X, y, lesion = photos(30)
    y[:12] = "nevus"  # unbalanced, so that the sampler has work
    pipe = Pipeline([("scale", "passthrough"), ("sampler", SpySampler(random_state=0)), ("spy", Spy())])
    for train, test in GroupedCV(4).split(X, y, lesion):
        EVENTS.clear()
        model = TunedClassifier(pipe, inner=SpySplitter(3), pos_label="melanoma", **options)
        model.fit(X[train], y[train], groups=lesion[train])
        model.predict_proba(X[test])
        assert spied(y, lesion, test, 3) == fits


def outer_folds_of_events(result):
    """Return, for each outer fold, the events from its first fit to its last look at the test rows."""
    parts, start = [], 0
    for number in range(len(result.folds)):
        test = np.flatnonzero(result.fold == number)
        last = max(i for i, (what, seen) in enumerate(EVENTS) if what == "predict" and np.array_equal(seen, test))
        parts.append((test, EVENTS[start : last + 1]))
        start = last + 1
    assert start == len(EVENTS)
    return parts


def leaks(result, lesion):
    """Return how often a fit, a sampler, a split or an inner prediction met a lesion of its outer test fold."""
    return sum(
        bool(set(lesion[seen]) & set(lesion[test]))
        for test, events in outer_folds_of_events(result)
        for what, seen in events
        if not (what == "predict" and np.array_equal(seen, test))
    )


def test_nested_cv_keeps_test_groups_out_of_everything():
    X, y, lesion = photos(30)
    pipe = Pipeline([("sampler", SpySampler(random_state=0)), ("spy", Spy())])
    options = {"param_grid": {"spy__C": [0.1, 1]}, "calibration": "isotonic", "threshold": "balanced_accuracy"}
    result = nested_cv(pipe, X, y, lesion, outer=4, pos_label="melanoma", refit=False, n_resamples=50, **options)
    assert sum(what == "fit" for what, _ in EVENTS) == 4 * (2 * 3 + 1 + 3)
    assert leaks(result, lesion) == 0
    assert result.estimator is None


def test_the_spies_see_a_leak():
    X, y, lesion = photos(30)
    images = np.arange(len(y))
    result = nested_cv(Spy(), X, y, images, outer=4, pos_label="melanoma", refit=False, n_resamples=50)
    assert leaks(result, images) == 0
    assert leaks(result, lesion) == 4


@pytest.mark.parametrize("model", [KNeighborsClassifier(1), RandomForestClassifier(50, random_state=0)])
def test_a_planted_leak_deceives_image_wise_validation_only(model):
    X, y, lesion = photos(80, signal=0, fingerprint=1.0, seed=1)
    X = X[:, :-1]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    by_image = cross_val_predict(model, X, y == "melanoma", cv=folds, method="predict_proba")[:, 1]
    assert roc_auc_score(y == "melanoma", by_image) > 0.9
    result = nested_cv(model, X, y, lesion, pos_label="melanoma", refit=False, n_resamples=300)
    low, high = result.scores["auc_interval"]
    assert low < 0.5 < high
    assert 0.35 < result.scores["auc"] < 0.65


def test_equal_to_scikit_learn_put_together_by_hand():
    X, y, lesion = photos(40, signal=0.5)
    pipe = Pipeline(
        [("scale", StandardScaler()), ("sampler", RandomOverSampler(random_state=0)), ("c", LogisticRegression())]
    )
    grid = {"c__C": [0.001, 0.1, 10]}
    result = nested_cv(pipe, X, y, lesion, param_grid=grid, pos_label="melanoma", n_resamples=50)
    expected = np.empty((len(y), 2))
    for number, (train, test) in enumerate(GroupedCV(5).split(X, y, lesion)):
        inner = list(GroupedCV(3).split(X[train], y[train], lesion[train]))
        search = GridSearchCV(pipe, grid, cv=inner, scoring="roc_auc").fit(X[train], y[train])
        expected[test] = search.predict_proba(X[test])
        row = result.folds.loc[number]
        assert row["best_params"] == search.best_params_
        assert row["inner_score"] == search.best_score_
        assert row["outer_score"] == roc_auc_score(y[test] == "nevus", expected[test, 1])
        assert row["groups_test"] == len(set(lesion[test]))
    assert np.array_equal(result.probabilities, expected)
    assert np.array_equal(result.decisions, result.classes[expected.argmax(axis=1)])
    whole = GridSearchCV(pipe, grid, cv=list(GroupedCV(3).split(X, y, lesion)), scoring="roc_auc").fit(X, y)
    assert np.array_equal(result.estimator.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_is_that_of_scikit_learn(method):
    X, y, lesion = photos(40, signal=0.5)
    model = TunedClassifier(LogisticRegression(), calibration=method).fit(X, y, groups=lesion)
    folds = list(GroupedCV(3).split(X, y, lesion))
    expected = CalibratedClassifierCV(LogisticRegression(), method=method, cv=folds, ensemble=False).fit(X, y)
    assert model.predict_proba(X) == pytest.approx(expected.predict_proba(X), abs=1e-6)


@pytest.mark.parametrize("classes", [("nevus", "melanoma"), ("bkl", "mel", "nv")])
def test_temperature_keeps_the_order_and_mends_overconfidence(classes):
    X, y, lesion = photos(60, classes=classes, signal=0.3)
    model = TunedClassifier(RandomForestClassifier(20, random_state=0), calibration="temperature")
    if parse_version(sklearn.__version__) < parse_version("1.8"):
        with pytest.raises(ValueError, match="method"):
            model.fit(X, y, groups=lesion)
        return
    model.fit(X[:, :-1], y, groups=lesion)
    raw, calibrated = model.estimator_.predict_proba(X[:, :-1]), model.predict_proba(X[:, :-1])
    assert np.array_equal(raw.argmax(axis=1), calibrated.argmax(axis=1))
    assert calibrated.max(axis=1).mean() < raw.max(axis=1).mean() - 0.1
    assert calibrated.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("rule", ["balanced_accuracy", {"sensitivity": 0.9}, {"specificity": 0.9}])
def test_the_threshold_is_chosen_on_out_of_fold_predictions(rule):
    X, y, lesion = photos(40, signal=0.4)
    model = TunedClassifier(LogisticRegression(), threshold=rule, pos_label="melanoma").fit(X, y, groups=lesion)
    folds = list(GroupedCV(3).split(X, y, lesion))
    left_out = cross_val_predict(LogisticRegression(), X, y, cv=folds, method="predict_proba")[:, 0]
    assert model.threshold_ == choose_threshold(y == "melanoma", left_out, rule)
    scores = binary_scores(y, left_out, pos_label="melanoma", threshold=model.threshold_, n_resamples=1)
    tried = [binary_scores(y, left_out, pos_label="melanoma", threshold=t, n_resamples=1) for t in left_out]
    if isinstance(rule, str):
        assert scores[rule] == max(other[rule] for other in tried)
    else:
        (name, least), other_name = *rule.items(), "specificity" if "sensitivity" in rule else "sensitivity"
        assert scores[name] >= least
        assert scores[other_name] == max(s[other_name] for s in tried if s[name] >= least)
    called = np.where(model.predict_proba(X)[:, 0] >= model.threshold_, "melanoma", "nevus")
    assert np.array_equal(model.predict(X), called)


def test_choose_threshold_at_the_ends():
    truth = [False, True, False, True]
    assert choose_threshold(truth, [0.1, 0.2, 0.9, 1.0], {"sensitivity": 1}) == pytest.approx(0.15)
    assert choose_threshold(truth, [0.1, 0.2, 1.0, 0.9], {"specificity": 1}) > 1
    assert choose_threshold(truth, [0.1] * 4, {"sensitivity": 0.5}) <= 0.1
    assert choose_threshold(truth, [0.1] * 4, 0.3) == 0.3
    hundred = np.append(np.zeros(100, bool), True)
    cut = choose_threshold(hundred, np.append(np.arange(100), 92.5) / 100, {"specificity": 0.93})
    assert cut == pytest.approx(0.9225)  # 7 of 100 above it; 1 - 0.07 is less than 0.93
    assert choose_threshold(truth, [0.1, 0.2, 0.9, 1.0], lambda is_positive, p: p[is_positive].min()) == 0.2


@pytest.mark.parametrize("rule", ["best", {"sensitivity": 1.5}, {"sensitivity": 0.9, "specificity": 0.9}, True, [0.5]])
def test_unknown_rules_are_refused_before_the_first_fit(rule):
    X, y, lesion = photos(20)
    with pytest.raises(ValueError, match="balanced_accuracy"):
        nested_cv(Spy(), X, y, lesion, pos_label="melanoma", threshold=rule)
    assert not EVENTS


def test_scores_are_of_the_decisions_and_probabilities():
    X, y, lesion = photos(40, signal=0.6)
    result = nested_cv(
        LogisticRegression(), X, y, lesion, pos_label="melanoma", threshold={"sensitivity": 0.95}, n_resamples=200
    )
    positive = y == "melanoma"
    assert result.scores["auc"] == roc_auc_score(positive, result.probabilities[:, 0])
    assert result.scores["sensitivity"] == np.mean(result.decisions[positive] == "melanoma")
    assert result.scores["specificity"] == np.mean(result.decisions[~positive] == "nevus")
    expected = binary_scores(y, result.probabilities[:, 0], pos_label="melanoma", groups=lesion, n_resamples=200)
    assert result.scores["auc_interval"] == expected["auc_interval"]
    for number, row in result.folds.iterrows():
        inside = result.fold == number
        called = np.where(result.probabilities[inside, 0] >= row["threshold"], "melanoma", "nevus")
        assert np.array_equal(result.decisions[inside], called)
    assert result.folds["threshold"].nunique() > 1
    assert result.pos_label == "melanoma"


def test_report_reads_well():
    X, y, lesion = photos(40, signal=0.6)
    options = {"param_grid": {"C": [0.1, 1]}, "pos_label": "melanoma", "n_resamples": 50}
    text = str(nested_cv(LogisticRegression(), X, y, lesion, **options))
    assert text.startswith("Nested cross-validation of 120 images (melanoma 60, nevus 60) in 40 groups")
    for word in (
        "auc",
        "sensitivity",
        "roc_auc over the 5 outer folds",
        "by which the best candidates",
        "best_params",
        "{'C': ",
    ):
        assert word in text


def test_many_classes():
    X, y, lesion = photos(60, classes=("bkl", "mel", "nv"))
    result = nested_cv(
        LogisticRegression(), X[:, :-1], y, lesion, param_grid={"C": [0.1, 1]}, calibration="isotonic", n_resamples=100
    )
    assert result.probabilities.shape == (180, 3)
    assert result.probabilities.sum(axis=1) == pytest.approx(1)
    assert result.classes.tolist() == ["bkl", "mel", "nv"]
    expected = multiclass_scores(y, result.probabilities, classes=result.classes, groups=lesion, n_resamples=100)
    assert result.scores == expected
    assert result.scores["accuracy"] == np.mean(result.decisions == y)
    assert "macro_auc" in str(result)
    assert "balanced_accuracy" in str(result)
    with pytest.raises(ValueError, match="threshold is for two classes"):
        nested_cv(LogisticRegression(), X, y, lesion, threshold="balanced_accuracy")


def test_searches():
    X, y, lesion = photos(30, signal=0.5)
    options = {"pos_label": "melanoma", "outer": 3, "n_resamples": 20, "refit": False}
    grid = {"C": [0.001, 0.1, 10]}
    by_name = nested_cv(LogisticRegression(), X, y, lesion, param_grid=grid, **options)
    whole = GridSearchCV(LogisticRegression(), grid, scoring="roc_auc", cv=KFold(2))  # its cv is replaced
    by_object = nested_cv(LogisticRegression(), X, y, lesion, search=whole, **options)
    assert np.array_equal(by_object.probabilities, by_name.probabilities)

    def factory(estimator, cv):
        return RandomizedSearchCV(estimator, grid, n_iter=3, random_state=0, scoring="roc_auc", cv=cv)

    by_factory = nested_cv(LogisticRegression(), X, y, lesion, search=factory, **options)
    assert np.array_equal(by_factory.probabilities, by_name.probabilities)
    random = nested_cv(LogisticRegression(), X, y, lesion, param_grid=grid, search="random", n_iter=1, **options)
    assert random.folds["best_params"].map(len).tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="leave param_grid out"):
        nested_cv(LogisticRegression(), X, y, lesion, search=whole, param_grid=grid, **options)
    with pytest.raises(ValueError, match="search='bayes'"):
        nested_cv(LogisticRegression(), X, y, lesion, search="bayes", param_grid=grid, **options)


@pytest.mark.parametrize("scoring", [*NEED_POSITIVE, "balanced_accuracy", "neg_log_loss"])
def test_scores_of_the_positive_class(scoring):
    X, y, lesion = photos(30)
    options = {"scoring": scoring, "param_grid": {"C": [0.1, 1]}, "outer": 3, "refit": False, "n_resamples": 20}
    words = nested_cv(LogisticRegression(), X, y, lesion, pos_label="melanoma", **options)
    numbers = nested_cv(LogisticRegression(), X, (y == "melanoma").astype(int), lesion, **options)
    turned = nested_cv(LogisticRegression(), X, (y != "melanoma").astype(int), lesion, pos_label=0, **options)
    for other in (numbers, turned):
        for column in ("inner_score", "outer_score"):
            assert words.folds[column].to_numpy() == pytest.approx(other.folds[column].to_numpy())


@pytest.mark.parametrize("convert", [
    lambda y: y.astype(object), lambda y: y.astype(bool).astype(object), lambda y: pd.Series(y, dtype="Int64"),
    lambda y: pd.Series(y, dtype="boolean"), pd.Categorical, lambda y: pd.Series(y, index=y.argsort()[::-1]), list,
])  # fmt: skip
def test_labels_of_any_kind(convert):
    X, y, lesion = photos(30)
    y = (y == "melanoma").astype(int)
    options = {"threshold": "balanced_accuracy", "outer": 3, "refit": False, "n_resamples": 20}
    expected = nested_cv(LogisticRegression(), X, y, lesion, **options)
    found = nested_cv(LogisticRegression(), X, convert(y), lesion, **options)
    assert np.array_equal(found.decisions, expected.decisions)
    assert found.scores == expected.scores


def test_workers_change_nothing():
    X, y, lesion = photos(30)
    options = {"pos_label": "melanoma", "outer": 3, "n_resamples": 20}
    tuned = {"param_grid": {"C": [0.1, 1]}, "calibration": "sigmoid", "threshold": "balanced_accuracy"}
    for extra in ({}, tuned):
        alone = nested_cv(LogisticRegression(), X, y, lesion, **options, **extra)
        with parallel_backend("threading"):
            shared = nested_cv(LogisticRegression(), X, y, lesion, n_jobs=2, **options, **extra)
        assert np.array_equal(alone.probabilities, shared.probabilities)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": None}, "groups is None"),
        ({"groups": ["a"] * 5}, "5 groups and 90 images"),
        ({"pos_label": None}, "positive class"),
        ({"pos_label": "naevus"}, "none of the classes"),
        ({"calibration": "platt"}, "method"),
        ({"outer": KFold(4)}, "both sides of a split"),
        ({"outer": [(np.arange(60), np.arange(60, 87))]}, "test image 0 0 times"),
        ({"outer": GroupedCV(3, n_repeats=2)}, "2 times"),
        ({"outer": 16}, "too few for 16 folds"),
        ({"outer": 15, "inner": 15}, "14 groups, too few for 15 inner folds"),
        ({"scoring": "no_such"}, "no_such"),
        ({"inner": [(np.arange(30), np.arange(30, 60))]}, "inner folds are of a part"),
        ({"inner": GroupedCV(3, groups=np.arange(90))}, "inner folds are of a part"),
        ({"param_grid": None, "search": GridSearchCV(Spy(), {"C": [1]}, refit=False)}, "refit=False"),
        ({"y": ["nevus", "melanoma"]}, "inconsistent numbers"),
    ],
)
def test_refusals_come_before_the_first_fit(changed, message):
    X, y, lesion = photos(30)
    options = {"y": y, "groups": lesion + 0.5, "pos_label": "melanoma", "param_grid": {"C": [1]}} | changed
    with pytest.raises(ValueError, match=message):
        nested_cv(Spy(), X, **options)
    assert not EVENTS


def test_data_frames_and_several_group_columns():
    X, y, lesion = photos(40)
    frame = pd.DataFrame(X[:, :-1], columns=list("abcd"), index=np.arange(len(y))[::-1])
    groups = pd.DataFrame({"lesion": lesion, "patient": lesion // 2})
    result = nested_cv(LogisticRegression(), frame, pd.Series(y), groups, pos_label="melanoma", n_resamples=20)
    for number in range(5):
        inside = result.fold == number
        assert not set(lesion[inside] // 2) & set(lesion[~inside] // 2)
    assert result.folds["groups_test"].sum() == 20
    array = nested_cv(LogisticRegression(), X[:, :-1], y, lesion // 2, pos_label="melanoma", n_resamples=20)
    assert array.probabilities == pytest.approx(result.probabilities)


@pytest.mark.parametrize("form", ["list", "object array", "array"])
def test_lesion_pipeline(form):
    data = datasets.make_lesions(36, size=(64, 80), photos_per_lesion=1.5, random_state=0)
    X = {"list": list(data.X), "object array": np.empty(36, object), "array": data.X}[form]
    X[:] = list(data.X)
    pipe = LesionPipeline(
        default_steps(families=["mask"], pos_label="malignant", sampler=RandomOverSampler(random_state=0))
    )
    pipe.set_params(classifier__n_estimators=5)
    grid = {"classifier__max_depth": [2, 3], "sampler": ["passthrough", RandomOverSampler(random_state=0)]}
    result = nested_cv(
        pipe, X, data.y, data.groups, param_grid=grid, outer=2, inner=2, threshold={"sensitivity": 0.9}, n_resamples=20
    )
    assert result.pos_label == "malignant"
    assert np.isfinite(result.probabilities).all()
    assert set(result.estimator.predict(X[:4])) <= {"benign", "malignant"}
    assert result.estimator.positive_proba(X[:4]).shape == (4,)
    assert isinstance(result.estimator.estimator_, LesionPipeline)


def test_tuned_classifier_is_cloned_whole():
    model = TunedClassifier(LogisticRegression(), param_grid={"C": [1]}, threshold={"sensitivity": 0.9})
    assert clone(model).get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert clone(model).set_params(estimator__C=3).estimator.C == 3
    X, y, _ = photos(20)
    with pytest.raises(ValueError, match="groups is None"):
        model.fit(X, y == "melanoma")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"param_grid": {"c__C": [0.1, 1]}},
        {"param_grid": {"c__C": [0.1, 1, 10]}, "search": "random", "n_iter": 2},
    ],
)
def test_a_classifier_without_probabilities_is_refused_before_the_first_fit(options):
    X, y, lesion = photos(30)
    pipe = Pipeline([("sampler", SpySampler(random_state=0)), ("c", LinearSVC())])
    with pytest.raises(ValueError, match=r"LinearSVC has no predict_proba; .*CalibratedClassifierCV\(LinearSVC\(\)\)"):
        nested_cv(pipe, X, y, lesion, pos_label="melanoma", **options)
    assert not EVENTS


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (Pipeline([("c", "passthrough")]), {"c": [LogisticRegression(C=0.1), LogisticRegression()]}),
        (StackingClassifier([("a", LogisticRegression())], cv=2), None),
    ],
)
def test_probabilities_that_come_with_a_candidate_or_with_the_fit(model, grid):
    X, y, lesion = photos(20)
    options = {"outer": 2, "refit": False, "n_resamples": 20, "pos_label": "melanoma"}
    result = nested_cv(model, X[:, :-1], y, lesion, param_grid=grid, **options)
    assert np.isfinite(result.probabilities).all()
