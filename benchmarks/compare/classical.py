"""The classical measures as they are usually assembled from scikit-image, SciPy and NumPy: one function a group.

A value that dermfeat defines in the same way has its name there, so that the two can be compared; the others begin with
an underscore. Imports stand in the functions: each process of a competitor loads what it uses.
"""

import numpy as np

SPACES = {"lab": (0, 1, 2), "hsv": (1, 2)}
RINGS = (8, 1), (16, 2)
WAVELENGTHS, ORIENTATIONS = (4, 8, 16, 32), 6
BOXES = 3, 5, 9, 17, 33
PERCENTS = 5, 50, 95


def boxed(mask, margin=0):
    """Return the slices of a mask's bounding box, widened and cut at the frame."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.s_[
        max(rows[0] - margin, 0) : rows[-1] + margin + 1, max(columns[0] - margin, 0) : columns[-1] + margin + 1
    ]


def luma(image):
    """Return the (H, W) uint8 luma that all textures look at, as OpenCV rounds it."""
    import cv2

    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def skin_ring(mask):
    """Return the ring of skin round a lesion, a quarter of its diameter wide."""
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(~mask)
    diameter = np.sqrt(4 * mask.sum() / np.pi)
    ring = (distance > 0.03 * diameter) & (distance < 0.25 * diameter)
    return ring if ring.any() else ~mask


def color(image, mask):
    """Moments, percentiles, entropies and relative histograms in CIELAB and HSV."""
    from scipy.stats import circmean, skew
    from skimage.color import rgb2hsv, rgb2lab

    skin, row = skin_ring(mask), {}
    planes = {"lab": rgb2lab(image), "hsv": rgb2hsv(image)}
    for space, kept in SPACES.items():
        for k in kept:
            values, around = planes[space][..., k][mask], planes[space][..., k][skin]
            name, counts = f"{space}_{space[k]}", np.histogram(values, 32)[0]
            share = counts[counts > 0] / counts.sum()
            row |= {f"{name}_mean_lesion": values.mean(), f"{name}_std_lesion": values.std()}
            row |= {f"_{name}_difference": values.mean() - around.mean(), f"_{name}_std_skin": around.std()}
            row |= {f"{name}_skewness_lesion": skew(values), f"_{name}_entropy": -(share * np.log2(share)).sum()}
            found = np.percentile(values, PERCENTS, method="nearest")
            row |= {f"{name}_p{p}_lesion": value for p, value in zip(PERCENTS, found, strict=True)}
            if space == "lab":
                counts = np.histogram(values - around.mean(), 7, (-40, 40))[0] / values.size
                row |= {f"_{name}_bin_{i}": share for i, share in enumerate(counts)}
    hue = 2 * np.pi * planes["hsv"][..., 0]
    return row | {"_hue": circmean(hue[mask]), "_hue_skin": circmean(hue[skin])}


def glcm(image, mask, levels=32, distances=(1, 3, 5)):
    """Co-occurrence of pairs inside the mask: scikit-image's matrix, its properties and entropies."""
    from skimage.feature import graycomatrix, graycoprops

    gray, inside = luma(image), mask[boxed(mask)]
    low, high = np.percentile(gray[mask], (1, 99), method="inverted_cdf")
    steps = np.clip((gray[boxed(mask)].astype(float) - low) * levels / max(high - low, 1), 0, levels - 1)
    image = np.where(inside, steps.astype(np.uint8), np.uint8(levels))
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    counts = graycomatrix(image, distances, angles, levels + 1, symmetric=True)[:levels, :levels]
    p = counts.sum(axis=3, keepdims=True).astype(float)
    p /= p.sum(axis=(0, 1))
    row = {}
    for name in ("contrast", "dissimilarity", "homogeneity", "correlation"):
        row |= {f"glcm_{name}_d{d}": v for d, v in zip(distances, graycoprops(p, name)[:, 0], strict=True)}
    row["glcm_energy_d1"] = graycoprops(p, "energy")[0, 0]
    i, j = np.ogrid[:levels, :levels]
    for k, d in enumerate(distances):
        one = p[:, :, k, 0]
        sums, marginal = i + j - 2 * (one.sum(axis=0) @ np.arange(levels)), one.sum(axis=0)
        joint, single = _bits(one), _bits(marginal)
        row |= {f"glcm_entropy_d{d}": joint, f"glcm_information_1_d{d}": (joint - 2 * single) / single}
        row[f"glcm_difference_entropy_d{d}"] = _bits(np.bincount(abs(i - j).ravel(), one.ravel()))
        if d == distances[0]:
            row |= {"glcm_cluster_shade_d1": (one * sums**3).sum(), "glcm_cluster_prominence_d1": (one * sums**4).sum()}
    return row


def _bits(p):
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def lbp(image, mask):
    """Histograms of uniform local binary patterns."""
    from skimage.feature import local_binary_pattern

    gray, row = luma(image), {}
    for neighbours, radius in RINGS:
        patterns = local_binary_pattern(gray, neighbours, radius, "uniform")[mask].astype(int)
        shares = np.bincount(patterns, minlength=neighbours + 2) / patterns.size
        names = [*(f"ones_{i}" for i in range(neighbours + 1)), "nonuniform"]
        row |= {f"lbp_r{radius}_{name}": share for name, share in zip(names, shares, strict=True)}
    return row


def gabor(image, mask):
    """Mean and variance of the magnitudes of a Gabor bank: scikit-image's kernels, convolved by FFT."""
    from scipy.signal import fftconvolve
    from skimage.filters import gabor_kernel

    gray, inside, row = *_centred(image, mask, 2 * max(WAVELENGTHS)), {}
    for wavelength in WAVELENGTHS:
        angles = np.pi * (np.arange(ORIENTATIONS) + 0.5) / ORIENTATIONS
        kernels = [gabor_kernel(1 / wavelength, angle, bandwidth=1) for angle in angles]
        values = [np.abs(fftconvolve(gray, kernel, mode="same"))[inside] for kernel in kernels]
        means = np.array([v.mean() for v in values])
        row |= {f"gabor_mean_w{wavelength}": means.mean(), f"gabor_variance_w{wavelength}": np.mean(np.var(values, 1))}
        row[f"gabor_anisotropy_w{wavelength}"] = means.max() / means.mean()
    return row


def gabor_filters(image, mask):
    """The usual bank, four frequencies from 0.1 to 0.4 and four orientations, by `skimage.filters.gabor`.

    It convolves pixel by pixel; dermfeat's longest wave, 32 pixels, would take it minutes.
    """
    from skimage.filters import gabor

    gray, inside, row = *_centred(image, mask, 15), {}
    for frequency in (0.1, 0.2, 0.3, 0.4):
        for turn in range(4):
            values = np.hypot(*gabor(gray, frequency, np.pi * turn / 4))[inside]
            row |= {f"_gabor_mean_{frequency}_{turn}": values.mean(), f"_gabor_std_{frequency}_{turn}": values.std()}
    return row


def _centred(image, mask, margin):
    """Return luma less its mean inside the mask, and the mask, in its widened bounding box."""
    box = boxed(mask, margin)
    gray, inside = luma(image)[box].astype(np.float32), mask[box]
    return gray - gray[inside].mean(), inside


def wavelet(image, mask, levels=3):
    """Energy and entropy of the bands of an undecimated wavelet transform by PyWavelets."""
    import pywt

    gray, inside = _centred(image, mask, 4 * 2**levels)
    room = [(0, -n % 2**levels) for n in gray.shape]
    bands = pywt.swt2(np.pad(gray, room, "reflect"), "bior2.2", levels, trim_approx=True)[1:]
    inside, row = np.pad(inside, room), {}
    for level, band in zip(range(levels, 0, -1), bands, strict=True):
        for name, details in (("axial", band[:2]), ("diagonal", band[2:])):
            power = sum(detail[inside] ** 2 for detail in details)
            share = power / power.sum()
            row[f"_wavelet_{name}_energy_{level}"] = power.mean()
            row[f"_wavelet_{name}_entropy_{level}"] = -(share * np.log(share + 1e-20)).sum() / np.log(share.size)
    return row


def fractal(image, mask):
    """Differential box counting and segmentation-based fractal texture analysis."""
    from scipy.ndimage import maximum_filter, minimum_filter
    from skimage.filters import threshold_multiotsu
    from skimage.segmentation import find_boundaries

    gray, row = luma(image), {}
    box = boxed(mask, BOXES[-1] // 2)
    part, inside = gray[box], mask[box]
    diameter = np.sqrt(4 * mask.sum() / np.pi)
    high, low = np.where(inside, part, 0), np.where(inside, part, 255)
    spans = [(maximum_filter(high, s).astype(int) - minimum_filter(low, s))[inside].mean() for s in BOXES]
    boxes = [(v * diameter / (256 * s) + 1) / s**2 for v, s in zip(spans, BOXES, strict=True)]
    row["fractal_dimension"] = _slope(boxes)
    first, second = threshold_multiotsu(gray[mask])
    sets = {"dark": part <= first, "middle": (part > first) & (part <= second), "bright": part > second}
    for name, chosen in sets.items():
        chosen = chosen & inside
        edge = find_boundaries(chosen, mode="inner")
        row[f"_sfta_dimension_{name}"] = _slope([maximum_filter(edge, s).sum() / s**2 for s in BOXES])
        if name != "middle":
            row[f"sfta_share_{name}"] = chosen.sum() / inside.sum()
            row[f"sfta_contrast_{name}"] = part[chosen].mean() - part[inside].mean()
    return row


def _slope(boxes):
    return float(-np.polyfit(np.log(BOXES), np.log(np.maximum(boxes, 1e-9)), 1)[0])


def shape(image, mask):
    """Region properties, asymmetry by turning and folding, irregularity and abruptness of the border by sector."""
    from skimage.color import rgb2lab
    from skimage.filters import sobel
    from skimage.measure import find_contours, label, regionprops
    from skimage.transform import rotate

    region = max(regionprops(label(mask)), key=lambda r: r.area)
    row = {f"_{name}": getattr(region, name) for name in ("area", "perimeter", "solidity", "eccentricity", "extent")}
    row |= {f"_hu_{i}": value for i, value in enumerate(region.moments_hu)}
    centre = region.centroid[::-1]
    shift = np.round(np.array(mask.shape)[::-1] / 2 - centre).astype(int)
    layers = np.dstack([mask, rgb2lab(image)])
    turned = rotate(np.roll(layers, shift[::-1], axis=(0, 1)), -np.degrees(region.orientation), order=1)
    inside = turned[..., 0] > 0.5
    for name, flip in (("major", np.s_[:, ::-1]), ("minor", np.s_[::-1])):
        both = inside & inside[flip]
        row[f"_asymmetry_{name}"] = (inside ^ inside[flip]).sum() / inside.sum()
        difference = np.linalg.norm(turned[..., 1:] - turned[flip][..., 1:], axis=2)
        row[f"_color_asymmetry_{name}"] = difference[both].mean()
    contour = max(find_contours(mask, 0.5), key=len)
    off = contour - region.centroid
    radius, angle = np.linalg.norm(off, axis=1), np.arctan2(off[:, 0], off[:, 1])
    edge, sector = sobel(luma(image) / 255.0), ((angle + np.pi) / (2 * np.pi) * 8).astype(int) % 8
    strength = edge[tuple(contour.astype(int).T)]
    row |= {f"_abruptness_{k}": strength[sector == k].mean() if (sector == k).any() else 0.0 for k in range(8)}
    return row | {"_radius_variation": radius.std() / radius.mean()}


GROUPS = {"color": color, "glcm": glcm, "lbp": lbp, "gabor": gabor, "wavelet": wavelet, "fractal": fractal,
          "shape": shape}  # fmt: skip
