"""Fixtures: a cache folder of its own for each run, and the real data where they lie."""

import os
from pathlib import Path

import pytest


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
