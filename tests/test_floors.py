"""A module imports only from floors below its own, or from its own folder; and importing dermfeat stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dermfeat

PACKAGE = Path(dermfeat.__file__).parent
FLOORS = {
    "_config": 0, "_optional": 0, "_errors": 0,
    "lesion": 1, "reading": 1, "networks": 1,
    "preparation": 2, "measures": 2, "embedding": 2,
    "extraction": 3,
    "learning": 4, "datasets": 4,
    "pipeline": 5, "evaluation": 5, "auditing": 5, "training": 5,
}  # fmt: skip
WITHOUT_SKLEARN = 2
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """Yield the dotted names that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module == "dermfeat":
                yield from (f"dermfeat.{alias.name}" for alias in node.names)


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    if path == PACKAGE / "__init__.py":
        return
    own = room(path)
    assert own in FLOORS, f"{own} has no floor"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "sklearn":
            assert FLOORS[own] > WITHOUT_SKLEARN, f"{path} imports scikit-learn"
        assert own == "training" or not name.startswith("dermfeat.training"), f"{path} imports {name}"
        if parts[0] == "dermfeat" and len(parts) > 1 and parts[1] != own:
            assert FLOORS[parts[1]] < FLOORS[own], f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 350


def test_import_is_light():
    code = (
        "import sys, dermfeat; heavy = {'keras', 'cv2', 'skimage', 'xgboost', 'sklearn', 'openvino', 'pandas'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_public_names_exist():
    for name in dermfeat.__all__:
        assert getattr(dermfeat, name) is not None
    assert set(dermfeat.__all__) <= set(dir(dermfeat))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = dermfeat.no_such_name
