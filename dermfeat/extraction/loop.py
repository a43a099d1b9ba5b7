"""The one pass over the images: look up what is known, read each other image once, measure it for every family."""

import warnings
from itertools import accumulate, pairwise
from multiprocessing import parent_process

import cv2
import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
from tqdm import tqdm

from dermfeat._errors import LesionImageError
from dermfeat.extraction.batch import Batch
from dermfeat.extraction.keys import (
    content_digest,
    digest_as_row,
    digest_of_row,
    family_key,
    row_key,
    stamp_key,
)
from dermfeat.extraction.reader import LesionReader
from dermfeat.extraction.store import open_store
from dermfeat.networks.runtime import allowed_threads
from dermfeat.reading import as_references, sources

_NAMED_FAILURES = 20  # unreadable images that the warning names
_known_names = {}  # of the families seen in this process, under their keys
_LOOK_UP = 1024  # images whose rows are looked up together


def extract(X, families, reader, *, n_jobs=None, on_error="raise", batch_size=32, progress=False):
    """Return the (n_images, n_features) float32 array of all families, side by side.

    Parameters
    ----------
    X : sequence of image references
    families : list of LesionTransformer
    reader : LesionReader
    n_jobs : int, optional
        Worker processes (joblib; -1 for one a core). One by default.
    on_error : "raise" or "nan"
        An unreadable image stops the work, or gives a row of NaN and one warning that names all such images.
    batch_size : int
        Images that a worker takes at a time; memory grows with it, not with the number of images.
    progress : bool
        Whether a progress bar is shown.
    """
    images = sources(as_references(X), max_pixels=reader.max_pixels)
    with tqdm(total=len(images), disable=not progress, unit="image") as bar:
        table = fill_table(images, families, reader, n_jobs, on_error, batch_size, bar.update)
    table.warn()
    return table.values


def fill_table(images, families, reader, n_jobs, on_error, batch_size, done):
    """Return the `Table` of a list of `Source`, whose failures it has not warned of.

    Arguments are as of `extract`; ``done(count)`` is called for rows that were stored, and after each batch.
    """
    if on_error not in ("raise", "nan"):
        raise ValueError(f"on_error={on_error!r}: use 'raise' or 'nan'")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: give 1 or more")
    if type(reader).prepare is not LesionReader.prepare:
        kind = type(reader).__name__
        raise TypeError(f"{kind} overrides prepare, which extraction does not call; override draft or lesion instead")
    keys = [family_key(family, reader) for family in families]
    names = [_names(family, key) for family, key in zip(families, keys, strict=True)]
    table = Table(len(images), [0, *accumulate(map(len, names))], on_error)
    with open_store() as store:
        todo = _look_up(images, keys, store, table)
        done(len(images) - len(todo))
        slices = [todo[i : i + batch_size] for i in range(0, len(todo), batch_size)]
        batches = (Batch([images[item.positions[0]] for item in items], items, families, reader) for items in slices)
        for items, (rows, failures) in zip(slices, _measured(batches, names, n_jobs, len(slices)), strict=True):
            _forget(store, [images[items[index].positions[0]] for index in failures])
            table.fill(items, rows, failures)
            _keep(store, items, rows, keys)
            done(len(items))
    return table


def _names(family, key):
    """Return the family's column names; those of a family with a key are asked for once in a process."""
    if key is None:
        return family.names()
    if key not in _known_names:
        _known_names[key] = family.names()
    return _known_names[key]


class Missing:
    """An image with families to compute: its positions in X (copies share one), digest and families."""

    __slots__ = ("digest", "families", "positions")

    def __init__(self, position, digest, families):
        self.positions, self.digest, self.families = [position], digest, families


class Table:
    """The rows that come out, filled piece by piece, and the images that could not be read."""

    def __init__(self, length, borders, on_error):
        self.values = np.full((length, borders[-1]), np.nan, np.float32)
        self._columns = [slice(*pair) for pair in pairwise(borders)]
        self._on_error = on_error
        self.failures = {}

    def set(self, position, family, row):
        """Write one family's row; False where it does not fit, as one of another version would not."""
        columns = self._columns[family]
        fits = len(row) == columns.stop - columns.start
        if fits:
            self.values[position, columns] = row
        return fits

    def fill(self, batch, rows, failures):
        for index, family in rows:
            for position in batch[index].positions:
                self.set(position, family, rows[index, family])
        for index, error in failures.items():
            for position in batch[index].positions:
                self.fail(position, error)

    def fail(self, position, error):
        if self._on_error == "raise":
            raise error
        self.values[position] = np.nan
        self.failures[position] = error

    def warn(self):
        if not self.failures:
            return
        lines = [f"  X[{i}] {_without_place(error)}" for i, error in sorted(self.failures.items())]
        rest = len(lines) - _NAMED_FAILURES
        lines = lines[:_NAMED_FAILURES] + ([f"  and {rest} more"] if rest > 0 else [])
        warnings.warn(
            f"{len(self.failures)} of {len(self.values)} images could not be used; their rows are NaN:\n"
            + "\n".join(lines),
            stacklevel=4,
        )


def _without_place(error):
    """Return the error without the place of the first copy, where its item has no name but a place."""
    return f"{error.item.partition(' ')[2] if error.item.startswith('X[') else error.item}: {error.found}"


def _look_up(images, keys, store, table):
    """Fill in what the store holds and return the `Missing` images; without a store all are missing."""
    everything = tuple(range(len(keys)))
    if store is None:
        return [Missing(position, None, everything) for position in range(len(images))]
    missing, new = {}, {}
    for start in range(0, len(images), _LOOK_UP):
        digests = _digests(images[start : start + _LOOK_UP], start, store, table, new)
        wanted = {d: [k and row_key(d, k) for k in keys] for d in set(digests.values())}
        held = store.get([key for row in wanted.values() for key in row if key])
        for position, digest in digests.items():
            if digest in missing:
                missing[digest].positions.append(position)
                continue
            found = [key in held and table.set(position, f, held[key]) for f, key in enumerate(wanted[digest])]
            if not all(found):
                missing[digest] = Missing(position, digest, tuple(f for f in everything if not found[f]))
    store.put(new)  # last: a store that cannot be written can still be read
    return list(missing.values())


def _digests(images, start, store, table, new):
    """Return ``{position: digest}``; the store holds those of files that have not changed since, `new` takes others."""
    keys = [stamp_key(source) for source in images]
    held, digests = store.get([key for key in keys if key]), {}
    for position, (source, key) in enumerate(zip(images, keys, strict=True), start):
        try:
            digests[position] = digest_of_row(held[key]) if key in held else content_digest(source)
        except LesionImageError as error:
            table.fail(position, error)
            continue
        if key and key not in held and stamp_key(source) == key:  # nor has it changed while it was read
            new[key] = digest_as_row(digests[position])
    return digests


def _forget(store, images):
    """Let go of digests of files that were not as expected, whatever their size and times say."""
    if store is not None:
        store.drop([key for key in map(stamp_key, images) if key])


def _limit_threads():
    """Keep OpenCV, in a worker process, to the threads that it may use; the networks look for themselves."""
    threads = allowed_threads()
    if threads and parent_process() is not None:
        cv2.setNumThreads(threads)


def _measure(batch, names):
    _limit_threads()
    return batch.begin().end(names)


def _measured(batches, names, n_jobs, count):
    """Yield what each `Batch` gives, in order; one process reads the next while networks look at the last."""
    if min(effective_n_jobs(n_jobs), count) > 1:
        yield from in_workers(n_jobs)(delayed(_measure)(batch, names) for batch in batches)
        return
    begun = None
    for batch in batches:
        before, begun = begun, batch.begin()
        if before is not None:
            yield before.end(names)
    if begun is not None:
        yield begun.end(names)


def in_workers(n_jobs):
    """Return a joblib.Parallel that gives its results in order, one by one where the backend in force can do so."""
    one_by_one = get_active_backend()[0].supports_return_generator
    return Parallel(n_jobs=n_jobs, return_as="generator" if one_by_one else "list", pre_dispatch="2*n_jobs")


def _keep(store, batch, rows, keys):
    if store is not None:
        store.put({row_key(batch[i].digest, keys[f]): row for (i, f), row in rows.items() if keys[f]})
