"""Settings: where the cache lies, whether the store is used, and how large it may grow.

They live in environment variables, so that worker processes started later have them too.
"""

import os
from contextlib import contextmanager
from pathlib import Path

_VARIABLES = {
    "cache_folder": "DERMFEAT_CACHE",
    "store": "DERMFEAT_STORE",
    "store_limit_mb": "DERMFEAT_STORE_LIMIT_MB",
}


def get_config():
    """Return the settings in force.

    Returns
    -------
    dict
        ``cache_folder`` : Path, the folder of the store and of compiled networks (``DERMFEAT_CACHE``;
        by default the user's cache folder); ``store`` : bool, whether measured rows are kept
        (``DERMFEAT_STORE``, ``0`` for no); ``store_limit_mb`` : int, size at which the oldest rows go
        (``DERMFEAT_STORE_LIMIT_MB``).
    """
    folder = os.environ.get("DERMFEAT_CACHE")
    if not folder:
        from platformdirs import user_cache_path

        folder = user_cache_path("dermfeat", appauthor=False)
    limit = os.environ.get("DERMFEAT_STORE_LIMIT_MB") or "2048"
    if not limit.isdecimal():
        raise ValueError(f"DERMFEAT_STORE_LIMIT_MB is {limit!r}: give a whole number of megabytes")
    return {
        "cache_folder": Path(folder).expanduser().absolute(),
        "store": os.environ.get("DERMFEAT_STORE", "1").lower() not in {"0", "false", "off", "no"},
        "store_limit_mb": int(limit),
    }


def set_config(**settings):
    """Change settings for this process and the processes it starts later (names: see `get_config`).

    None brings a setting's default back. Worker processes that joblib keeps for reuse do not notice a change.
    """
    unknown = set(settings) - set(_VARIABLES)
    if unknown:
        raise TypeError(f"unknown setting {sorted(unknown)}; there are {sorted(_VARIABLES)}")
    for name, value in settings.items():
        if value is None:
            os.environ.pop(_VARIABLES[name], None)
        else:
            os.environ[_VARIABLES[name]] = str(int(value)) if isinstance(value, bool) else str(value)
    get_config()


@contextmanager
def config_context(**settings):
    """Change settings inside a ``with`` block: ``with config_context(store=False): ...``."""
    before = {name: os.environ.get(name) for name in _VARIABLES.values()}
    try:
        set_config(**settings)
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
