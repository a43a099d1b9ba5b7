"""How good a classifier is, honestly said."""

from dermfeat.evaluation.metrics import (
    binary_scores,
    bootstrap_interval,
    partial_auc_above_tpr,
    wilson_interval,
)
from dermfeat.evaluation.plots import plot_result

__all__ = ["binary_scores", "bootstrap_interval", "partial_auc_above_tpr", "plot_result", "wilson_interval"]
