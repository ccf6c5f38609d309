"""A gallery in an SQLite file: opened, created and upgraded; whose vectors it holds is guarded.

Creation is one transaction (all steps and the origin together), so that a process killed meanwhile leaves
either a gallery or an empty file, which counts as none.
"""

from pathlib import Path

from multiface.errors import GalleryError
from multiface.gallery import schema
from multiface.gallery.connection import Database, gallery_path
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.origin_rows import holding, read_origin, require_same_embedder, write_origin

BUSY_SECONDS = 10.0


class SqliteGallery:
    """An open gallery file; threads may share it, every process opens its own.

    origin: whose vectors it held when it was opened; once it holds others, every use raises FingerprintMismatch.
    """

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
                require_same_embedder(database.place, held, origin)
        except BaseException:
            database.close()
            raise
        database.look_first = holding(database.place, held)
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
            f"gallery {database.path}: the file is empty, there is no gallery in it",
            hint="enrol a person first",
            path=database.path,
        )
    if database.read_only and found < schema.VERSION:
        raise GalleryError(
            f"gallery {database.path}: an older version made it, and to bring it up to date it must be written",
            hint="open it once where it may be written, or copy it to a folder of your own",
            path=database.path,
        )
    database.use_write_ahead_log()
    if found == 0 and new is not None:
        with database.writing(foreign_keys=False) as connection:
            if schema.version(connection) == 0:  # asked again: another process may have been faster
                for number in range(1, schema.VERSION + 1):
                    schema.take_step(connection, number)
                write_origin(connection, new)
    if found < schema.VERSION:
        for number in range(2, schema.VERSION + 1):
            with database.writing(foreign_keys=False) as connection:
                if schema.version(connection) < number:
                    schema.take_step(connection, number)
    with database.reading() as connection:
        return read_origin(connection)
