"""The families of measures as transformers."""

from dermfeat.extraction.base import LesionTransformer
from dermfeat.measures import asymmetry, border, color, mask, texture


class FunctionFeatures(LesionTransformer):
    """A function of a lesion as a transformer.

    Parameters
    ----------
    function : callable
        From `Lesion` to ``{name: finite number}`` with the same names for every lesion.
    version : str, optional
        Rows are kept in the store only if this is given; change it when the function changes.

    Examples
    --------
    >>> from dermfeat import FunctionFeatures
    >>> def size(lesion):
    ...     return {"area_share": lesion.mask.mean()}
    >>> FunctionFeatures(size).get_feature_names_out().tolist()
    ['area_share']
    """

    def __init__(self, function, *, version=None):
        self.function = function
        self.version = version

    def measure(self, lesion):
        return dict(self.function(lesion))

    def store_identity(self):
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        return None if self.version is None else f"{name} {self.version}"
