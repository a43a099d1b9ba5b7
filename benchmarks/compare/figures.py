"""Figures with what is wanted of them, tables of competitors, and the machine they were measured on."""

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.compare.runner import installed

PEERS = (
    "tensorflow", "jax", "torch", "timm", "embetter", "onnxruntime", "onnx", "tf2onnx", "mahotas", "pyradiomics",
    "PyWavelets",
)  # fmt: skip


@dataclass
class Figure:
    """One number that is looked at: what others get, what dermfeat gets, and their ratio.

    Attributes
    ----------
    name : str
    others, dermfeat : str
        What was measured, with units.
    value : float or None
        The number itself, None where it could not be measured.
    at_least, at_most : float, optional
        What it should reach.
    """

    name: str
    others: str
    dermfeat: str
    value: float | None
    at_least: float | None = None
    at_most: float | None = None

    def row(self):
        """Return the line of the table."""
        return {
            "figure": self.name,
            "others": self.others,
            "dermfeat": self.dermfeat,
            "ratio or value": "not measured" if self.value is None else f"{self.value:.3g}",
            "wanted": _wanted(self),
            "reached": _reached(self),
        }


def _wanted(figure):
    if figure.at_least is not None:
        return f"at least {figure.at_least:g}"
    return "" if figure.at_most is None else f"at most {figure.at_most:g}"


def _reached(figure):
    if figure.value is None or (figure.at_least is None and figure.at_most is None):
        return ""
    enough = figure.value >= (figure.at_least if figure.at_least is not None else -float("inf"))
    return "yes" if enough and figure.value <= (figure.at_most or float("inf")) else "no"


@dataclass
class Result:
    """What a comparison gives: figures, further tables, notes, and details for the JSON file."""

    figures: list = field(default_factory=list)
    tables: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    details: dict = field(default_factory=dict)

    def add(self, title, measured, own="dermfeat", agreement=None):
        """Append the table of a `Measured`."""
        self.tables[title] = rows(measured, own, agreement or {})
        self.details[title] = {"seconds an image": measured.seconds, "absent": measured.absent}


def rows(measured, own, agreement):
    """Return one line for each competitor: median and fastest run, and how many times longer than `own`."""
    found, unit = [], "ms an image"
    for name, seconds in measured.seconds.items():
        row = {"competitor": name.replace("_", " "), unit: f"{1000 * measured.median(name):.4g}"}
        row["fastest"] = f"{1000 * min(seconds):.4g}"
        ratio = measured.ratio(name, own)
        spread = "" if ratio is None else "{:.3g} to {:.3g}".format(*measured.ratios(name, own))
        row |= {f"times {own.replace('_', ' ')}": "" if ratio is None else f"{ratio:.3g}", "in single rounds": spread}
        found.append(row | {"agreement": agreement.get(name, "")})
    for name, reason in measured.absent.items():
        empty = dict.fromkeys(found[0] if found else ("competitor", unit), "")
        found.append(empty | {"competitor": name.replace("_", " "), unit: reason})
    return found


def rate(measured, name):
    """Return "254 images/s", or "-" where a competitor is absent."""
    return f"{1 / measured.median(name):.3g} images/s" if name in measured.seconds else "-"


def each(measured, name):
    """Return "3.2 ms", the median time an image."""
    return f"{1000 * measured.median(name):.3g} ms" if name in measured.seconds else "-"


def machine(settings):
    """Return the notes that say what everything was measured on."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    peers = ", ".join(f"{name} {installed(name) or 'not installed'}" for name in PEERS)
    return [
        f"{_cpu()}, {usable} cores of which {min(settings.cores, usable)} are used, {platform.platform()}",
        "Each competitor has a process of its own and has run once before; then each runs once a round, in turn",
        f"Peers: {peers}",
    ]


def _cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
