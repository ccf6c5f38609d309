"""One PostgreSQL database and one connection to it, shared by a process's threads behind a lock.

Each `reading` is one snapshot (repeatable read), each `writing` one transaction that either happens wholly or not at
all. Writers of all processes wait for one another, as with a file, so that the rows of `touched` appear in the order
of their ids. A server that was away is found again: what had not begun is tried once more on a new connection, what
was under way is a GalleryError and nothing of it is kept.

Everything lies in the schema `multiface` of the database, beside whatever else is there.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multiface.errors import (
    ExtraMissing,
    GalleryBusy,
    GalleryError,
    GalleryReadOnly,
    NotAvailable,
    how_to_install,
)
from multiface.gallery.connection import BadContent, without_password
from multiface.gallery.database import Revision
from multiface.gallery.sql import Connection, Cursor

if TYPE_CHECKING:
    import psycopg

_LOCK = int.from_bytes(b"MFgl", "big")
"""The advisory lock that a writer holds until its transaction ends."""


class PostgresConnection:
    """A connection that takes `?` for values."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self.raw = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""
        cursor: Cursor = self.raw.execute(_translated(sql), tuple(parameters))
        return cursor


class PostgresDatabase:
    """An open database. Closing it twice is fine; using it afterwards raises GalleryError."""

    def __init__(self, url: str, *, busy_seconds: float) -> None:
        """Connect. url: as libpq takes it. busy_seconds: how long to wait for the server, and for another writer."""
        self._url = url
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._closed = False
        self._connections = 0
        self._connection: PostgresConnection | None = None
        self._process = os.getpid()
        self._of_parent: list[PostgresConnection] = []
        self.read_only = False
        self.look_first: Callable[[Connection], None] = lambda _: None
        """Called at the beginning of each transaction; what it raises ends the transaction."""
        with self._lock, self._translated():
            self._connected()

    @property
    def place(self) -> str:
        """The URL without user and password, as messages begin."""
        return f"gallery {without_password(self._url)}"

    @property
    def location(self) -> str:
        """The URL as it was given."""
        return self._url

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A snapshot: all that is read inside belongs to one moment."""
        with self._lock, self._translated():
            connection = self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                self.look_first(connection)
                yield connection
            finally:
                self._rolled_back(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction: committed to disk at the end, undone if anything is raised inside."""
        with self._lock, self._translated():
            connection = self._begun("BEGIN ISOLATION LEVEL READ COMMITTED")
            try:
                connection.execute(f"SET LOCAL lock_timeout = {int(1000 * self._busy_seconds)}")
                connection.execute("SET LOCAL synchronous_commit = on")
                connection.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
                self.look_first(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._rolled_back(connection)
                raise

    def revision(self, connection: Connection) -> Revision:
        """Changes when people did, by this process or another; read it inside `reading`."""
        (last,) = connection.execute("SELECT max(id) FROM touched").fetchone()
        return Revision(self._connections, int(last or 0), 0)

    def last_id(self, connection: Connection, table: str) -> int:
        """The greatest id that an identity column ever gave; 0 for none, or where its sequence may not be read."""
        row = connection.execute(
            """
            SELECT last_value FROM pg_sequences
            WHERE format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence(?, 'id')
            """,
            (table,),
        ).fetchone()
        return 0 if row is None else int(row[0] or 0)

    def purge_log(self) -> bool:
        """False: PostgreSQL overwrites what was deleted in its own time, and its log keeps it for a while."""
        return False

    @property
    def lingering(self) -> str:
        """What to say of deleted content where `purge_log` is False."""
        return (
            "what was removed can no longer be read, but PostgreSQL overwrites it only in its own time, and its log "
            "and backups keep it for as long as they are set to"
        )

    def faults(self, connection: Connection) -> list[str]:
        """PostgreSQL checks references when they are written; nothing is asked here."""
        del connection
        return []

    def backup(self, path: Path) -> None:
        """Raises NotAvailable: `pg_dump` does it."""
        raise NotAvailable(
            f"{self.place}: PostgreSQL's own tool makes backups: pg_dump --schema=multiface --file={path} DATABASE",
            hint="`multiface people export` writes the people alone",
        )

    def is_there(self) -> bool:
        """True: whether the server is gone shows when it is asked."""
        return True

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def _begun(self, statement: str) -> PostgresConnection:
        """A connection in a transaction; a new one where the server had gone away."""
        import psycopg

        connection = self._connected()
        try:
            connection.execute(statement)
        except psycopg.OperationalError:
            self._disconnect()
            connection = self._connected()
            connection.execute(statement)
        return connection

    def _rolled_back(self, connection: PostgresConnection) -> None:
        import psycopg

        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self._disconnect()

    def _connected(self) -> PostgresConnection:
        """The connection, made if there is none, or if it was another process's."""
        if (
            self._process != os.getpid()
        ):  # forked: the parent goes on with the socket, which is never closed here
            self._process = os.getpid()
            if self._connection is not None:
                self._of_parent.append(self._connection)
                self._connection = None
        if self._connection is None:
            driver = require_psycopg()
            url = self._url.replace("+psycopg", "", 1)
            raw = driver.connect(
                url,
                autocommit=True,
                connect_timeout=max(2, int(self._busy_seconds)),
                application_name="multiface",
            )
            raw.execute("SET search_path = multiface")
            raw.execute("SET client_encoding = 'UTF8'")
            self._connection = PostgresConnection(raw)
            self._connections += 1
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None and self._process == os.getpid():
            with contextlib.suppress(Exception):
                self._connection.raw.close()
        self._connection = None

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        if self._closed:
            raise GalleryError(f"{self.place}: already closed")
        driver = require_psycopg()
        try:
            yield
        except BadContent as error:
            raise GalleryError(f"{self.place}: {error}") from error
        except driver.Error as error:
            raise self._kind(error)(f"{self.place}: {self._explained(error)}") from error

    @staticmethod
    def _kind(error: "psycopg.Error") -> type[GalleryError]:
        import psycopg

        if isinstance(error, psycopg.OperationalError):
            return GalleryBusy
        return GalleryReadOnly if isinstance(error, _may_not_write()) else GalleryError

    def _explained(self, error: "psycopg.Error") -> str:
        import psycopg

        said = error.diag.message_primary or str(error).splitlines()[0]
        if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
            return f"another process kept it locked for {self._busy_seconds:g} seconds; try again when that one is done"
        if isinstance(error, _may_not_write()):
            return f"it cannot be written ({said})"
        if isinstance(error, psycopg.errors.DiskFull):
            return "the server's disk is full; nothing of the last change was kept"
        if isinstance(error, psycopg.OperationalError):
            return f"the server cannot be reached or went away ({said}); nothing of the last change was kept"
        if isinstance(error, psycopg.IntegrityError):
            return (
                f"the change does not fit what is in it ({said}), perhaps because another process changed it at the "
                "same time; nothing of this change was kept: try again, and if that does not help, check it"
            )
        return f"PostgreSQL refused ({said})"


def _may_not_write() -> tuple[type[Exception], ...]:
    import psycopg

    return psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege


def require_psycopg() -> Any:
    """The driver. Raises ExtraMissing where it is not installed."""
    try:
        import psycopg
    except ImportError as error:
        raise ExtraMissing("galleries in PostgreSQL need psycopg", hint=how_to_install("postgres")) from error
    return psycopg


@lru_cache(maxsize=512)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")
