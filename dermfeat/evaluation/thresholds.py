"""From which probability a case is called positive."""

import numpy as np
from sklearn.metrics import roc_curve


def choose_threshold(is_positive, probability, rule):
    """Return the probability from which a case is called positive.

    Parameters
    ----------
    is_positive : (n,) bool array
    probability : (n,) array
        Of the positive class, by models that have not seen these cases.
    rule : float, "balanced_accuracy", {"sensitivity": float}, {"specificity": float} or callable
        A number is taken as it is. "balanced_accuracy": the highest mean of sensitivity and specificity (Youden
        1950). ``{"sensitivity": 0.95}``: the highest specificity at a sensitivity of at least that, and the reverse.
        A callable gets ``(is_positive, probability)``.

    Returns
    -------
    float
        Midway between the lowest probability still called positive and the next.

    Examples
    --------
    >>> from dermfeat.evaluation.thresholds import choose_threshold
    >>> choose_threshold([False, False, True, True], [0.1, 0.4, 0.6, 0.9], "balanced_accuracy")
    0.5
    """
    if callable(rule):
        return float(rule(np.asarray(is_positive, bool), np.asarray(probability)))
    if is_number(rule):
        return float(rule)
    fpr, tpr, cuts = roc_curve(is_positive, probability, drop_intermediate=False)
    match rule:
        case "balanced_accuracy":
            place = np.argmax(tpr - fpr)
        case {"sensitivity": float() | int() as least, **other} if not other and 0 < least <= 1:
            place = np.flatnonzero(tpr >= least)[0]
        case {"specificity": float() | int() as least, **other} if not other and 0 < least <= 1:
            place = np.flatnonzero(1 - fpr >= least - 1e-12)[-1]  # 1 - 0.07 is less than 0.93
        case _:
            raise ValueError(
                f"threshold={rule!r}; give a number, 'balanced_accuracy', {{'sensitivity': 0.95}}, "
                "{'specificity': 0.9} or a callable"
            )
    cuts = np.append(np.where(np.isinf(cuts), 1 + 1e-9, cuts), 0)
    return float((cuts[place] + cuts[place + 1]) / 2)


def is_number(rule):
    """Whether the rule is the threshold itself."""
    return isinstance(rule, (int, float, np.number)) and not isinstance(rule, bool)
