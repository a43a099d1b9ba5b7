"""How good a classifier is, honestly said."""

from dermfeat.evaluation.groups import merge_groups
from dermfeat.evaluation.lesion_card import LesionCard, lesion_card
from dermfeat.evaluation.metrics import (
    binary_scores,
    bootstrap_interval,
    partial_auc_above_tpr,
    wilson_interval,
)
from dermfeat.evaluation.multiclass import multiclass_scores
from dermfeat.evaluation.nested import nested_cv
from dermfeat.evaluation.plots import plot_result
from dermfeat.evaluation.report import markdown_table, score_row, versions, write_results
from dermfeat.evaluation.thresholds import choose_threshold
from dermfeat.evaluation.tuned import TunedClassifier
from dermfeat.evaluation.validation import GroupedCV, grouped_split

__all__ = [
    "GroupedCV",
    "LesionCard",
    "TunedClassifier",
    "binary_scores",
    "bootstrap_interval",
    "choose_threshold",
    "grouped_split",
    "lesion_card",
    "markdown_table",
    "merge_groups",
    "multiclass_scores",
    "nested_cv",
    "partial_auc_above_tpr",
    "plot_result",
    "score_row",
    "versions",
    "wilson_interval",
    "write_results",
]
