"""The families of measures as transformers."""

from inspect import signature

from dermfeat import measures
from dermfeat.extraction.base import LesionTransformer
from dermfeat.extraction.keys import Declared


class MaskFeatures(LesionTransformer):
    """Whether and how well the lesion was found (`dermfeat.measures.mask_quality`)."""

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion`."""
        return measures.mask_quality(lesion)


class ColorFeatures(LesionTransformer):
    """Colour inside the lesion and against the surrounding skin.

    Joins `color_moments`, `color_histogram`, `dermoscopic_colors`, `color_variegation`, `blue_white_veil`, `regression`
    and `skin_tone` of `dermfeat.measures`.

    Parameters
    ----------
    bins : int, default=7
        Bins of each colour histogram.
    """

    def __init__(self, *, bins=7):
        self.bins = bins

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion`."""
        return {
            **measures.color_moments(lesion),
            **measures.color_histogram(lesion, bins=self.bins),
            **measures.dermoscopic_colors(lesion),
            **measures.color_variegation(lesion),
            **measures.blue_white_veil(lesion),
            **measures.regression(lesion),
            **measures.skin_tone(lesion),
        }


class TextureFeatures(LesionTransformer):
    """Texture inside the lesion: `glcm`, `lbp`, `gabor`, `wavelet` and `fractal` of `dermfeat.measures`.

    Parameters
    ----------
    levels : int, default=32
        Grey levels of the co-occurrence matrix.
    distances : sequence of int, default=(1, 3, 5)
        Its distances in pixels at working size.
    """

    def __init__(self, *, levels=32, distances=(1, 3, 5)):
        self.levels = levels
        self.distances = distances

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion`."""
        return {
            **measures.glcm(lesion, levels=self.levels, distances=self.distances),
            **measures.lbp(lesion),
            **measures.gabor(lesion),
            **measures.wavelet(lesion),
            **measures.fractal(lesion),
        }


class ABCDFeatures(LesionTransformer):
    """The ABCD rule and the seven-point checklist: what they look at, and their scores.

    Joins `asymmetry`, `border`, `pigment_network`, `structureless_area`, `dots_and_globules`, `streaks`, `blotches`,
    `abcd_score` and `seven_point` of `dermfeat.measures`. The shares of the single colours, of veil and of regression
    are columns of `ColorFeatures`.

    Parameters
    ----------
    shape_threshold : float, default=0.15
        Fold difference from which the shape counts as asymmetric about an axis.
    color_threshold : float, default=8.0
        Mean colour difference (CIELAB) between the halves from which colour counts as asymmetric.
    structure_threshold : float, default=2.0
        The same for the local spread of L*.
    step_threshold : float, default=12.0
        Step in L* from skin to lesion from which a sector's border counts as abrupt.
    rule : dict, optional
        Further thresholds of the rule: keywords of `dermfeat.measures.abcd_score`.
    checklist : dict, optional
        Thresholds of the seven-point checklist: keywords of `dermfeat.measures.seven_point`.
    """

    def __init__(
        self,
        *,
        shape_threshold=0.15,
        color_threshold=8.0,
        structure_threshold=2.0,
        step_threshold=12.0,
        rule=None,
        checklist=None,
    ):
        self.shape_threshold = shape_threshold
        self.color_threshold = color_threshold
        self.structure_threshold = structure_threshold
        self.step_threshold = step_threshold
        self.rule = rule
        self.checklist = checklist

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion`."""
        rule = _checked("rule", self.rule, measures.abcd_score, measures.structures_present)
        checklist = _checked("checklist", self.checklist, measures.seven_point)
        own = {
            **measures.asymmetry(
                lesion,
                shape_threshold=self.shape_threshold,
                color_threshold=self.color_threshold,
                structure_threshold=self.structure_threshold,
            ),
            **measures.border(lesion, step_threshold=self.step_threshold),
            **measures.pigment_network(lesion),
            **measures.structureless_area(lesion),
            **measures.dots_and_globules(lesion),
            **measures.streaks(lesion),
            **measures.blotches(lesion),
        }
        known = {
            **own,
            **measures.dermoscopic_colors(lesion),
            **measures.blue_white_veil(lesion),
            **measures.regression(lesion),
        }
        return {
            **own,
            **measures.abcd_score(known, **rule),
            **measures.seven_point(known, **checklist),
        }


def _checked(name, options, *functions):
    """Return keyword options of functions as a dict, or say which there are."""
    known = [p.name for f in functions for p in signature(f).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if options is not None and (not isinstance(options, dict) or not set(options) <= set(known)):
        raise ValueError(f"{name}={options!r}: give a dict with some of the keys {', '.join(known)}")
    return options or {}


class FunctionFeatures(LesionTransformer):
    """A function of a lesion as a transformer.

    Parameters
    ----------
    function : callable
        From `Lesion` to ``{name: finite number}`` with the same names for every lesion.
    version : str, optional
        Rows of a function of a module are kept in the store only if this is given; change it when something
        changes that the function calls (a change of its own source is noticed).

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
        """Return ``{name: value}`` of one `Lesion`."""
        return dict(self.function(lesion))

    def store_identity(self):
        """Return the function with its version."""
        return Declared(self.function, self.version)
