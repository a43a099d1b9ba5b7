"""Tables of published data sets that come as one folder for each class, below train and test."""

from pathlib import Path, PurePosixPath

import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.datasets.folder import HIDDEN, PARTS, load_folder, require_folder


def class_folders(path, classes, *, allow_incomplete=False):
    """List the images of ``path/train/<class>`` and ``path/test/<class>``, in any case of train and test.

    Folders beside train and test are passed over. Where there is neither, they are looked for in each folder of
    `path`.

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
        If train and test are not found, hold other classes, or are laid out otherwise (see `load_folder`).
    """
    root, parts = _root(Path(path))
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


def _root(path):
    require_folder(path, "Give the folder that holds train and test.")
    below = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(HIDDEN))
    for root in (path, *below):
        folders = {PARTS.get(folder.name.lower()): folder for folder in root.iterdir() if folder.is_dir()}
        parts = [(part, folders[part]) for part in ("train", "test") if part in folders]
        if parts:
            return root, parts
    raise LesionImageError(str(path), "no folders train and test", "Give the folder that holds them.")
