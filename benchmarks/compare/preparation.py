"""Preparation of 600x450 photos at working size 512, one core: hair, outline, and what others do there."""

import numpy as np

from benchmarks.compare.figures import Figure, Result, each
from benchmarks.compare.images import photos
from benchmarks.compare.runner import competitor, interleave
from benchmarks.compare.settings import DEFAULT

IMAGES = 12


def blackhat_inpainted(rgb):
    """Return the image at 512 without hair: black-hat, threshold, Telea's inpainting, as tutorials do."""
    import cv2

    scale = 512 / max(rgb.shape[:2])
    rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    dark = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_CROSS, (17, 17)))
    return cv2.inpaint(rgb, cv2.threshold(dark, 10, 255, cv2.THRESH_BINARY)[1], 1, cv2.INPAINT_TELEA)


def largest(mask):
    """Return the largest component of a mask, filled, by scikit-image and SciPy."""
    from scipy.ndimage import binary_fill_holes
    from skimage.measure import label

    labels = label(mask)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return binary_fill_holes(labels == counts.argmax())


def otsu(rgb):
    """Return the darker side of Otsu's threshold of the blurred luma, largest component."""
    from skimage.color import rgb2gray
    from skimage.filters import gaussian, threshold_otsu

    gray = gaussian(rgb2gray(rgb), 2)
    return largest(gray < threshold_otsu(gray))


def chan_vese(rgb):
    """Return the darker region of Chan and Vese's method, scikit-image's default settings, largest component."""
    from skimage.color import rgb2gray
    from skimage.segmentation import chan_vese

    gray = rgb2gray(rgb)
    inside = chan_vese(gray)
    return largest(inside if gray[inside].mean() < gray[~inside].mean() else ~inside)


class Preparation:
    """Resize, hair and outline of decoded photos."""

    timeout = 600

    def setup(self, settings=DEFAULT):
        import cv2

        cv2.setNumThreads(1)
        self.photos = photos(settings, settings.some(IMAGES, 2))

    def _read(self, segmenter):
        from dermfeat import LesionReader

        reader = LesionReader(segmenter=segmenter)
        return [reader.prepare(rgb).mask for rgb in self.photos]

    @competitor(cores=1)
    def time_classical(self):
        return self._read("classical")

    @competitor(cores=1)
    def time_learned(self):
        return self._read("unet")

    @competitor(cores=1)
    def time_blackhat_telea_otsu(self):
        return [otsu(blackhat_inpainted(rgb)) for rgb in self.photos]

    @competitor(cores=1)
    def time_blackhat_telea_chan_vese(self):
        return [chan_vese(blackhat_inpainted(rgb)) for rgb in self.photos]


def compare(settings):
    """Return the `Result` of hair removal with each segmentation."""
    result, images = Result(), settings.some(IMAGES, 2)
    measured = interleave(Preparation, settings, rounds=5)
    told = {name: f"mean Jaccard with learned {jaccard(measured.values['learned'], masks):.2f}"
            for name, masks in measured.values.items()}  # fmt: skip
    title = f"Hair and outline, working size 512, one core, {images} photos"
    result.add(title, measured, own="classical", agreement=told)
    for name, label, most in (("classical", "classical", 20), ("learned", "learned", 35)):
        shown = each(measured, "blackhat_telea_otsu") + " (black-hat, Telea, Otsu)"
        value = 1000 * measured.median(name)
        figure = Figure(f"hair removal + {label} segmentation, working size 512, one core, ms an image", shown,
                        each(measured, name), value, at_most=most)  # fmt: skip
        result.figures.append(figure)
    return result


def jaccard(first, second):
    """Return the mean Jaccard index of two lists of masks."""
    return np.mean([(a & b).sum() / max((a | b).sum(), 1) for a, b in zip(first, second, strict=True)])
