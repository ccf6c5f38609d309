"""Where the next page of a list begins, as text: `next` of the page before."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import Field

from multiface.serve.problems import Problem

Item = TypeVar("Item")
MOST = 200
"""Things on one page."""
LARGEST_ROW = 2**53 - 1
"""Larger numbers are not exact in JavaScript and in many readers of JSON."""
_DIGITS = 18
_SAID = "`next` of the page before."
Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many.")]
PairCursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}:", max_length=300, description=_SAID)]
RowId = Annotated[int, Field(ge=1, le=LARGEST_ROW)]
NumberCursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description=_SAID)]


def after_pair(cursor: str | None) -> tuple[str, int] | None:
    """A text and a number, as `NUMBER:TEXT`; None for the beginning. Raises Problem (422)."""
    if cursor is None:
        return None
    number, colon, text = cursor.partition(":")
    if not colon:
        raise _bad()
    return text, _number(number)


def after_number(cursor: str | None) -> int | None:
    """A number; None for the beginning. Raises Problem (422)."""
    return None if cursor is None else _number(cursor)


def numbered_page(found: Sequence[Item], cursor: str | None, limit: int) -> tuple[Sequence[Item], str | None]:
    """So many of a list, behind a cursor that counts, and the next cursor. Raises Problem (422)."""
    end = (after_number(cursor) or 0) + limit
    return found[end - limit : end], str(end) if end < len(found) else None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS:
        raise _bad()
    return int(text)


def _bad() -> Problem:
    return Problem(422, "bad_cursor", "cursor must be `next` of the previous page")
