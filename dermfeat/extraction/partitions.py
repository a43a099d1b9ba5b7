"""Rows on disk: a folder of Parquet files, each written whole or not at all, so that a killed run can go on."""

import hashlib
import json
import os
import warnings
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from uuid import uuid4

import numpy as np
from joblib import delayed, parallel_config
from tqdm import tqdm

from dermfeat._errors import LesionImageError
from dermfeat._optional import require
from dermfeat.extraction.keys import content_digest, environment, family_key
from dermfeat.extraction.loop import fill_table, in_workers
from dermfeat.reading import as_references, sources

_MANIFEST = "_dermfeat.json"  # what begins with _ or . is no data to readers of Parquet
_TEMPORARY = ".dermfeat-{}.tmp"
_ABOUT = ("position", "image", "digest", "error")  # the columns before the measures


@dataclass(frozen=True)
class Extracted:
    """What an extraction into a folder has done.

    Attributes
    ----------
    folder : Path
    images : int
        Rows in the folder.
    written : int
        Rows that this call wrote; the others stood already.
    unreadable : tuple of (int, str, str)
        Position in X, name and error of each image whose row is NaN.
    """

    folder: Path
    images: int
    written: int
    unreadable: tuple

    def read(self, columns=None):
        """Return the rows as `read_extracted` does."""
        return read_extracted(self.folder, columns)


def extract_to(folder, X, families, reader, *, partition_size, n_jobs, on_error, batch_size, progress):
    """Write the rows of all families into a folder and return `Extracted`; see `LesionFeatures.extract`.

    Parameters
    ----------
    folder : str or Path
    X : sequence of image references
    families : list of (str, LesionTransformer)
    reader : LesionReader
    partition_size : int
        Images in one file.
    n_jobs, on_error, batch_size, progress
        As of `LesionFeatures`.
    """
    require("pyarrow", "parquet")
    if not isinstance(partition_size, Integral) or partition_size < 1:
        raise ValueError(f"partition_size={partition_size!r}: give a whole number of images, 1 or more")
    measured = [family for _, family in families]
    fill_table([], measured, reader, 1, on_error, batch_size, lambda _: None)  # refuses wrong arguments
    references, folder = as_references(X), Path(folder).expanduser().absolute()
    manifest = _manifest(references, families, reader, partition_size)
    run = _claim(folder, manifest)
    parts = zip(_parts(folder, manifest), _slices(references, reader, partition_size), strict=True)
    jobs = (
        delayed(_complete)(run, path, start, images, measured, reader, batch_size) for path, (start, images) in parts
    )
    written, unreadable = 0, []
    with tqdm(total=len(references), disable=not progress, unit="image") as bar:
        for count, is_new, failures in in_workers(n_jobs)(jobs):
            written += count * is_new
            unreadable += failures
            bar.update(count)
    if unreadable:
        _tell(unreadable, folder, len(references), on_error)
    return Extracted(folder, len(references), written, tuple(unreadable))


def _tell(unreadable, folder, count, on_error):
    _, name, error = unreadable[0]
    text = LesionImageError(
        name,
        f"{error} {len(unreadable)} of {count} images could not be used, this is the first",
        f"Their rows in {folder} are NaN and say why in the column 'error'; all others are measured. "
        "Mend the files and call again: only what changed is measured anew.",
    )
    if on_error == "raise":
        raise text
    warnings.warn(str(text), stacklevel=4)


def read_extracted(folder, columns=None):
    """Return the rows that `LesionFeatures.extract` wrote, in the order of X.

    Parameters
    ----------
    folder : str or Path
    columns : list of str, optional
        Those to read; all by default.

    Returns
    -------
    DataFrame
        ``position`` in X, ``image`` (path, or ``X[i] (type)``), ``digest`` of the content, ``error`` (missing where
        the image could be used), and one float32 column for each measure. ``pandas.read_parquet(folder)`` gives the
        same, but does not notice files that are missing or damaged.

    Raises
    ------
    ValueError
        If the folder has no extraction, not all of it, or not these columns.
    """
    arrow = require("pyarrow", "parquet")
    folder = Path(folder)
    manifest = _read_manifest(folder)
    columns = [*_ABOUT, *manifest["columns"]] if columns is None else list(columns)
    unknown = set(columns).difference(_ABOUT, manifest["columns"])
    if unknown:
        raise ValueError(f"{folder}: has no columns {sorted(unknown)}. The names are those of get_feature_names_out().")
    tables = []
    for path in _parts(folder, manifest):
        try:
            tables.append(_read(path, manifest["columns"], columns))
        except (OSError, arrow.ArrowException) as error:
            found = "is damaged" if path.exists() else "is missing"
            cure = "Run the extraction again: it computes what is missing."
            raise ValueError(f"{path}: this part of the extraction {found} ({error}). {cure}") from error
    return arrow.concat_tables(tables).to_pandas()[columns]


def _manifest(references, families, reader, partition_size):
    """Return what must be the same when an extraction goes on; parameters by `family_key`, None for unknown."""
    hasher = hashlib.blake2b(digest_size=16)
    for _, images in _slices(references, reader, partition_size):
        hasher.update("\0".join([image.name for image in images] + [""]).encode(errors="surrogateescape"))
    keys = {name: family_key(family, reader) for name, family in families}
    return {
        "images": len(references),
        "names": hasher.hexdigest(),
        "partition_size": partition_size,
        "max_pixels": reader.max_pixels,
        "environment": _environment(),
        "families": {name: key and key.hex() for name, key in keys.items()},
        "columns": [f"{name}__{key}" for name, family in families for key in family.names()],
    }


def _environment():
    versions, code = environment()
    return {**dict(versions), "dermfeat": code}


def _slices(references, reader, size):
    for start in range(0, max(len(references), 1), size):
        yield start, sources(references[start : start + size], start=start, max_pixels=reader.max_pixels)


def _parts(folder, manifest):
    count = max(1, -(-manifest["images"] // manifest["partition_size"]))
    width = max(5, len(str(count - 1)))
    return [folder / f"part-{number:0{width}}.parquet" for number in range(count)]


def _claim(folder, manifest):
    """Make the folder this call's and return the call's mark, or say why the folder belongs to something else.

    Workers that outlived a killed call see by the mark that theirs is over. What they left half written is removed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder}: the rows cannot be kept there ({error.strerror}). Give another one.") from error
    for left in folder.glob(_TEMPORARY.format("*")):
        left.unlink(missing_ok=True)
    if (folder / _MANIFEST).exists():
        _check(folder, _read_manifest(folder), manifest)
    elif others := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
        raise ValueError(f"{folder}: found files that no extraction wrote, {others[:5]}. Give an empty folder.")
    run = uuid4().hex
    data = json.dumps(manifest | {"run": run}, indent=1).encode()
    _write_whole(folder / _MANIFEST, lambda file: file.write(data))
    return run


def _check(folder, held, manifest):
    differs = [key for key in manifest if held.get(key) != manifest[key]]
    for key in ("environment", "families"):
        if key in differs:
            both = held.get(key, {}).items() ^ manifest[key].items()
            differs[differs.index(key)] = f"{key} ({', '.join(sorted({name for name, _ in both}))})"
    for key in ("images", "partition_size", "max_pixels"):
        if key in differs:
            differs[differs.index(key)] = f"{key} ({held.get(key)} there, {manifest[key]} given)"
    if "names" in differs:
        differs[differs.index("names")] = "names (paths count as they are written, absolute or not)"
    if differs:
        raise ValueError(
            f"{folder}: found an extraction that differs in {', '.join(differs)}. "
            "Give the same X, features and versions to go on with it, or another folder."
        )
    unknown = [name for name, key in manifest["families"].items() if key is None]
    if unknown and any(path.exists() for path in _parts(folder, held)):
        raise ValueError(
            f"{folder}: found rows of the families {unknown}, and nothing tells whether they are of the same function. "
            "Give an empty folder; to be able to go on, give version to a function at the top level of a module."
        )


def _read_manifest(folder):
    try:
        held = json.loads((folder / _MANIFEST).read_bytes())
    except FileNotFoundError:
        cure = "Give a folder that LesionFeatures.extract wrote; all machines must see it under this path."
        raise ValueError(f"{folder}: there is no extraction, {_MANIFEST} is missing. {cure}") from None
    except ValueError as error:  # no JSON, no UTF-8
        raise ValueError(f"{folder / _MANIFEST}: is damaged ({error}). Give another folder.") from None
    if not isinstance(held, dict) or not held.keys() >= {"images", "partition_size", "columns", "run"}:
        raise ValueError(f"{folder / _MANIFEST}: is not what an extraction writes. Give another folder.")
    return held


def _complete(run, path, start, images, families, reader, batch_size):
    """Write a part unless it stands; return its number of rows, whether it is new, and the unreadable images.

    Runs in a worker, whose other tasks have the other cores. It stops where another call takes the folder over.
    """
    manifest = _manifest_of(run, path.parent)
    if manifest["environment"] != _environment():
        raise RuntimeError(f"{path.parent}: begun with {manifest['environment']}, this worker has {_environment()}")
    digests = [_digest(image) for image in images]
    table = _standing(path, digests, manifest["columns"])
    is_new = table is None
    if is_new:
        with parallel_config(backend="sequential"):
            rows = fill_table(images, families, reader, 1, "nan", batch_size, lambda _: _manifest_of(run, path.parent))
        table = _arrow(start, images, digests, rows, manifest["columns"])
        _write_part(path, table)
    about = zip(*(table[name].to_pylist() for name in ("position", "image", "error")), strict=True)
    return len(images), is_new, [row for row in about if row[-1] is not None]


def _manifest_of(run, folder):
    manifest = _read_manifest(folder)
    if manifest["run"] != run:
        raise RuntimeError(f"{folder}: another call has begun to work on this folder, so this one stops")
    return manifest


def _digest(image):
    try:
        return content_digest(image)
    except LesionImageError:
        return None


def _standing(path, digests, columns):
    """Return the part that a former run wrote, or None where it is missing, damaged or of other content."""
    try:
        table = _read(path, columns)
    except (OSError, require("pyarrow").ArrowException):
        return None
    return table if table["digest"].to_pylist() == digests else None


def _arrow(start, images, digests, rows, columns):
    arrow = require("pyarrow")
    errors = [None] * len(images)
    for index, error in rows.failures.items():
        errors[index] = f"{'mask: ' * error.item.startswith('mask of ')}{error.found}. {error.cure}"
    texts = [image.name for image in images], digests, errors
    clean = [[text and text.encode(errors="backslashreplace").decode() for text in column] for column in texts]
    positions = np.arange(start, start + len(images), dtype=np.int64)
    about = [positions, *(arrow.array(column, arrow.string()) for column in clean)]
    return arrow.table([*map(arrow.array, about), *map(arrow.array, rows.values.T.copy())], [*_ABOUT, *columns])


def _read(path, measures, columns=None):
    """Return a part's table, or raise OSError or ArrowException where it is missing or damaged."""
    arrow, parquet = require("pyarrow"), require("pyarrow.parquet")
    with parquet.ParquetFile(path, page_checksum_verification=True) as file:
        if file.schema_arrow.names != [*_ABOUT, *measures]:
            raise arrow.ArrowInvalid("it has other columns")
        return file.read(columns)


def _write_part(path, table):
    parquet = require("pyarrow.parquet", "parquet")
    options = {"use_dictionary": False, "write_statistics": False, "write_page_checksum": True}
    _write_whole(path, lambda file: parquet.write_table(table, file, **options))


def _write_whole(path, write):
    """Write under another name and move it into place once it is on the disk."""
    temporary = path.with_name(_TEMPORARY.format(uuid4().hex))
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            f"{path}: cannot be written ({error.strerror}). Make room or give another folder; the same call goes on "
            "from the parts that stand."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
