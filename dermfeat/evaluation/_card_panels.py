"""The lesion card's picture: where everything that was counted lies."""

import cv2
import numpy as np

from dermfeat.evaluation import _card_drawing as d
from dermfeat.evaluation import _card_words as words
from dermfeat.evaluation.plots import DISCLAIMER
from dermfeat.measures.asymmetry import least_asymmetric_axes
from dermfeat.measures.blotches import find_blotches
from dermfeat.measures.border import DIRECTIONS, abrupt_directions
from dermfeat.measures.color_regions import DERMOSCOPIC_COLORS, find_colors, find_regression, find_veil
from dermfeat.measures.dots_globules import dots_and_globules, find_blobs
from dermfeat.measures.network_pattern import find_network
from dermfeat.measures.streaks import find_streaks
from dermfeat.measures.structureless import find_structureless

MARGIN = 1.25  # side of a map by that of the lesion's bounding box
SIDE = 3.3  # inches of a map
GLOBULE_RADIUS = dots_and_globules.__kwdefaults__["globule_radius"]
# Okabe and Ito's colours, which the colour-blind can tell apart
ORANGE, SKY, GREEN = "#e69f00", "#56b4e9", "#009e73"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"
OUTLINE_LEGEND = [
    ("pigment ends abruptly", ORANGE, "line"),
    ("ends gradually", SKY, "line"),
    ("not judged", "#bbbbbb", "line"),
    ("axes of least asymmetry", "#555555", "dashes"),
    ("eighths of the outline", "#555555", "tick"),
]
STRUCTURES = [(BLUE, "area"), (ORANGE, "////"), (GREEN, "line"), (VERMILION, "dot"), (PURPLE, "ring")]
AREAS = [(BLUE, "area"), (ORANGE, "////"), (GREEN, "area"), (VERMILION, "area")]


def draw_card(lesion, name, values):
    """Return the whole card as a Figure."""
    figure = d.new_figure()
    d.write(figure, 0.3, 0.15, words.shortened(name), fontsize=13, weight="bold")
    _left(figure, lesion, values)
    draw_colors(d.panel(figure, 5.85, 0.95, SIDE, SIDE, "Colours"), lesion)
    d.draw_legend(figure, 5.85, 4.35, _color_legend(values), 2)
    draw_structures(d.panel(figure, 9.4, 0.95, SIDE, SIDE, "Structures"), lesion)
    d.draw_legend(figure, 9.4, 4.35, _legend(words.structure_texts(values), STRUCTURES), 2)
    draw_areas(d.panel(figure, 5.85, 5.5, 2.9, 2.9, "Veil, regression, blotches"), lesion)
    d.draw_legend(figure, 5.85, 8.48, _legend(words.area_texts(values), AREAS), 2)
    d.heading(figure, 9.4, 5.5, "Seven-point checklist")
    below = d.draw_rows(figure, 9.4, 5.5, words.checklist_rows(values), (0, 2.05, 2.6), 24)
    d.draw_rows(figure, 9.4, below + 0.15, words.other_rows(values), (0, 0.9, 2.05), 20)
    d.write(figure, 6.5, 9.05, DISCLAIMER, ha="center", color=d.FAINT)
    return figure


def _legend(texts, styles):
    return [(text, *style) for text, style in zip(texts, styles, strict=True)]


def _left(figure, lesion, values):
    """Draw the photo near the lesion, the whole of it small, and the ABCD rule."""
    draw_outline(d.panel(figure, 0.3, 0.95, 5.2, 3.9, "Outline"), lesion)
    if lesion.is_fallback:
        d.write(figure, 5.5, 0.67, words.UNSURE, ha="right", fontsize=11, weight="bold", color="#a63603")
    d.draw_legend(figure, 0.3, 4.95, OUTLINE_LEGEND, 2)
    whole = d.panel(figure, 4.5, 4.93, 1.0, 0.75)
    d.show(whole, lesion.raw, (0, lesion.raw.shape[1]), (0, lesion.raw.shape[0]))
    whole.plot(*lesion.contour.T, color=SKY, lw=1)
    d.heading(figure, 0.3, 6.05, "ABCD rule")
    d.draw_rows(figure, 0.3, 6.05, words.abcd_rows(values), (0, 1.2, 1.95), 48)
    d.draw_scale(d.panel(figure, 0.4, 8.2, 5.0, 0.75), values["TDS"], sure=not lesion.is_fallback)


def draw_outline(axes, lesion):
    """Draw the photo with the outline, by how abruptly pigment ends, the axes of A and the eighths of B."""
    centre = lesion.centroid[::-1]
    reach = np.linalg.norm(lesion.contour - centre, axis=1).max()
    d.show(axes, lesion.raw, *_surroundings(lesion.raw.shape, centre, 1.35 * reach))
    angle, _ = least_asymmetric_axes(lesion)
    for turn in np.radians(angle + np.arange(0, 180, 90)):
        d.draw_line(axes, _ray(centre, turn, -1.15 * reach, 1.15 * reach), "white", 1.1, ls=(0, (6, 4)))
    for turn in np.radians(angle + np.arange(0, 360, 45)):
        d.draw_line(axes, _ray(centre, turn, 1.06 * reach, 1.15 * reach), "white", 1.5)
    _rim(axes, lesion, centre)


def _surroundings(shape, centre, reach):
    """Return the columns and the rows, in the frame, of a window with the proportions of the photo's panel."""
    size, sides = 2 * reach * np.array([4 / 3, 1]), np.array(shape[1::-1])
    low = np.clip(centre - size / 2, 0, np.maximum(sides - size, 0))
    return np.transpose([low, np.minimum(low + size, sides)])


def _ray(centre, angle, start, end):
    return centre + np.outer([start, end], [np.cos(angle), np.sin(angle)])


def _rim(axes, lesion, centre):
    abrupt, seen = abrupt_directions(lesion)
    x, y = (lesion.contour - centre).T
    direction = np.round(np.degrees(np.arctan2(y, x)) * DIRECTIONS / 360).astype(int) % DIRECTIONS
    kind = np.where(seen, 1 + abrupt, 0)[direction]
    closed, kind = np.vstack([lesion.contour, lesion.contour[:1]]), np.r_[kind, kind[:1]]
    d.draw_line(axes, closed, "#bbbbbb", 1.8)
    for value, color, width in ((1, SKY, 2.2), (2, ORANGE, 3.2)):
        axes.plot(*np.where((kind == value)[:, None], closed, np.nan).T, color=color, lw=width)


def _map(axes, lesion):
    """Draw the lesion in pale gray as ground for a map, square and centred."""
    low, high = lesion.contour.min(axis=0), lesion.contour.max(axis=0) + 1
    half = MARGIN * (high - low).max() / 2
    spans = np.add((low + high)[:, None] / 2, [-half, half])
    ground = cv2.cvtColor((0.6 * lesion.gray + 0.4 * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    d.show(axes, ground, *spans)
    d.frame(axes)
    axes.plot(*np.vstack([lesion.contour, lesion.contour[:1]]).T, color=d.INK, lw=0.9)


def draw_colors(axes, lesion):
    """Paint each of the six colours in its reference colour; what has the skin's stays pale."""
    _map(axes, lesion)
    table = np.zeros((256, 4), np.uint8)
    table[1 : 1 + len(DERMOSCOPIC_COLORS)] = [(*rgb, 255) for rgb in DERMOSCOPIC_COLORS.values()]
    axes.imshow(table[lesion.once(find_colors)], interpolation="nearest", zorder=1.5)


def _color_legend(values):
    def entry(name):
        share = values[f"C_{name}_share"]
        return f"{words.color_name(name)} {words.percent(share)}", np.divide(DERMOSCOPIC_COLORS[name], 255), "area"

    return [entry(name) for name in DERMOSCOPIC_COLORS]


def draw_structures(axes, lesion):
    """Draw network, structureless areas, streaks, dots and globules where they were found."""
    _map(axes, lesion)
    d.draw_region(axes, lesion.once(find_structureless), ORANGE, alpha=0.15, hatch="////")
    network = lesion.once(find_network)
    d.draw_region(axes, network.area, BLUE, alpha=0.12)
    d.draw_region(axes, network.lines, BLUE, alpha=0.7, width=0.3)
    d.draw_region(axes, lesion.once(find_streaks) > 0, GREEN, alpha=0.7)
    blobs = lesion.once(find_blobs)
    large = blobs[:, 2] > GLOBULE_RADIUS * lesion.equivalent_diameter
    d.draw_rings(axes, blobs[~large, :3], VERMILION, 1.0)
    d.draw_rings(axes, blobs[large, :3], PURPLE, 1.6)


def draw_areas(axes, lesion):
    """Draw blue-white veil, blotches and regression where they were found."""
    _map(axes, lesion)
    regression = lesion.once(find_regression)
    d.draw_region(axes, lesion.once(find_blotches), ORANGE, alpha=0.15, hatch="////")
    d.draw_region(axes, lesion.once(find_veil), BLUE)
    d.draw_region(axes, regression.white, GREEN)
    d.draw_region(axes, regression.peppering, VERMILION, width=0.6)
