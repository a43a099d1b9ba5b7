"""LesionClassifier: XGBoost that takes the labels as they are."""

import json
from difflib import get_close_matches

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier

from dermfeat.learning.labels import positive_index, require_labels
from dermfeat.learning.metadata import id_numbers

OWN = ("class_weight", "pos_label", "validation_fraction")  # parameters that XGBoost does not know
SHORT_NAMES = ("alpha", "lambda")  # XGBoost's own, of reg_alpha and reg_lambda


class LesionClassifier(XGBClassifier):
    """XGBoost with string or integer labels, class weights and an explicit positive class.

    Parameters
    ----------
    class_weight : "balanced", dict or None, default=None
        Weight of each class, as in scikit-learn; it multiplies a ``sample_weight`` given to `fit`. With "balanced"
        every class counts the same in all, with two classes or many.
    pos_label : str or int, optional
        The positive class of a two-class problem, "malignant" say. Labels are sorted, so that column 1 of
        `predict_proba` need not be the positive class; `positive_proba` is.
    validation_fraction : float in (0, 0.5], default=0.1
        With ``early_stopping_rounds=30``, say, and no `eval_set`: the share of the lesions that is not fitted but tells
        after how many trees to stop. A `LesionPipeline` takes it off before any sampling.
    objective, **kwargs
        As for `xgboost.XGBClassifier`, which takes any name; here one that is nearly that of a parameter ("depth") is
        an error.

    Attributes
    ----------
    classes_ : (n_classes,) ndarray
        The labels, sorted: the columns of `predict_proba`.
    """

    def __init__(
        self, *, class_weight=None, pos_label=None, validation_fraction=0.1, objective="binary:logistic", **kwargs
    ):
        self.class_weight = class_weight
        self.pos_label = pos_label
        self.validation_fraction = validation_fraction
        super().__init__(objective=objective, **kwargs)

    def fit(self, X, y, *, groups=None, sample_weight=None, eval_set=None, stop_on=None, **kwargs):
        """Fit to labels `y`; the labels in `eval_set` are of the same kind.

        Parameters
        ----------
        X : (n, n_columns) array or DataFrame
        y : (n,) sequence of labels
        groups : (n,) sequence, optional
            Lesions or patients: early stopping splits off whole ones.
        sample_weight : (n,) array, optional
        eval_set : list of (X, y), optional
            As for `xgboost.XGBClassifier`.
        stop_on : (X, y), or callable that returns it, optional
            What early stopping looks at, in place of the rows that it would split off from `X`. The classes weigh
            there what they weigh among the fitted rows.
        **kwargs
            As for `xgboost.XGBClassifier.fit`.

        Raises
        ------
        ValueError
            If a parameter is misspelt, a label is missing, there is one class only, `eval_set` holds a label that `y`
            has not, or the labels are words and `pos_label` is another one. (`cross_val_predict` fits on integer
            codes: there it is not looked up.)
        """
        self._refuse_misspelt(self._further())
        encoder = self._encoder(X, y)
        if self.early_stopping_rounds and eval_set is None and stop_on is None:
            kept, held = self.split_off(y, groups)
            stop_on = _safe_indexing(X, held), _safe_indexing(y, held)
            X, y = _safe_indexing(X, kept), _safe_indexing(y, kept)
            sample_weight = None if sample_weight is None else _safe_indexing(sample_weight, kept)
        if self.class_weight is not None:
            weight = compute_sample_weight(self.class_weight, y)
            sample_weight = weight if sample_weight is None else weight * np.asarray(sample_weight)
        codes = encoder.transform(y)
        if stop_on is not None:
            eval_set = [stop_on() if callable(stop_on) else stop_on]
            weight = _like_weights(encoder.transform(eval_set[0][1]), codes, sample_weight)
            kwargs = {"sample_weight_eval_set": [weight], "verbose": False} | kwargs
        if eval_set is not None:
            eval_set = [(X_eval, encoder.transform(y_eval)) for X_eval, y_eval in eval_set]
        self._labels = None
        super().fit(X, codes, sample_weight=sample_weight, eval_set=eval_set, **kwargs)
        self._labels = encoder.classes_
        return self

    def _encoder(self, X, y):
        check_consistent_length(X, y)
        require_labels(y)
        encoder = LabelEncoder().fit(y)
        if len(encoder.classes_) < 2:
            raise ValueError(f"y holds one class only, {str(encoder.classes_[0])!r}; a classifier needs two or more")
        if isinstance(self.pos_label, str) and encoder.classes_.dtype.kind in "OUT":
            positive_index(encoder.classes_, self.pos_label)
        return encoder

    def split_off(self, y, groups=None):
        """Return the positions of the rows to fit, and of those that early stopping looks at.

        Whole groups are drawn, `validation_fraction` of them, for each class alike; a group is of the class of its
        first row, and the only group of a class is fitted. `random_state` draws them.

        Parameters
        ----------
        y : (n,) sequence of labels
        groups : (n,) sequence, optional
            By default each row is a group of its own, as are those whose group is missing.

        Returns
        -------
        kept, held : int ndarrays

        Raises
        ------
        ValueError
            If there are too few groups, or a class is left without a row to fit.
        """
        if not 0 < self.validation_fraction <= 0.5:
            raise ValueError(f"validation_fraction={self.validation_fraction}: give a share above 0, up to 0.5")
        numbers = np.arange(len(y)) if groups is None else id_numbers(groups)
        check_consistent_length(y, numbers)
        codes = np.unique(np.asarray(y), return_inverse=True)[1]
        _, first = np.unique(numbers, return_index=True)
        several = np.flatnonzero(np.bincount(codes[first])[codes[first]] > 1)
        labels = codes[first[several]]
        size = max(round(self.validation_fraction * len(several)), len(np.unique(labels)))
        if not 0 < 2 * size <= len(several):
            raise ValueError(
                f"{len(first)} lesions cannot be split for early stopping with "
                f"validation_fraction={self.validation_fraction}; change it, or set early_stopping_rounds=None"
            )
        _, chosen = train_test_split(several, test_size=size, stratify=labels, random_state=self.random_state)
        away = np.isin(numbers, chosen)
        if len(np.unique(codes[~away])) <= codes.max():
            raise ValueError("early stopping left a class without a row to fit; give groups of one class each")
        return np.flatnonzero(~away), np.flatnonzero(away)

    def set_params(self, **params):
        """Set parameters; `ValueError` if one is misspelt."""
        self._refuse_misspelt(params)
        return super().set_params(**params)

    def _refuse_misspelt(self, names):
        known = self.get_params(deep=False).keys() - self._further().keys()
        for name in names:
            near = get_close_matches(name, known, n=1, cutoff=0.7)
            if near and name not in known and name not in SHORT_NAMES:
                raise ValueError(f"{name} is no parameter of {type(self).__name__}: did you mean {near[0]}?")

    def _further(self):
        return getattr(self, "kwargs", None) or {}

    def save_model(self, fname):
        """Save as XGBoost does (JSON or UBJ), the labels with it."""
        self.get_booster().set_attr(labels=json.dumps(self.classes_.tolist()))
        super().save_model(fname)

    def load_model(self, fname):
        """Load what `save_model` wrote."""
        super().load_model(fname)
        labels = self.get_booster().attr("labels")
        self._labels = None if labels is None else np.array(json.loads(labels))

    def get_xgb_params(self):
        """Return the parameters that XGBoost itself knows."""
        return {k: v for k, v in super().get_xgb_params().items() if k not in OWN}

    @property
    def classes_(self):
        labels = getattr(self, "_labels", None)
        return super().classes_ if labels is None else labels

    def predict(self, X, **kwargs):
        """Return the (n,) labels of the most probable class."""
        codes = super().predict(X, **kwargs)
        labels = getattr(self, "_labels", None)
        return codes if labels is None or kwargs.get("output_margin") else labels[np.asarray(codes, int)]

    def positive_proba(self, X):
        """Return the (n,) probabilities of `pos_label`.

        Raises
        ------
        ValueError
            If the positive class is ambiguous (see `dermfeat.learning.labels.positive_index`).
        """
        return self.predict_proba(X)[:, positive_index(self.classes_, self.pos_label)]


def _like_weights(held, codes, weight):
    """Return weights for the codes `held` that give each class the share that it has among the weighted `codes`."""
    wanted = np.bincount(codes, weight)
    return (wanted / np.maximum(np.bincount(held, minlength=len(wanted)), 1))[held]
