"""What the message of an error says at its beginning and at its end, the error says in a field too: read in the source.

A message that begins with a path has `path`, from itself or from `errors.about` around it; one that ends with "; do
this" has it from `hint`.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiface import errors
from multiface.errors import MultifaceError

SOURCE = Path(errors.__file__).parent
KINDS = {
    name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, MultifaceError)
}
PATHS = re.compile(
    r"(?:path_text|location_text)\(.*\)"
    r"|(?:\w+\.)*_?(?:path|file|folder|root|out|run|spec|target|page|beside|cache|events|crops)"
    r"|(?:\w+\.)*_?(?:path|target|part)\.name|self\._rec|self\.paths\[.*\]|shards\[0\]|chosen\.store|wanted\.folder"
)
OPENINGS = re.compile(r"(?:--[a-z-]+ |cache |people folder )?")
DO = "check|choose|copy|correct|delete|fetch|give|install|leave|make|move|name|open|run|set|start|take|try|use|write"
ENDS = re.compile(rf"(?:[;:] (?:{DO})\b|[;:] `multiface |\. (?:{DO.title()})\b|: \0how_to_install)[^;]*$")


def faults(source: str) -> Iterator[tuple[int, str]]:
    """Lines of errors that are made without a field for what their message says, and what that is."""
    for function in [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]:
        shown = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("path_text(")
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        told = {
            id(inner)
            for node in ast.walk(function)
            if isinstance(node, ast.With) and "about(" in ast.unparse(node.items[0])
            for inner in ast.walk(node)
        }
        for node in ast.walk(function):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS):
                continue
            given = {keyword.arg for keyword in node.keywords}
            begins, text = message(node.args[0]) if node.args else ("", "")
            if "path" not in given and id(node) not in told and (PATHS.fullmatch(begins) or begins in shown):
                yield node.lineno, begins
            if "hint" not in given and ENDS.search(text):
                yield node.lineno, text


def message(node: ast.expr) -> tuple[str, str]:
    """What is put in first, where the message begins with it, and the message; what is put in stands after a NUL."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(
        part.value
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
        else "\0" + ast.unparse(part.value if isinstance(part, ast.FormattedValue) else part)
        for part in parts
    )
    places = [k for k, part in enumerate(parts) if isinstance(part, ast.FormattedValue)]
    if places and ast.unparse(parts[places[0]].value) == "option" and len(places) > 1:  # type: ignore[attr-defined]
        places = places[1:]
        before = ""
    else:
        before = "".join(str(getattr(part, "value", "")) for part in parts[: places[0]]) if places else ""
    if not places or not OPENINGS.fullmatch(before):
        return "", text
    first = parts[places[0]]
    assert isinstance(first, ast.FormattedValue)
    return ast.unparse(first.value), text


@pytest.mark.parametrize(
    "file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE).with_suffix(""))
)
def test_what_a_message_says_is_in_a_field(file: Path) -> None:
    assert list(faults(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "made",
    [
        'InputError(f"{path}: cannot be read")',
        'InputError(f"{path_text(folder)}: is empty", hint="fill it")',
        'UsageError(f"--out {out}: is a folder")',
        'UsageError(f"{option} {file}: is a folder")',
        'DataSetError(f"{self.path}: no record", hint="fetch it again")',
        'UsageError("this is no name; give another")',
        'DataSetError(f"{name}: broken: fetch it again", path=path)',
        'WeightsMissing("no such weights. Run `multiface weights list`")',
        "ExtraMissing(f\"this needs x: {how_to_install('x')}\")",
    ],
)
def test_a_field_that_is_left_out_is_noticed(made: str) -> None:
    assert len(list(faults(f"def f():\n    raise {made}\n"))) == 1


def test_a_field_that_is_there_is_seen() -> None:
    fine = [
        'InputError(f"{path}: cannot be read", path=path)',
        'InputError(f"{name}: cannot be read")',
        'UsageError("this is no name", hint="give another")',
    ]
    for made in fine:
        assert not list(faults(f"def f():\n    raise {made}\n"))
    assert list(
        faults("def f(path):\n    name = path_text(path)\n    raise InputError(f'{name}: is empty')\n")
    )
