"""Results as Markdown and JSON, with what is needed to judge and repeat them."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dermfeat

PACKAGES = (
    "numpy", "scipy", "pandas", "scikit-learn", "imbalanced-learn", "scikit-image",
    "opencv-python-headless", "pillow", "xgboost", "keras", "openvino",
)  # fmt: skip


def versions():
    """Return ``{package: version}`` of Python and of the packages that results depend on."""
    found = {"python": platform.python_version(), "dermfeat": dermfeat.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def score_row(name, scores):
    """Return one line of a table from the scores of `binary_scores`: shares in per cent, intervals in brackets."""

    def interval(key, factor, digits):
        if f"{key}_interval" not in scores:
            return ""
        low, high = (factor * bound for bound in scores[f"{key}_interval"])
        return f" [{low:.{digits}f}, {high:.{digits}f}]"

    return {
        "model": name,
        "n": str(scores["n"]),
        "accuracy %": f"{100 * scores['accuracy']:.1f}{interval('accuracy', 100, 1)}",
        "AUC": f"{scores['auc']:.3f}{interval('auc', 1, 3)}",
        "sensitivity %": f"{100 * scores['sensitivity']:.1f}{interval('sensitivity', 100, 1)}",
        "specificity %": f"{100 * scores['specificity']:.1f}{interval('specificity', 100, 1)}",
        "pAUC": f"{scores['partial_auc']:.3f}",
        "Brier": f"{scores['brier']:.3f}",
    }


def markdown_table(rows):
    """Return a list of dicts with the same keys as a Markdown table."""
    header = list(rows[0])
    lines = [header, ["---"] * len(header), *([str(row[key]) for key in header] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_results(stem, title, tables, notes, details):
    """Write ``<stem>.md`` and ``<stem>.json`` and return the Markdown.

    Parameters
    ----------
    stem : path
        Output path without ending; its folder is made.
    title : str
    tables : dict of str to list of dict
        Heading and lines of each table.
    notes : list of str
        Data set, split, protocol.
    details : dict
        Everything else that goes into the JSON file.
    """
    installed = versions()
    parts = [f"# {title}", "For research and education, not for diagnosis."]
    parts.append("\n".join(f"- {note}" for note in notes))
    for heading, rows in tables.items():
        parts += [f"## {heading}", markdown_table(rows)]
    parts.append("Versions: " + ", ".join(f"{name} {number}" for name, number in installed.items()))
    text = "\n\n".join(parts) + "\n"
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_name(f"{stem.name}.md").write_text(text, encoding="utf-8")
    record = {"title": title, "notes": notes, "tables": tables, "versions": installed} | details
    stem.with_name(f"{stem.name}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return text
