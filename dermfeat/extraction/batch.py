"""What a worker does with its images: read each once, let networks look, measure each for every family."""

import numpy as np

from dermfeat._errors import LesionImageError


class Batch:
    """Some images on their way to rows.

    Parameters
    ----------
    sources : list of Source
        The images.
    items : list of Missing
        Of each image its digest and the numbers of the families to compute.
    families : list of LesionTransformer
    reader : LesionReader
    """

    def __init__(self, sources, items, families, reader):
        self.sources, self.items, self.families, self.reader = sources, items, families, reader
        self.failures = {}
        self._prepared = {family: [] for family in range(len(families))}
        self._drafts = {}

    def begin(self):
        """Read the images and let the networks look at them; return the batch, which `end` makes rows of."""
        for index in range(len(self.items)):
            self._attempt(self._read, index)
        for family in {f for f, pieces in self._prepared.items() if pieces}:
            self.families[family].flush()
        return self

    def end(self, names):
        """Return ``{(index, family): row}`` and ``{index: error}``; `names` are each family's columns."""
        for index in list(self._drafts):
            self._attempt(self._measure, index)
        rows = {}
        for family, pieces in self._prepared.items():
            if pieces:
                rows |= self._finished(family, pieces, names[family])
        return rows, self.failures

    def _finished(self, family, pieces, names):
        indices, prepared = zip(*pieces, strict=True)
        try:
            finished = self.families[family].finish(prepared, names)
        except Exception as error:
            error.add_note(f"while measuring {self.sources[indices[0]].name} to {self.sources[indices[-1]].name}")
            raise
        for index, row in zip(indices, finished, strict=True):
            fine = np.abs(row) <= np.finfo(np.float32).max
            if not fine.all():
                bad = [name for name, good in zip(names, fine, strict=True) if not good]
                kind = type(self.families[family]).__name__
                raise ValueError(f"{self.sources[index].name}: {kind} gave values that are not finite: {bad[:5]}")
        return {(index, family): row for index, row in zip(indices, finished, strict=True)}

    def _attempt(self, step, index):
        try:
            step(index)
        except LesionImageError as error:
            self.failures[index] = error
            if error.item != self.sources[index].name:  # a segmenter of the user
                self.failures[index] = LesionImageError(
                    self.sources[index].name, f"{error.item}: {error.found}", error.cure
                )
        except Exception as error:
            error.add_note(f"while measuring {self.sources[index].name}")
            raise

    def _read(self, index):
        """Decode an image and let the networks look at it, which they do while the next one is decoded."""
        source, item = self.sources[index], self.items[index]
        loaded = source.load(item.digest)
        for f in item.families:
            if self.families[f].looks_at == "pixels":
                self._prepare(index, f, loaded.rgb(self.families[f].least_side))
        if any(self.families[f].looks_at == "lesion" for f in item.families):
            self._drafts[index] = self.reader.draft(loaded.rgb(), loaded.mask(), source.name)

    def _measure(self, index):
        lesion = self.reader.lesion(self._drafts.pop(index))
        for f in self.items[index].families:
            if self.families[f].looks_at == "lesion":
                self._prepare(index, f, lesion)

    def _prepare(self, index, f, seen):
        self._prepared[f].append((index, self.families[f].prepare(seen)))
