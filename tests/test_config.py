"""Settings: defaults, environment, contexts."""

from pathlib import Path

import pytest

from dermfeat import config_context, get_config, set_config


@pytest.fixture(autouse=True)
def restored():
    with config_context():
        yield


def test_settings_come_and_go(tmp_path):
    before = get_config()
    with config_context(cache_folder=tmp_path, store=False, store_limit_mb=5):
        assert get_config() == {"cache_folder": tmp_path, "store": False, "store_limit_mb": 5}
    assert get_config() == before


def test_none_brings_the_default_back(monkeypatch):
    set_config(store=False, store_limit_mb=7, cache_folder="~/somewhere")
    assert get_config()["cache_folder"] == Path.home() / "somewhere"
    set_config(store=None, store_limit_mb=None, cache_folder=None)
    assert get_config()["store"] is True
    assert get_config()["store_limit_mb"] == 2048
    assert get_config()["cache_folder"].name == "dermfeat"


def test_bad_settings_are_named():
    with pytest.raises(TypeError, match="unknown setting"):
        set_config(stor=False)
    with pytest.raises(ValueError, match="DERMFEAT_STORE_LIMIT_MB is 'lots'"):
        set_config(store_limit_mb="lots")
