"""LesionClassifier: XGBoost that takes the labels as they are."""

import json
from difflib import get_close_matches

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_consistent_length
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier

from dermfeat.learning.labels import positive_index, require_labels

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
    objective, **kwargs
        As for `xgboost.XGBClassifier`, which takes any name; here one that is nearly that of a parameter ("depth") is
        an error.

    Attributes
    ----------
    classes_ : (n_classes,) ndarray
        The labels, sorted: the columns of `predict_proba`.
    """

    def __init__(self, *, class_weight=None, pos_label=None, objective="binary:logistic", **kwargs):
        self.class_weight = class_weight
        self.pos_label = pos_label
        super().__init__(objective=objective, **kwargs)

    def fit(self, X, y, *, sample_weight=None, eval_set=None, **kwargs):
        """Fit to labels `y`; the labels in `eval_set` are of the same kind.

        Raises
        ------
        ValueError
            If a parameter is misspelt, a label is missing, there is one class only, `eval_set` holds a label that `y`
            has not, or the labels are words and `pos_label` is another one. (`cross_val_predict` fits on integer
            codes: there it is not looked up.)
        """
        self._refuse_misspelt(self._further())
        check_consistent_length(X, y)
        require_labels(y)
        encoder = LabelEncoder().fit(y)
        if len(encoder.classes_) < 2:
            raise ValueError(f"y holds one class only, {str(encoder.classes_[0])!r}; a classifier needs two or more")
        if isinstance(self.pos_label, str) and encoder.classes_.dtype.kind in "OUT":
            positive_index(encoder.classes_, self.pos_label)
        if self.class_weight is not None:
            weight = compute_sample_weight(self.class_weight, y)
            sample_weight = weight if sample_weight is None else weight * np.asarray(sample_weight)
        if eval_set is not None:
            eval_set = [(X_eval, encoder.transform(y_eval)) for X_eval, y_eval in eval_set]
        self._labels = None
        super().fit(X, encoder.transform(y), sample_weight=sample_weight, eval_set=eval_set, **kwargs)
        self._labels = encoder.classes_
        return self

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
        return {k: v for k, v in super().get_xgb_params().items() if k not in ("class_weight", "pos_label")}

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
