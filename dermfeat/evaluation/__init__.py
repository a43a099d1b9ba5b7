"""How good a classifier is, honestly said."""

from dermfeat.evaluation.lesion_card import LesionCard, lesion_card
from dermfeat.evaluation.metrics import (
    binary_scores,
    bootstrap_interval,
    partial_auc_above_tpr,
    wilson_interval,
)
from dermfeat.evaluation.plots import plot_result
from dermfeat.evaluation.report import markdown_table, score_row, versions, write_results

__all__ = [
    "LesionCard",
    "binary_scores",
    "bootstrap_interval",
    "lesion_card",
    "markdown_table",
    "partial_auc_above_tpr",
    "plot_result",
    "score_row",
    "versions",
    "wilson_interval",
    "write_results",
]
