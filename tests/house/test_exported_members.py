"""The public names are exactly `__all__`, all can be imported, and importing the package is quick."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import multiface

PACKAGE = Path(multiface.__file__).parent
ROOMS = sorted(
    ".".join(("multiface", *path.parent.relative_to(PACKAGE).parts)) for path in PACKAGE.glob("*/__init__.py")
)
# The room of training needs its own libraries, and the command line has no names for others.
WITH_NAMES = [
    room for room in ROOMS if room not in ("multiface.train", "multiface.cli", "multiface.evaluate")
]


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a statement has loaded, in a process of its own."""
    show = "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    script = f"import json, sys\n{statement}\n{show}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", multiface.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    value = getattr(multiface, name)
    assert isinstance(value, str) if name == "__version__" else callable(value)


def test_no_other_public_names() -> None:
    """What is visible beside `__all__` are rooms and files of the package, which Python puts there itself."""
    seen = {name for name in vars(multiface) if not name.startswith("_")} - set(multiface.__all__)
    ours = {path.stem for path in PACKAGE.iterdir()}
    assert seen - {"TYPE_CHECKING", "Any"} <= ours
    assert multiface.__all__ == sorted(multiface.__all__)


def test_the_names_for_type_checkers_are_those_of_the_lazy_import() -> None:
    """Each public name has one home, and both ways to it lead there."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (branch,) = (node for node in tree.body if isinstance(node, ast.If))
    checked = {
        alias.name: node.module
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert checked == multiface._HOMES
    assert sorted([*checked, "__version__"]) == multiface.__all__
    assert (PACKAGE / "py.typed").is_file()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        _ = multiface.Recogniser


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from multiface import *", names)
    assert set(names) - {"__builtins__"} == set(multiface.__all__)


@pytest.mark.parametrize("room", WITH_NAMES)
def test_rooms_export_what_they_list(room: str) -> None:
    module = importlib.import_module(room)
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    for name in listed:
        assert hasattr(module, name), f"{room}.{name}"


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"numpy", "onnxruntime", "onnx", "PIL", "torch", "httpx", "rich", "typer", "sqlite3"}
    assert loaded_by("import multiface") & heavy == set()
    assert loaded_by("import multiface; multiface.MultifaceError") & heavy == set()


def test_loading_is_seen() -> None:
    """The check above can fail: the recogniser does load them."""
    assert {"numpy", "PIL"} <= loaded_by("import multiface; multiface.Recognizer")
