"""Reading rows of all families back from the store."""

import tempfile
from unittest.mock import patch

import numpy as np

from benchmarks.compare.end_to_end import everything
from benchmarks.compare.figures import Figure, Result
from benchmarks.compare.images import drawn_files
from benchmarks.compare.runner import competitor, interleave
from benchmarks.compare.settings import DEFAULT

ROWS = 10_000


def fill(features, paths):
    """Put rows of drawn numbers into the store, as many and as long as extraction would: reading sees no difference."""
    from dermfeat.extraction.keys import family_key, row_key
    from dermfeat.extraction.store import open_store
    from dermfeat.reading import sources

    families = [(family_key(family, features.reader), len(family.names())) for _, family in features.families]
    random = np.random.default_rng(0)
    with open_store() as store:
        for source in sources(paths):
            rows = {row_key(source.digest, key): random.random(width, np.float32) for key, width in families}
            store.put(rows)


class Reading:
    """All rows of 600x450 JPEG files: files are seen to be unchanged, or read and hashed, and rows looked up."""

    timeout = 600

    def setup(self, settings=DEFAULT):
        from dermfeat import set_config

        self._cache = tempfile.TemporaryDirectory()
        self.paths = drawn_files(settings, settings.some(ROWS, 40))
        self._features = everything()
        self._features.names()  # traces the network in the usual cache folder
        set_config(store=True, cache_folder=self._cache.name)
        fill(self._features, self.paths)

    @competitor()
    def time_dermfeat(self):
        from dermfeat.extraction import keys

        keys._digest_of.cache_clear()  # as in a new process
        return self._features.transform(self.paths)

    @competitor()
    def time_dermfeat_moved(self):
        from dermfeat.extraction import keys

        keys._digest_of.cache_clear()
        with patch("dermfeat.extraction.loop.stamp_key", return_value=None):  # files that have been moved are hashed
            return self._features.transform(self.paths)


def compare(settings):
    """Return the `Result` of reading."""
    result = Result()
    measured = interleave(Reading, settings, rounds=5)
    count, columns = measured.values["dermfeat"].shape
    result.add(f"The store: {count} rows of {columns} columns, from files", measured)
    seconds = count * measured.median("dermfeat")
    moved = count * measured.median("dermfeat_moved")
    title = f"the store: reading {count} rows of all families ({columns} columns) in a new process, s"
    result.figures.append(Figure(title, "", f"{seconds:.2f} s; files moved {moved:.2f} s", seconds))
    return result
