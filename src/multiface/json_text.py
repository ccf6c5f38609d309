"""JSON that somebody else may have written, and frozen dataclasses as JSON.

Open to every room, as `errors` is. Python's reader gives up on deep nesting with a RecursionError, which would pass as
a fault of the program.
"""

import json
from typing import Any, TypeVar

T = TypeVar("T")


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError where it is none, or nested too deeply to be one of ours."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists or objects are nested too deeply") from None


def document_of(record: Any) -> Any:
    """A dataclass as values for JSON, with all that is in it: fractions as text, enums by their values."""
    import msgspec

    return msgspec.to_builtins(record, str_keys=True, enc_hook=str)


def record_from(document: Any, kind: type[T]) -> T:
    """The dataclass that `document_of` gave.

    Raises ValueError, which names the field, what was wanted and what is there, for what is missing, unknown or of
    another type; and whatever the dataclass raises.
    """
    import msgspec

    try:
        record = msgspec.convert(document, kind, str_keys=True, dec_hook=lambda made, value: made(value))
    except (TypeError, ArithmeticError) as error:
        raise ValueError(str(error)) from error
    _refuse_unknown(document, document_of(record), "$")
    return record


def _refuse_unknown(given: Any, kept: Any, where: str) -> None:
    if isinstance(given, dict):
        for key, value in given.items():
            if key not in kept:
                raise ValueError(f"Object has an unknown field `{key}` - at `{where}`")
            _refuse_unknown(value, kept[key], f"{where}.{key}")
    elif isinstance(given, list):
        for value, one in zip(given, kept, strict=False):
            _refuse_unknown(value, one, f"{where}[...]")
