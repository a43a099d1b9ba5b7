"""Import what only some users have installed, with the install line in the error."""

from importlib import import_module


def require(module, extra=None):
    """Return the imported `module`, or raise an ImportError that names the install command.

    Parameters
    ----------
    module : str
        Dotted name of the module.
    extra : str, optional
        The extra of dermfeat that installs it; without one, the package itself is named.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = f"'dermfeat[{extra}]'" if extra else module.partition(".")[0]
        raise ImportError(f"this needs {module}: pip install {package}") from error
