"""LesionPipeline and the steps that it has by default."""

from imblearn.pipeline import Pipeline
from sklearn import get_config
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import _check_method_params

from dermfeat.extraction import CNNEmbedding, LesionFeatures
from dermfeat.extraction.union import named_families
from dermfeat.learning import (
    LesionClassifier,
    MetadataFeatures,
    PatientRelativeFeatures,
    TableFeatures,
    positive_index,
)
from dermfeat.learning.labels import require_labels


class LesionPipeline(Pipeline):
    """From image references to class probabilities: imbalanced-learn's Pipeline with default steps.

    Parameters
    ----------
    steps : list of (str, estimator), optional
        `default_steps()` by default.
    transform_input, memory, verbose
        As for `imblearn.pipeline.Pipeline`. The features are kept by the per-image store, which serves
        cross-validation better than `memory` does.

    Examples
    --------
    >>> from dermfeat import LesionPipeline, datasets, default_steps
    >>> data = datasets.make_lesions(40, size=(96, 128), random_state=0)
    >>> pipe = LesionPipeline(default_steps(families=["color"], pos_label=data.pos_label))
    >>> pipe.fit(data.X, data.y).predict(data.X[:3]).shape
    (3,)
    """

    def __init__(self, steps=None, *, transform_input=None, memory=None, verbose=False):
        steps = default_steps() if steps is None else steps
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)

    def fit(self, X, y=None, **params):
        """Fit all steps; labels are checked before the first image is read.

        Parameters
        ----------
        X : sequence of image references, or a table for pipelines with a ColumnTransformer
        y : (n,) sequence of labels
        **params
            As for `imblearn.pipeline.Pipeline.fit`; ``classifier__groups``, lesions or patients, are what a
            `LesionClassifier` with ``early_stopping_rounds`` splits off. The images that it looks at are left out
            before any step is fitted: augmented copies and sampled rows come of the others alone. (scikit-learn's
            ``enable_metadata_routing`` must be off for that.)

        Raises
        ------
        ValueError
            If a label is missing, or there are not as many labels as images.
        """
        if y is not None:
            check_consistent_length(X, y)
            require_labels(y)
            X, y, params = self._without_held_out(X, y, params)
        return super().fit(X, y, **params)

    def _without_held_out(self, X, y, params):
        """Return what is fitted: X, y and parameters without the images that early stopping looks at, if it does."""
        name, last = self.steps[-1]
        given = {f"{name}__eval_set", f"{name}__stop_on"} & params.keys()
        if not isinstance(last, LesionClassifier) or not last.early_stopping_rounds or given:
            return X, y, params
        if get_config()["enable_metadata_routing"]:
            raise ValueError("early stopping in a pipeline needs enable_metadata_routing=False; see sklearn.set_config")
        kept, held = last.split_off(y, params.get(f"{name}__groups"))
        params = _check_method_params(X, params, kept)

        def stop_on():
            rows = _safe_indexing(X, held)
            for _, step in self.steps[:-1]:
                rows = step.transform(rows) if hasattr(step, "transform") else rows
            return rows, _safe_indexing(y, held)

        return _safe_indexing(X, kept), _safe_indexing(y, kept), params | {f"{name}__stop_on": stop_on}

    def positive_proba(self, X, pos_label=None):
        """Return the (n,) probabilities of `pos_label`, by default of the classifier's own.

        Raises
        ------
        ValueError
            If the labels are words or many and neither says which is positive.
        """
        stated = getattr(self[-1], "pos_label", None) if pos_label is None else pos_label
        index = positive_index(self.classes_, stated)
        return self.predict_proba(X)[:, index]


def default_steps(
    families=None,
    *,
    embedding=None,
    metadata=None,
    patient_id=None,
    lesion_id=None,
    image="image",
    augment=None,
    selector=None,
    sampler=None,
    classifier=None,
    pos_label=None,
    reader=None,
    n_jobs=None,
    on_error="raise",
    progress=False,
    random_state=0,
):
    """Return the steps ``augment, features, scaler, selector, sampler, classifier`` of a `LesionPipeline`.

    Parameters
    ----------
    families : list of str, or of (str, LesionTransformer), optional
        Classical families: "mask", "color", "texture", "abcd"; all of them by default. An empty list leaves the
        embedding alone.
    embedding : str or CNNEmbedding, optional
        A pretrained network, "mobilenet_v2" say (ImageNet weights), whose pooled features are the family
        "embedding". None by default: nothing is downloaded unless asked for. A network whose weights are missing
        is an error, never left out.
    metadata : list of str, optional
        Columns such as age, sex and site; ids and dates are refused. With them X is a DataFrame, and ``features`` a
        ColumnTransformer with the parts ``image`` (`LesionFeatures`) and ``metadata`` (`MetadataFeatures`): columns
        are called ``image__color__...`` and ``metadata__age``, parameters ``features__image__texture__levels`` and
        ``features__metadata__limits``.
    patient_id : str, optional
        Column of patient ids. With it X is a DataFrame too, and a part ``patient`` (`PatientRelativeFeatures`)
        compares the classical families, or the embedding where it is alone, among the lesions of a patient. It has a
        `LesionFeatures` of its own, ``features__patient__features``; the store keeps images from being read twice.
        The groups of a split must be patients then: groups of lesions, `GroupedCV`'s too, tear the lesions of a
        patient apart, which are then compared within training and test part only.
    lesion_id : str, optional
        Column of lesion ids, beside `patient_id`: photos of one lesion, or copies that `augment` makes, are not
        compared with each other.
    image : str, default="image"
        Column of the image references, where X is a DataFrame.
    augment : imblearn sampler over references, optional
        Works before the features, at fit only.
    selector : transformer, optional
        Chooses or reduces the columns: scikit-learn's ``PCA(64)``, or ``SelectFromModel(LesionClassifier(...),
        max_features=200, threshold=-numpy.inf)``. It learns from the training rows of each fold alone. With thousands
        of columns the classifier is then several times faster.
    sampler : imblearn sampler, optional
        Balances the classes after the features, at fit only and so inside each fold. Without one the classifier
        weights the classes instead.
    classifier : estimator, optional
        `LesionClassifier` with 400 trees of depth 4 by default.
    pos_label : str or int, optional
        The positive class of the default classifier.
    reader : LesionReader, optional
        How an image becomes a lesion.
    n_jobs : int, optional
        Worker processes of `LesionFeatures` and threads of the default classifier, one by default: inside a grid
        search, more of them fight with the search's own.
    on_error, progress
        As for `LesionFeatures`. Rows of NaN, which ``on_error="nan"`` gives, suit XGBoost but neither selector nor
        sampler. It speaks of images: an impossible value of `metadata` is always an error.
    random_state : int or None, default=0
        Seed of the default classifier.

    Returns
    -------
    list of (str, estimator or "passthrough")
        The scaler gives the columns one scale for PCA and for samplers that measure distances, such as SMOTE.
    """
    if on_error == "nan" and not (sampler is None and selector is None):
        raise ValueError(
            "samplers and selectors refuse the rows of NaN that on_error='nan' gives; use on_error='raise', or put an "
            "imputer in front of them in steps of your own"
        )
    features = LesionFeatures(
        _chosen_families(families, embedding), reader=reader, n_jobs=n_jobs, on_error=on_error, progress=progress
    )
    if metadata is not None or patient_id is not None:
        features = _table_features(features, image, metadata, patient_id, lesion_id)
    if classifier is None:
        classifier = default_classifier(
            class_weight="balanced" if sampler is None else None,
            pos_label=pos_label,
            random_state=random_state,
            n_jobs=n_jobs or 1,
        )
    elif pos_label is not None:
        raise ValueError("pos_label goes to the default classifier; give it to your own classifier instead")
    return [
        ("augment", "passthrough" if augment is None else augment),
        ("features", features),
        ("scaler", StandardScaler()),
        ("selector", "passthrough" if selector is None else selector),
        ("sampler", "passthrough" if sampler is None else sampler),
        ("classifier", classifier),
    ]


def _table_features(features, image, metadata, patient_id, lesion_id):
    parts = [("image", features, image)]
    if metadata is not None:
        columns = [metadata] if isinstance(metadata, str) else list(metadata)
        other = [name for name in columns if name in (image, patient_id, lesion_id)]
        if other:
            raise ValueError(f"{other} in metadata are columns of images or ids; leave them out of metadata")
        parts.append(("metadata", MetadataFeatures(), columns))
    if patient_id is not None:
        compared = clone(features)
        classical = [entry for entry in compared.families if not isinstance(entry[1], CNNEmbedding)]
        compared.families = classical or compared.families
        relative = PatientRelativeFeatures(compared, image=image, patient_id=patient_id, lesion_id=lesion_id)
        ids = [patient_id] if lesion_id is None else [patient_id, lesion_id]
        parts.append(("patient", relative, [image, *ids]))
    return TableFeatures(parts, sparse_threshold=0)


def default_classifier(**params):
    """Return the `LesionClassifier` that suits some hundreds to some ten thousand lesions and 300 to 2000 columns."""
    settings = {
        "n_estimators": 400,
        "learning_rate": 0.05,
        "max_depth": 4,
        "max_bin": 64,
        "subsample": 0.8,
        "colsample_bytree": 0.3,
        "tree_method": "hist",
        "n_jobs": 1,
    }
    return LesionClassifier(**settings | params)


def _chosen_families(families, embedding):
    chosen = list(named_families(families))
    if embedding is None:
        return chosen
    return [*chosen, ("embedding", CNNEmbedding(embedding) if isinstance(embedding, str) else embedding)]
