"""What the lesion card's picture is made of: panels, legends, lines of text, regions, a scale."""

import cv2
import numpy as np

WIDTH, HEIGHT, DPI = 13.0, 9.3, 100  # inches, dots an inch
INK, FAINT, PALE = "#222222", "#6e6e6e", "#ececec"
BANDS = {"benign": "#9ecae1", "suspicious": "#f0e442", "highly suspicious": "#d55e00"}
LINES = {  # styles of a legend
    "line": {"lw": 3},
    "dashes": {"lw": 1.5, "ls": "--"},
    "ring": {"ls": "", "marker": "o", "ms": 9, "mew": 1.6},
    "dot": {"ls": "", "marker": "o", "ms": 5, "mew": 1.3},
    "tick": {"ls": "", "marker": "|", "ms": 8, "mew": 2},
}
LINE = 0.205  # inches between lines of text


def new_figure():
    """Return an empty Figure of the card's size that pyplot knows nothing of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def write(figure, left, top, text, **style):
    """Write text whose upper left corner lies at a place in inches from the card's upper left corner."""
    style = {"fontsize": 9.5, "color": INK, "va": "top", "parse_math": False} | style
    return figure.text(left / WIDTH, 1 - top / HEIGHT, text, **style)


def heading(figure, left, top, text):
    """Write a panel's heading above its place."""
    write(figure, left, top - 0.28, text, fontsize=11, weight="bold")


def panel(figure, left, top, width, height, title=None):
    """Return axes without frame at a place in inches from the card's upper left corner, under a heading."""
    axes = figure.add_axes((left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT))
    axes.set_axis_off()
    if title:
        heading(figure, left, top, title)
    return axes


def show(axes, image, x, y):
    """Show an image, between two columns and two rows of it."""
    axes.imshow(image, interpolation="antialiased")
    axes.set(xlim=np.subtract(x, 0.5), ylim=np.subtract(y, 0.5)[::-1], aspect="equal")


def frame(axes):
    """Give the axes a thin frame and pale ground."""
    axes.patch.set(facecolor=PALE, visible=True)
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")


def draw_line(axes, points, color, width, **style):
    """Draw a line through (N, 2) points x, y that stands out from any ground."""
    from matplotlib.patheffects import Normal, Stroke

    around = [Stroke(linewidth=width + 1.4, foreground=INK, alpha=0.6), Normal()]
    axes.plot(*np.transpose(points), color=color, lw=width, path_effects=around, **style)


def draw_region(axes, mask, color, *, alpha=0.5, hatch=None, width=0.9):
    """Fill and outline the regions of an (H, W) bool mask."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if outlines:
        paths = [Path(np.vstack([outline[:, 0], outline[:1, 0]]), closed=True) for outline in outlines]
        path = Path.make_compound_path(*paths)
        style = {"facecolor": to_rgba(color, alpha), "edgecolor": to_rgba(color, 0.95), "hatch": hatch, "lw": width}
        axes.add_artist(PathPatch(path, **style))


def draw_rings(axes, blobs, color, width):
    """Draw rings round (N, 3) blobs y, x, radius, a little larger than they are."""
    from matplotlib.collections import EllipseCollection

    if len(blobs):
        y, x, radius = np.transpose(blobs)
        size = 2 * (1.25 * radius + 1)
        rings = EllipseCollection(
            size, size, np.zeros(len(x)), units="xy", offsets=np.column_stack([x, y]),
            offset_transform=axes.transData, facecolors="none", edgecolors=color, linewidths=width,
        )  # fmt: skip
        axes.add_collection(rings, autolim=False)


def draw_legend(figure, left, top, entries, columns):
    """Write a legend of ``(text, color, style)``; a style is "area", a hatch, or a key of `LINES`."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def handle(text, color, style):
        if style in LINES:
            return Line2D([], [], label=text, color=color, mfc="none", **LINES[style])
        if style == "area":
            return Patch(facecolor=color, edgecolor=FAINT, lw=0.6, label=text)
        return Patch(facecolor="none", edgecolor=color, hatch=style, lw=0.6, label=text)

    figure.legend(
        handles=[handle(*entry) for entry in entries], ncols=columns, loc="upper left", borderpad=0, frameon=False,
        bbox_to_anchor=(left / WIDTH, 1 - top / HEIGHT), borderaxespad=0, fontsize=9, handlelength=1.6,
        columnspacing=1.4, labelspacing=0.4, labelcolor=INK,
    )  # fmt: skip


def draw_rows(figure, left, top, rows, columns, wrap):
    """Write rows of three texts in columns given in inches; the third is wrapped. Return where the next would begin."""
    from textwrap import wrap as wrapped

    for what, value, explanation in rows:
        lines = wrapped(explanation, wrap) or [""]
        write(figure, left + columns[0], top, what)
        write(figure, left + columns[1], top, value, weight="bold")
        for i, line in enumerate(lines):
            write(figure, left + columns[2], top + i * LINE, line, color=FAINT)
        top += len(lines) * LINE + 0.07
    return top


def draw_scale(axes, tds, *, limits=(4.75, 5.45), sure=True):
    """Draw the total dermoscopy score on a scale of its three bands; hollow where it is not sure."""
    edges = [1.0, *limits, 8.9]
    for color, low, high in zip(BANDS.values(), edges, edges[1:], strict=False):
        axes.barh(0, high - low, left=low, height=1, color=color, edgecolor="white", lw=1)
    axes.plot([tds], [0.95], marker="v", color=INK, mfc=INK if sure else "white", ms=9, clip_on=False)
    axes.set(xlim=(1, 8.9), ylim=(-1.6, 1.4))
    for edge in edges:
        axes.text(edge, -0.7, f"{edge:g}", ha="center", va="top", fontsize=8.5, color=INK)
    for name, low, high in zip(BANDS, edges, edges[1:], strict=False):
        if name != "suspicious":
            axes.text((low + high) / 2, 0, name, ha="center", va="center", fontsize=9, color=INK)
