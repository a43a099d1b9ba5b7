"""Lesion card: what was measured on one lesion, in numbers, words and a picture."""

import base64
import io
import os
from functools import cached_property
from html import escape
from pathlib import Path

from dermfeat.evaluation import _card_words as words
from dermfeat.evaluation._card_panels import draw_card
from dermfeat.evaluation.plots import DISCLAIMER
from dermfeat.extraction import LesionReader
from dermfeat.measures.asymmetry import asymmetry, least_asymmetric_axes
from dermfeat.measures.blotches import blotches
from dermfeat.measures.border import border
from dermfeat.measures.checklist import seven_point
from dermfeat.measures.color_clinical import blue_white_veil, dermoscopic_colors, regression, skin_tone, skin_tone_name
from dermfeat.measures.color_regions import DERMOSCOPIC_COLORS
from dermfeat.measures.dots_globules import dots_and_globules
from dermfeat.measures.network_pattern import pigment_network
from dermfeat.measures.scores import abcd_score, structures_present, tds_band
from dermfeat.measures.streaks import streaks
from dermfeat.measures.structureless import structureless_area
from dermfeat.reading import sources

MEASURES = (
    asymmetry, border, dermoscopic_colors, blue_white_veil, regression, skin_tone,
    pigment_network, structureless_area, dots_and_globules, streaks, blotches,
)  # fmt: skip
BLUISH = 85  # degrees of the typology angle from which b* is next to nothing: the light decides, not the skin
DETAILS = (
    "network_share", "structureless_share", "streaks_count", "dots_count", "globules_count",
    "blue_white_veil_share", "blotch_share", "regression_white_share", "regression_blue_share",
)  # fmt: skip


def lesion_card(image, *, mask=None, reader=None, name=None, rule=None, checklist=None):
    """Measure one lesion by the ABCD rule and the seven-point checklist, and show where everything lies.

    Parameters
    ----------
    image : path, bytes, PIL image, ndarray or pair (image, mask)
        Any image reference.
    mask : path, bytes, PIL image or ndarray, optional
        The lesion's outline; the reader's segmenter finds it by default.
    reader : LesionReader, optional
        How the image is prepared.
    name : str, optional
        What the card calls the image; the file's name, without its folder, by default.
    rule, checklist : dict, optional
        Thresholds, as for `dermfeat.ABCDFeatures`.

    Returns
    -------
    LesionCard

    Raises
    ------
    LesionImageError
        If the image or mask cannot be used.

    Examples
    --------
    >>> from dermfeat.datasets import draw_lesion
    >>> from dermfeat.evaluation import lesion_card
    >>> image, mask, _ = draw_lesion(colors=("light_brown",))
    >>> card = lesion_card((image, mask), name="drawn")
    >>> card.values["image"], card.values["skin_tone"]
    ('drawn', 'light')
    """
    reader = LesionReader() if reader is None else reader
    if mask is not None and isinstance(image, tuple):
        raise ValueError("the mask is given twice: give (image, mask), or an image and mask=")
    source = sources([image if mask is None else (image, mask)], max_pixels=reader.max_pixels)[0]
    rgb, outline = source.read()
    if name is None:
        name = Path(source.name).name if isinstance(source.image, (str, os.PathLike)) else "image"
    return LesionCard(reader.prepare(rgb, outline, source.name), name, rule=rule, checklist=checklist)


class LesionCard:
    """One lesion's measures for people: values, a picture, a view for notebooks.

    Parameters
    ----------
    lesion : Lesion
    name : str
    rule, checklist : dict, optional

    Attributes
    ----------
    values : dict
        A with the axes about which shape, colour and structure differ, B, C with the shares of the six colours, D with
        the five structures, the total dermoscopy score and its band, the criteria of the seven-point checklist that
        can be measured and their score, the skin's tone, whether the outline is a stand-in or doubtful
        (``is_fallback``) and how sure the segmenter is of it (``confidence``), and a note that this is no diagnosis.
    measured : dict of str to float
        The measures behind them.
    """

    def __init__(self, lesion, name="image", *, rule=None, checklist=None):
        self.lesion, self.name = lesion, str(name)
        self.rule, self.checklist = rule or {}, checklist or {}

    @cached_property
    def measured(self):
        parts = (measure(self.lesion) for measure in MEASURES)
        measured = {name: value for part in parts for name, value in part.items()}
        return measured | abcd_score(measured, **self.rule) | seven_point(measured, **self.checklist)

    @cached_property
    def values(self):
        m, unsure = self.measured, self.lesion.is_fallback
        structure_thresholds = {name: value for name, value in self.rule.items() if name != "color_share"}
        _, differs = least_asymmetric_axes(self.lesion)
        parts = zip(("shape", "color", "structure"), differs.sum(axis=0).tolist(), strict=True)
        structures = {f"D_{name}": bool(there) for name, there in structures_present(m, **structure_thresholds).items()}
        points = {name: float(value) for name, value in m.items() if name.startswith("seven_point_")}
        return {
            "image": self.name,
            "is_fallback": self.lesion.is_fallback,
            "confidence": self.lesion.confidence,
            "A": float(m["asymmetry_score"]),
            **{f"A_{part}": count for part, count in parts},
            **{f"A_{axis}_axis": words.differing(row) for axis, row in zip(("first", "second"), differs, strict=True)},
            "B": float(m["border_score"]),
            "sectors_seen": float(m["sectors_seen"]),
            "C": float(m["color_score"]),
            **{f"C_{color}_share": float(m[f"{color}_share"]) for color in DERMOSCOPIC_COLORS},
            "D": float(m["structure_score"]),
            **structures,
            "TDS": float(m["tds"]),
            "TDS_band": words.UNSURE if unsure else tds_band(m["tds"]),
            **{name: float(m[name]) for name in DETAILS},
            **points,
            "skin_tone": words.BLUISH if m["skin_ita"] > BLUISH else skin_tone_name(m["skin_ita"]),
            "skin_ita": float(m["skin_ita"]),
            "note": DISCLAIMER,
        }

    def rows(self):
        """Return ``(what, value, from what)`` of every value, in words, as a list of tuples of str."""
        v = self.values
        return words.abcd_rows(v) + words.checklist_rows(v) + words.other_rows(v)

    def __repr__(self):
        return f"LesionCard({self.name!r}, TDS {self.values['TDS']:.2f}, {self.values['TDS_band']})"

    def _repr_html_(self):
        """Return self-contained HTML: the picture and, for screen readers too, the values as a table."""
        picture = base64.b64encode(self._png()).decode()
        name = escape(self.name)
        return (
            f'<figure style="margin:0"><img style="max-width:100%" alt="Lesion card of {name}; the table below it '
            f'holds its values." src="data:image/png;base64,{picture}"><table><caption>{name}. {escape(DISCLAIMER)}'
            '</caption><thead><tr><th scope="col">What</th><th scope="col">Value</th><th scope="col">From</th></tr>'
            f"</thead><tbody>{''.join(map(_html_row, self.rows()))}</tbody></table></figure>"
        )

    def figure(self):
        """Return the picture as a matplotlib Figure that is not registered with pyplot."""
        return draw_card(self.lesion, self.name, self.values)

    def save(self, path):
        """Write the picture as a PNG file, ``name.png``."""
        if Path(path).suffix.lower() != ".png":
            raise ValueError(f"{path}: the card is a PNG picture; give a name that ends in .png")
        Path(path).write_bytes(self._png())

    def _png(self):
        file = io.BytesIO()
        self.figure().savefig(file, format="png", pil_kwargs={"compress_level": 3})
        return file.getvalue()


def _html_row(row):
    what, value, source = map(escape, row)
    return f'<tr style="text-align:left"><th scope="row">{what}</th><td>{value}</td><td>{source}</td></tr>'
