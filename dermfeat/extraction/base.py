"""LesionTransformer: the scikit-learn face of a measure."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from dermfeat.extraction.loop import extract
from dermfeat.extraction.reader import LesionReader
from dermfeat.lesion import Lesion, centred_ellipse


class LesionTransformer(TransformerMixin, BaseEstimator):
    """From images to rows of named numbers; a subclass writes `measure`.

    Nothing is learnt: a row depends on its image alone, so `fit` only returns the transformer, and rows can be
    kept in the store. Used alone, a transformer reads images with ``LesionReader()``; to choose the reader, the
    number of workers or what happens with unreadable images, put it into `LesionFeatures`.

    Attributes
    ----------
    version : str or None
        Rows of a class outside dermfeat are kept in the store only if this is set; change it with the values.
    looks_at : "lesion" or "pixels"
        What `prepare` is given: the `Lesion`, or only the decoded (H, W, 3) uint8 image. With "pixels", an image
        is neither segmented nor reduced to working size for this family.
    least_side : int or None
        With "pixels": a JPEG file may be decoded at a reduced size, both sides at least that many pixels. None asks
        for all pixels.
    """

    version = None
    looks_at = "lesion"
    least_side = None

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion`: the same names for every lesion, all values finite."""
        raise TypeError(f"{type(self).__name__} must define measure(lesion)")

    def prepare(self, lesion):
        """Return what `finish` needs of one lesion; the lesion itself is dropped afterwards."""
        numbers = self.measure(lesion)
        return tuple(numbers), np.fromiter(numbers.values(), np.float64, len(numbers))

    def finish(self, prepared, names):
        """Return the rows of a batch, (n, n_features), from what `prepare` returned for each image.

        `names` are the column names, against which the names of each image are checked.
        """
        for found, _ in prepared:
            if found != names:
                raise ValueError(
                    f"{type(self).__name__}.measure gave other names for one image than for the reference lesion: "
                    f"{sorted(set(found) ^ set(names))[:5]}. It must give the same names in the same order for all."
                )
        return np.stack([row for _, row in prepared])

    def flush(self):
        """Begin to compute what has been prepared, where that is put off: the batch has no more images."""

    def names(self):
        """Return the tuple of column names, those of `measure` on a drawn reference lesion."""
        return tuple(self.measure(reference_lesion()))

    def store_identity(self):
        """Return what a stored row depends on beyond class, version and libraries: the parameters."""
        return self.get_params()

    def fit(self, X, y=None):
        """Return self; nothing is learnt and no image is read."""
        return self

    def transform(self, X):
        """Return the (n_images, n_features) float32 array of measures.

        Parameters
        ----------
        X : sequence of image references, or (N, H, W, 3) ndarray

        Raises
        ------
        LesionImageError
            If an image cannot be used.
        """
        return extract(X, [self], LesionReader())

    def get_feature_names_out(self, input_features=None):
        """Return the column names as an object ndarray; `input_features` is ignored."""
        return np.asarray(self.names(), dtype=object)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.input_tags.three_d_array = False
        return tags


def reference_lesion():
    """Return a small drawn `Lesion`, a brown ellipse on skin, that column names are taken from."""
    shape = (64, 80)
    mask = centred_ellipse(shape)
    image = np.where(mask[..., None], (120, 75, 50), (220, 180, 160)).astype(np.uint8)
    image[20:30, 30:45] = (80, 45, 30)
    return Lesion(image, mask)
