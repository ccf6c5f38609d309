"""A copy of a gallery file as it is before a newer version of MultiFace changes its tables."""

from contextlib import closing
from pathlib import Path

from multiface.gallery import schema
from multiface.gallery.connection import Database, gallery_path, is_postgres
from multiface.gallery.sqlite import BUSY_SECONDS


def copy_before_upgrade(location: str) -> Path | None:
    """Copy a gallery file that an older version made, beside it; where to. None where nothing has to be changed.

    A copy of that version that is there already stays. The copy holds everybody until somebody deletes it. Raises
    GalleryError if the gallery cannot be read, UsageError if the copy cannot be written. A database of a server is not
    copied: `pg_dump` does that.
    """
    if is_postgres(location):
        return None
    path = gallery_path(location)
    if not path.is_file():
        return None
    with closing(Database(path, create=False, busy_seconds=BUSY_SECONDS)) as database:
        with database.reading() as connection:
            found = schema.version(connection)
        if found in (0, schema.VERSION):
            return None
        copy = path.with_name(f"{path.name}.schema-{found}")
        if not copy.exists():
            database.backup(copy)
    return copy
