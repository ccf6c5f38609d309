"""What the row modules need of a connection: SQL with `?` for values, run inside the caller's transaction.

`sqlite3.Connection` is one. Statements are written so that SQLite (3.35 and newer) and PostgreSQL read them alike:
`ON CONFLICT`, `RETURNING`, no scalar `min` and `max`, integers 0 and 1 for truth, times and names as text that is
compared byte by byte.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

LARGEST_ID = (1 << 63) - 1
"""No row of SQLite or PostgreSQL has a greater one, and neither takes it."""


class Cursor(Protocol):
    """The rows of one statement."""

    @property
    def rowcount(self) -> int:
        """How many rows a statement changed."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs statements."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement; each `?` in it stands for the next of the parameters."""


def inserted_id(cursor: Cursor) -> int:
    """The id that an `INSERT ... RETURNING id` gave."""
    (number,) = cursor.fetchone()
    return int(number)
