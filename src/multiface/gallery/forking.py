"""SQLite files and fork(2): connections are closed before a fork, and each side opens its own afterwards.

SQLite keeps account of its locks in the process; a child that inherits the account, but not the locks, would write
where another process does. A file on which the forking or another thread has a transaction under way cannot be closed:
the parent goes on with it, and in the child it can be neither used nor opened again.
Source: sqlite.org, "How To Corrupt An SQLite Database File", section 2.6.
"""

import os
import sqlite3
import threading
import weakref
from pathlib import Path
from typing import Protocol

IN_USE = (
    "it was in use when this process was forked, and cannot be used in it; fork between two changes, "
    "or start the process anew (multiprocessing's `spawn`)"
)


class Forked(Protocol):
    """An open file."""

    path: Path

    def before_fork(self) -> None:
        """Close what can be closed, and keep others from opening it."""

    def after_fork_in_parent(self) -> None:
        """Undo that."""

    def after_fork_in_child(self) -> sqlite3.Connection | None:
        """Begin anew; what could not be closed."""


guard = threading.RLock()
"""Held while a file is made or opened, and by a fork."""

_open: "weakref.WeakSet[Forked]" = weakref.WeakSet()
_files_at_fork: list[Forked] = []
_lost: dict[tuple[int, int], sqlite3.Connection] = {}
"""Device and inode -> a connection of the parent. Kept, since even closing it would touch the file."""


def register(file: Forked) -> None:
    """Look after a file at each fork for as long as it exists."""
    with guard:
        _open.add(file)


def is_lost(path: Path) -> bool:
    """Whether a connection of the parent to this file could not be closed before the fork."""
    if not _lost:
        return False
    status = path.stat()
    return (status.st_dev, status.st_ino) in _lost


def _before() -> None:
    guard.acquire()
    _files_at_fork[:] = _open
    for file in _files_at_fork:
        file.before_fork()


def _in_parent() -> None:
    for file in _files_at_fork:
        file.after_fork_in_parent()
    _files_at_fork.clear()
    guard.release()


def _in_child() -> None:
    for file in _files_at_fork:
        connection = file.after_fork_in_child()
        if connection is not None:
            status = file.path.stat()
            _lost[status.st_dev, status.st_ino] = connection
    _files_at_fork.clear()
    guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
