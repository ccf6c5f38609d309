"""What a gallery needs of a database: snapshots to read, transactions to write, and to know whether anything changed.

`connection.Database` is a SQLite file, `postgres_connection.PostgresDatabase` a database of a server. Threads may share
one; no connection crosses a fork.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from multiface.gallery.sql import Connection


@dataclass(frozen=True, slots=True)
class Revision:
    """Equal to another where nothing changed in between.

    connection: counts the connections made; of another one it is not known whether the content is the same still.
    others, own: count the changes of other connections and of this one.
    """

    connection: int
    others: int
    own: int


class GalleryDatabase(Protocol):
    """An open database. Errors leave as GalleryError."""

    @property
    def place(self) -> str:
        """The gallery as messages begin, without a password."""

    @property
    def location(self) -> str:
        """What opens it again."""

    @property
    def read_only(self) -> bool:
        """Whether it can only be read; every `writing` then raises GalleryError."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A snapshot: all that is read inside belongs to one moment."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A write transaction, one at a time in all processes: kept at the end, undone if anything is raised inside."""

    def revision(self, connection: Connection) -> Revision:
        """Changes when the content did, by this process or another; read it inside `reading`."""

    def last_id(self, connection: Connection, table: str) -> int:
        """The greatest id that a table with numbered rows ever gave, whatever was removed; 0 where the database does
        not say.
        """

    def purge_log(self) -> bool:
        """Take care that deleted content leaves the database's files; False if it is there for a while."""

    @property
    def lingering(self) -> str:
        """What to say of deleted content where `purge_log` is False."""

    def faults(self, connection: Connection) -> list[str]:
        """What the database itself finds wrong, a line each."""

    def backup(self, path: Path) -> None:
        """Write a copy of everything, as it is at one moment, to a file of the database's own kind.

        Raises UsageError if the file cannot be written, NotAvailable if the database's own tools do it.
        """

    def is_there(self) -> bool:
        """Whether it still is where it was opened, as far as that can be told without a message."""

    def close(self) -> None:
        """Close it; closing twice is fine."""
