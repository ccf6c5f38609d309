"""Events that outlive a crash: one SQLite file, in which each event has a number before anybody is told of it.

Numbers rise by one from 1 and are never given twice, also when old events are forgotten. The file also holds how far
each webhook has been told (`delivered`), by a digest of its address. It is as durable as a gallery
(`gallery.connection`): WAL, synchronous=FULL, readable by its owner only, deleted content overwritten.
`PRAGMA application_id` is "MFev", `PRAGMA user_version` the version of the tables.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from multiface.errors import InputError, UsageError
from multiface.file_lock import opened_alone
from multiface.gallery.connection import BadContent, Database, FileKind, table_version
from multiface.images.path_text import path_text
from multiface.json_text import parse_json
from multiface.video.events.lateness import Lateness
from multiface.video.results import Event

APPLICATION_ID = int.from_bytes(b"MFev", "big")
VERSION = 1

MOST_WAITING = 100_000
"""Events that are kept for a target that has not been told, however old they are."""

_EVERYTHING = 2**63 - 1
_KIND = FileKind(
    "file of events", InputError, "a camera run that stores its events makes one", InputError, InputError
)
_TABLES = (
    """
    CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        session TEXT NOT NULL,
        stored TEXT NOT NULL,
        document TEXT NOT NULL
    )
    """,
    "CREATE INDEX event_stored ON event (stored)",
    "CREATE TABLE delivered (target TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
)
_BUSY_SECONDS = 10.0
_PAGE = 256


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its number.

    session: which run it belongs to. stored: when, UTC, ISO 8601 with milliseconds. event: its document, see
    `results.Event.document`.
    """

    number: int
    session: str
    stored: str
    event: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """The event as it is announced: number, session and stored, then the fields of the event."""
        return {"number": self.number, "session": self.session, "stored": self.stored, **self.event}


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `forget` did.

    events: how many were removed. dropped: how many of them a target had not been told. waiting: how many are old
    enough, and kept for a target that has not been told. purged: whether the removed ones have left the file's bytes
    (else when the last process closes it).
    """

    events: int
    dropped: int
    waiting: int
    purged: bool


@contextmanager
def written_by_one(path: Path) -> Iterator[None]:
    """Only one process at a time writes its events there; reading is free. To be entered before the store is opened.

    Raises UsageError where another process does, InputError where the file cannot be opened.
    """
    try:
        # A file of its own: closing a handle on the store would take SQLite's own locks away.
        file = opened_alone(path.with_name(path.name + "-lock"))
    except OSError as error:
        raise InputError(
            f"{path_text(path)}: events cannot be kept there ({error.strerror})",
            path=path,
            hint="give another file",
        ) from error
    if file is None:
        raise UsageError(
            f"{path_text(path)}: another process keeps its events there now",
            path=path,
            hint="give each camera a file of its own",
        )
    with file:
        yield


class EventStore:
    """An open store of events. Threads may share it; processes open their own. Close it, or use `with`."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises InputError for what is not a store of events or cannot be written."""
        self._database = Database(path, create=True, busy_seconds=_BUSY_SECONDS, kind=_KIND)
        self._news = threading.Condition()
        self._lateness: dict[str, Lateness] = {}
        try:
            with self._database.reading() as connection:
                found = _version(connection)
            self._database.use_write_ahead_log()
            if found == 0:
                with self._database.writing() as connection:
                    if _version(connection) == 0:  # asked again: another process may have been faster
                        for statement in _TABLES:
                            connection.execute(statement)
                        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                        connection.execute(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            self._database.close()
            raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._database.close()

    def __enter__(self) -> "EventStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, session: str, event: Event, source: str | None = None) -> StoredEvent:
        """Keep an event; it is on the disk when this returns, and may be announced.

        session: any text that names the run. source: where it was seen, without credentials; `source` of the document.
        Raises InputError (a full disk, say); the event is not kept then.
        """
        stored = _time(datetime.now(UTC))
        with self._database.writing() as connection:
            # Inside the transaction, so that threads take their turns.
            document = self._lateness.setdefault(session, Lateness()).document(event)
            document |= {} if source is None else {"source": source}
            text = json.dumps(document, allow_nan=False)  # in ASCII: names may hold what is no UTF-8
            cursor = connection.execute(
                "INSERT INTO event (session, stored, document) VALUES (?, ?, ?)", (session, stored, text)
            )
        assert cursor.lastrowid is not None
        with self._news:
            self._news.notify_all()
        return StoredEvent(cursor.lastrowid, session, stored, document)

    def since(self, number: int) -> Iterator[StoredEvent]:
        """The events after this number (0: all), in their order, up to the last one there is."""
        while page := self._page(number):
            yield from page
            number = page[-1].number

    def next_after(self, number: int) -> StoredEvent | None:
        """The first event after this number, or None."""
        page = self._page(number, 1)
        return page[0] if page else None

    def missing(self, after: int, number: int) -> int:
        """How many events between two numbers were forgotten, where `number` is the first that is kept."""
        return number - after - 1

    def wait(self, number: int, seconds: float) -> None:
        """Return when there is an event after this number, at the latest after so many seconds.

        An event of another process is noticed only when the time is over.
        """
        with self._news:
            if self.next_after(number) is None:
                self._news.wait(seconds)

    def wake(self) -> None:
        """Let all that wait return."""
        with self._news:
            self._news.notify_all()

    def last(self) -> int:
        """The highest number given so far; 0 for none."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
        return 0 if row is None else int(row[0])

    def forget(self, older_than: timedelta, most_waiting: int = MOST_WAITING) -> Forgotten:
        """Remove the events stored longer ago than this that every known target has been told; numbers go on as before.

        The clock may have jumped, so age alone removes nothing that is still to be told: of that, only what is in front
        of the newest `most_waiting` events is removed.
        """
        with self._database.writing() as connection:
            limit = _time(datetime.now(UTC) - older_than)
            (told,) = connection.execute("SELECT min(number) FROM delivered").fetchone()
            told = _EVERYTHING if told is None else int(told)
            count = connection.execute(
                "DELETE FROM event WHERE stored < ? AND number <= ?", (limit, told)
            ).rowcount
            dropped = connection.execute(
                """
                DELETE FROM event WHERE stored < ? AND number <=
                (SELECT number FROM event WHERE number > ? ORDER BY number DESC LIMIT 1 OFFSET ?)
                """,
                (limit, told, most_waiting),
            ).rowcount
            (waiting,) = connection.execute(
                "SELECT count(*) FROM event WHERE stored < ? AND number > ?", (limit, told)
            ).fetchone()
        return Forgotten(count + dropped, dropped, int(waiting), self._database.purge_log())

    def delivered(self, target: str) -> int | None:
        """The number up to which a target has been told; None for a target that is not known."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT number FROM delivered WHERE target = ?", (target,)).fetchone()
        return None if row is None else int(row[0])

    def set_delivered(self, target: str, number: int) -> None:
        """A target has been told up to this number."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO delivered VALUES (?, ?) ON CONFLICT (target) DO UPDATE SET number = excluded.number",
                (target, number),
            )

    def _page(self, number: int, most: int = _PAGE) -> list[StoredEvent]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT number, session, stored, document FROM event WHERE number > ? ORDER BY number LIMIT ?",
                (number, most),
            ).fetchall()
            return [_event(row) for row in rows]


def _event(row: tuple[Any, ...]) -> StoredEvent:
    number, session, stored, text = row
    try:
        document = parse_json(text)
    except (TypeError, ValueError) as error:
        raise BadContent(f"it is damaged: event {number} cannot be read") from error
    if not isinstance(document, dict):
        raise BadContent(f"it is damaged: event {number} is no event")
    return StoredEvent(int(number), str(session), str(stored), document)


def _version(connection: sqlite3.Connection) -> int:
    """The version of the tables; 0 for an empty file. Raises BadContent for a file of another program."""
    found = table_version(
        connection,
        APPLICATION_ID,
        "it is a SQLite database, but holds no events of MultiFace; choose another file",
    )
    if found > VERSION:
        raise BadContent(f"it was written by a newer MultiFace (version {found}); update MultiFace")
    return found


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
