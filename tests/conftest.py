"""Fixtures: a cache folder of its own for each run, and the real data where they lie."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermfeat import LesionReader
from dermfeat.reading import references


def _shared(variable, *parts):
    folder = os.environ.get(variable) or Path(__file__).parents[2].joinpath("shared", *parts)
    folder = Path(folder)
    if not folder.is_dir():
        pytest.skip(f"needs real data: set {variable} to their folder")
    return folder


@pytest.fixture(scope="session")
def shared_data():
    """Folder with real images: ham10000, malignant_vs_benign and others."""
    return _shared("DERMFEAT_SHARED_DATA", "data")


@pytest.fixture(scope="session")
def shared_keras():
    """Folder with ImageNet weights as Keras names them."""
    return _shared("DERMFEAT_SHARED_KERAS", "keras", "models")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory):
    """No test reads or writes the user's cache; traced networks are shared by the session."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("DERMFEAT_CACHE")
    os.environ["DERMFEAT_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["DERMFEAT_CACHE"]
    else:
        os.environ["DERMFEAT_CACHE"] = before


@pytest.fixture(scope="session")
def isic_photos(shared_data):
    """Some 55 development photos of ISIC 2017 whose lesions are large enough to show structures, as `Lesion`."""
    table = pd.read_csv(shared_data / "lesion_split.csv").query("part == 'pretrain'")
    kept = set(table["image_id"])
    files = [path for path in sorted((shared_data / "isic2017").rglob("*.jpg")) if path.stem in kept]
    lesions = [LesionReader().prepare(np.array(Image.open(path).convert("RGB"))) for path in files[::30]]
    return [lesion for lesion in lesions if lesion.equivalent_diameter > 80]


@pytest.fixture
def decoded(monkeypatch):
    """The names of the images that are decoded at full size in this process."""
    names, decode = [], references._rgb
    monkeypatch.setattr(references, "_rgb", lambda item, name, limit: names.append(name) or decode(item, name, limit))
    return names
