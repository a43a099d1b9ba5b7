"""Dots and globules: small round dark specks and larger roundish dark clods of pigment."""

import cv2
import numpy as np
from scipy import ndimage

from dermfeat.measures.detail import SECOND, blurred, detail, gaussian, median
from dermfeat.measures.texture import bounding_box

SMALLEST, LARGEST = 0.006, 0.028  # radii looked for, in equivalent diameters
RESOLVED = 1.5  # pixels: narrower specks cannot be told from noise and JPEG artefacts
STEP = 1.3  # ratio of neighbouring radii
FAINT = 0.2  # weaker curvature of a candidate, by the contrast asked for; a disc has about twice that
ROUND = 0.4  # smallest ratio of a candidate's two curvatures; 0 on a line
RAYS = 24  # directions in which a candidate is left
POINTS = np.arange(0.25, 2, 0.25)  # places on each ray, in radii
NEIGHBORS = np.ones((3, 3), np.uint8)
OUTSIDE = 4  # the first of them that is outside: 1.25 radii
FINER = 4  # steps by which the image that rays run through is less blurred than the scale of the candidate
CLOSED = 0.6  # share of the contrast by which L* rises in a direction that is not open
WIDER = 1.5  # times the radius it was found at that a blob may be wide
APART = 1.2  # radii within which a less marked blob is a part of another
DOT = 0.012  # radius in equivalent diameters up to which `contrast` is enough
UNEVEN_GROUND = 1.2  # factor on `contrast` for larger ones
DOUBT = 0.15  # the same for each direction that is open
GROUND = 0.05  # blur, in equivalent diameters, that leaves the shading blobs lie on


def dots_and_globules(lesion, *, globule_radius=0.016, **detection):
    """Measure how many dots and globules there are and how irregular they are.

    Both are round dark blobs (see `find_blobs`); a globule is wider than a dot. Irregular, in the sense of the
    seven-point checklist, are dots and globules of varied size that are unevenly spread. At low resolution, a diameter
    below some 130 pixels, dots blur into the background and are missed; below 54 pixels nothing is found. Turns by
    90 degrees and flips change nothing but rounding, which rarely tips a blob that lies on a threshold.

    Parameters
    ----------
    lesion : Lesion
    globule_radius : float
        Radius in equivalent diameters above which a blob is a globule. Globules are wider than 0.1 mm, which is 1.6 %
        of the diameter of a lesion 6 mm wide; the default is twice that, as blur widens what is barely resolved.
    **detection : float
        See `find_blobs`.

    Returns
    -------
    dict of str to float
        ``dots_count`` : [0, inf] -
            Blobs up to that radius.
        ``globules_count`` : [0, inf] -
            Blobs above it.
        ``globules_share`` : [0, 1] share
            Area of the globules as discs, of the lesion's.
        ``blobs_contrast`` : [0, 162] L*
            Median over dots and globules of how far they lie below their surroundings, at an exposure that gives
            the skin a median L* of 70; 0 without any.
        ``blobs_size_variation`` : [0, inf] -
            Standard deviation by mean of their radii; 0 with fewer than two.
        ``blobs_offset`` : [0, inf] equivalent diameters
            Distance from the lesion's centroid to that of the dots and globules; 0 without any.
        ``blobs_outer_share`` : [0, 1] share
            Share of them in the half of the lesion's area that is nearer to its edge; about 0.5 where they are evenly
            spread, 0 without any.

    References
    ----------
    G. Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions", Arch
    Dermatol 134:1563-1570, 1998.
    """
    blobs = find_blobs(lesion, **detection) if detection else lesion.once(find_blobs)
    radius = blobs[:, 2] / lesion.equivalent_diameter
    globule = radius > globule_radius
    measured = {
        "dots_count": (~globule).sum(),
        "globules_count": globule.sum(),
        "globules_share": min(4 * (radius[globule] ** 2).sum(), 1),
        "blobs_contrast": np.median(blobs[:, 3]) if len(blobs) else 0,
        "blobs_size_variation": radius.std() / radius.mean() if len(blobs) else 0,
        "blobs_offset": 0,
        "blobs_outer_share": 0,
    }
    if len(blobs):
        offset = blobs[:, :2].mean(axis=0) - lesion.centroid
        rows, columns = np.rint(blobs[:, :2]).astype(int).T
        inside = lesion.once(detail).box
        outer = median(lesion.signed_distance[inside][lesion.shape_mask[inside]])
        measured["blobs_offset"] = np.hypot(*offset) / lesion.equivalent_diameter
        measured["blobs_outer_share"] = (lesion.signed_distance[rows, columns] < outer).mean()
    return {name: float(value) for name, value in measured.items()}


def find_blobs(lesion, *, contrast=6.0, open_directions=3, unevenness=0.3):
    """Return where the lesion has round dark blobs.

    Candidates are the maxima, over place and scale, of the weaker of the two curvatures of blurred L* (the smaller
    eigenvalue of its Hessian), which is high on dark blobs alone and about 0 on lines. A candidate is left in 24
    directions: it is a blob if L* rises in nearly all of them, at about the same distance. So nodes of a network
    and pieces of hair or lines, which are left along the lines without a rise, are none. Nor is hair, nor
    anything lighter than halfway from the lesion's median L* to the skin's.

    Parameters
    ----------
    lesion : Lesion
    contrast : float
        Smallest rise in L*, at an exposure that gives the skin a median L* of 70, from a blob to its surroundings,
        median over the directions. Up to 1.2 times that is asked of blobs wider than 2.4 % of the lesion, as pigment is
        uneven on that scale, and 15 % more for each direction without a rise. Noise and JPEG artefacts stay below
        the default.
    open_directions : int
        Directions of 24 without a rise that are allowed: neighbours may touch.
    unevenness : float
        Largest standard deviation by mean, over the directions, of the distance at which half of the rise is reached.

    Returns
    -------
    (N, 4) float64 ndarray
        Row, column and radius in pixels of the image, contrast in L*; the most marked first.
    """
    view = lesion.once(detail)
    smallest, largest = max(SMALLEST * view.diameter, RESOLVED), LARGEST * view.diameter
    if smallest > largest:
        return np.zeros((0, 4))
    radii = smallest * STEP ** np.arange(np.ceil(np.log(largest / smallest) / np.log(STEP)) + 1)
    dark = view.mask & ~view.hair & (view.lightness < view.halfway)
    near = bounding_box(dark, int(np.ceil(3 * radii[-1])))
    planes, peaks = _peaks(view.lightness[near], dark[near], radii, FAINT * contrast)
    ground = blurred(view.lightness, GROUND * view.diameter)[near]
    level = np.repeat(np.arange(len(radii)), [len(peak[0]) for peak in peaks])
    rows, columns, curvature = np.concatenate(peaks, axis=1)
    finer = np.maximum(level - FINER, 0)
    flat = [plane - ground for plane in planes[: finer.max(initial=0) + 1]]

    def along(points):
        each = [(plane, finer == k) for k, plane in enumerate(flat)]
        parts = [_along_rays(plane, rows[on], columns[on], radii[level[on]], points) for plane, on in each]
        return np.concatenate(parts, axis=2)

    first, *beyond = along(POINTS[[0, *range(OUTSIDE, len(POINTS))]])
    rise, _, opened = _rise(first, np.array(beyond))
    asked = contrast * (1 + DOUBT * opened)
    likely = (rise >= asked) & (opened <= open_directions)
    level, finer, rows, columns, curvature, rise, asked = (
        part[likely] for part in (level, finer, rows, columns, curvature, rise, asked)
    )
    spread, width = _half_way(along(POINTS), radii[level])
    width = np.sqrt(np.maximum(width**2 - np.log(2) * radii[finer] ** 2, 0.25))  # without that plane's blur
    asked = asked * np.clip(width / (DOT * view.diameter), 1, UNEVEN_GROUND)
    kept = (rise >= asked) & (spread <= unevenness) & (width <= WIDER * radii[level])
    blobs = _separate(np.column_stack([rows, columns, width, rise, APART * radii[level], curvature])[kept])
    places = view.to_image(blobs[:, :2] + [side.start for side in near])
    return np.column_stack([places, blobs[:, 2] * view.pace.mean(), blobs[:, 3]])


def _peaks(lightness, dark, radii, least):
    """Return, for each radius, the blurred L* and rows, columns and values of the weaker curvature's maxima.

    The weaker curvature is taken where the mean of both, which it does not exceed, reaches the least value.
    """
    dark, near = (
        cv2.copyMakeBorder(part, 1, 1, 1, 1, cv2.BORDER_CONSTANT).view(bool)
        for part in (dark.view(np.uint8), cv2.dilate(dark.view(np.uint8), NEIGHBORS))
    )
    width = dark.shape[1]
    around = np.array([[-width - 1], [-width], [1 - width], [-1], [1], [width - 1], [width], [width + 1]])
    planes, found, before = [], [], None
    for radius, finer in zip(radii, [0, *radii], strict=False):
        further = np.sqrt((radius**2 - finer**2) / 2)  # what is blurred already is blurred on
        planes.append(gaussian(planes[-1] if planes else lightness, further))
        soft = cv2.copyMakeBorder(planes[-1], 1, 1, 1, 1, cv2.BORDER_REFLECT_101)
        mean = cv2.filter2D(soft, -1, SECOND[0] * np.float32(radius**2 / 2))
        place = np.flatnonzero((mean >= least) & near)
        mean = mean.ravel().take(place)
        nw, n, ne, w, e, sw, s, se = soft.ravel().take(place + around)
        apart, xy = n + s - w - e, (nw + se - ne - sw) / 2  # twice what the other two of SECOND give
        value = mean - np.float32(radius**2 / 4) * np.sqrt(apart * apart + xy * xy)
        weaker = np.zeros(soft.size, np.float32)
        weaker[place] = value
        peak = np.flatnonzero((value >= least) & ((1 + ROUND) * value > 2 * ROUND * mean) & dark.ravel().take(place))
        place, value = place[peak], value[peak]
        highest = value >= weaker.take(place + around).max(axis=0)
        if found:
            highest &= value >= before.take(place)
            found[-1] = found[-1][:, found[-1][1] >= weaker.take(found[-1][0].astype(int))]
        found.append(np.array([place[highest], value[highest]]))
        before = weaker
    return planes, [np.array([place // width - 1, place % width - 1, value]) for place, value in found]


def _along_rays(plane, rows, columns, radius, points):
    """Return (P, 24, N) values of a plane at P places, in radii, on the rays from N points, of one radius each.

    Not by `cv2.remap`, which rounds places to 1/32 pixel in OpenCV 4.
    """
    angle = 2 * np.pi * (np.arange(RAYS) + 0.5) / RAYS
    reach = points[:, None] * radius
    places = [at + reach[:, None] * way[:, None] for at, way in ((rows, np.sin(angle)), (columns, np.cos(angle)))]
    return ndimage.map_coordinates(plane, places, order=1, mode="nearest")


def _rise(first, beyond):
    """Return the median rise of L* from points to what is around them, its start, and how many directions have none."""
    centre, rim = first.mean(axis=0), beyond.max(axis=0)
    rise = np.sort(rim, axis=0)[RAYS // 2 - 1 : RAYS // 2 + 1].mean(axis=0) - centre
    return rise, centre, (rim < centre + CLOSED * rise).sum(axis=0)


def _half_way(values, radius):
    """Return standard deviation by mean, and mean, of the distances at which half of the rise is reached."""
    rise, centre, _ = _rise(values[0], values[OUTSIDE:])
    risen = values > centre + rise / 2
    half = POINTS[np.where(risen.any(axis=0), risen.argmax(axis=0), -1)]
    return half.std(axis=0) / half.mean(axis=0), radius * half.mean(axis=0)


def _separate(blobs):
    """Return the rows, the most marked first, without those that lie within the reach of a more marked one."""
    blobs = blobs[np.argsort(-blobs[:, 5], kind="stable")]
    y, x, reach = blobs[:, [0, 1, 4]].T
    near = np.hypot(y[:, None] - y, x[:, None] - x) < np.maximum(reach[:, None], reach)
    return blobs[~np.tril(near, -1).any(axis=1)]
