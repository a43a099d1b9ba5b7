"""From the table and the files of a published data set to its Bunch: counts checked, leaks left out, target chosen."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from dermfeat._errors import LesionImageError
from dermfeat.datasets.diagnoses import is_malignant
from dermfeat.datasets.folder import OWN

TARGETS = {"diagnosis": None, "malignant": ("malignant", "benign"), "melanoma": ("melanoma", "other")}
SPECIAL = ("reference", "mask", "split", "group", "diagnosis", "malignant", "melanoma")
SHOWN = 5  # missing files that an error names
DETAILS = 3  # labels that an error says to be more or fewer than published
USE = "look at it: dermfeat.audit({X}, data.y, groups=data.groups, split=data.split, metadata=data.metadata)"
PAIRS = "list(zip(data.X, data.masks))"
WITH_MASKS = f"masks: {PAIRS} are references with mask; an image without one (None) is segmented"


@dataclass(frozen=True)
class Card:
    """What is known of a published data set.

    Attributes
    ----------
    title, citation, licence : str
    counts : dict
        Number of images in each part; ``{"all": n}`` where there are no parts.
    leaks : dict
        Column of the metadata: why it gives the label away. They are left out unless asked for.
    notes : tuple of str
        What else a user must know, for `DESCR`.
    labels : dict
        ``{part: {label: n}}``, how many images of a part have a label: a diagnosis, or "malignant" or "melanoma"
        where the table has such a column. Parts whose labels the copy does not tell are not checked.
    """

    title: str
    citation: str
    licence: str
    counts: dict
    leaks: dict = field(default_factory=dict)
    notes: tuple = ()
    labels: dict = field(default_factory=dict)


def assemble(card, path, table, *, target="diagnosis", allow_incomplete=False, with_leaks=False, notes=()):
    """Return the Bunch of a data set.

    Parameters
    ----------
    card : Card
    path : Path
        Its folder, for messages.
    table : DataFrame
        One row an image, in the order that is published. ``image_id`` and ``reference`` (str, or missing where there
        is no such file) are needed. What else has a meaning of its own: ``mask`` (path or missing), ``split``,
        ``group`` (lesion or patient; missing: a group of its own, named "image:" and the image_id), and of
        ``diagnosis`` (words of `dermfeat.datasets.diagnoses`), ``malignant`` and ``melanoma`` (bool, or missing) what
        the data set tells. All other columns become metadata.
    target : {"diagnosis", "malignant", "melanoma"}
    allow_incomplete : bool
        Go on with the images that are there.
    with_leaks : bool
        Keep the columns of `card.leaks` and those that tell the label in the metadata.
    notes : sequence of str
        Further lines of `DESCR`, on this copy.

    Returns
    -------
    sklearn.utils.Bunch
        ``X``, ``y``, ``groups``, ``metadata``, ``split``, ``target_names``, ``pos_label``, ``DESCR``, ``citation``,
        ``licence``; ``masks`` where the table has them, paths or None, so that ``list(zip(data.X, data.masks))`` are
        references with mask, and an image without one is segmented. Labels that are not known or not decided are None.

        ``pos_label`` of several classes is the one that binary scores and thresholds mean when asked for one; None
        where it is not among the labels. ``groups`` is None where no image has an id. Where some have, each of the
        others is a group of its own, "image:ISIC_0024306", say: a placeholder, no lesion that is known to stand alone.
        `DESCR` counts them.

    Raises
    ------
    LesionImageError
        If images are missing and `allow_incomplete` is not set, an id is there twice, or the target is not known or
        not told.
    """
    _refuse_repeated(table, path)
    totals, details = _faults(card, table)
    faults = [*totals, *details]
    _refuse(path, table, target, [] if allow_incomplete else _shortened(totals, details))
    table = table[table["reference"].notna()].reset_index(drop=True)
    if table.empty:
        raise LesionImageError(str(path), "none of the images that its table lists", "Check the path.")
    y, pos_label = labels(table, target, path)
    known = sorted({label for label in y if label is not None})
    hidden = [c for c in card.leaks if c in table]
    metadata = table.drop(columns=[c for c in SPECIAL if c in table and not (with_leaks and c in SPECIAL[4:])])
    metadata = metadata if with_leaks else metadata.drop(columns=hidden)
    bunch = Bunch(
        X=table["reference"].to_numpy(object),
        y=y if None in y else y.astype(str),
        groups=_groups(table),
        metadata=metadata,
        split=table["split"].to_numpy(str) if "split" in table else None,
        target_names=known,
        pos_label=pos_label if pos_label in known else None,
        citation=card.citation,
        licence=card.licence,
    )
    if "mask" in table:
        bunch.masks = table["mask"].astype(object).where(table["mask"].notna(), None).to_numpy(object)
    lines = [*(f"incomplete copy: {fault}" for fault in faults), *notes, *card.notes]
    bunch.DESCR = _description(card, bunch, lines, {} if with_leaks else {c: card.leaks[c] for c in hidden})
    return bunch


def labels(table, target, path):
    """Return the (n,) object ndarray of labels, None where unknown, and the positive label."""
    if target not in TARGETS:
        raise LesionImageError("target", f"{target!r}", f"Choose one of {list(TARGETS)}.")
    if target == "diagnosis":
        if "diagnosis" not in table:
            told = " or ".join(repr(name) for name in ("malignant", "melanoma") if name in table)
            raise LesionImageError(str(path), "its table tells no diagnosis", f"Choose target={told}.")
        found = table["diagnosis"]
        return found.astype(object).where(found.notna(), None).to_numpy(object), "melanoma"
    positive, negative = TARGETS[target]
    truth = _truth(table, target, path).astype(object)
    named = np.where(truth.isin([True]), positive, negative).astype(object)
    named[truth.isna()] = None
    return named, positive


def _refuse(path, table, target, faults):
    """Raise the error for a target that the table does not tell, for an incomplete copy, or one for both."""
    found, cure = [], []
    try:
        labels(table, target, path)
    except LesionImageError as error:
        if not faults or error.item != str(path):
            raise
        found, cure = [error.found], [error.cure]
    if faults:
        found.append(f"an incomplete copy: {'; '.join(faults)}")
        cure.append("Complete it, or pass allow_incomplete=True.")
        raise LesionImageError(str(path), "; and ".join(found), " ".join(cure))


def _shortened(totals, details):
    left = len(details) - DETAILS
    return [*totals, *details[:DETAILS], *([f"and {left} more"] if left > 0 else [])]


def _truth(table, target, path):
    if target in table:
        return table[target]
    if "diagnosis" not in table:
        raise LesionImageError(str(path), f"its table does not tell what is {target}", "Choose another target.")
    if target == "melanoma":
        return table["diagnosis"].map(lambda name: name == "melanoma", na_action="ignore")
    return table["diagnosis"].map(is_malignant, na_action="ignore")


def _refuse_repeated(table, path):
    """Refuse an image that is listed twice; different images of one name are told apart by their references."""
    repeated = table["image_id"][table.duplicated(["image_id", "reference"])]
    if len(repeated):
        raise LesionImageError(str(path), f"{repeated.iloc[0]!r} is listed twice", "Keep one row for each image.")


def _faults(card, table):
    """Return what the copy lacks against the published counts, as sentences: images in all, and of single labels."""
    missing = table["image_id"][table["reference"].isna()].tolist()
    totals, details = [], []
    if missing:
        names = ", ".join(map(str, missing[:SHOWN])) + (" ..." if len(missing) > SHOWN else "")
        totals.append(f"{len(missing)} of {len(table)} images are missing ({names})")
    parts = table["split"] if "split" in table else pd.Series("all", index=table.index)
    listed = parts.value_counts()
    for part, count in card.counts.items():
        if listed.get(part, 0) != count:
            where = "its table" if part == "all" else f"the part {part!r}"
            totals.append(f"{where} lists {listed.get(part, 0)} images, published are {count}")
    for part, published in card.labels.items():
        for label, count in published.items():
            found = _count(table[parts == part], label)
            if found not in (None, count):
                details.append(f"{found} images of {part!r} are labelled {label}, published are {count}")
    return totals, details


def _count(rows, label):
    """Return how many rows have a label, or None where no row tells."""
    column, value = (label, True) if label in rows else ("diagnosis", label)
    if column not in rows or rows[column].isna().all():
        return None
    return int(rows[column].eq(value).sum())


def _groups(table):
    if "group" not in table or table["group"].isna().all():
        return None
    own = OWN + table["image_id"].astype(str)
    return table["group"].astype(object).where(table["group"].notna(), own).to_numpy(str)


def _description(card, bunch, lines, hidden):
    rows = pd.DataFrame({"part": "" if bunch.split is None else bunch.split, "label": bunch.y})
    counts = rows.fillna("no label").groupby(["part", "label"]).size()
    groups = "" if bunch.groups is None else f" in {len(set(bunch.groups))} groups"
    own = 0 if bunch.groups is None else sum(group.startswith(OWN) for group in bunch.groups)
    single = [f"{own} images without lesion or patient id are groups of their own"] if own else []
    told = [f"{f'{part}, ' if part else ''}{label}: {count}" for (part, label), count in counts.items()]
    left = [f"left out of the metadata (with_leaks=True brings it): {name}, {why}" for name, why in hidden.items()]
    ending = ["", f"Citation: {card.citation}", f"Licence: {card.licence}"]
    ending += ["", "For research and education, not for diagnosis."]
    told += [*single, *_usage(bunch)]
    return "\n".join([card.title, "", f"{len(bunch.X)} images{groups}", *told, *lines, *left, *ending])


def _usage(bunch):
    """Return how masks, audit and the positive class are used."""
    masks = "masks" in bunch
    lines = [WITH_MASKS] * masks + [USE.format(X=PAIRS if masks else "data.X")]
    if bunch.pos_label is not None and len(bunch.target_names) > 2:
        lines.append(f"pos_label: {bunch.pos_label}, the class that binary scores and thresholds mean if asked for one")
    return lines
