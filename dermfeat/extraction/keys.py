"""What a stored row depends on: the code, the parameters and the libraries that compute it."""

import hashlib
import inspect
import os
import time
from functools import lru_cache
from importlib import import_module
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

LIBRARIES = ("numpy", "scipy", "skimage", "cv2", "PIL")
MEASURING = ("lesion.py", "reading", "preparation", "measures", "networks", "embedding")
EXTRACTING = tuple(f"extraction/{name}.py" for name in ("base", "batch", "reader", "families", "embedding"))
SETTLED = 2_000_000_000  # nanoseconds after which a further change to a file shows in its times, on any file system


class NotStorable(Exception):
    """A parameter without a lasting identity: a callable that declares no version."""


class Declared(NamedTuple):
    """A user's function with the version that stands for what it does."""

    function: object
    version: str | None


def family_key(family, reader):
    """Return the bytes that, with an image's digest, identify a row of `family`; None where it cannot be stored.

    Everything goes in that a value depends on: the class with its parameters and version, the reader's parameters
    (unless the family looks at raw pixels), the versions of the libraries and dermfeat's own code.
    """
    try:
        parts = [_estimator(family, family.store_identity())]
        if family.looks_at == "lesion":
            parts.append(_estimator(reader, reader.store_identity()))
    except NotStorable:
        return None
    return hashlib.blake2b(repr((parts, environment())).encode(), digest_size=16).digest()


def _estimator(estimator, identity):
    kind = type(estimator)
    declared = getattr(estimator, "version", None)
    if not kind.__module__.startswith("dermfeat."):
        declared = _declared(kind, declared)
    return [kind.__module__, kind.__qualname__, declared, lasting(identity)]


def _declared(code, version):
    """Return what tells a user's class or function from others: its name, its version and what it is compiled to.

    What has no version, or depends on what surrounds it (lambdas, closures), cannot be stored.
    """
    name = getattr(code, "__qualname__", "<>")
    if version is None or "<" in name:
        raise NotStorable(name)
    functions = [code] if inspect.isfunction(code) else filter(inspect.isfunction, vars(code).values())
    return [code.__module__, name, str(version), sorted(repr(_compiled(f.__code__)) for f in functions)]


def _compiled(constant):
    """Return a code object, with the constants in it, in a form whose `repr` is the same in every process."""
    if inspect.iscode(constant):
        return constant.co_code, constant.co_names, [_compiled(inner) for inner in constant.co_consts]
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant)


def lasting(value):
    """Return `value` in a form whose `repr` is the same in every process, or raise `NotStorable`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Declared):
        return _declared(*value)
    if isinstance(value, (list, tuple)):
        return [lasting(v) for v in value]
    if isinstance(value, dict):
        return sorted((str(k), lasting(v)) for k, v in value.items())
    if isinstance(value, (np.generic, np.ndarray)):
        return lasting(value.tolist())
    if isinstance(value, PurePath):
        return str(value)
    if callable(value):
        return lasting(Declared(value, getattr(value, "version", None)))
    raise NotStorable(repr(value))


@lru_cache(maxsize=1)
def environment():
    """Return the versions of the libraries and the digest of the code that measures."""
    return tuple((name, import_module(name).__version__) for name in LIBRARIES), _code_digest()


def _code_digest():
    root = Path(__file__).parents[1]
    hasher = hashlib.blake2b(digest_size=16)
    for entry in MEASURING + EXTRACTING:
        path = root / entry
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            hasher.update(file.read_bytes())
    return hasher.hexdigest()


def content_digest(source):
    """Return ``source.digest``; a file is digested once in a process for as long as size and times stay the same."""
    stamps = _stamps(source)
    return source.digest if () in stamps else _digest_of(source, stamps)


def stamp_key(source):
    """Return the key under which the digest of unchanged files is kept across processes; None for what is no file."""
    stamps = _stamps(source)
    if () in stamps:
        return None
    text = repr((source.image, source.mask, stamps, environment()))
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"digest").digest()


def digest_as_row(digest):
    """Return a digest as the float32 row that the store holds."""
    return np.frombuffer(bytes.fromhex(digest.replace("-", "")), "<f4")


def digest_of_row(row):
    """Return the digest, of an image or of an image and its mask, that a row stands for."""
    return "-".join(part.tobytes().hex() for part in row.reshape(-1, 4))


def _stamps(source):
    return tuple(None if item is None else _stamp(item) for item in (source.image, source.mask))


@lru_cache(maxsize=2**16)
def _digest_of(source, stamps):
    return source.digest


def _stamp(item):
    """Return what changes with a file's content; () for what is no file, or changed just now and may do so again."""
    if not isinstance(item, (str, os.PathLike)):
        return ()
    try:
        status = os.stat(item)
    except (OSError, ValueError):
        return ()
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    settled = time.time_ns() - changed > SETTLED
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns) if settled else ()


def row_key(digest, family_key):
    """Return the 16-byte key of the row that the image with `digest` has in a family."""
    return hashlib.blake2b(digest.encode() + family_key, digest_size=16).digest()
