"""Tables of published data sets that come as one folder for each class, below train and test."""

import os
from pathlib import PurePosixPath

import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.datasets.folder import HIDDEN, PARTS, as_path, load_folder, require_folder

SHOWN = 10  # class folders that an error names
CURE = "Give the folder that holds this set."


def class_folders(path, classes, *, allow_incomplete=False):
    """List the images of ``path/train/<class>`` and ``path/test/<class>``, in any case of train and test.

    Folders beside train and test are passed over. Where there are none with such classes, they are looked for in each
    folder of `path`; one must have them.

    Parameters
    ----------
    path : str or path-like
    classes : sequence of str
        Class folders that each part must have.
    allow_incomplete : bool
        Accept parts without some of the classes.

    Returns
    -------
    root : Path
        The folder that holds train and test.
    table : DataFrame of str
        image_id (name without ending), file (path below root), split, class and reference.

    Raises
    ------
    LesionImageError
        If train and test are not found, or in several folders, hold other classes, or are laid out otherwise (see
        `load_folder`).
    """
    root, parts = _root(as_path(path), classes)
    tables = []
    for part, folder in parts:
        data = load_folder(folder, allow_empty=allow_incomplete)
        other = sorted(set(classes) ^ set(data.target_names))
        if other and not (allow_incomplete and set(other) <= set(classes)):
            raise LesionImageError(
                str(folder), f"the class folders {data.target_names}", f"There must be {list(classes)}."
            )
        files = folder.name + "/" + data.metadata["file"]
        tables.append(data.metadata.assign(file=files, split=part, reference=data.X))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "image_id", [PurePosixPath(file).stem for file in table["file"]])
    return root, table


def _root(path, classes):
    """Return the folder that holds train and test with classes of this set, and these parts."""
    require_folder(path, "Give the folder that holds train and test.")
    candidates = {root: parts for root in (path, *_folders(path)) if (parts := _parts(root))}
    fitting = [root for root, parts in candidates.items() if _fits(parts, classes)]
    if path in fitting or len(fitting) == 1:
        return fitting[0], candidates[fitting[0]]
    if len(candidates) == 1:
        return candidates.popitem()
    if not candidates:
        raise LesionImageError(str(path), "no folders train and test", "Give the folder that holds them.")
    if fitting:
        found = f"several folders with these classes: {', '.join(root.name for root in fitting)}"
        raise LesionImageError(str(path), found, "Give the one you mean.")
    shown = "; ".join(
        f"{folder.relative_to(path).as_posix()} holds {[entry.name for entry in _folders(folder)][:SHOWN]}"
        for parts in candidates.values()
        for _, folder in parts
    )
    raise LesionImageError(str(path), f"no train or test with the class folders {list(classes)}; {shown}", CURE)


def _folders(folder):
    """Return the folders in a folder that can be looked into, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and os.access(entry.path, os.R_OK | os.X_OK)]
    return [folder / name for name in sorted(names) if not name.startswith(HIDDEN)]


def _parts(root):
    folders = {PARTS.get(folder.name.lower()): folder for folder in _folders(root)}
    return [(part, folders[part]) for part in ("train", "test") if part in folders]


def _fits(parts, classes):
    names = [{folder.name for folder in _folders(folder)} for _, folder in parts]
    return all(found and found <= set(classes) for found in names)
