"""Drawn lesions whose shape, colours and structures are known exactly."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from dermfeat.datasets import _drawing, _photo

RANGES = (
    (("asymmetry", "border_irregularity", "network", "structureless", "pigment"), 0, 1, Real),
    (("dark_corners", "shading"), 0, 1, Real),
    (("border_softness", "color_softness", "texture", "blur", "noise"), 0, 1000, Real),
    (("angle",), -36_000, 36_000, Real),
    (("skin_ita",), -60, 85, Real),
    *(((kind,), 0, most, Integral) for kind, most in _drawing.MOST.items()),
    (("hairs",), 0, _photo.MOST_HAIRS, Integral),
)


def draw_lesion(
    size=(240, 320),
    *,
    shape="ellipse",
    axes=None,
    angle=0.0,
    centre=None,
    asymmetry=0.0,
    border_irregularity=0.0,
    border_softness=0.02,
    colors=("light_brown", "dark_brown"),
    color_shares=None,
    color_softness=0.3,
    pigment=1.0,
    dots=0,
    globules=0,
    network=0.0,
    streaks=0,
    structureless=0.0,
    skin_ita=45.0,
    texture=1.0,
    hairs=0,
    dark_corners=0.0,
    shading=0.0,
    blur=0.7,
    color_cast=(1.0, 1.0, 1.0),
    noise=0.0,
    random_state=0,
    photo_state=None,
):
    """Draw one lesion on skin as a dermoscope sees it, with its exact mask and what was drawn.

    Every parameter changes its own aspect only: each aspect has its own random generator, so that a further
    hair leaves the border where it is, and a higher count adds to what a lower one drew.

    Parameters
    ----------
    size : (int, int)
        Height and width in pixels, each at least 64.
    shape : {"ellipse", "rectangle", "diamond", "notched_ellipse"}
        Outline before asymmetry and irregularity. The notch, 60 degrees wide and 0.65 radii deep, lies at the
        end of the first axis, so this shape mirrors about the first axis only.
    axes : (float, float), optional
        Half-axes in pixels. By default 0.34 and 0.27 times the shorter side.
    angle : float
        Degrees by which the first axis is turned from the columns' direction towards the rows'.
    centre : (float, float), optional
        Row and column of the centre. The middle of the frame by default.
    asymmetry : float in [0, 1]
        At 0, outline and colours mirror exactly about both axes. Above, three lobes distort the outline: an
        ellipse with a smooth border keeps its area, centroid and principal axes, and folding it about either
        axis leaves ``4 / pi * 0.5 * sqrt(0.5) * asymmetry`` of its area unmatched. Colour patches and
        notches leave their mirrored places in the same measure.
    border_irregularity : float in [0, 1]
        Height of the notches along the border; at 1 the squared radius changes by up to 40 %. An ellipse
        keeps its area.
    border_softness : float
        Width over which pigment fades at the edge, as a share of the equivalent diameter (the scale of a
        logistic curve; 0 is as sharp as pixels allow).
    colors : sequence of {"white", "red", "light_brown", "dark_brown", "blue_gray", "black"}
        Dermoscopic colours, each once; the first is the ground on which the others lie as patches.
    color_shares : sequence of float, optional
        Share of the lesion for each colour, scaled to sum to 1. Equal by default.
    color_softness : float
        Width of the transitions between patches: 0 for hard edges, 0.3 for the edges of small patches, 1.5 for
        colours that run into each other. The share of a colour counts to the middle of the transition.
    pigment : float in [0, 1]
        How far the lesion's colour replaces the skin's. Below 1 the reference colours are mixed with skin.
    dots, globules, streaks : int
        How many, at most 300, 80 and 60. They lie at random, also where colours mirror. Dots are about
        2 %, globules about 5 % of the equivalent diameter wide; streaks run through the outer quarter.
    network : float in [0, 1]
        Darkness of a pigment network, which is stronger in some places than in others.
    structureless : float in [0, 1]
        Share of the lesion without network and texture.
    skin_ita : float in [-60, 85]
        Skin tone as individual typology angle in degrees.
    texture : float
        Strength of blotches, pores and furrows of the skin and of mottling in the lesion; 0 for none.
    hairs : int
        How many, at most 200.
    dark_corners : float in [0, 1]
        At 0 the circular field of view encloses the frame, at 1 it touches the longer sides.
    shading : float in [0, 1]
        Uneven light: fall-off to one side and to the frame's edges.
    blur : float
        Standard deviation in pixels of the lens' blur.
    color_cast : (float, float, float)
        Factors on red, green and blue.
    noise : float
        Standard deviation in grey levels of the sensor's noise.
    random_state : int, RandomState instance or None
        Decides the lesion.
    photo_state : int, RandomState instance or None
        Decides skin, hairs, light and noise; `random_state`'s seed by default. Another value gives another
        photo of the same lesion.

    Returns
    -------
    image : (H, W, 3) uint8 ndarray
        sRGB.
    mask : (H, W) bool ndarray
        True where a pixel's centre lies within the outline, hidden by hairs or dark corners or not.
    truth : dict
        The parameters; ``area``, ``perimeter``, ``equivalent_diameter`` (pixels), ``centroid`` (row, column)
        and ``shape_asymmetry_major``, ``shape_asymmetry_minor`` (share of the area unmatched after folding
        about the first and second axis) of the outline before it became pixels; ``color_shares`` (dict of
        name and share of the mask's pixels), ``color_map`` ((H, W) uint8: 0 outside, else 1 + place in
        `colors`), ``structureless_share``, ``structureless_mask``, ``hair_mask``, ``field`` (True within the
        field of view) and ``skin_rgb`` (sRGB, 0 to 255, before light and camera).

    Raises
    ------
    ValueError
        If a parameter is out of its range, or no pixel of the lesion lies in the frame.

    Notes
    -----
    Reference colours: Kasmi & Mokrani (2016). Individual typology angle: Chardon et al. (1991).
    """
    p = _checked(dict(locals()))
    lesion_seed = seed_of(random_state)
    rng = _generators(lesion_seed, lesion_seed if photo_state is None else seed_of(photo_state))
    radius = _drawing.outline_radius(shape, p["asymmetry"], p["border_irregularity"], rng["shape"])
    frame = _drawing.Place(p["size"], p["axes"], p["angle"], p["centre"], radius)
    outline = _drawing.outline_truth(frame)
    softness = p["border_softness"] * outline["equivalent_diameter"]
    box, place = _drawing.cropped(frame, 8 * softness + 3)
    mask = _drawing.lesion_mask(place)
    require(mask.any(), "centre", p["centre"], f"move the lesion into the frame of {p['size']}")

    grain, relief, redness = (p["texture"] * part for part in _photo.skin_texture(p["size"], rng["texture"]))
    skin = _photo.skin_color(p["skin_ita"], rng["skin"])
    scene = _photo.skin_layer(skin, relief + 0.02 * grain, redness)
    field_of = _drawing.field_maker(frame, box)
    paint, painted = _drawing.paint_lesion(p, place, mask, 0.1 * grain[box] + 4 * relief[box], field_of, rng)
    opacity = _drawing.edge_opacity(mask, softness, 0.5 * grain[box])
    _drawing.blend(scene[:, *box], p["pigment"] * opacity, paint)
    image, seen = _photo.photograph(scene, p, rng)

    truth = {**p, **outline, **painted, **seen, "skin_rgb": tuple((255 * skin).tolist())}
    for name in ("color_map", "structureless_mask"):
        truth[name] = _pasted(truth[name], box, p["size"])
    return image, _pasted(mask, box, p["size"]), truth


def _pasted(part, box, size):
    whole = np.zeros(size, part.dtype)
    whole[box] = part
    return whole


def _generators(lesion_seed, photo_seed):
    """Return one independent random generator for every aspect of the image."""
    lesion = ("shape", "colors", "dots", "globules", "network", "streaks", "structureless")
    photo = ("skin", "texture", "shading", "hairs", "noise")
    seeds = dict.fromkeys(lesion, lesion_seed) | dict.fromkeys(photo, photo_seed)
    return {name: np.random.default_rng([seed, place]) for place, (name, seed) in enumerate(seeds.items())}


def seed_of(random_state):
    return int(check_random_state(random_state).randint(2**31 - 1))


def require(holds, name, value, cure):
    if not holds:
        raise ValueError(f"{name}={value!r}: {cure}")


def within(value, low, high, kind=Real):
    return isinstance(value, kind) and low <= value <= high


def pair(values, low, high, kind=Real, length=2):
    return np.shape(values) == (length,) and all(within(value, low, high, kind) for value in values)


def checked_size(size):
    require(pair(size, 64, 20_000, Integral), "size", size, "give height and width, each 64 pixels or more")
    return tuple(int(side) for side in size)


def _checked(given):
    """Return the parameters of `draw_lesion`, checked, as plain Python values, with defaults filled in."""
    p = dict(given)
    for names, low, high, kind in RANGES:
        word = "a whole number" if kind is Integral else "a number"
        for name in names:
            require(within(p[name], low, high, kind), name, p[name], f"give {word} from {low} to {high}")
            p[name] = int(p[name]) if kind is Integral else float(p[name])
    require(p["shape"] in _drawing.SHAPES, "shape", p["shape"], f"choose one of {_drawing.SHAPES}")
    p["size"] = size = checked_size(p["size"])
    if p["axes"] is None:
        p["axes"] = 0.34 * min(size), 0.27 * min(size)
    if p["centre"] is None:
        p["centre"] = tuple((side - 1) / 2 for side in size)
    for name, low, length, cure in (
        ("axes", 2, 2, "give two half-axes of 2 pixels or more"),
        ("centre", -20_000, 2, "give row and column"),
        ("color_cast", 0, 3, "give a factor for red, green and blue"),
    ):
        require(pair(p[name], low, 20_000, length=length), name, p[name], cure)
        p[name] = tuple(float(value) for value in p[name])
    p["colors"], p["color_shares"] = _checked_colors(p["colors"], p["color_shares"])
    return p


def _checked_colors(colors, shares):
    known = not isinstance(colors, str) and len(colors) and set(colors) <= set(_drawing.COLORS)
    once = known and len(set(colors)) == len(colors)
    require(once, "colors", colors, f"give each only once, of {list(_drawing.COLORS)}")
    shares = np.ones(len(colors)) if shares is None else np.asarray(shares, float)
    fits = shares.shape == (len(colors),) and (shares >= 0).all() and 0 < shares.sum() < np.inf
    require(fits, "color_shares", shares.tolist(), f"give {len(colors)} shares of 0 or more, one for each color")
    return tuple(colors), tuple((shares / shares.sum()).tolist())
