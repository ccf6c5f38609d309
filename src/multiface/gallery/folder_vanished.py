"""Pictures of a folder that are not there any more: how that is told, and what goes with them.

Always the disk is asked, never a listing made earlier: another process may have put a picture there
meanwhile. What cannot be asked (no permission, a failing drive) does not count as gone.
"""

from pathlib import Path

from multiface.gallery import folder_rows
from multiface.gallery.clock import modified_ns
from multiface.gallery.folder_rows import FolderRow
from multiface.gallery.gallery import Gallery
from multiface.gallery.sql import Connection
from multiface.images.path_text import path_text


def content_is_gone(folder: Path, row: FolderRow) -> bool:
    """Whether the file that a row of this folder stands for is missing or has changed since."""
    try:
        facts = (folder / row.path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return (facts.st_size, modified_ns(facts)) != (row.size, row.modified_ns)


def folder_is_gone(folder: str) -> bool:
    """Whether a folder, as rows name it, was moved, renamed or deleted."""
    if "\\udc" in folder:  # a name that is not UTF-8 was written down in another form, and is not found by it
        return False
    try:
        Path(folder).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def drop_with_template(connection: Connection, row: FolderRow) -> bool:
    """Delete a row, and its template if a folder brought it in and no other place keeps it; whether it did.

    Places in folders that are gone keep nothing. Runs inside the caller's transaction.
    """
    folder_rows.drop(connection, row)
    if not (row.kept and row.owned) or row.template_id is None:
        return False
    if not all(folder_is_gone(other.folder) for other in folder_rows.keepers(connection, row.template_id)):
        return False
    return folder_rows.remove_template(connection, row.template_id)


def drop_vanished(gallery: Gallery, folder: Path, like: Gallery) -> int:
    """Remove from a gallery the templates of pictures that vanished from a folder; how many there were.

    like: another gallery that was just brought up to date with the folder: what it knows there, at whatever
        path, stays. Nothing is embedded. Raises GalleryError if a gallery cannot be read or written.
    """
    root = path_text(folder.resolve())
    with like.database.reading() as connection:
        present = {row.digest for row in folder_rows.rows_of(connection, root)}

    def vanished(connection: Connection) -> list[FolderRow]:
        rows = folder_rows.rows_of(connection, root)
        return [row for row in rows if row.digest not in present and content_is_gone(folder, row)]

    with gallery.database.reading() as connection:
        if not vanished(connection):
            return 0
    with gallery.database.writing() as connection:
        removed = sum(drop_with_template(connection, row) for row in vanished(connection))
    gallery.database.purge_log()
    return removed
