"""What a worker does with its images: read each once, segment them together, measure each for every family."""

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

    def measure(self, names):
        """Return ``{(index, family): row}`` and ``{index: error}``; `names` are each family's columns."""
        for index in range(len(self.items)):
            self._attempt(self._read, index)
        maps = self.reader.lesion_maps(list(self._drafts.values()))
        for index, probability in zip(list(self._drafts), maps, strict=True):
            self._attempt(self._measure, index, probability)
        rows = {}
        for family, pieces in self._prepared.items():
            if pieces:
                finished = self.families[family].finish([piece for _, piece in pieces], names[family])
                rows.update({(index, family): row for (index, _), row in zip(pieces, finished, strict=True)})
        return rows, self.failures

    def _attempt(self, step, index, *args):
        try:
            step(index, *args)
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
        source, item = self.sources[index], self.items[index]
        rgb, mask = source.read(item.digest)
        if any(self.families[f].looks_at == "lesion" for f in item.families):
            self._drafts[index] = self.reader.draft(rgb, mask, source.name)
        self._prepare(index, "pixels", rgb)

    def _measure(self, index, probability):
        lesion = self.reader.lesion(self._drafts.pop(index), probability)
        self._prepare(index, "lesion", lesion)

    def _prepare(self, index, kind, seen):
        for f in self.items[index].families:
            if self.families[f].looks_at == kind:
                self._prepared[f].append((index, self.families[f].prepare(seen)))
