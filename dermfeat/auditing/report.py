"""AuditReport: the findings as text, table and page, and which images to keep."""

import os
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from dermfeat.auditing.finding import SEVERITIES, counted

DISCLAIMER = "For research and education, not for diagnosis."
SHOWN = 5  # items of a finding that the text shows
COPIES = ("exact_copies", "near_copies")
DROPPED = ("unreadable", "missing_labels", "same_image_two_labels", "exact_copies")
DROPPABLE = (
    "unreadable", "missing_labels", "same_image_two_labels", "exact_copies", "near_copies", "unreadable_mask",
    "small_images", "swapped_channels", "inverted_mask", "empty_mask", "full_mask", "mask_size", "no_lesion",
    "overview_photo", "missing_groups", "missing_split", "copies_across_groups",
)  # fmt: skip


class AuditReport:
    """What `audit` found.

    Attributes
    ----------
    findings : list of Finding
        Errors first, then warnings and notes.
    groups : (n,) str ndarray
        The ids a splitter should use: the given groups, with those that share copies or like shots made one.
    facts : DataFrame
        What the pass over the images noted, one row an image.
    """

    def __init__(self, case, findings):
        self.findings = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        self.groups = case.merged_groups
        self.facts = case.facts
        self._case = case

    def __len__(self):
        return len(self.facts)

    def __getitem__(self, code):
        """Return the findings of one code."""
        return [finding for finding in self.findings if finding.code == code]

    @property
    def codes(self):
        """The codes of all findings, as a list without repetition."""
        return list(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def headline(self):
        """One line: how many images, and how many findings of each severity."""
        counts = [counted(sum(f.severity == s for f in self.findings), s) for s in SEVERITIES]
        return f"dermfeat audit of {counted(len(self), 'image')}: {', '.join(counts)}."

    @property
    def closing(self):
        """One line: how many images `clean` keeps, and why it drops the others."""
        dropped = self.dropped()["code"].value_counts()
        listed = ", ".join(f"{n} for {code}" for code, n in dropped.items())
        kept = f"clean() keeps {len(self) - dropped.sum()} of {counted(len(self), 'image')}"
        return f"{kept} and drops {listed}." if listed else f"{kept}."

    def short(self, text):
        """Return a text without the folder that all images lie in."""
        return text.replace(self.root, "") if self.root else text

    @property
    def references(self):
        """The images, as they were given."""
        return self._case.references

    @cached_property
    def root(self):
        """The folder that all images lie in, "" where there is none."""
        paths = [name for name in self._case.names if os.sep in name]
        folders = {os.path.dirname(path) for path in paths}
        try:
            root = os.path.commonpath(folders) if folders else ""
        except ValueError:  # relative and absolute paths, or several drives
            return ""
        return root + os.sep if len(root) > 1 else ""

    def __str__(self):
        lines = [self.headline, DISCLAIMER, *([f"Folder: {self.root}"] if self.root else [])]
        for finding in self.findings:
            lines += [
                "",
                f"{finding.severity.upper()} {finding.code}",
                f"  {self.short(finding.sentence)}",
                f"  -> {finding.cure}",
            ]
            for row in finding.items.head(SHOWN).itertuples(index=False):
                named = pd.isna(row.index) or row.name.startswith(f"X[{row.index}]")
                place = "" if named else f"[{row.index}] "
                lines.append(self.short(f"     {place}{row.name}: {row.what}"))
            rest = len(finding.items) - SHOWN
            lines += [f"     ... and {rest} more, see to_frame()"] if rest > 0 else []
        lines += ["", self.closing]
        return "\n".join(lines)

    def __repr__(self):
        return f"<AuditReport: {self.headline}>"

    def to_frame(self):
        """Return one row for each item of each finding, one also for a finding without items.

        Returns
        -------
        DataFrame
            severity, code, index (position in X, missing for columns), name, what, partner, sentence, cure.
        """
        order = ["severity", "code", "index", "name", "what", "partner", "sentence", "cure"]
        tables = []
        for finding in self.findings:
            items = finding.items if len(finding.items) else finding.items.reindex([0])
            words = {key: getattr(finding, key) for key in ("severity", "code", "sentence", "cure")}
            tables.append(items.assign(**words)[order])
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=order)

    def to_html(self, *, thumbnails=True):
        """Return the report as one self-contained page.

        Parameters
        ----------
        thumbnails : bool
            Whether to show the first images of a finding about images; they are read again for it.
        """
        from dermfeat.auditing.page import page

        return page(self, thumbnails)

    def save(self, path, *, thumbnails=True):
        """Write the report to a file: ``.html`` as page, ``.csv`` as table, ``.txt`` or ``.md`` as text."""
        path = Path(path)
        writers = {
            (".html", ".htm"): lambda: self.to_html(thumbnails=thumbnails),
            (".csv",): lambda: self.to_frame().to_csv(index=False),
            (".txt", ".md"): lambda: f"{self}\n",
        }
        writer = next((write for endings, write in writers.items() if path.suffix.lower() in endings), None)
        if writer is None:
            known = [ending for endings in writers for ending in endings]
            raise ValueError(f"{path}: cannot write {path.suffix or 'a file without ending'}; choose one of {known}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(writer(), encoding="utf-8")

    def _repr_html_(self):
        return self.to_html(thumbnails=False)

    def clean(self, drop=DROPPED, *, also=(), keep="first"):
        """Return the sorted positions of the images to keep.

        Parameters
        ----------
        drop : sequence of str
            Codes of findings about images; those that were not found change nothing. Of exact and near copies one is
            kept. Of one image under two labels none is, since nobody knows which label is right. Other codes drop
            all their items.
        also : sequence of str
            Further codes, such as "near_copies".
        keep : {"first", "largest"}
            Which copy stays: the first, or the first of those with the most pixels.

        Returns
        -------
        (m,) int ndarray
            `dropped` says of the others why they went.
        """
        return np.setdiff1d(np.arange(len(self)), self.dropped(drop, also=also, keep=keep)["index"].to_numpy(int))

    def dropped(self, drop=DROPPED, *, also=(), keep="first"):
        """Return the images that `clean` leaves out.

        Returns
        -------
        DataFrame
            index, name, code (of the first finding in the order of `drop` and `also`, copies last) and what.
        """
        drop = [code for codes in (drop, also) for code in ([codes] if isinstance(codes, str) else codes)]
        unknown = [code for code in drop if code not in DROPPABLE]
        if unknown:
            raise ValueError(f"drop: {unknown} name no images to drop; there are {list(DROPPABLE)}")
        if keep not in ("first", "largest"):
            raise ValueError(f"keep={keep!r}: use 'first' or 'largest'")
        tables = [f.items.assign(code=code) for code in drop if code not in COPIES for f in self[code]]
        gone = set().union(*(table["index"] for table in tables))
        tables += [self._surplus(code, gone, keep) for code in COPIES if code in drop]
        columns = ["index", "name", "code", "what"]
        if not any(map(len, tables)):
            return pd.DataFrame(columns=columns)
        frame = pd.concat([table for table in tables if len(table)])[columns]
        return frame.drop_duplicates("index").sort_values("index", ignore_index=True)

    def _surplus(self, code, gone, keep):
        """Return all copies but one, of those that are still there; `gone` is added to."""
        case = self._case
        clusters = case.exact_clusters if code == "exact_copies" else case.copy_clusters
        left = [i for i in range(len(case)) if i not in gone]
        if keep == "largest":
            left.sort(key=lambda i: -np.nan_to_num(case.facts["height"][i] * case.facts["width"][i]))
        kept, rows = {}, []
        for i in left:
            j = kept.setdefault(clusters[i], i)
            if j != i:
                rows.append((i, case.names[i], code, f"{case.names[j]} is kept"))
        gone |= {row[0] for row in rows}
        return pd.DataFrame(rows, columns=["index", "name", "code", "what"])
