"""A lesion among the other lesions of its patient."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from dermfeat import ColorFeatures, LesionFeatures, LesionImageError, config_context, datasets
from dermfeat.learning import PatientRelativeFeatures

ALL = ("z", "rank", "distance", "log_lesions")


def passing(**options):
    return PatientRelativeFeatures("passthrough", **options)


def drawn(sizes, columns=4, random_state=0):
    """A table of patients with so many lesions, whose features differ between patients twice as much as within."""
    rng = np.random.default_rng(random_state)
    patient = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.normal(size=(len(patient), columns)) + 2 * rng.normal(size=(len(sizes), columns))[patient]
    table = pd.DataFrame(values * 10.0 ** np.arange(columns), columns=[f"f{i}" for i in range(columns)])
    return table.assign(patient_id=[f"IP_{number}" for number in patient])


def as_defined(x, others, scale, shrinkage):
    """z and rank of one value, as the docstring defines them."""
    n = len(others) + 1
    if n == 1:
        return 0, 0.5
    spread = (shrinkage * scale**2 + ((others - others.mean()) ** 2).sum()) / (shrinkage + n - 2)
    rank = (others < x).sum() + (others == x).sum() / 2 + 1
    return (x - others.mean()) / np.sqrt(spread * n / (n - 1)), (rank - 0.5) / n


@pytest.mark.parametrize("shrinkage", [0.5, 2, 20])
def test_values_are_as_defined(shrinkage):
    table = drawn([1, 2, 3, 8, 30], columns=3).round(1)
    relative = passing(outputs=ALL, shrinkage=shrinkage)
    rows = relative.fit_transform(table)
    for i, row in table.iterrows():
        mates = table[(table["patient_id"] == row["patient_id"]) & (table.index != i)]
        expected = np.array([
            as_defined(row[f], mates[f].to_numpy(), scale, shrinkage)
            for f, scale in zip(relative.columns_, relative.scale_, strict=True)
        ])  # fmt: skip
        np.testing.assert_allclose(rows[i, :3], expected[:, 0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(rows[i, 3:6], expected[:, 1], rtol=1e-5)
        assert rows[i, 6] == pytest.approx(np.abs(expected[:, 0]).mean(), rel=1e-4)
        assert rows[i, 7] == pytest.approx(np.log(len(mates) + 1))
    within = [
        group.to_numpy() - group.to_numpy().mean(0) for _, group in table.groupby("patient_id")[relative.columns_]
    ]
    pooled = np.sqrt((np.concatenate(within) ** 2).sum(0) / (len(table) - 5))
    np.testing.assert_allclose(relative.scale_, pooled)


def test_one_lesion_and_missing_ids_have_defined_values():
    table = drawn([4, 4, 1, 1, 1])
    table["patient_id"] = [*["a"] * 4, None, "unknown", "", np.nan, "b", "Unknown", pd.NA]
    rows = passing(outputs=ALL).fit(table).transform(table)
    np.testing.assert_array_equal(rows[4:], [[0] * 4 + [0.5] * 4 + [0, 0]] * 7)
    assert (rows[:4, :4] != 0).all()


def test_ids_read_half_as_numbers_and_half_as_text_are_the_same():
    table = drawn([4]).assign(patient_id=np.array([7, "7", 7.0, " 7"], object))
    same = table.assign(patient_id="7")
    np.testing.assert_array_equal(passing().fit_transform(table), passing().fit_transform(same))


def test_photos_of_one_lesion_are_not_its_other_lesions():
    table = drawn([3]).assign(lesion_id=["x", "y", "z"])
    photos = pd.concat([table.iloc[:1]] * 5 + [table.iloc[1:]], ignore_index=True)
    fitted = passing(lesion_id="lesion_id", outputs=ALL).fit(table)
    np.testing.assert_allclose(fitted.transform(photos)[4:], fitted.transform(table), rtol=1e-6)
    np.testing.assert_array_equal(fitted.transform(photos)[0], fitted.transform(photos)[4])
    alone = fitted.transform(photos[:5])
    np.testing.assert_array_equal(alone, [[0] * 4 + [0.5] * 4 + [0, 0]] * 5)
    unnamed = table.assign(lesion_id=[None, "unknown", np.nan])
    np.testing.assert_array_equal(fitted.transform(unnamed), fitted.transform(table))
    elsewhere = table.assign(lesion_id="x", patient_id=["a", "a", "b"])
    assert (fitted.transform(elsewhere)[:, :4] == 0).all()


def test_order_and_other_patients_change_nothing():
    table = drawn([5, 3, 1, 12])
    fitted = passing(outputs=ALL).fit(table)
    rows = fitted.transform(table)
    order = np.random.default_rng(1).permutation(len(table))
    np.testing.assert_allclose(fitted.transform(table.iloc[order]), rows[order], rtol=1e-5, atol=1e-6)
    more = drawn([4, 20], random_state=9).assign(patient_id="new")
    both = pd.concat([more, table, more * 1], ignore_index=True)
    np.testing.assert_allclose(fitted.transform(both)[24:45], rows, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted.transform(table[:5]), rows[:5], rtol=1e-5, atol=1e-6)


def test_labels_and_units_do_not_matter():
    table = drawn([5, 3, 12])
    rows = passing().fit_transform(table)
    np.testing.assert_array_equal(passing().fit(table, np.arange(20) % 2).transform(table), rows)
    scaled = table.assign(f0=table["f0"] * 1e-4 + 7, f1=table["f1"] * 1e9)
    np.testing.assert_allclose(passing().fit_transform(scaled), rows, rtol=1e-3, atol=1e-3)
    mirrored = passing().fit_transform(table.assign(f0=-table["f0"]))
    np.testing.assert_allclose(mirrored[:, 0], -rows[:, 0], rtol=1e-5)
    np.testing.assert_allclose(mirrored[:, 4], 1 - rows[:, 4], rtol=1e-5)


def test_spread_is_the_same_in_small_and_large_patients():
    """Else z alone would tell how many images there are of a patient."""
    sizes = [2] * 300 + [5] * 120 + [60] * 10
    table = drawn(sizes, columns=6)
    z = passing(outputs=["z"]).fit_transform(table)
    spread = [z[part].std() for part in np.split(np.arange(len(z)), [600, 1200])]
    assert max(spread) / min(spread) < 1.1
    assert 0.9 < min(spread) < max(spread) < 1.15


def test_an_ugly_duckling_is_plainer_among_its_own_than_among_all():
    table = drawn([12] * 100, columns=20)
    names = [f"f{i}" for i in range(20)]
    duckling = np.arange(len(table)) % 12 == 5
    table.loc[duckling, names] += 1.5 * 10.0 ** np.arange(20)
    distance = passing(outputs=["distance"]).fit_transform(table)[:, 0]
    standard = (table[names] - table[names].mean()) / table[names].std()
    assert roc_auc_score(duckling, distance) > 0.95
    assert roc_auc_score(duckling, np.abs(standard).mean(axis=1)) < 0.85


def test_constant_columns_and_lone_patients_stay_finite():
    table = drawn([1, 1, 1, 1]).assign(same=5.0)
    fitted = passing().fit(table)
    np.testing.assert_allclose(fitted.scale_[:4], table[["f0", "f1", "f2", "f3"]].std(ddof=0))
    assert fitted.scale_[4] == 1
    rows = fitted.transform(table.assign(patient_id="one", same=[5, 5, 5, 9]))
    assert np.isfinite(rows).all()
    assert (rows[:, :4] != 0).all()


def test_columns_are_chosen_by_name():
    table = drawn([3, 3]).assign(age=40, site="back", image="no such file.jpg")
    fitted = passing().fit(table)
    assert fitted.columns_ == ["f0", "f1", "f2", "f3", "age"]
    chosen = passing(columns=["f2"], outputs=("distance", "z")).fit(table)
    assert chosen.get_feature_names_out().tolist() == ["f2_z", "distance"]
    rows = chosen.transform(table)
    np.testing.assert_array_equal(chosen.transform(table[["patient_id", "f2"]]), rows)
    frame = clone(chosen).set_output(transform="pandas").fit_transform(table)
    assert list(frame) == ["f2_z", "distance"]
    for copy in (pickle.loads(pickle.dumps(chosen)), clone(chosen).fit(table)):
        np.testing.assert_array_equal(copy.transform(table), rows)
    nullable = passing(columns=["f2"], outputs=("distance", "z")).fit(table.convert_dtypes())
    np.testing.assert_array_equal(nullable.transform(table.convert_dtypes()), rows)


def test_clear_errors():
    table = drawn([3, 3])
    with pytest.raises(LesionImageError, match=r"columns: no such features: \['f9'\]. To compare there are \['f0'"):
        passing(columns=["f9"]).fit(table)
    with pytest.raises(LesionImageError, match=r"no such features: \['site'\]"):
        passing(columns=["site"]).fit(table.assign(site="back"))
    with pytest.raises(LesionImageError, match="no numeric column to compare"):
        passing().fit(table[["patient_id"]])
    with pytest.raises(LesionImageError, match="X: no column 'patient_id'"):
        passing().fit(table.drop(columns="patient_id"))
    with pytest.raises(LesionImageError, match="X: no column 'image', 'lesion_id'"):
        PatientRelativeFeatures(lesion_id="lesion_id").fit(table)
    with pytest.raises(LesionImageError, match=r"found a ndarray where a table is expected. .*\['patient_id'\]"):
        passing().fit(table.to_numpy())
    with pytest.raises(LesionImageError, match=r"row 4, 'f1': found nan. Fill it in first"):
        passing().fit(table.assign(f1=[1, 2, 3, 4, np.nan, 6]))
    with pytest.raises(LesionImageError, match="row 0, 'f3': found inf"):
        passing().fit(table).transform(table.assign(f3=np.inf))
    with pytest.raises(LesionImageError, match="X: no column 'f1'"):
        passing().fit(table).transform(table.drop(columns="f1"))
    with pytest.raises(ValueError, match=r"outputs=\('zed',\): choose from"):
        passing(outputs=("zed",)).fit(table)
    with pytest.raises(ValueError, match="shrinkage=0: give a number above 0"):
        passing(shrinkage=0).fit(table)


def test_size_of_siim(shared_data):
    """Real patients, drawn features: finite, and as defined where it is looked at."""
    patient = pd.read_csv(shared_data / "siim2020" / "train.csv")["patient_id"]
    values = np.random.default_rng(0).standard_normal((len(patient), 40)).astype(np.float32)
    table = pd.DataFrame(values, columns=[f"f{i}" for i in range(40)]).assign(patient_id=patient)
    relative = passing()
    rows = relative.fit_transform(table)
    assert rows.shape == (33126, 81)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    for i in (0, 15_000, 33_000):
        mates = table.index[(table["patient_id"] == patient[i]) & (table.index != i)]
        z, rank = as_defined(values[i, 7], values[mates, 7].astype(float), relative.scale_[7], 2)
        assert rows[i, 7] == pytest.approx(z, abs=1e-4)
        assert rows[i, 47] == pytest.approx(rank, abs=1e-5)


# With images


@pytest.fixture(scope="module")
def photos():
    data = datasets.make_lesions(12, size=(96, 120), random_state=0)
    return pd.DataFrame({"image": list(data.X), "patient_id": ["a"] * 5 + ["b"] * 6 + ["c"]})


def color():
    return LesionFeatures([("color", ColorFeatures())])


def test_image_features_are_those_of_the_union(photos):
    relative = PatientRelativeFeatures(color())
    rows = relative.fit_transform(photos)
    measured = pd.DataFrame(color().fit_transform(photos["image"]), columns=color().get_feature_names_out())
    same = passing().fit_transform(measured.assign(patient_id=photos["patient_id"]))
    np.testing.assert_allclose(rows, same, rtol=1e-5, atol=1e-5)
    names = relative.get_feature_names_out()
    assert names[0].startswith("color__")
    assert names[0].endswith("_z")
    assert names[-1] == "distance"
    assert len(names) == 2 * measured.shape[1] + 1
    chosen = PatientRelativeFeatures(color(), columns=[measured.columns[5]]).fit(photos)
    np.testing.assert_allclose(chosen.transform(photos)[:, 0], rows[:, 5], rtol=1e-5, atol=1e-6)


def test_every_image_is_decoded_once(photos, decoded):
    with config_context(store=False):
        PatientRelativeFeatures(color()).fit_transform(photos)
    assert len(decoded) == len(set(decoded)) == 12


def test_default_features_and_nested_parameters(photos):
    relative = PatientRelativeFeatures(color()).set_params(features__color="drop", features__n_jobs=2)
    assert relative.features.n_jobs == 2
    with pytest.raises(ValueError, match="no family is left"):
        relative.fit(photos)
    names = PatientRelativeFeatures().fit(photos[:2]).get_feature_names_out()
    assert {name.split("__")[0] for name in names} == {"mask", "color", "texture", "abcd", "distance"}


def test_an_image_that_cannot_be_read(photos):
    broken = pd.concat([photos, photos[:1].assign(image="no such file.jpg")], ignore_index=True)
    with pytest.raises(LesionImageError, match="no such file"):
        PatientRelativeFeatures(color()).fit(broken)
    forgiving = PatientRelativeFeatures(color().set_params(on_error="nan"), outputs=ALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = forgiving.fit_transform(broken)
        lost = forgiving.transform(broken[12:])
    assert np.isnan(rows[12]).all()
    assert np.isnan(lost).all()
    assert forgiving.transform(broken[:0]).shape == (0, rows.shape[1])
    np.testing.assert_array_equal(rows[:12], clone(forgiving).fit_transform(photos))
