"""What DICOM files say of patient, study and camera, as a table."""

import os
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.reading.dicom import faults, is_dicom, open_dicom
from dermfeat.reading.references import MAX_PIXELS

YEARS = {"Y": 1, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
TEXTS = {
    "patient_id": "PatientID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "image_uid": "SOPInstanceUID",
    "modality": "Modality",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "photometric_interpretation": "PhotometricInterpretation",
}
OTHERS = ("PatientSex", "PatientAge", "PatientBirthDate", "StudyDate", "BodyPartExamined", "AnatomicRegionSequence",
          "PixelSpacing", "ImagerPixelSpacing", "Rows", "Columns")  # fmt: skip
COLUMNS = {
    **dict.fromkeys(("image_id", "patient_id", "sex")),
    "age": float,
    **dict.fromkeys(("site", "study_uid", "series_uid", "image_uid")),
    "study_date": "datetime64[s]",
    **dict.fromkeys(("modality", "manufacturer", "model", "photometric_interpretation")),
    **dict.fromkeys(("rows", "columns", "pixel_spacing"), float),
}


def dicom_attributes(paths):
    """Return a table of what the headers of DICOM files say, one row for each, in their order.

    Pixel data are not read. What a file does not say is missing (None, NaN, NaT); a value that cannot be read is an
    error. `manufacturer`, `model`, `study_date`, the uids, the size and `photometric_interpretation` tell where and
    when a photo was taken: where the classes come from different clinics or years they give the diagnosis away
    without a look at the lesion, so keep them out of X and use them to audit. `patient_id` is for groups.

    Parameters
    ----------
    paths : sequence of str or path-like
        DICOM files, compressed in any way.

    Returns
    -------
    DataFrame
        ``image_id`` : the file name without its ending; ``patient_id``; ``sex`` : "male" or "female", None for other;
        ``age`` : float, years, from PatientAge, else the full years from PatientBirthDate to StudyDate; ``site`` :
        lower case, BodyPartExamined, else the meaning of AnatomicRegionSequence; ``study_uid``, ``series_uid``,
        ``image_uid``; ``study_date`` : datetime64; ``modality``, ``manufacturer``, ``model``,
        ``photometric_interpretation``; ``rows``, ``columns`` : float; ``pixel_spacing`` : float, mm between rows.

    Raises
    ------
    LesionImageError
        If a file is missing, no DICOM file or damaged, or an attribute breaks the standard.
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise LesionImageError("paths", "found one path where a list of them is expected", "Write [path].")
    table = pd.DataFrame([_attributes(os.fspath(path)) for path in paths], columns=[*COLUMNS], dtype=object)
    return table.astype({column: kind for column, kind in COLUMNS.items() if kind is not None})


def _attributes(path):
    with faults(path):
        ds = _header(path)
        texts = {column: _text(ds, keyword) for column, keyword in TEXTS.items()}
        study_date = _date(ds, "StudyDate", path)
        return texts | {
            "image_id": Path(path).stem,
            "sex": {"M": "male", "F": "female"}.get((_text(ds, "PatientSex") or "").upper()),
            "age": _age(ds, study_date, path),
            "site": _site(ds),
            "study_date": study_date,
            "rows": _first(ds, "Rows"),
            "columns": _first(ds, "Columns"),
            "pixel_spacing": _first(ds, "PixelSpacing") or _first(ds, "ImagerPixelSpacing"),
        }


def _header(path):
    try:
        with open(path, "rb") as file:
            if not is_dicom(file.read(132), path):
                raise LesionImageError(path, "it is no DICOM file", "Give DICOM files only.")
            tags = [*TEXTS.values(), *OTHERS]
            return open_dicom(file, path, MAX_PIXELS, stop_before_pixels=True, specific_tags=tags)
    except OSError as error:
        raise LesionImageError(path, f"cannot be read ({error.strerror})", "Check the path.") from None


def _text(ds, keyword):
    value = ds.get(keyword)
    return None if value is None else str(value).strip() or None


def _first(ds, keyword):
    values = np.atleast_1d(ds.get(keyword) or [])
    return float(values[0]) if len(values) else None


def _site(ds):
    region = ds.get("AnatomicRegionSequence")
    site = _text(ds, "BodyPartExamined") or (_text(region[0], "CodeMeaning") if region else None)
    return site and site.lower()


def _age(ds, study_date, path):
    """Return years from PatientAge, such as 045Y or 018M, else between birth and study."""
    age, birth = _text(ds, "PatientAge"), _date(ds, "PatientBirthDate", path)
    if age:
        number = re.fullmatch(r"(\d{1,3})([YMWD]?)", age.upper())
        if not number:
            raise _unreadable(ds, "PatientAge", path, "045Y, 018M, 006W or 010D")
        return int(number[1]) * YEARS[number[2] or "Y"]
    if birth is None or study_date is None:
        return None
    if birth > study_date:
        raise _unreadable(ds, "PatientBirthDate", path, "a day before StudyDate")
    return study_date.year - birth.year - ((study_date.month, study_date.day) < (birth.month, birth.day))


def _date(ds, keyword, path):
    text = _text(ds, keyword)
    if text is None:
        return None
    try:
        return datetime.strptime(text.replace(".", ""), "%Y%m%d")
    except ValueError:
        raise _unreadable(ds, keyword, path, "a day, such as 20200131") from None


def _unreadable(ds, keyword, path, expected):
    return LesionImageError(
        path, f"{keyword} is {_text(ds, keyword)!r}", f"It should be {expected}: correct or empty it."
    )
