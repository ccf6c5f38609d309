"""The file engine: opens, creates and upgrades a gallery file, and guards whose vectors it holds.

Creation is one transaction (all steps and the origin together), so that a process killed meanwhile leaves
either a gallery or an empty file, which counts as none.
"""

import sqlite3
from pathlib import Path

from multiface.errors import FingerprintMismatch, GalleryError
from multiface.gallery import schema
from multiface.gallery.clock import utc_now
from multiface.gallery.connection import BadContent, Database, gallery_path
from multiface.gallery.engine import VectorOrigin

BUSY_SECONDS = 10.0
GONE = "dlib"
"""Weights that were the default once, in galleries that are still about."""


class SqliteGallery:
    """An open gallery file; threads may share it, every process opens its own."""

    def __init__(self, database: Database, origin: VectorOrigin) -> None:
        self.database = database
        self.origin = origin

    @staticmethod
    def open(
        location: str | Path,
        origin: VectorOrigin | None,
        *,
        create: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> "SqliteGallery":
        """Open a gallery file, upgrading an older one.

        location: a path or `sqlite:///path`.
        origin: the embedder in use; None to take whatever the file holds (listing, renaming, removing).
        create: make the gallery if there is none; needs an origin.
        busy_seconds: how long to wait for another process that writes.

        Raises GalleryError if there is no gallery or it cannot be read, FingerprintMismatch if it holds
        vectors of another embedder or with the other choice of mirror images, NotAvailable for a
        PostgreSQL URL.
        """
        if create and origin is None:
            raise ValueError("creating a gallery needs an origin")
        database = Database(gallery_path(location), create=create, busy_seconds=busy_seconds)
        try:
            held = _settle(database, origin if create else None)
            if origin is not None:
                require_same_embedder(database.path, held, origin)
        except BaseException:
            database.close()
            raise
        return SqliteGallery(database, held)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self.database.close()


def _settle(database: Database, new: VectorOrigin | None) -> VectorOrigin:
    """Create the gallery if it is empty and `new` is given, take missing steps, return its origin."""
    with database.reading() as connection:
        found = schema.version(connection)
    if found == 0 and new is None:
        raise GalleryError(
            f"gallery {database.path}: the file is empty, there is no gallery in it; enrol a person first"
        )
    if database.read_only and found < schema.VERSION:
        raise GalleryError(
            f"gallery {database.path}: an older version made it, and to bring it up to date it must be written; "
            "open it once where it may be written, or copy it to a folder of your own"
        )
    database.use_write_ahead_log()
    if found == 0 and new is not None:
        with database.writing(foreign_keys=False) as connection:
            if schema.version(connection) == 0:  # asked again: another process may have been faster
                for number in range(1, schema.VERSION + 1):
                    schema.take_step(connection, number)
                _write_origin(connection, new)
    if found < schema.VERSION:
        for number in range(2, schema.VERSION + 1):
            with database.writing(foreign_keys=False) as connection:
                if schema.version(connection) < number:
                    schema.take_step(connection, number)
    with database.reading() as connection:
        return _read_origin(connection)


def _write_origin(connection: sqlite3.Connection, origin: VectorOrigin) -> None:
    connection.execute(
        """
        INSERT INTO origin (id, fingerprint, weights, detector, dimension, flip, created)
        VALUES (1, ?, ?, ?, ?, ?, ?)
        """,
        (origin.fingerprint, origin.weights, origin.detector, origin.dimension, origin.flip, utc_now()),
    )


def _read_origin(connection: sqlite3.Connection) -> VectorOrigin:
    row = connection.execute("SELECT fingerprint, weights, detector, dimension, flip FROM origin").fetchone()
    try:
        fingerprint, weights, detector, dimension, flip = row
        return VectorOrigin(str(fingerprint), str(weights), str(detector), int(dimension), bool(int(flip)))
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: it does not say which weights its vectors are of") from error


def require_same_embedder(path: Path, held: VectorOrigin, used: VectorOrigin) -> None:
    """Raises FingerprintMismatch where vectors of the two cannot be compared. path: of the gallery."""
    if (held.fingerprint, held.dimension) == (used.fingerprint, used.dimension):
        if held.flip == used.flip:
            return
        how, option = ("together with", "--flip") if held.flip else ("without", "--no-flip")
        raise FingerprintMismatch(
            f"gallery {path}: holds vectors of faces embedded {how} their mirror images, and others "
            f"cannot be compared with them; use {option}, or make a new gallery from the pictures"
        )
    if held.weights == GONE:
        raise FingerprintMismatch(
            f"gallery {path}: holds vectors of dlib's network, which is no longer part of MultiFace; make a new "
            f"gallery from the pictures: multiface facebank FOLDER --gallery NEW"
        )
    raise FingerprintMismatch(
        f"gallery {path}: holds vectors of the weights {held.weights!r} ({held.fingerprint[:12]}, "
        f"{held.dimension} numbers), but {used.weights!r} ({used.fingerprint[:12]}, {used.dimension} "
        f"numbers) is in use, and these cannot be compared; use --weights {held.weights}, or make a new "
        "gallery from the pictures with the weights in use"
    )
