"""The report as one self-contained page."""

from base64 import b64encode
from html import escape

import cv2
import numpy as np
import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.auditing.finding import counted
from dermfeat.auditing.report import DISCLAIMER
from dermfeat.reading import sources

ROWS = 100  # items of a finding that the page shows
PICTURES = 6  # items of a finding that are shown as pictures
SIDE = 128  # pixels of a picture's longer side
GREEN = (0, 255, 0)
STYLE = """
.dermfeat-audit { font: 15px/1.5 system-ui, sans-serif; max-width: 64em; margin: 1em auto; padding: 0 1em;
  color: #222; background: #fff; }
.dermfeat-audit section { border-left: 6px solid; padding: .1em 1em .6em; margin: 1.2em 0; background: #f8f8f8; }
.dermfeat-audit .error { border-color: #c0262d; } .dermfeat-audit .warning { border-color: #d98a00; }
.dermfeat-audit .note { border-color: #5b7ba5; }
.dermfeat-audit h2 { font-size: 1.05em; margin: .6em 0 .2em; } .dermfeat-audit p { margin: .3em 0; }
.dermfeat-audit table { border-collapse: collapse; font-size: .88em; background: #fff;
  display: block; overflow-x: auto; }
.dermfeat-audit td, .dermfeat-audit th { border: 1px solid #ddd; padding: .15em .6em; text-align: left; }
.dermfeat-audit figure { display: inline-block; margin: .3em .6em .3em 0; vertical-align: top; max-width: 270px;
  font-size: .78em; overflow-wrap: anywhere; }
.dermfeat-audit figure img { display: inline-block; margin-right: 4px; }
.dermfeat-audit summary { cursor: pointer; }
"""


def page(report, thumbnails=True):
    """Return an `AuditReport` as HTML that needs no other file.

    Parameters
    ----------
    report : AuditReport
    thumbnails : bool
        Whether to read the first images of each finding again and show them.
    """
    sections = "\n".join(_section(report, finding, thumbnails) for finding in report.findings)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>dermfeat audit</title></head><body>\n'
        f'<style>{STYLE}</style><div class="dermfeat-audit">\n<h1>Audit</h1><p>{escape(report.headline)}</p>'
        f"<p><em>{escape(DISCLAIMER)}</em></p>{_folder(report)}\n{sections}\n<p>{escape(report.closing)}</p></div>\n</body></html>\n"
    )


def _folder(report):
    return f"<p>Folder: {escape(report.root)}</p>" if report.root else ""


def _section(report, finding, thumbnails):
    pictures = _pictures(report, finding) if thumbnails else ""
    return (
        f'<section class="{finding.severity}"><h2>{finding.severity}: {escape(finding.code)}</h2>'
        f"<p>{escape(report.short(finding.sentence))}</p><p><b>What to do:</b> {escape(finding.cure)}</p>"
        f"{pictures}{_table(report, finding.items)}</section>"
    )


def _table(report, items):
    if items.empty:
        return ""
    shown = items.head(ROWS)
    has_index = bool(shown["index"].notna().any())
    head = "<tr>" + "<th>index</th>" * has_index + "<th>name</th><th>what</th></tr>"
    lines = [
        "<tr>" + f"<td>{row.index}</td>" * has_index + f"<td>{_text(report, row.name)}</td>"
        f"<td>{_text(report, row.what)}</td></tr>"
        for row in shown.itertuples(index=False)
    ]
    more = f", the first {ROWS} shown" if len(items) > ROWS else ""
    opened = " open" if len(items) <= 12 else ""
    summary = f"<summary>{counted(len(items), 'item')}{more}</summary>"
    return f"<details{opened}>{summary}<table>{head}{''.join(lines)}</table></details>"


def _text(report, value):
    return escape(report.short(str(value)))


def _pictures(report, finding):
    figures = []
    items = finding.items.dropna(subset="index")
    pairs = items[["index", "partner"]].apply(frozenset, axis=1)  # a pair may be told from both sides
    for row in items[~pairs.duplicated()].head(PICTURES).itertuples(index=False):
        places = [row.index] if pd.isna(row.partner) else [row.index, row.partner]
        tags = [tag for tag in (_image_tag(report.references[int(i)], int(i)) for i in places) if tag]
        if tags:
            caption = " and ".join(f"[{i}]" for i in places)
            figures.append(
                f"<figure>{''.join(tags)}<figcaption>{caption} {_text(report, row.what)}</figcaption></figure>"
            )
    return f"<div>{''.join(figures)}</div>" if figures else ""


def _image_tag(reference, position):
    """Return an image, with its mask's outline, as a tag with the pixels in it; "" where it cannot be read."""
    try:
        rgb, mask = sources([reference], start=position)[0].read()
    except LesionImageError:
        return ""
    scale = SIDE / max(rgb.shape[:2])
    size = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if mask is not None:
        small_mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(small_mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(small, outlines, -1, GREEN, 1)
    data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return f'<img alt="image {position}" src="data:image/jpeg;base64,{b64encode(data.tobytes()).decode()}">'
