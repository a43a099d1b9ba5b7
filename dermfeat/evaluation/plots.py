"""Pictures of a result."""

import numpy as np
from sklearn.metrics import auc, confusion_matrix, roc_curve

from dermfeat.evaluation.metrics import positives

DISCLAIMER = "For research and education, not for diagnosis."


def plot_result(y_true, y_score, *, pos_label, neg_label=None, threshold=0.5, title=None):
    """Draw the ROC curve with the operating point and, beside it, the confusion matrix.

    Parameters
    ----------
    y_true : (n,) array of labels
    y_score : (n,) ndarray
        Probability of `pos_label`.
    pos_label, neg_label : str or int
        The classes' names; "not <pos_label>" by default.
    threshold : float
        Probability from which a case counts as positive.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot: ``figure.savefig(path)`` saves it.

    Raises
    ------
    ValueError
        If a label is missing, or there is one class only.
    """
    from matplotlib.figure import Figure

    positive = positives(y_true, pos_label)
    called = np.asarray(y_score) >= threshold
    names = [f"not {pos_label}" if neg_label is None else str(neg_label), str(pos_label)]
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _roc(left, positive, y_score, called)
    _confusion(right, confusion_matrix(positive, called), names)
    if title:
        figure.suptitle(title)
    figure.supxlabel(DISCLAIMER, fontsize=8, color="0.4")
    return figure


def _roc(axes, positive, y_score, called):
    fpr, tpr, _ = roc_curve(positive, y_score)
    axes.plot(fpr, tpr, color="#1b5e8a", lw=2, label=f"AUC {auc(fpr, tpr):.3f}")
    axes.plot([0, 1], [0, 1], color="0.7", ls="--", lw=1)
    point = called[~positive].mean(), called[positive].mean()
    axes.plot(*point, "o", color="#c0392b", label=f"sensitivity {point[1]:.2f}, specificity {1 - point[0]:.2f}")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="lower right", frameon=False)


def _confusion(axes, matrix, names):
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        color = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{count}\n{shares[row, column]:.0%}", ha="center", va="center", color=color)
    axes.set_xticks([0, 1], names)
    axes.set_yticks([0, 1], names, rotation=90, va="center")
    axes.set(xlabel="called", ylabel="truth")
