"""Rows kept across runs: one SQLite file in the cache folder, shared by processes, bounded."""

import os
import sqlite3
import time
import warnings
import zlib
from contextlib import closing, contextmanager, suppress

import numpy as np

from dermfeat._config import get_config

_PAGE = 500  # keys asked for in one statement
_SHARE_DROPPED = 0.2  # of the oldest rows, when the file has reached its limit


class Store:
    """Float32 rows under 16-byte keys.

    A damaged file is set aside under another name with a warning and begun anew; a store that cannot be opened
    or written warns once and from then on holds nothing, so that the work goes on.
    """

    def __init__(self, path, limit_mb):
        self.path, self.limit = path, limit_mb * 2**20
        self._connection = None
        self._guarded(self._open)

    def get(self, keys):
        """Return ``{key: row}`` for those of `keys` that are held."""
        rows = {}
        for start in range(0, len(keys), _PAGE):
            rows.update(self._guarded(self._select, keys[start : start + _PAGE]) or {})
        return rows

    def put(self, rows):
        """Hold the rows of ``{key: float32 ndarray}``; the oldest go when the file outgrows its limit."""
        if rows:
            self._guarded(self._insert, rows)

    def drop(self, keys):
        """Forget the rows of `keys`."""
        if keys:
            self._guarded(self._delete, keys)

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        if self._connection.execute("PRAGMA auto_vacuum").fetchone() == (0,):  # to set it is to write, each time
            self._connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, value BLOB NOT NULL)")

    def _select(self, keys):
        if self._connection is None:
            return {}
        marks = ",".join("?" * len(keys))
        found = self._connection.execute(f"SELECT key, value FROM rows WHERE key IN ({marks})", keys)
        return {key: row for key, value in found if (row := _unpack(value)) is not None}

    def _insert(self, rows):
        if self._connection is None:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?)", [(key, _pack(row)) for key, row in rows.items()]
            )
        if self._size() > self.limit:
            self._drop_oldest()

    def _delete(self, keys):
        if self._connection is not None:
            self._connection.executemany("DELETE FROM rows WHERE key = ?", [(key,) for key in keys])

    def _size(self):
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        return pages * self._connection.execute("PRAGMA page_size").fetchone()[0]

    def _drop_oldest(self):
        count = self._connection.execute("SELECT COUNT(*) FROM rows").fetchone()[0]
        self._connection.execute(
            "DELETE FROM rows WHERE rowid IN (SELECT rowid FROM rows ORDER BY rowid LIMIT ?)",
            (max(1, int(count * _SHARE_DROPPED)),),
        )
        self._connection.execute("PRAGMA incremental_vacuum").fetchall()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _guarded(self, action, *args):
        try:
            return action(*args)
        except (sqlite3.OperationalError, OSError) as error:
            self.close()
            warnings.warn(
                f"the store {self.path} cannot be used ({error}); features are computed without it. "
                "Choose another folder with set_config(cache_folder=...) or switch it off: set_config(store=False).",
                stacklevel=2,
            )
        except sqlite3.DatabaseError as error:
            self.close()
            self._guarded(self._begin_anew, error)
        return None

    def _begin_anew(self, error):
        """Set the damaged file aside, unless another process has done so already, and open a new one."""
        if not self._is_sound():
            aside = self.path.with_name(f"{self.path.stem}.damaged-{time.time_ns()}")
            with suppress(FileNotFoundError):
                os.replace(self.path, aside)
                for ending in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
            warnings.warn(
                f"the store {self.path} was damaged ({error}); it was set aside as {aside.name} and begun anew.",
                stacklevel=3,
            )
        self._open()

    def _is_sound(self):
        if not self.path.exists():
            return True
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as connection:
                return connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            return False


def _pack(row):
    data = np.ascontiguousarray(row, dtype="<f4").tobytes()
    return zlib.crc32(data).to_bytes(4, "little") + data


def _unpack(value):
    """Return the row, or None where its checksum says that it is damaged: it is then computed again."""
    if zlib.crc32(value[4:]) != int.from_bytes(value[:4], "little"):
        return None
    return np.frombuffer(value, dtype="<f4", offset=4)


@contextmanager
def open_store():
    """Yield the `Store` of the settings in force, or None where it is switched off."""
    config = get_config()
    if not config["store"]:
        yield None
        return
    store = Store(config["cache_folder"] / "rows.sqlite", config["store_limit_mb"])
    try:
        yield store
    finally:
        store.close()
