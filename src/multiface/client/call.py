"""One request to a service, and how its answer is read; who sends it, and how, is another matter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from multiface.errors import UsageError

Answer = TypeVar("Answer")
Item = TypeVar("Item")
Document = dict[str, Any]
Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """path: without the address of the service. read: the answer from its JSON. pictures: files of a form.
    raw: read is given the body's bytes instead. writes: it changes something, so it is sent with an Idempotency-Key.
    """

    method: str
    path: str
    read: Callable[[Any], Answer]
    parameters: Parameters = ()
    body: Mapping[str, Any] | None = None
    pictures: Sequence[bytes] = ()
    raw: bool = False
    writes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and the cursor of the next page; None after the last."""

    items: Sequence[Item]
    cursor: str | None


def parameters(**values: Any) -> Parameters:
    """Query parameters: None is left out, a list is one parameter for each."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is not None:
                text = str(one).lower() if isinstance(one, bool) else str(one)
                found.append((name.rstrip("_"), text))
    return found


def quoted(number: str) -> str:
    """An id as a part of an address: whatever it holds, it is that part alone. Raises UsageError for what is no id."""
    if number in ("", ".", ".."):
        raise UsageError(f"{number!r} is not an id; ids are texts such as p_k3v9x2m7q4w8t5z6")
    return quote(number, safe="", errors="replace")


def several(values: str | Sequence[str]) -> list[str]:
    """A list, where one may have been given alone."""
    return [values] if isinstance(values, str) else list(values)
