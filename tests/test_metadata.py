"""Age, sex and site as numbers, alone and beside images."""

import pickle
from datetime import date

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from dermfeat import LesionFeatures, LesionImageError, LesionPipeline, datasets, default_steps
from dermfeat.learning import MetadataFeatures


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "age": [45, np.nan, 60, 50],
            "sex": ["Male", " male", None, "FEMALE"],
            "site": ["head/neck", "nan", "Lower  extremity", "Unknown"],
        }
    )


def frame(estimator, X, fit=None):
    return clone(estimator).set_output(transform="pandas").fit(X if fit is None else fit).transform(X)


def test_numbers_levels_and_missing_values(table):
    rows = frame(MetadataFeatures(), table)
    assert rows.to_dict("list") == {
        "age": [45, 50, 60, 50],
        "age_is_missing": [0, 1, 0, 0],
        "sex_female": [0, 0, 0, 1],
        "sex_male": [1, 1, 0, 0],
        "sex_is_other": [0, 0, 0, 0],
        "sex_is_missing": [0, 0, 1, 0],
        "site_head/neck": [1, 0, 0, 0],
        "site_lower_extremity": [0, 0, 1, 0],
        "site_is_other": [0, 0, 0, 0],
        "site_is_missing": [0, 1, 0, 1],
    }
    assert (rows.dtypes == np.float32).all()
    assert rows.index.equals(table.index)


def test_the_fill_is_of_the_training_rows(table):
    fitted = MetadataFeatures().fit(table)
    new = table.assign(age=[np.nan, 90, 90, 90], sex="intersex", site=[None, pd.NA, "HEAD/NECK", "moon"])
    rows = pd.DataFrame(fitted.transform(new), columns=fitted.get_feature_names_out())
    assert rows["age"].tolist() == [50, 90, 90, 90]
    assert rows["sex_is_other"].tolist() == [1] * 4
    assert rows[["sex_female", "sex_male", "sex_is_missing"]].to_numpy().sum() == 0
    assert rows["site_is_missing"].tolist() == [1, 1, 0, 0]
    assert rows["site_head/neck"].tolist() == [0, 0, 1, 0]
    assert rows["site_is_other"].tolist() == [0, 0, 0, 1]


def test_rare_levels_are_other(table):
    rows = frame(MetadataFeatures(min_count=2), table)
    assert [name for name in rows if name.startswith("sex")] == ["sex_male", "sex_is_other", "sex_is_missing"]
    assert rows["sex_is_other"].tolist() == [0, 0, 0, 1]
    assert rows["site_is_other"].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    "ages",
    [
        pd.array([45, None, 60, 50], dtype="Int64"),
        pd.array([45, None, 60, 50], dtype="Float32"),
        ["45", "", " 60", "50.0"],
        [45, "unknown", "60", 50.0],
        np.array([45, None, 60, 50], object),
        pd.Categorical([45, None, 60, 50]),
    ],
    ids=["Int64", "Float32", "text", "mixed", "object", "categorical"],
)
def test_kinds_of_numbers(table, ages):
    pd.testing.assert_frame_equal(frame(MetadataFeatures(), table.assign(age=ages)), frame(MetadataFeatures(), table))


@pytest.mark.parametrize("dtype", ["object", "string", "category", "string[pyarrow]"])
def test_kinds_of_text(table, dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    typed = table.astype({"sex": dtype, "site": dtype})
    pd.testing.assert_frame_equal(frame(MetadataFeatures(), typed), frame(MetadataFeatures(), table))


def test_booleans_and_codes_are_text_where_said():
    coded = pd.DataFrame({"biopsied": pd.array([True, False, None], dtype="boolean"), "site": [1.0, 2.0, np.nan]})
    assert [*frame(MetadataFeatures(), coded)][-2:] == ["site", "site_is_missing"]
    fitted = MetadataFeatures(numeric=[]).fit(coded)
    assert fitted.levels_ == {"biopsied": ["false", "true"], "site": ["1", "2"]}
    assert fitted.transform(pd.DataFrame({"biopsied": [True], "site": [2]})).tolist() == [[0, 1, 0, 0, 0, 1, 0, 0]]


def test_columns_are_found_by_name(table):
    fitted = MetadataFeatures().fit(table)
    rows = fitted.transform(table)
    np.testing.assert_array_equal(fitted.transform(table[["site", "age", "sex"]].assign(more=1)), rows)
    with pytest.raises(LesionImageError, match=r"X: no column 'sex'. Give a table with them; it has"):
        fitted.transform(table.drop(columns="sex"))
    arrays = MetadataFeatures().fit(table.to_numpy())
    np.testing.assert_array_equal(arrays.transform(table.to_numpy()), rows)
    assert arrays.get_feature_names_out()[:2].tolist() == ["x0", "x0_is_missing"]
    with pytest.raises(LesionImageError, match="X has 2 features, but MetadataFeatures is expecting 3"):
        arrays.transform(table.to_numpy()[:, :2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": [45, -1, 60, 50]}, r"row 1, column 'age': -1 is beyond 0 to 120. .* limits="),
        ({"age": [45, 60, "130", 50]}, "row 2, column 'age': '130' is beyond"),
        ({"age": [45, 60, 61, np.inf]}, "row 3, column 'age': inf is not a finite number"),
        ({"age": [45, 60, 61, 1e60]}, "row 3, column 'age': 1e.60 is not a finite number"),
        ({"age": [None] * 4}, "column 'age': no value in any of the 4 rows"),
        ({"sex": ["unknown", "", None, np.nan]}, "column 'sex': no value in any"),
        ({"age_is_missing": [1, 2, 3, 4]}, "column 'age_is_missing': would come out twice"),
    ],
)
def test_impossible_training_values(table, change, message):
    with pytest.raises(LesionImageError, match=message):
        MetadataFeatures().fit(table.assign(**{k: pd.Series(v, dtype=object) for k, v in change.items()}))


def test_a_word_among_numbers(table):
    fitted = MetadataFeatures().fit(table)
    with pytest.raises(LesionImageError, match=r"row 2, column 'age': 'old' is not a finite number. .*empty"):
        fitted.transform(table.assign(age=[1, 2, "old", 4]))
    assert MetadataFeatures(missing_values=["old"]).fit(table.assign(age=[1, 2, "Old", 4])).fill_ == {"age": 2}
    assert MetadataFeatures(limits={}).fit(table.assign(age=[1, 2, 130, 4])).fill_ == {"age": 3}
    with pytest.raises(LesionImageError, match=r"numeric: no columns \['Age'\]"):
        MetadataFeatures(numeric=["Age"]).fit(table)


def test_what_is_no_table(table):
    for X in (table["age"], [1, 2], "age"):
        with pytest.raises(LesionImageError, match=r'X\[\["age"\]\]'):
            MetadataFeatures().fit(X)
    for columns in (["a", "a", "b"], [0, 1, 2]):
        with pytest.raises(LesionImageError, match="X: column names"):
            MetadataFeatures().fit(table.set_axis(columns, axis=1))
    with pytest.raises(LesionImageError, match=r"0 feature\(s\)"):
        MetadataFeatures().fit(table[[]])


def test_the_table_is_left_alone_and_copies_agree(table):
    before = table.copy()
    fitted = MetadataFeatures(min_count=2).fit(table)
    rows = fitted.transform(table)
    pd.testing.assert_frame_equal(table, before)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(table), rows)
    np.testing.assert_array_equal(clone(fitted).fit_transform(table), rows)
    assert fitted.transform(table.iloc[:0]).shape == (0, rows.shape[1])


def test_scikit_learns_checks():
    """Tables hold words, so what numeric input alone can be asked is expected to fail, and nothing else."""
    own_words = "refused, in words of our own"
    expected = {
        "check_complex_data": "complex numbers are not looked for",
        "check_n_features_in_after_fitting": "further columns of a DataFrame are ignored",
        "check_estimators_empty_data_messages": own_words,
        "check_estimator_sparse_tag": own_words,
        "check_estimator_sparse_array": own_words,
        "check_estimator_sparse_matrix": own_words,
        "check_fit2d_predict1d": own_words,
    }
    results = check_estimator(MetadataFeatures(), expected_failed_checks=expected, on_skip=None)
    assert sum(result["status"] == "passed" for result in results) >= 30


def test_random_tables_are_finite():
    rng = np.random.default_rng(0)
    pool = np.array([None, np.nan, "", "unknown", "45", 45, "Back ", "back", 1.0, pd.NA, True], object)
    for _ in range(50):
        train, test = rng.choice(pool, (2, 20, 3))
        fitted = MetadataFeatures(numeric=[], min_count=rng.integers(1, 4)).fit(train)
        rows = fitted.transform(test)
        assert np.isfinite(rows).all()
        parts = [len(levels) + 2 for levels in fitted.levels_.values()]
        for block in np.split(rows, np.cumsum(parts)[:-1], axis=1):
            assert (block.sum(axis=1) == 1).all()


def test_grid_search(table):
    many = pd.concat([table] * 10, ignore_index=True)
    pipe = make_pipeline(MetadataFeatures(), LogisticRegression())
    search = GridSearchCV(pipe, {"metadatafeatures__min_count": [1, 30]}, cv=2)
    search.fit(many, many["sex"].isna())
    assert search.best_params_ == {"metadatafeatures__min_count": 1}


def test_siim_table(shared_data):
    siim = pd.read_csv(shared_data / "siim2020" / "train.csv")
    columns = ["age_approx", "sex", "anatom_site_general_challenge"]
    rows = frame(MetadataFeatures(), siim[columns])
    missing = rows.filter(like="is_missing").sum().astype(int)
    assert missing.tolist() == siim[columns].isna().sum().tolist()
    assert missing.min() > 0
    auc = cross_val_score(
        make_pipeline(MetadataFeatures(), LogisticRegression(max_iter=1000)),
        siim[columns],
        siim["target"],
        groups=siim["patient_id"],
        scoring="roc_auc",
        cv=StratifiedGroupKFold(3),
    )
    assert 0.6 < auc.mean() < 0.75


def test_ham10000_table(shared_data):
    ham = pd.read_csv(shared_data / "ham10000" / "HAM10000_metadata.csv")
    rows = frame(MetadataFeatures(), ham[["age", "sex", "localization"]])
    assert rows["age_is_missing"].sum() == 57
    assert rows["sex_is_missing"].sum() == 57
    assert rows["localization_is_missing"].sum() == (ham["localization"] == "unknown").sum() > 0


def test_ids_are_no_metadata():
    ids = pd.DataFrame({"lesion": [f"l{i}" for i in range(60)], "sex": ["male", "female"] * 30})
    message = (
        "column 'lesion': found 60 different texts in 60 rows, so it is an id, not metadata. Take it out or convert"
    )
    with pytest.raises(LesionImageError, match=message):
        MetadataFeatures().fit(ids)
    MetadataFeatures().fit(ids[:50])
    MetadataFeatures().fit(ids.assign(lesion=ids["lesion"].where(ids.index < 54, "l0")))
    with pytest.raises(LesionImageError, match="found 55 different texts in 60 rows"):
        MetadataFeatures().fit(ids.assign(lesion=ids["lesion"].where(ids.index < 55, "l0")))
    with pytest.raises(LesionImageError, match="found 54 different texts in 54 rows"):
        MetadataFeatures().fit(ids.assign(lesion=ids["lesion"].where(ids.index < 54, None)))


@pytest.mark.parametrize(
    "dates",
    [
        pd.to_datetime(["2020-01-05", None, "2021-03-01", "2021-03-01"]),
        pd.to_datetime(["2020-01-05"] * 4, utc=True),
        pd.period_range("2020-01", periods=4, freq="M"),
        pd.to_timedelta([1, 2, 3, 4], unit="D"),
        [None, date(2020, 1, 5), None, None],
        np.array([None, np.datetime64("2020-01-05"), None, None], object),
    ],
)
def test_dates_are_no_metadata(table, dates):
    with pytest.raises(
        LesionImageError, match=r"column 'seen': found dates. Convert it to a number, .* or leave it out"
    ):
        MetadataFeatures().fit(table.assign(seen=dates))


# Beside images


@pytest.fixture(scope="module")
def lesions():
    data = datasets.make_lesions(60, size=(96, 120), random_state=0, malignant_share=0.4, missing=0.2)
    patients = np.unique(data.groups, return_inverse=True)[1] // 3
    return data.metadata[["age", "sex", "site"]].assign(image=list(data.X), patient_id=patients), data.y


def quick(**options):
    options = {"metadata": ["age", "sex", "site"], "pos_label": "malignant"} | options
    return LesionPipeline(default_steps(["color"], **options)).set_params(classifier__n_estimators=20)


def test_images_and_metadata_in_one_pipeline(lesions):
    table, y = lesions
    pipe = quick().fit(table[:40], y[:40])
    names = pipe[:-1].get_feature_names_out()
    assert names[0].startswith("image__color__")
    assert {"metadata__age", "metadata__age_is_missing", "metadata__sex_is_missing"} <= set(names)
    assert not any(name.startswith("patient") for name in names)
    proba = pipe.positive_proba(table[40:])
    assert roc_auc_score(y[40:] == "malignant", proba) > 0.5
    np.testing.assert_array_equal(pipe.positive_proba(table[40:].iloc[:, ::-1].assign(more=0)), proba)
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(again.positive_proba(table[40:]), proba)
    rows = clone(pipe)[:-1].set_output(transform="pandas").fit_transform(table[:40], y[:40])
    assert list(rows) == list(names)
    assert rows.index.equals(table.index[:40])


def test_samplers_follow_missing_values(lesions):
    table, y = lesions
    assert table["age"].isna().any()
    quick(sampler=SMOTE(random_state=0, k_neighbors=3), patient_id="patient_id").fit(table, y)


def test_parameters_are_reached_by_name(lesions):
    table, y = lesions
    grid = {
        "features__metadata__min_count": [1, 20],
        "features__image__reader__segmenter": ["otsu"],
        "features__patient__features__reader__segmenter": ["otsu"],
    }
    search = GridSearchCV(quick(patient_id="patient_id"), grid, scoring="roc_auc", cv=2).fit(table[:40], y[:40])
    assert len(search.cv_results_["params"]) == 2
    texture = LesionPipeline(default_steps(["texture"], metadata="age")).set_params(features__image__texture__levels=8)
    assert texture.fit(table[:9], y[:9])["features"].named_transformers_["image"].families[0][1].levels == 8
    pipe = quick(patient_id="patient_id").set_params(features__patient="drop", features__metadata="drop")
    names = pipe.fit(table[:20], y[:20])[:-1].get_feature_names_out()
    assert len(pipe.predict(table[["image"]])) == 60
    assert all(name.startswith("image__") for name in names)


def test_copies_are_not_other_lesions_of_the_patient(lesions):
    table, y = lesions
    table = table.assign(lesion_id=[f"l{i}" for i in range(60)])

    class Twice(RandomOverSampler):
        def fit_resample(self, X, y, **params):
            return pd.concat([X, X], ignore_index=True), np.concatenate([y, y])

    columns = {"patient_id": "patient_id", "lesion_id": "lesion_id"}
    alone, copied = quick(**columns).fit(table, y), quick(**columns, augment=Twice()).fit(table, y)
    part = [pipe["features"].named_transformers_["patient"] for pipe in (alone, copied)]
    np.testing.assert_allclose(part[0].scale_, part[1].scale_)
    assert [*alone["features"].transformers[2][2]] == ["image", "patient_id", "lesion_id"]


@pytest.mark.parametrize("column", ["image", "patient_id", "lesion_id"])
def test_images_and_ids_are_no_metadata(column):
    with pytest.raises(ValueError, match=rf"\['{column}'\] in metadata are columns of images or ids"):
        default_steps(metadata=["age", column], patient_id="patient_id", lesion_id="lesion_id")


def test_other_names_and_one_column(lesions):
    table, y = lesions
    renamed = table.rename(columns={"image": "photo"})
    pipe = quick(metadata="age", image="photo", patient_id="patient_id").fit(renamed, y)
    names = pipe[:-1].get_feature_names_out()
    assert [name for name in names if name.startswith("metadata")] == ["metadata__age", "metadata__age_is_missing"]
    assert names[-1] == "patient__distance"


def test_a_table_that_lacks_something(lesions):
    table, y = lesions
    pipe = quick().fit(table[:30], y[:30])
    with pytest.raises(LesionImageError, match=r"X: no column 'image'. Give a table"):
        pipe.predict(table.drop(columns="image"))
    with pytest.raises(LesionImageError, match="X: no column 'sex', 'site'"):
        pipe.predict(table[["image", "age"]])
    with pytest.raises(
        LesionImageError, match=r"X: found a list where a table is expected. Give a DataFrame .*'image'"
    ):
        pipe.predict(["a.jpg"])
    with pytest.raises(LesionImageError, match="X: no column 'patient_id'"):
        quick(patient_id="patient_id").fit(table.drop(columns="patient_id"), y)


def test_without_metadata_nothing_changes():
    features = dict(default_steps())["features"]
    assert isinstance(features, LesionFeatures)


def test_patients_compare_the_classical_families():
    features = dict(default_steps(["color"], embedding="mobilenet", patient_id="p"))["features"]
    parts = {name: part for name, part, _ in features.transformers}
    assert [*parts] == ["image", "patient"]
    assert [name for name, _ in parts["patient"].features.families] == ["color"]
    assert [name for name, _ in parts["image"].families] == ["color", "embedding"]
    alone = dict(default_steps([], embedding="mobilenet", patient_id="p"))["features"]
    assert [name for name, _ in alone.transformers[1][1].features.families] == ["embedding"]


def test_metadata_are_judged_before_images_are_read(lesions):
    table, y = lesions
    table = table.assign(image="no such file.jpg", seen=pd.Timestamp("2020-01-05"), code=[f"c{i}" for i in range(60)])
    where = r"give limits=\.\.\. \(features__metadata__limits of a pipeline\)"
    with pytest.raises(LesionImageError, match=f"row 0, column 'age': 130 is beyond 0 to 120. .*{where}"):
        quick(on_error="nan").fit(table.assign(age=130), y)
    with pytest.raises(LesionImageError, match="column 'seen': found dates"):
        quick(metadata=["age", "seen"]).fit(table, y)
    with pytest.raises(LesionImageError, match="column 'code': found 60 different texts"):
        quick(metadata=["age", "code"]).fit(table, y)


def test_a_limit_where_the_error_says(lesions):
    table, y = lesions
    quick().set_params(features__metadata__limits={}).fit(table[:20].assign(age=130), y[:20])


def test_parameters_of_images_are_pointed_to():
    pipe = LesionPipeline(default_steps(metadata=["age"], patient_id="patient_id"))
    with pytest.raises(ValueError, match=r"(?s)Invalid parameter 'abcd' .* it is features__image__abcd__rule\."):
        pipe.set_params(features__abcd__rule="colors")
    with pytest.raises(ValueError, match=r"it is features__image__reader__segmenter\."):
        pipe.set_params(features__reader__segmenter="otsu")
    with pytest.raises(ValueError, match="Invalid parameter 'rool'") as error:
        pipe.set_params(features__image__abcd__rool=1)
    assert "With metadata" not in str(error.value)
