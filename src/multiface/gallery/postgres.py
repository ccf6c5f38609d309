"""A gallery in a PostgreSQL database: opened, created and upgraded.

Creation is one transaction, all steps and the origin together.
"""

import os
from pathlib import Path

from multiface.errors import GalleryError
from multiface.gallery import postgres_schema
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.origin_rows import holding, read_origin, require_same_embedder, write_origin
from multiface.gallery.postgres_connection import PostgresDatabase


class PostgresGallery:
    """A gallery on a server; threads may share it, every process opens its own. origin: as in `SqliteGallery`."""

    def __init__(self, database: PostgresDatabase, origin: VectorOrigin) -> None:
        self.database = database
        self.origin = origin

    @staticmethod
    def open(
        location: str | Path, origin: VectorOrigin | None, *, create: bool = False, busy_seconds: float = 10.0
    ) -> "PostgresGallery":
        """Open a gallery, upgrading an older one. Arguments and errors as in `Gallery.open`."""
        if create and origin is None:
            raise ValueError("creating a gallery needs an origin")
        database = PostgresDatabase(os.fspath(location), busy_seconds=busy_seconds)
        try:
            held = _settle(database, origin if create else None)
            if origin is not None:
                require_same_embedder(database.place, held, origin)
        except BaseException:
            database.close()
            raise
        database.look_first = holding(database.place, held)
        return PostgresGallery(database, held)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self.database.close()


def _settle(database: PostgresDatabase, new: VectorOrigin | None) -> VectorOrigin:
    """Create the gallery if there is none and `new` is given, take missing steps, return its origin."""
    with database.reading() as connection:
        found = postgres_schema.version(connection)
    if found == 0 and new is None:
        raise GalleryError(
            f"{database.place}: there is no gallery in this database", hint="enrol a person first to make one"
        )
    if found < postgres_schema.VERSION:
        with database.writing() as connection:
            found = postgres_schema.version(connection)  # asked again: another process may have been faster
            for number in range(found + 1, postgres_schema.VERSION + 1):
                postgres_schema.take_step(connection, number)
            if found == 0 and new is not None:
                write_origin(connection, new)
    with database.reading() as connection:
        return read_origin(connection)
