"""Classical measures on prepared lesions of working size 512, one core: dermfeat against what scikit-image gives."""

import numpy as np

from benchmarks.compare import classical
from benchmarks.compare.figures import Figure, Result, each
from benchmarks.compare.images import photos
from benchmarks.compare.runner import competitor, interleave
from benchmarks.compare.settings import DEFAULT

IMAGES = 6
COLUMNS = {
    "color": ("color_moments", "color_histogram"),
    "glcm": ("glcm",),
    "lbp": ("lbp",),
    "gabor": ("gabor",),
    "wavelet": ("wavelet",),
    "fractal": ("fractal",),
    "shape": ("asymmetry", "border"),
}


class OneCore:
    """Lesions that `LesionReader` has prepared; every run begins with fresh ones, so nothing is shared between runs."""

    timeout = 600
    images = IMAGES

    def setup(self, settings=DEFAULT):
        import cv2

        from dermfeat import LesionReader

        cv2.setNumThreads(1)
        reader = LesionReader()
        self._prepared = [reader.prepare(rgb) for rgb in photos(settings, settings.some(self.images, 2))]
        self.pairs = [(lesion.image, lesion.mask) for lesion in self._prepared]

    def lesions(self):
        from dermfeat import Lesion

        for old in self._prepared:
            yield Lesion(old.image, old.mask, raw=old.raw, field=old.field, hair=old.hair, confidence=old.confidence)


class Classical(OneCore):
    """All classical families against all groups that have a counterpart elsewhere."""

    @competitor(cores=1)
    def time_dermfeat(self):
        from dermfeat import LesionFeatures

        features = LesionFeatures()
        return [features.measure(lesion) for lesion in self.lesions()]

    @competitor("PyWavelets", cores=1)
    def time_scikit_image(self):
        return [{k: v for f in classical.GROUPS.values() for k, v in f(*pair).items()} for pair in self.pairs]


class _Group(OneCore):
    """One group of measures, alone."""

    group = None

    @competitor(cores=1)
    def time_dermfeat(self):
        from dermfeat import measures

        names = COLUMNS[self.group]
        return [{k: v for n in names for k, v in getattr(measures, n)(x).items()} for x in self.lesions()]

    @competitor(cores=1)
    def time_scikit_image(self):
        return [classical.GROUPS[self.group](*pair) for pair in self.pairs]


class Color(_Group):
    group = "color"


class Glcm(_Group):
    group = "glcm"

    @competitor("mahotas", cores=1)
    def time_mahotas(self):
        from mahotas.features import haralick

        rows = []
        for image, mask in self.pairs:
            box = classical.boxed(mask)
            gray = np.where(mask, classical.luma(image) // 8 + 1, 0)[box].astype(np.uint8)
            rows.append({"_": [haralick(gray, ignore_zeros=True, distance=d) for d in (1, 3, 5)]})
        return rows


class Lbp(_Group):
    group = "lbp"

    @competitor("mahotas", cores=1)
    def time_mahotas(self):
        from mahotas.features import lbp

        grays = [np.where(mask, classical.luma(image), 0) for image, mask in self.pairs]
        return [{"_": [lbp(gray, 1, 8, ignore_zeros=True), lbp(gray, 2, 16, ignore_zeros=True)]} for gray in grays]


class Gabor(_Group):
    group = "gabor"


class GaborFilters(_Group):
    """The usual bank of `skimage.filters.gabor`, which takes seconds, so it sees two lesions only."""

    group = "gabor"
    images = 2

    @competitor(cores=1)
    def time_scikit_image(self):
        return [classical.gabor_filters(*pair) for pair in self.pairs]


class Wavelet(_Group):
    group = "wavelet"

    @competitor("PyWavelets", cores=1)
    def time_scikit_image(self):
        return super().time_scikit_image()


class Fractal(_Group):
    group = "fractal"


class Shape(_Group):
    group = "shape"


class Texture(OneCore):
    """Texture of the lesion: the whole family against the 2-D texture and first-order classes of pyradiomics."""

    @competitor(cores=1)
    def time_dermfeat(self):
        from dermfeat import TextureFeatures

        return [TextureFeatures().measure(lesion) for lesion in self.lesions()]

    @competitor("pyradiomics", cores=1)
    def time_pyradiomics(self):
        import logging

        import SimpleITK
        from radiomics.featureextractor import RadiomicsFeatureExtractor

        logging.getLogger("radiomics").setLevel(logging.ERROR)
        extractor = RadiomicsFeatureExtractor(force2D=True, binCount=32, label=1)
        extractor.disableAllFeatures()
        for kind in ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"):
            extractor.enableFeatureClassByName(kind)
        rows = []
        for image, mask in self.pairs:
            planes = (classical.luma(image)[None], mask[None].astype(np.uint8))
            found = extractor.execute(*map(SimpleITK.GetImageFromArray, planes))
            rows.append({f"_{k}": float(v) for k, v in found.items() if not k.startswith("diagnostics")})
        return rows


GROUPS = Color, Glcm, Lbp, Gabor, GaborFilters, Wavelet, Fractal, Shape, Texture


def compare(settings):
    """Return the `Result` of all families together and of each group."""
    result, images = Result(), settings.some(IMAGES, 2)
    whole = interleave(Classical, settings, rounds=5)
    result.add(f"All classical measures, working size 512, one core, {images} lesions", whole)
    groups = {}
    for benchmark in GROUPS:
        slow = benchmark is GaborFilters
        count = min(GaborFilters.images, images) if slow else images
        groups[benchmark] = interleave(benchmark, settings, rounds=3 if slow else 5)
        told = agreements(groups[benchmark].values)
        result.add(f"{benchmark.__name__}, one core, {count} lesions", groups[benchmark], agreement=told)
    result.figures += _figures(whole, groups)
    result.notes += [
        "Of the classical measures scikit-image's side has colour, co-occurrence, LBP, Gabor, wavelet, fractal, shape; "
        "dermfeat's side also has all structures (network, dots, streaks, veil ...), which have no counterpart there",
        "The whole of scikit-image's side is timed with a Gabor bank by FFT; the time of `skimage.filters.gabor` "
        "(4 frequencies x 4 orientations; dermfeat's has 4 x 6 and longer waves) takes its place where that is said",
    ]
    return result


def agreements(values, own="dermfeat"):
    """Return for each competitor how the values that are defined alike compare, as text."""
    told = {}
    for name, rows in values.items():
        shared = [key for key in rows[0] if key in values[own][0]] if name != own else []
        if shared:
            mine, theirs = (np.array([[row[key] for key in shared] for row in v]) for v in (values[own], rows))
            differences = np.abs(mine - theirs) / np.maximum(np.abs(theirs), 0.01)
            worst = shared[int(differences.max(axis=0).argmax())]
            told[name] = (
                f"{len(shared)} of {len(rows[0])} defined alike: median difference {np.median(differences):.1e}, "
                f"largest {differences.max():.1e} ({worst})"
            )
        elif name != own:
            told[name] = "other definitions"
    return told


def _figures(whole, groups):
    columns = len(whole.values["dermfeat"][0])
    own = each(whole, "dermfeat")
    milliseconds = 1000 * whole.median("dermfeat")
    title = f"all classical families ({columns} measures), working size 512, one core"
    found = [Figure(f"{title}, ms an image", "", own, milliseconds, at_most=40)]
    if "scikit_image" in whole.seconds:
        filters = 1000 * groups[GaborFilters].median("scikit_image")
        by_fft = 1000 * groups[Gabor].median("scikit_image")
        usual = 1000 * whole.median("scikit_image")
        slow = usual - by_fft + filters
        title += ": against scikit-image"
        ratio = slow / milliseconds
        found.append(Figure(f"{title}, skimage.filters.gabor", f"{slow:.0f} ms", own, ratio, at_least=10))
        ratio = usual / milliseconds
        found.append(Figure(f"{title}, its Gabor bank by FFT", f"{usual:.0f} ms", own, ratio))
    texture = groups[Texture]
    if "pyradiomics" in texture.seconds:
        shown = each(texture, "pyradiomics"), each(texture, "dermfeat")
        found.append(Figure("texture: against pyradiomics' 2-D texture", *shown, texture.ratio("pyradiomics")))
    return found
