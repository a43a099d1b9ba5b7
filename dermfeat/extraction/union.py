"""LesionFeatures: several families measured in one pass over the images."""

from sklearn.utils.metaestimators import _BaseComposition

from dermfeat.extraction.base import LesionTransformer
from dermfeat.extraction.families import ABCDFeatures, ColorFeatures, MaskFeatures, TextureFeatures
from dermfeat.extraction.loop import extract
from dermfeat.extraction.partitions import extract_to
from dermfeat.extraction.reader import LesionReader


class LesionFeatures(LesionTransformer, _BaseComposition):
    """The union of families: each image is decoded once, segmented once and measured by all of them.

    A JPEG file is decoded once more, at a reduced size, for a network whose input is much smaller.

    Parameters
    ----------
    families : list of str, or of (str, LesionTransformer or "drop"), optional
        Columns are called ``name__measure``. Names alone are of the default families: mask, color, texture and abcd.
    reader : LesionReader, optional
        How an image becomes a lesion.
    n_jobs : int, optional
        Worker processes (joblib). One by default, -1 for one a core.
    on_error : "raise" or "nan", default="raise"
        What an unreadable image does: stop with `LesionImageError`, or give a row of NaN and a warning.
    batch_size : int, default=32
        Images that are worked on at a time; memory grows with it, not with the number of images.
    progress : bool, default=False
        Whether a progress bar is shown.

    Notes
    -----
    Measured rows are kept in a store under the image's content, the parameters and the versions of everything
    that computes, so that a second run, another fold or another grid candidate reads them
    (``dermfeat.set_config(store=False)`` switches that off).

    Where ``families`` or ``reader`` is None or a family is only named, the default takes its place at once, so that
    nested parameters such as ``texture__levels`` and ``reader__segmenter`` can be set.

    Examples
    --------
    >>> from dermfeat import LesionFeatures, datasets
    >>> data = datasets.make_lesions(2, size=(96, 128), random_state=0)
    >>> LesionFeatures(["mask", "color"]).fit_transform(data.X).shape[0]
    2
    """

    def __init__(self, families=None, *, reader=None, n_jobs=None, on_error="raise", batch_size=32, progress=False):
        self.families = families
        self.reader = reader
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.batch_size = batch_size
        self.progress = progress
        self._with_defaults()

    def get_params(self, deep=True):
        """Return the parameters, those of the families and the reader as ``name__parameter``."""
        return self._get_params("families", deep=deep)

    def set_params(self, **params):
        """Set parameters; ``name="drop"`` leaves a family out."""
        if "families" in params:
            params["families"] = named_families(params["families"])
        self._set_params("families", **params)
        return self._with_defaults()

    def _with_defaults(self):
        self.families = named_families(self.families)
        self.reader = LesionReader() if self.reader is None else self.reader
        return self

    def fit(self, X, y=None):
        """Check the families and return self; no image is read."""
        self._active()
        return self

    def transform(self, X):
        """Return the (n_images, n_features) float32 array of all families side by side.

        Parameters
        ----------
        X : sequence of image references, or (N, H, W, 3) ndarray

        Raises
        ------
        LesionImageError
            If an image cannot be used and ``on_error="raise"``.
        """
        return extract(
            X,
            [family for _, family in self._active()],
            self.reader,
            n_jobs=self.n_jobs,
            on_error=self.on_error,
            batch_size=self.batch_size,
            progress=self.progress,
        )

    def extract(self, X, out, *, partition_size=256):
        """Write the rows into a folder of Parquet files; the same call again goes on where a run was killed.

        Each file holds the rows of ``partition_size`` consecutive images and is written by the worker that measured
        them, whole or not at all. A file that stands is kept if its images still have the same content. What was
        measured of an unfinished file is in the store of the machine that did it. `n_jobs` and the joblib backend in
        force, such as ``joblib.parallel_config(backend="dask")``, say where the workers are. All machines must see
        images and folder under the same paths and have the same versions; one call at a time works on a folder.

        Parameters
        ----------
        X : sequence of image references, or (N, H, W, 3) ndarray
        out : str or Path
            A new or empty folder, or one that the same X and features were being extracted to.
        partition_size : int, default=256
            Images in one file and one task: several tasks for each worker keep all of them busy.

        Returns
        -------
        Extracted
            ``read()`` gives the table (so does `read_extracted`); ``unreadable`` lists the images without values.

        Raises
        ------
        LesionImageError
            If images cannot be used and ``on_error="raise"``; only once all others are measured and written.
        ValueError
            If the folder holds something else: the message says what differs. Measures without a version cannot be
            told from others, so a folder with such rows is refused too.
        """
        return extract_to(
            out,
            X,
            self._active(),
            self.reader,
            partition_size=partition_size,
            n_jobs=self.n_jobs,
            on_error=self.on_error,
            batch_size=self.batch_size,
            progress=self.progress,
        )

    def measure(self, lesion):
        """Return ``{name: value}`` of one `Lesion` over all families; networks see its raw pixels."""
        return {
            f"{name}__{key}": value for name, family in self._active() for key, value in family.measure(lesion).items()
        }

    def names(self):
        """Return the tuple of column names."""
        return tuple(f"{name}__{key}" for name, family in self._active() for key in family.names())

    def _active(self):
        self._validate_names([name for name, _ in self.families])
        for name, family in self.families:
            fits = isinstance(family, LesionTransformer) and not isinstance(family, LesionFeatures)
            if not fits and family != "drop":
                raise TypeError(
                    f"family {name!r} is a {type(family).__name__}. Use a family of measures or 'drop'; what learns "
                    "from y or from other rows stands beside LesionFeatures, in a FeatureUnion or ColumnTransformer."
                )
        active = [(name, family) for name, family in self.families if family != "drop"]
        if not active:
            raise ValueError("no family is left to measure: every one is 'drop'")
        return active


def default_families():
    """Return the classical families, as ``[(name, transformer)]``."""
    return [
        ("mask", MaskFeatures()),
        ("color", ColorFeatures()),
        ("texture", TextureFeatures()),
        ("abcd", ABCDFeatures()),
    ]


def named_families(families):
    """Return a list of (name, transformer), where the default families may be given by name; all of them for None.

    A list without such names is returned as it is.

    Raises
    ------
    ValueError
        If a name is unknown, or an entry is neither a name nor a pair.
    """
    if families is None:
        return default_families()
    known = dict(default_families())
    families = [families] if isinstance(families, (str, LesionTransformer)) else families
    for entry in families:
        if isinstance(entry, str) and entry not in known:
            raise ValueError(f"family {entry!r} is unknown; there are {list(known)}, or give (name, transformer)")
        if not isinstance(entry, str) and not (isinstance(entry, (tuple, list)) and len(entry) == 2):
            raise ValueError(f"{entry!r} in families has no name; give (name, transformer)")
    if not any(isinstance(entry, str) for entry in families):
        return families
    return [(entry, known[entry]) if isinstance(entry, str) else entry for entry in families]
