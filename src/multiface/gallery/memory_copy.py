"""A copy in memory of what an album's questions need, for a gallery that can only be read: what has to be decided anew
before an answer is decided there.

It has people, templates, strangers and the album, without any picture of a face, and lives as long as its object.
"""

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multiface.errors import GalleryError, NotAvailable, about
from multiface.gallery import schema
from multiface.gallery.connection import BadContent, is_postgres
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.database import GalleryDatabase, Revision
from multiface.gallery.sql import Connection

_TABLES = (
    "origin",
    "person",
    "person_group",
    "template",
    "stranger",
    "stranger_view",
    "album_picture",
    "album_file",
    "album_face",
    "album_not",
    "album_stranger",
    "album_number",
    "album_state",
    "touched",
)
_LEFT_OUT = {"album_face.crop": "NULL", "stranger.picture": "x''", "person.cover": "NULL"}


class MemoryCopy:
    """An opened gallery, as `SqliteGallery` is. origin: as there."""

    def __init__(self, source: GalleryDatabase, origin: VectorOrigin) -> None:
        self.origin = origin
        self.database = MemoryDatabase(source.place, source.location)
        with source.reading() as connection:
            self.database.fill(connection, source.last_id(connection, "stranger"))

    def close(self) -> None:
        """Let go of it; closing twice is fine."""
        self.database.close()


class MemoryDatabase:
    """A `GalleryDatabase` in memory. place, location: of the gallery that it is a copy of."""

    def __init__(self, place: str, location: str) -> None:
        self.place = place
        self.location = location
        self.read_only = False
        self.lingering = ""
        self._lock = threading.RLock()
        self._commits = 0
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.close = weakref.finalize(self, self._connection.close)
        for number in range(1, schema.VERSION + 1):
            schema.take_step(self._connection, number)

    def fill(self, source: Connection, last: int) -> None:
        """Copy everything. last: the greatest number that a stranger ever had there, as far as the source says: none is
        given again here.
        """
        for table in _TABLES:
            facts = self._connection.execute(f"PRAGMA table_info({table})").fetchall()
            names = [str(fact[1]) for fact in facts]
            left_out = [_LEFT_OUT.get(f"{table}.{name}") for name in names]
            columns = [name for name, instead in zip(names, left_out, strict=True) if instead is None]
            marks = [instead or "?" for instead in left_out]
            rows = source.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            with self._translated():
                self._connection.execute(f"DELETE FROM {table}")  # triggers wrote there
                self._connection.executemany(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(marks)})", rows
                )
        (known,) = self._connection.execute(
            "SELECT max(number) FROM (SELECT id AS number FROM stranger UNION ALL SELECT number FROM album_number)"
        ).fetchone()
        self._connection.execute("DELETE FROM sqlite_sequence WHERE name = 'stranger'")
        self._connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('stranger', ?)", (max(last, known or 0),)
        )
        self._connection.execute("PRAGMA foreign_keys = ON")  # the steps are taken without

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """All that is read inside belongs to one moment."""
        with self._lock, self._translated():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Kept at the end, undone if anything is raised inside."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
                self._commits += 1
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors as those of the gallery that it is a copy of."""
        with about(None if is_postgres(self.location) else self.location):
            if not self.close.alive:
                raise GalleryError(f"{self.place}: already closed")
            try:
                yield
            except BadContent as error:
                raise GalleryError(f"{self.place}: {error}") from error
            except sqlite3.Error as error:  # the memory does not take what the gallery holds
                raise GalleryError(
                    f"{self.place}: it is damaged ({error})", hint="`multiface people check` tells more"
                ) from error

    def revision(self, connection: Connection) -> Revision:
        """Changes with each `writing`."""
        del connection
        return Revision(1, 0, self._commits)

    def last_id(self, connection: Connection, table: str) -> int:
        """As that of a file."""
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return 0 if row is None else int(row[0])

    def purge_log(self) -> bool:
        """True: there is none."""
        return True

    def faults(self, connection: Connection) -> list[str]:
        """Nothing."""
        del connection
        return []

    def backup(self, path: Path) -> None:
        """Raises NotAvailable."""
        raise NotAvailable(f"{path}: a copy of a gallery in memory is not backed up", path=path)

    def is_there(self) -> bool:
        """True."""
        return True
