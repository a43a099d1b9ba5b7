"""Probabilities that mean what they say, learned from out-of-fold probabilities."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator


def calibrator(probabilities, y, method):
    """Return a classifier whose `predict_proba` turns (n, n_classes) probabilities into calibrated ones.

    Parameters
    ----------
    probabilities : (n, n_classes) ndarray
        Columns in the order of the sorted labels, by models that have not seen these cases.
    y : (n,) ndarray of labels
    method : {"sigmoid", "isotonic", "temperature"}
        As for `sklearn.calibration.CalibratedClassifierCV`, on the log-odds of two classes or the logarithms of more.

    Examples
    --------
    >>> import numpy as np
    >>> from dermfeat.evaluation.calibration import calibrator
    >>> rng = np.random.default_rng(0)
    >>> chance = rng.random(5000)
    >>> y = rng.random(5000) < chance
    >>> odds = (chance / (1 - chance)) ** 3  # three times too sure
    >>> shown = odds / (1 + odds)
    >>> mended = calibrator(np.c_[1 - shown, shown], y, "sigmoid").predict_proba(np.c_[1 - shown, shown])[:, 1]
    >>> bool(np.abs(shown - chance).mean() > 0.1), bool(np.abs(mended - chance).mean() < 0.02)
    (True, True)
    """
    given = FrozenEstimator(_LogOdds().fit(probabilities, y))
    everything = np.arange(len(y))  # nothing is fitted in this one "fold": the probabilities are given
    calibrated = CalibratedClassifierCV(given, method=method, cv=[(everything, everything)], ensemble=False)
    return calibrated.fit(probabilities, y)


class _LogOdds(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        logs = np.log(np.clip(X, 1e-12, 1))
        return logs[:, 1] - logs[:, 0] if X.shape[1] == 2 else logs

    def predict(self, X):
        return self.classes_[np.argmax(X, axis=1)]
