"""Whatever JSON is read, deep nesting in it is a clear error: `parse_json` is the one way to read it."""

import ast
from pathlib import Path

import pytest

from multiface.json_text import parse_json

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "multiface"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, b"[" * 100_000])
def test_deep_nesting_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


def test_everything_else_is_as_in_python() -> None:
    assert parse_json('{"a": [1, 2.5, null, "\\u00e9"]}') == {"a": [1, 2.5, None, "é"]}
    with pytest.raises(ValueError):
        parse_json("{")


def test_nobody_reads_json_another_way() -> None:
    found = [
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("loads", "load")
        and ast.unparse(node.value) == "json"
    ]
    assert found == ["json_text.py"]
