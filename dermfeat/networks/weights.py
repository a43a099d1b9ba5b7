"""Find the ImageNet weights that keras.applications asks for, or fetch them (in the tracing process)."""

import hashlib
import shutil
import socket
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

PATIENCE = 30  # seconds without an answer after which a download is given up


def sha256(path):
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    return digest_file(path, "sha256")


def digest_file(path, algorithm):
    """Return the digest of a file in hexadecimal digits; `algorithm` is one that hashlib knows."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextmanager
def keras_weights(models, given=None):
    """Let keras.applications find its weights in `models`, or use the file `given` in their place.

    Inside the block Keras loads from the folder `models`; a file that is not there is downloaded by Keras,
    checked, and only then moved there, so that the folder never holds half a file. Yields a list that the
    path of every weights file used is appended to.

    Raises
    ------
    FileNotFoundError
        Where the file is neither there nor can be downloaded; the message names it, the folder, the address.
    ValueError
        Where the file in `models` does not have the checksum that Keras knows. It is left as it is.
    """
    from keras.src.utils import file_utils

    used, download = [], file_utils.get_file

    def get_file(fname=None, origin=None, file_hash=None, **options):
        path = Path(given or Path(models, fname or origin.rpartition("/")[2]))
        if not path.is_file():
            _fetch(download, path, origin, file_hash)
        elif file_hash and not given:
            _check(path, file_hash)
        used.append(path)
        return str(path)

    with patch.object(file_utils, "get_file", get_file):
        yield used


def _check(path, file_hash):
    found = digest_file(path, "md5" if len(file_hash) == 32 else "sha256")
    if found != file_hash:
        raise ValueError(
            f"{path}: its checksum is {found}, that of Keras' own weights {file_hash}; remove the file so that "
            "it is downloaded again, or, if it is meant to differ, give its path as weights"
        )


def _fetch(download, path, origin, file_hash):
    socket.setdefaulttimeout(PATIENCE)
    try:
        fetched = download(path.name, origin, file_hash=file_hash, cache_subdir="models")
    except Exception as error:
        raise FileNotFoundError(
            f"{path.name}: these weights are not in {path.parent} and could not be downloaded ({error}). "
            f"Put the file there (it comes from {origin}), or set KERAS_HOME to the folder whose "
            "subfolder 'models' has it, or give the path of a weights file as weights"
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{Path(fetched).stat().st_mtime_ns}")
    shutil.move(fetched, partial)
    partial.replace(path)
