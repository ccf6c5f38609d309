"""Whatever JSON is read, deep nesting in it is a clear error: `parse_json` is the one way to read it. Dataclasses come
back from it equal, or with an error that names the field."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest

from multiface.json_text import document_of, parse_json, record_from

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


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    number: int
    share: float
    pair: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    inner: tuple[Inner, ...]
    kind: Literal["a", "b"]
    by_number: Mapping[int, Inner]
    rate: Fraction
    colour: Colour
    free: Mapping[str, Any] | None = None


ONE = Outer(
    (Inner(1, 0.5), Inner(-2, 1e300, (1.0, 2.0))),
    "a",
    {3: Inner(0, 0.0)},
    Fraction(30000, 1001),
    Colour.RED,
    {"x": [{"y": 1}]},
)


def test_a_record_comes_back_equal() -> None:
    text = json.dumps(document_of(ONE))
    assert record_from(parse_json(text), Outer) == ONE
    assert '"rate": "30000/1001"' in text and '"colour": "red"' in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"number": 1', '"number": "1"', r"Expected `int`, got `str` - at `\$\.inner\[0\]\.number`"),
        ('"number": 1', '"number": true', "Expected `int`, got `bool`"),
        ('"number": 1', '"number": 1.5', "Expected `int`, got `float`"),
        ('"number": 1, ', "", r"missing required field `number` - at `\$\.inner\[0\]`"),
        ('"number": 1', '"number": 1, "more": 2', "unknown field `more`"),
        ('"kind": "a"', '"kind": "c"', "Invalid enum value 'c'"),
        ('"kind": "a"', '"kind": "a", "kinds": 1', "unknown field `kinds`"),
        ('"30000/1001"', '"1/0"', "Fraction"),
        ('"30000/1001"', '"x"', "Invalid literal for Fraction"),
        ("[1.0, 2.0]", "[1.0]", "length 2"),
        ('{"3"', '{"x"', "Expected `int`"),
    ],
)
def test_another_record_is_refused_by_its_field(old: str, new: str, said: str) -> None:
    text = json.dumps(document_of(ONE))
    assert old in text
    with pytest.raises(ValueError, match=said):
        record_from(parse_json(text.replace(old, new, 1)), Outer)
    for nothing in ([], "x", None, 3):
        with pytest.raises(ValueError):
            record_from(nothing, Outer)
