"""Images in one folder for each class, alone or under train, validation and test folders."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from dermfeat._errors import LesionImageError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".dcm")
PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
HIDDEN = (".", "__")  # how names of files and folders begin that are passed over
POSITIVE = ("malignant", "melanoma")
OWN = "image:"  # how the group of an image begins that has no id of its own
NO_CLASS = re.compile("(image|mask|segmentation)s?|.*ground[ _-]?truth", re.I)
MASK = "_segmentation"  # how stems of masks end in published sets


def load_folder(path, *, pos_label=None, groups=None, extensions=EXTENSIONS, allow_empty=False):
    """List the images of a folder that holds one folder for each class.

    Two layouts are read: ``path/<class>/*.jpg``, and ``path/train/<class>/*.jpg`` with ``test`` and
    ``validation`` beside it (also training, testing, val, valid; upper or lower case). Images are not opened.

    Files of other kinds (Thumbs.db, csv, text) are not images and are passed over, as is everything whose name
    begins with a dot or with two underscores; `DESCR` counts those of other kinds. An image beside the class folders
    and a folder within one are errors.

    Parameters
    ----------
    path : str or path-like
        The folder. ``~`` is the home folder, here as in all that load a data set.
    pos_label : str, optional
        The positive class. Without it, and with two classes of which exactly one is called malignant or
        melanoma (in any case), that one; otherwise None.
    groups : Mapping, Series, str or path-like, optional
        Which lesion or patient an image shows: from the file's path relative to `path` (with ``/``), its name or
        its stem to an id; or the path of a csv file with the columns file and lesion_id. An image without an
        entry, or with a missing id, is a group of its own.
    extensions : sequence of str
        Endings of image files, in any case.
    allow_empty : bool
        Accept class folders without images, and classes that one of the parts lacks.

    Returns
    -------
    sklearn.utils.Bunch
        ``X`` : (n,) object ndarray of paths as str, sorted by the path relative to `path`; ``y`` : (n,) ndarray
        of class names; ``groups`` : (n,) ndarray of ids as str, None where `groups` is not given; ``split`` :
        (n,) ndarray of "train", "test" and "validation", None in the first layout; ``metadata`` : DataFrame with
        file (relative path), class and split; ``target_names`` : sorted list of the classes; ``pos_label``;
        ``DESCR``.

    Raises
    ------
    LesionImageError
        If there is no such folder, no class folder or no image; if a class folder is empty, has folders in it or
        lies beside images or part folders; if it holds masks, or is called "images" or the like; if the parts' classes
        differ; if `pos_label` is no class; if `groups` fits no image, or the same entry to several.
    """
    path = as_path(path)
    endings = tuple(f".{end.lower().lstrip('.')}" for end in np.atleast_1d(extensions).tolist())
    parts = _parts(path)
    for parent in (path, *dict(parts).values()):
        _refuse_loose_images(parent, endings)
    rows, classes, ignored = [], {}, Counter()
    for part, parent in parts:
        folders = _class_folders(parent)
        classes[part] = {folder.name for folder in folders}
        for folder in folders:
            images, others = _images(folder, endings, allow_empty)
            _refuse_masks(path, folder, images)
            ignored += others
            rows += [(image.relative_to(path).as_posix(), folder.name, part) for image in images]
    if not allow_empty:
        _compare_parts(path, classes)
    if not rows:
        raise LesionImageError(str(path), "no images in its class folders", "Check the path and extensions=.")
    metadata = pd.DataFrame(sorted(rows), columns=["file", "class", "split"], dtype=object)
    target_names = sorted(set().union(*classes.values()))
    ids, single = _groups(groups, metadata["file"].tolist())
    return Bunch(
        X=np.array([str(path / file) for file in metadata["file"]], dtype=object),
        y=metadata["class"].to_numpy(str),
        groups=ids,
        split=None if parts[0][0] is None else metadata["split"].to_numpy(str),
        metadata=metadata,
        target_names=target_names,
        pos_label=_positive(pos_label, target_names),
        DESCR=_description(path, metadata, ids, single, ignored),
    )


def _parts(path):
    """Return (part, folder) pairs: train, validation and test where there are such folders, else one pair."""
    require_folder(path, "Give the folder that holds one folder for each class.")
    folders, _ = _content(path)
    parts = [(PARTS[folder.name.lower()], folder) for folder in folders if folder.name.lower() in PARTS]
    if not parts:
        return [(None, path)]
    if len(parts) < len(folders) or len(dict(parts)) < len(parts):
        raise LesionImageError(
            str(path),
            f"folders {[folder.name for folder in folders]}, which mix parts with classes or repeat a part",
            "Keep class folders alone, or one folder each for train, validation and test.",
        )
    return parts


def as_path(path):
    """Return what the user gave as the place of a data set as Path, ``~`` being the home folder."""
    try:
        return Path(path).expanduser()
    except (TypeError, RuntimeError) as error:
        cure = "Give the data set's folder, as str or Path."
        raise LesionImageError("path", f"found {path!r}, which is no path ({error})", cure) from None


def require_folder(path, cure):
    """Refuse a path that is no folder; `cure` ends the error."""
    if not path.is_dir():
        raise LesionImageError(str(path), "a file" if path.exists() else "no such folder", cure)


def _content(folder):
    """Return the folders and the files in a folder, sorted, without hidden ones."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith(HIDDEN))
    return [entry for entry in entries if entry.is_dir()], [entry for entry in entries if entry.is_file()]


def _refuse_loose_images(parent, endings):
    loose = [file.name for file in _content(parent)[1] if file.suffix.lower() in endings]
    if loose:
        raise LesionImageError(
            str(parent),
            f"{len(loose)} images beside the class folders, such as {loose[0]}",
            "Move each image into the folder of its class.",
        )


def _class_folders(parent):
    folders, _ = _content(parent)
    if not folders:
        raise LesionImageError(str(parent), "no class folders", "Put the images into one folder for each class.")
    return folders


def _images(folder, endings, allow_empty):
    """Return the images of a class folder, and how many other files it has of each ending."""
    folders, files = _content(folder)
    if folders:
        raise LesionImageError(
            str(folder),
            f"a class folder with folders in it, such as {folders[0].name}",
            "Give the folder right above the class folders, and keep images directly in those.",
        )
    images = [file for file in files if file.suffix.lower() in endings]
    others = Counter(file.suffix.lower() or file.name for file in files if file.suffix.lower() not in endings)
    if not images and not allow_empty:
        raise LesionImageError(
            str(folder),
            f"a class folder without images ({_counted(others)})",
            "Remove it, name the ending of its images in extensions=, or pass allow_empty=True.",
        )
    return images, others


def _refuse_masks(path, folder, images):
    """Refuse a folder of images or masks of a published data set, which is no class."""
    masks = sum(image.stem.endswith(MASK) for image in images)
    if not images or not (NO_CLASS.fullmatch(folder.name) or 2 * masks > len(images)):
        return
    found = f"the folder {folder.name!r}, of {len(images)} images, {masks} of them masks, which looks like no class"
    own = "load_ham10000" if any(path.glob("HAM10000_metadata*")) else "load_ham10000, load_isic2017 and others"
    cure = f"For a published data set use dermfeat.datasets.{own}; of your own, keep only class folders here."
    raise LesionImageError(str(path), found, cure)


def _compare_parts(path, classes):
    for part, names in classes.items():
        missing = sorted(set().union(*classes.values()) - names)
        if missing:
            raise LesionImageError(
                str(path),
                f"the part {part!r} lacks the classes {missing} of another part",
                "Give all parts the same class folders, or pass allow_empty=True.",
            )


def _positive(pos_label, target_names):
    if pos_label is None:
        known = [name for name in target_names if name.lower() in POSITIVE]
        return known[0] if len(known) == 1 and len(target_names) == 2 else None
    if pos_label not in target_names:
        raise LesionImageError("pos_label", f"{pos_label!r} is not among the classes", f"Choose from {target_names}.")
    return pos_label


def _groups(groups, files):
    """Return the group id of each file, and how many files had no entry and so are groups of their own."""
    if groups is None:
        return None, 0
    table = _table(groups)
    names = [(file, PurePosixPath(file).name, PurePosixPath(file).stem) for file in files]
    entries = [next((name for name in triple if name in table), None) for triple in names]
    repeated = [entry for entry, count in Counter(filter(None, entries)).items() if count > 1]
    if repeated:
        raise LesionImageError(
            "groups", f"{repeated[0]!r} fits several images", "Use paths relative to the folder, such as " + files[0]
        )
    if not any(entries):
        raise LesionImageError(
            "groups",
            f"none of its {len(table)} entries, such as {next(iter(table), None)!r}, names an image",
            f"Use relative paths, names or stems of the images, such as {files[0]!r}.",
        )
    ids = [table.get(entry) for entry in entries]
    own = [f"{OWN}{file}" if id_ is None else id_ for id_, file in zip(ids, files, strict=True)]
    return np.array(own), ids.count(None)


def _table(groups):
    """Return the entries of a mapping, Series or csv file as a dict of str, with None for missing ids."""
    if isinstance(groups, Mapping):
        groups = pd.Series(dict(groups), dtype=object)
    if not isinstance(groups, pd.Series):
        frame = pd.read_csv(groups, dtype=str)
        lacking = [name for name in ("file", "lesion_id") if name not in frame]
        if lacking:
            raise LesionImageError(
                str(groups), f"no columns {lacking} among {list(frame)}", "Name the columns file and lesion_id."
            )
        groups = frame.set_index("file")["lesion_id"]
    pairs = pd.DataFrame({"file": groups.index.astype(str), "id": groups.to_numpy(object)}).drop_duplicates()
    twice = pairs["file"][pairs["file"].duplicated()]
    if len(twice):
        raise LesionImageError("groups", f"two ids for {twice.iloc[0]!r}", "Keep one entry for each image.")
    return {file: None if pd.isna(id_) else str(id_) for file, id_ in zip(pairs["file"], pairs["id"], strict=True)}


def _counted(counts):
    return ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items())) or "nothing in it"


def _description(path, metadata, ids, single, ignored):
    kinds = Counter(zip(metadata["split"], metadata["class"], strict=True))
    lines = [f"{len(metadata)} images in {path}", ""]
    lines += [f"{f'{part}, ' if part else ''}{name}: {count}" for (part, name), count in kinds.items()]
    if ids is not None:
        lines += [f"{len(set(ids))} groups; {single} images without an entry are groups of their own"]
    if ignored:
        lines += [f"files in class folders that are no images, passed over: {_counted(ignored)}"]
    return "\n".join(lines)
