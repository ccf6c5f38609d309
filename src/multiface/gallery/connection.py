"""One SQLite file and one connection to it, shared by a process's threads behind a lock.

The file is in WAL mode with synchronous=FULL: what a finished transaction wrote survives a crash.
secure_delete overwrites deleted content with zeros. Where the file or its folder may not be written it is opened for
reading only. Each `reading` is one snapshot, each `writing` one transaction that either happens wholly or not at all;
neither nests. No connection crosses a fork: see `forking`.
Every error of SQLite leaves as a GalleryError that names the file, or as what the kind of file has for it: the room
`video` keeps its events in such a file too.

Nothing here opens the file but SQLite: closing any other handle on it drops all locks that this process holds on it
(POSIX; source: "How To Corrupt An SQLite Database File", section 2.2), and two writers then overwrite each other.
"""

import contextlib
import errno
import os
import re
import shutil
import sqlite3
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from multiface.atomic_write import whole_file
from multiface.errors import GalleryBusy, GalleryError, GalleryReadOnly, InputError, UsageError, about
from multiface.gallery import forking
from multiface.gallery.database import Revision
from multiface.gallery.sql import Connection
from multiface.regular_file import keep_shut, open_regular

_LOCKING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL)
_NOT_THERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_SMALLEST = 512
"""Bytes of SQLite's smallest page."""


def gallery_path(location: str | Path) -> Path:
    """The file that a location names: a path, or `sqlite:///path` (three slashes and a path as it is).

    Raises UsageError for URLs of other kinds; `is_postgres` knows one of them.
    """
    text = os.fspath(location)
    if "\0" in text:
        raise UsageError("gallery: a null character in the path", hint="give the path of a file")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", text)
    if scheme is None:
        if not text.strip():
            raise UsageError("gallery: an empty name", hint="give the path of a file such as gallery.db")
        return Path(text)
    kind = scheme[1].lower()
    if kind == "sqlite":
        if not text[7:].startswith("///") or len(text) == len("sqlite:///"):
            raise UsageError(
                f"gallery {without_password(text)}: names no file", hint="write sqlite:///path/to/gallery.db"
            )
        return Path(text[len("sqlite:///") :])
    raise UsageError(
        f"gallery {without_password(text)}: {kind}:// is not known",
        hint="give a path, sqlite:///path or postgresql://host/database",
    )


def is_postgres(location: str | Path) -> bool:
    """Whether a location is the URL of a PostgreSQL database."""
    return (
        isinstance(location, str)
        and re.match(r"postgres(ql)?(\+\w+)?:/", location, re.IGNORECASE) is not None
    )


class BadContent(Exception):
    """SQLite could read it, but it is not what such a file holds; a `Database` makes it the kind's error."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is called in messages, which error they are, and what to do where there is none."""

    name: str
    error: type[InputError]
    missing: str
    busy: type[InputError]
    read_only: type[InputError]


GALLERY_FILE = FileKind(
    "gallery", GalleryError, "enrol a person first to make one", GalleryBusy, GalleryReadOnly
)


def table_version(connection: sqlite3.Connection, application: int, foreign: str) -> int:
    """The version of a file's tables, as `PRAGMA user_version` holds it; 0 for an empty file.

    application: the `PRAGMA application_id` of our files of this kind. foreign: what is said of a file that has
    another one. Raises BadContent for such a file.
    """
    (found_application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found_application == 0 and found == 0 and tables == 0:
        return 0
    if found_application != application:
        raise BadContent(foreign)
    return int(found)


class Database:
    """An open file. Closing it twice is fine; using it afterwards raises GalleryError, or the kind's error."""

    def __init__(
        self, path: Path, *, create: bool, busy_seconds: float, kind: FileKind = GALLERY_FILE
    ) -> None:
        """Open the file; nothing is written to an existing one before `settle`.

        create: whether a missing file is made, or an empty one filled (readable by its owner only: it will hold
        biometric data).
        busy_seconds: how long to wait while another process writes.
        """
        self.path = path
        self._kind = kind
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._closed = False
        self._commits = 0
        self._connections = 0
        self._held_for_fork = False
        self._connection: sqlite3.Connection | None = None
        self._let_go: Callable[[], object] = lambda: None
        self.look_first: Callable[[Connection], None] = lambda _: None
        """Called at the beginning of each transaction; what it raises ends the transaction."""
        with about(path):
            self.read_only = _check_place(path, create, kind)
        """Whether the file or its folder may not be written; every `writing` then raises the kind's error."""
        self._as_opened: tuple[int, ...] | None = None
        with self._translated():
            # A file that one thread makes must be closed before SQLite locks it for another.
            with forking.guard:
                if create:
                    _make_private(path)
            self._connected()
        forking.register(self)

    def use_write_ahead_log(self) -> None:
        """Switch the file to WAL mode if it is not; a file system that cannot is left as it is."""
        if self.read_only:
            return
        with self._lock, self._translated():
            connection = self._connected()
            give_up = time.monotonic() + self._busy_seconds
            while True:
                (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
                if mode == "wal":
                    return
                try:
                    connection.execute("PRAGMA journal_mode = WAL").fetchone()
                    return
                except sqlite3.OperationalError as error:
                    # SQLite gives up at once where another connection holds the write lock in rollback mode.
                    if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                        raise
                    time.sleep(0.02)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A snapshot: all that is read inside belongs to one moment."""
        with self._lock, self._translated():
            if self._as_opened not in (None, _state(self.path)):
                self._disconnect()
            connection = self._connected()
            connection.execute("BEGIN")
            try:
                self.look_first(connection)
                yield connection
            finally:
                if connection is self._connection and connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def writing(self, foreign_keys: bool = True) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed to disk at the end, undone if anything is raised inside.

        foreign_keys: whether they are enforced; without them a table can be made anew under those that refer to it
        (https://sqlite.org/lang_altertable.html, section 7).
        """
        with self._lock, self._translated(), contextlib.ExitStack() as after:
            connection = self._connected()
            if not foreign_keys:
                connection.execute("PRAGMA foreign_keys = OFF")
                after.callback(self._enforce_foreign_keys, connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                self.look_first(connection)
                yield connection
                if connection is not self._connection:
                    raise BadContent(forking.IN_USE)
                connection.execute("COMMIT")
                self._commits += 1
            except BaseException:
                if connection is self._connection and connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _enforce_foreign_keys(self, connection: sqlite3.Connection) -> None:
        if connection is self._connection:
            connection.execute("PRAGMA foreign_keys = ON")

    def revision(self, connection: Connection) -> Revision:
        """Changes when the file's content did, by this process or another; read it inside `reading`."""
        (others,) = connection.execute("PRAGMA data_version").fetchone()
        return Revision(self._connections, int(others), self._commits)

    def last_id(self, connection: Connection, table: str) -> int:
        """The greatest id that a table with AUTOINCREMENT ever gave; 0 for none."""
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return 0 if row is None else int(row[0])

    def purge_log(self) -> bool:
        """Move the write-ahead log into the file and empty it, so that deleted content is gone from both.

        False if another process was reading for so long that the log could not be emptied.
        """
        with self._lock, self._translated():
            (busy, _, _) = self._connected().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

    @property
    def place(self) -> str:
        """The kind and the path, as messages begin."""
        return f"{self._kind.name} {self.path}"

    @property
    def location(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def lingering(self) -> str:
        """What to say of deleted content where `purge_log` is False."""
        return "another process is reading; what was removed leaves the file when the last process closes it"

    def faults(self, connection: Connection) -> list[str]:
        """What SQLite's own checks find, a line each."""
        lines = connection.execute("PRAGMA integrity_check").fetchall()
        found = [f"file: {line}" for (line,) in lines if line != "ok"]
        rows = connection.execute("PRAGMA foreign_key_check").fetchall()
        return found + [
            f"{table} row {row}: names a {parent} that is not there" for table, row, parent, _ in rows
        ]

    def backup(self, path: Path) -> None:
        """Write a copy of everything, as it is at one moment, to a file that only its owner may read.

        Raises UsageError if the file cannot be written.
        """
        try:
            with (
                tempfile.TemporaryDirectory(prefix=".multiface-", dir=path.parent) as folder,
                whole_file(path, private=True) as file,
            ):
                copy = Path(folder) / "copy"
                with self._lock, self._translated():
                    self._connected().execute("VACUUM INTO ?", (str(copy),))
                with open_regular(copy) as made:
                    shutil.copyfileobj(made, file)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: cannot be written ({error})", path=path) from error

    def is_there(self) -> bool:
        """Whether the path leads to a file."""
        return self.path.exists()

    def close(self) -> None:
        """Close the connection; the last one to close empties the write-ahead log."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def before_fork(self) -> None:
        """Close the connection if no transaction is under way on it; it is opened again when it is next needed."""
        self._held_for_fork = self._lock.acquire(timeout=self._busy_seconds)
        if self._held_for_fork and self._connection is not None and not self._connection.in_transaction:
            self._disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held_for_fork:
            self._lock.release()

    def after_fork_in_child(self) -> sqlite3.Connection | None:
        """Begin anew; the connection that was in use and must never be touched or closed here, if there is one."""
        self._lock = threading.RLock()
        lost, self._connection = self._connection, None
        return lost

    def _connected(self) -> sqlite3.Connection:
        """The connection, made if there is none."""
        if self._connection is None:
            with forking.guard:
                if forking.is_lost(self.path):
                    raise BadContent(forking.IN_USE)
                self._let_go = keep_shut(self, self.path)
                connection = sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?{self._mode()}",
                    uri=True,
                    timeout=self._busy_seconds,
                    isolation_level=None,
                    check_same_thread=False,
                )
            try:
                # A reserved lock is never needed to read these, so a foreign file stays untouched.
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("PRAGMA trusted_schema = OFF")
            except BaseException:
                connection.close()
                self._let_go()
                raise
            self._connection = connection
            self._connections += 1
        return self._connection

    def _mode(self) -> str:
        """How SQLite is to open the file.

        A log that is there belongs to somebody who writes, and SQLite can read along. Where there is none, it cannot
        make the one that it needs to read, and is told that the file does not change; `reading` looks whether it did.
        """
        if not self.read_only:
            return "mode=rw"
        state = _state(self.path)
        if state[-1]:
            self._as_opened = None
            return "mode=ro"
        self._as_opened = state
        return "mode=ro&immutable=1"

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._let_go()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        kind, where = self._kind, self.place
        with about(self.path):
            if self._closed:
                raise kind.error(f"{where}: already closed")
            with self._explaining(where):
                yield

    @contextlib.contextmanager
    def _explaining(self, where: str) -> Iterator[None]:
        kind = self._kind
        try:
            yield
        except sqlite3.Error as error:
            why = _no_locks(self.path.parent) if _code(error) in _LOCKING else None
            told = f"{where}: {why or _explained(error, self._busy_seconds, kind)}"
            if why is None and _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise kind.busy(told) from error
            raise (kind.read_only if _code(error) == sqlite3.SQLITE_READONLY else kind.error)(told) from error
        except UnicodeDecodeError as error:  # SQLite quotes the file's own bytes in its message
            raise kind.error(f"{where}: {_damaged('unreadable text')}") from error
        except BadContent as error:
            raise kind.error(f"{where}: {error}") from error
        except OSError as error:
            raise kind.error(f"{where}: {error.strerror or error}") from error


def _make_private(path: Path) -> None:
    """Make the file where there is none, and take an empty one from everybody but its owner.

    Raises PermissionError where the empty one is another user's, who could read all that would be written into it.
    """
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    elif path.stat().st_size == 0 and stat.S_IMODE(path.stat().st_mode) != 0o600:
        path.chmod(0o600)


def _state(path: Path) -> tuple[int, ...]:
    """What changes when the file does: inode, size, time of change (ns), and at the end the size of its log."""
    status, log = path.stat(), path.with_name(path.name + "-wal")
    return status.st_ino, status.st_size, status.st_mtime_ns, log.stat().st_size if log.exists() else 0


def _check_place(path: Path, create: bool, kind: FileKind) -> bool:
    """Whether it can only be read. Raises the kind's error where the file system alone says that it cannot be opened.

    create: it is to be written, too.
    """
    where = f"{kind.name} {path}"
    try:
        if path.is_dir():
            raise kind.error(f"{where}: it is a folder; wanted the path of a file")
        folder = path.absolute().parent
        if not folder.is_dir():
            raise kind.error(f"{where}: there is no folder {folder}; create it first")
        if not path.exists():
            if not create:
                raise kind.error(f"{where}: there is no such file; {kind.missing}")
        else:
            if not path.is_file():
                raise kind.error(f"{where}: it is not a regular file")
            if 0 < path.stat().st_size < _SMALLEST:  # SQLite would take it for an empty file
                raise kind.error(
                    f"{where}: it is not a {kind.name} (no SQLite database); it was left as it is"
                )
            if not os.access(path, os.R_OK):
                raise kind.error(
                    f"{where}: no permission to read it; change its permissions or copy it to a folder of your own"
                )
            if not create and not (os.access(path, os.W_OK) and os.access(folder, os.W_OK | os.X_OK)):
                return True
            if not os.access(path, os.W_OK):
                raise kind.error(f"{where}: no permission to write it; change its permissions or use another")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise kind.error(
                f"{where}: no permission to write in the folder {folder} (SQLite keeps its log "
                "there); change its permissions or use another folder"
            )
        return False
    except PermissionError as error:
        raise kind.error(f"{where}: no permission to enter the folders above it") from error
    except OSError as error:
        raise kind.error(f"{where}: {error.strerror or error}") from error


def _no_locks(folder: Path) -> str | None:
    """What to say where the file system has no locks (some network file systems), which SQLite takes for others'.

    A new file is tried: no file that is open may be opened again.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return f"the file system has no locks ({error.strerror}); put it on a disk of this machine"
    return None


def _explained(error: sqlite3.Error, waited: float, kind: FileKind) -> str:
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"another process kept it locked for {waited:g} seconds; try again when that one is done"
    if code == sqlite3.SQLITE_NOTADB:
        return f"it is not a {kind.name} (no SQLite database); it was left as it is"
    if code == sqlite3.SQLITE_READONLY:
        return "it cannot be written (read-only file, folder or disk)"
    if code == sqlite3.SQLITE_FULL:
        return "the disk is full; nothing of the last change was kept"
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return f"it cannot be opened ({error}); check the permissions of the file and its folder"
    if code == sqlite3.SQLITE_IOERR:
        return f"the disk or file system failed ({error}); nothing of the last change was kept"
    if code == sqlite3.SQLITE_CONSTRAINT:
        return (
            f"the change does not fit what is in it ({error}), perhaps because another process changed it at "
            "the same time; nothing of this change was kept: try again, and if that does not help, check it"
        )
    return _damaged(str(error))


def _damaged(how: str) -> str:
    return (
        f"it is damaged ({how}); it was left as it is: restore a backup, "
        "or save what is readable with `sqlite3 FILE .recover`"
    )


def _code(error: sqlite3.Error) -> int | None:
    """The primary result code; None where the module itself (decoding, say) failed."""
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def without_password(url: str) -> str:
    """The URL without its user part and its query; a password may hold any character, also unquoted."""
    scheme, slashes, rest = re.split(r"(:/+)", url, maxsplit=1)
    _, at, place = rest.rpartition("@")
    place, query, _ = place.partition("?")
    if re.search(
        r"[=&;]|:(?!\d+(/|$))", place
    ):  # a piece of a query or of a password stands where the host should
        place = ""
    return f"{scheme}{slashes}{'***@' if at else ''}{place}{'?...' if query else ''}"
