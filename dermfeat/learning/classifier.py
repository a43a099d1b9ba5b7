"""LesionClassifier: XGBoost that takes the labels as they are."""

import json

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_consistent_length
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier

from dermfeat.learning.labels import positive_index


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
        As for `xgboost.XGBClassifier`.

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
            If there is one class only, or `eval_set` holds a label that `y` has not, or the labels are words and
            `pos_label` is another one. (`cross_val_predict` fits on integer codes: there it is not looked up.)
        """
        check_consistent_length(X, y)
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
