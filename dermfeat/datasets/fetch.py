"""Download data sets that their publishers give to everyone: DermaMNIST, HAM10000, ISIC 2017 to 2019."""

import os
from pathlib import Path

from dermfeat._config import get_config
from dermfeat._errors import LesionImageError
from dermfeat.datasets._download import fetch_json, obtain
from dermfeat.datasets.dermamnist import FILES, load_dermamnist
from dermfeat.datasets.folder import as_path
from dermfeat.datasets.ham10000 import load_ham10000
from dermfeat.datasets.isic2017 import load_isic2017
from dermfeat.datasets.isic2018 import load_isic2018
from dermfeat.datasets.isic2019 import load_isic2019

ADDRESSES = {
    "zenodo": "https://zenodo.org/records/10519652/files",
    "dataverse": "https://dataverse.harvard.edu",
    "isic": "https://isic-challenge-data.s3.amazonaws.com",
}
"""Where the publishers' files lie; for each, an environment variable such as ``DERMFEAT_ISIC_URL`` names a mirror."""

DERMAMNIST_MD5 = {
    28: "0744692d530f8e62ec473284d019b0c7",
    64: "b70a2f5635c6199aeaa28c31d7202e1f",
    128: "2defd784463fa5243564e855ed717de1",
    224: "8974907d8e169bef5f5b96bc506ae45d",
}
HAM10000_DOI = "doi:10.7910/DVN/DBW86T"
HAM10000_FILES = (
    "HAM10000_metadata.csv",
    "HAM10000_images_part_1.zip",
    "HAM10000_images_part_2.zip",
    "HAM10000_segmentations_lesion_tschandl.zip",
)
_NAMES = {"train": "Training", "validation": "Validation", "test": "Test"}
ISIC_FILES = {  # year: part: files
    2017: {
        part: [f"ISIC-2017_{name}_{kind}" for kind in ("Data.zip", "Part1_GroundTruth.zip", "Part3_GroundTruth.csv")]
        for part, name in {**_NAMES, "test": "Test_v2"}.items()
    },
    2018: {
        part: [f"ISIC2018_Task3_{name}_{kind}" for kind in ("Input.zip", "GroundTruth.zip")]
        + ["ISIC2018_Task3_Training_LesionGroupings.csv"] * (part == "train")
        for part, name in _NAMES.items()
    },
    2019: {
        part: [f"ISIC_2019_{_NAMES[part]}_{kind}" for kind in ("Input.zip", "GroundTruth.csv", "Metadata.csv")]
        for part in ("train", "test")
    },
}
ISIC_LOADERS = {2017: load_isic2017, 2018: load_isic2018, 2019: load_isic2019}


def fetch_dermamnist(size=28, *, folder=None, base_url=None, progress=True, target="diagnosis", with_leaks=False):
    """Download DermaMNIST from Zenodo, once, and load it. 20 MB at 28 pixels, 1 GB at 224.

    The file is checked against MedMNIST's MD5 on every call.

    Parameters
    ----------
    size : {28, 64, 128, 224}
        Height and width of the images.
    folder : str or path-like, optional
        Where the file is kept; the folder datasets/dermamnist of the cache folder (`dermfeat.get_config`) by default.
    base_url : str, optional
        The address that a mirror has in place of the publisher's (`ADDRESSES`).
    progress : bool
        Show a progress bar.
    target, with_leaks
        As for `load_dermamnist`.

    Returns
    -------
    sklearn.utils.Bunch
        As from `load_dermamnist`.

    Raises
    ------
    LesionImageError
        If the server cannot be reached or the file is not the published one. It names the place where to put the file
        by hand.
    """
    if size not in FILES:
        raise LesionImageError("size", f"{size!r}", f"Choose one of {list(FILES)}.")
    file = _folder(folder, "dermamnist") / FILES[size]
    obtain(f"{_base('zenodo', base_url)}/{file.name}", file, checksum=f"md5:{DERMAMNIST_MD5[size]}", progress=progress)
    return load_dermamnist(file, target=target, with_leaks=with_leaks)


def fetch_ham10000(*, folder=None, base_url=None, progress=True, target="diagnosis", with_leaks=False):
    """Download HAM10000 with its masks from Harvard Dataverse, once, and load it. 2.8 GB.

    Dataverse lists the files with their checksums when they are fetched. For the table, which it converts, the checksum
    that it gives is not that of the file; its SHA-256 is recorded (see `fetch_isic`).

    Parameters
    ----------
    folder, base_url, progress
        As for `fetch_dermamnist`.
    target, with_leaks
        As for `load_ham10000`.

    Returns
    -------
    sklearn.utils.Bunch
        As from `load_ham10000`.

    Raises
    ------
    LesionImageError
        As for `fetch_dermamnist`; also if Dataverse does not list a file.
    """
    folder, base = _folder(folder, "ham10000"), _base("dataverse", base_url)
    files = [folder / name for name in HAM10000_FILES]
    by_hand = f"or put {', '.join(HAM10000_FILES)} into {folder}"
    listed = {} if all(map(_there, files)) else _dataverse(base, HAM10000_DOI, by_hand)
    for file in files:
        if not _there(file) and file.stem not in listed:
            found = f"{HAM10000_DOI} lists no {file.stem}, only {sorted(listed)}"
            raise LesionImageError(base, found, f"Download it from the data set's page to {file}.")
        address, checksum = listed.get(file.stem, (base, None))
        obtain(address, file, checksum=checksum, progress=progress)
    return load_ham10000(folder, target=target, with_leaks=with_leaks)


def fetch_isic(year, *, parts=None, folder=None, base_url=None, progress=True, target="diagnosis", with_leaks=False):
    """Download the images and labels of an ISIC challenge, once, and load them. Up to 13 GB a year.

    The publisher gives no checksums. So the size is compared with the server's, every file's CRC in an archive is
    checked, and the SHA-256 of the first download is recorded in checksums.json beside and checked ever after. An
    archive is removed once it is unpacked.

    Parameters
    ----------
    year : {2017, 2018, 2019}
        2017 comes with masks; of 2018 it is task 3, whose training part is HAM10000.
    parts : sequence of {"train", "validation", "test"}, optional
        Those wanted; all by default. 2019 has no validation part.
    folder, base_url, progress
        As for `fetch_dermamnist`.
    target, with_leaks
        As for `load_isic2017`, `load_isic2018` and `load_isic2019`.

    Returns
    -------
    sklearn.utils.Bunch
        As from the loader of that year.

    Raises
    ------
    LesionImageError
        As for `fetch_dermamnist`; also if an archive is damaged.
    """
    if year not in ISIC_FILES:
        raise LesionImageError("year", f"{year!r}", f"Choose one of {list(ISIC_FILES)}.")
    known = ISIC_FILES[year]
    wanted = list(known) if parts is None else [parts] if isinstance(parts, str) else list(parts)
    if not wanted or set(wanted) - set(known):
        raise LesionImageError("parts", f"{parts!r}", f"Choose from {list(known)}.")
    folder, base = _folder(folder, f"isic{year}"), _base("isic", base_url)
    for part in wanted:
        for name in known[part]:
            obtain(f"{base}/{year}/{name}", folder / name, progress=progress)
    incomplete = set(wanted) < set(known)
    return ISIC_LOADERS[year](folder, target=target, allow_incomplete=incomplete, with_leaks=with_leaks)


def _folder(folder, name):
    return get_config()["cache_folder"] / "datasets" / name if folder is None else as_path(folder)


def _base(source, base_url):
    return (base_url or os.environ.get(f"DERMFEAT_{source.upper()}_URL") or ADDRESSES[source]).rstrip("/")


def _there(file):
    """Return whether a file is here, or the folder that it was unpacked to."""
    return file.exists() or (file.suffix == ".zip" and file.with_suffix("").is_dir())


def _dataverse(base, doi, by_hand):
    """Return ``{stem: (address, checksum)}`` of the files of a data set on Dataverse."""
    answer = fetch_json(f"{base}/api/datasets/:persistentId/?persistentId={doi}", f"Call again, {by_hand} by hand.")
    try:
        files = [entry["dataFile"] for entry in answer["data"]["latestVersion"]["files"]]
        return {Path(file["filename"]).stem: _dataverse_file(base, file) for file in files}
    except (KeyError, TypeError) as error:
        raise LesionImageError(base, f"lists no files of {doi} ({error!r})", "Try again, or another mirror.") from None


def _dataverse_file(base, file):
    address = f"{base}/api/access/datafile/{file['id']}"
    if file.get("originalFileFormat") or file["filename"].endswith(".tab"):
        return f"{address}?format=original", None
    kind, value = file["checksum"]["type"], file["checksum"]["value"]
    return address, f"{kind.lower().replace('-', '')}:{value}"
