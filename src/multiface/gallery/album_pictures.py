"""Photos and films of an album in SQL, and the files that hold them: each function is one thing done inside the
caller's transaction.

A picture is known by the sha256 of its file's bytes, so that one that is moved or copied is searched once. A file is
named by its folder (absolute) and its name there. A picture whose last file vanished is kept for a time, with what was
done to its faces by hand, so that nothing is lost when it comes back elsewhere.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from multiface.gallery.clock import utc_now
from multiface.gallery.sql import Connection, inserted_id


@dataclass(frozen=True, slots=True)
class NewPicture:
    """A photo or film that was searched for faces.

    digest: sha256, 64 lower-case hex digits. width, height: upright, in pixels; 0 where nothing could be decoded.
    taken: when, ISO 8601 without a zone, as the camera wrote it (`dated`), else the file's time of change, local.
    searched: by what, in words; another text means that it is to be searched again. refusal: why no face could be
    looked for; None where they were.
    """

    digest: str
    film: bool
    width: int
    height: int
    taken: str
    dated: bool
    searched: str
    refusal: str | None


@dataclass(frozen=True, slots=True)
class AlbumFile:
    """A file as it was last seen; size in bytes, modified_ns as `clock.modified_ns`."""

    folder: str
    name: str
    size: int
    modified_ns: int
    picture: int


@dataclass(frozen=True, slots=True)
class AlbumFolder:
    """A folder that was scanned. scanned: when last, UTC, ISO 8601. photos, films: files in it and below it."""

    folder: str
    scanned: str | None
    photos: int
    films: int


@dataclass(frozen=True, slots=True)
class Known:
    """A picture that is in the album: its row, and what it was searched with."""

    id: int
    searched: str
    refused: bool


_BELOW = "(folder = ? OR substr(folder, 1, ?) = ?)"
_LAST_BELOW = _BELOW.replace("folder", "last_folder")


def _below(folder: str) -> tuple[str, int, str]:
    """What `_BELOW` is filled with: a folder, and all that are in it."""
    prefix = folder if folder.endswith(os.sep) else folder + os.sep
    return folder, len(prefix), prefix


def files_below(connection: Connection, folder: str) -> dict[tuple[str, str], AlbumFile]:
    """The files in a folder and in those below it, by folder and name."""
    rows = connection.execute(
        f"SELECT folder, name, size, modified_ns, picture_id FROM album_file WHERE {_BELOW}", _below(folder)
    )
    files = (AlbumFile(str(row[0]), str(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows)
    return {(file.folder, file.name): file for file in files}


def known(connection: Connection, digest: str) -> Known | None:
    """The picture with this content."""
    row = connection.execute(
        "SELECT id, searched, refusal FROM album_picture WHERE digest = ?", (digest,)
    ).fetchone()
    return None if row is None else Known(int(row[0]), str(row[1]), row[2] is not None)


def size_of(connection: Connection, picture: int) -> tuple[int, int]:
    """Width and height of a picture, in pixels."""
    row = connection.execute("SELECT width, height FROM album_picture WHERE id = ?", (picture,)).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def digest_of(connection: Connection, picture: int) -> str:
    """The sha256 of a picture's content."""
    (digest,) = connection.execute("SELECT digest FROM album_picture WHERE id = ?", (picture,)).fetchone()
    return str(digest)


def picture_at(connection: Connection, folder: str, name: str) -> int | None:
    """The picture that a file holds."""
    row = connection.execute(
        "SELECT picture_id FROM album_file WHERE folder = ? AND name = ?", (folder, name)
    ).fetchone()
    return None if row is None else int(row[0])


def rows_of(connection: Connection, pictures: list[int]) -> list[tuple[int, int, int, int, str]]:
    """Pictures as (id, film, width, height, taken), by id."""
    found: list[tuple[int, int, int, int, str]] = []
    for part in parts(pictures):
        marks = ", ".join("?" * len(part))
        rows: Any = connection.execute(
            f"SELECT id, film, width, height, taken FROM album_picture WHERE id IN ({marks}) ORDER BY id",
            part,
        )
        found += [(int(row[0]), int(row[1]), int(row[2]), int(row[3]), str(row[4])) for row in rows]
    return found


def all_known(connection: Connection) -> dict[str, Known]:
    """All pictures, by digest."""
    rows = connection.execute("SELECT digest, id, searched, refusal FROM album_picture")
    return {str(row[0]): Known(int(row[1]), str(row[2]), row[3] is not None) for row in rows}


def last_of_person(connection: Connection, person: int) -> tuple[int, str] | None:
    """The id of the picture with this person that was taken last, and when; None where there is none."""
    row = connection.execute(
        """
        SELECT album_picture.id, taken FROM album_face JOIN album_picture ON album_picture.id = picture_id
        WHERE person_id = ? AND vanished IS NULL ORDER BY taken DESC, album_picture.id DESC LIMIT 1
        """,
        (person,),
    ).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def add_picture(connection: Connection, new: NewPicture) -> int:
    """Write a picture down; its row."""
    cursor = connection.execute(
        """
        INSERT INTO album_picture (digest, film, width, height, taken, dated, searched, refusal)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (digest) DO UPDATE SET width = excluded.width, height = excluded.height,
            taken = excluded.taken, dated = excluded.dated, searched = excluded.searched, refusal = excluded.refusal
        RETURNING id
        """,
        (
            new.digest,
            int(new.film),
            new.width,
            new.height,
            new.taken,
            int(new.dated),
            new.searched,
            new.refusal,
        ),
    )
    return inserted_id(cursor)


def put_file(connection: Connection, file: AlbumFile) -> bool:
    """Write down that a file holds a picture, which has not vanished then; whether it had."""
    _note_folder(connection, file.folder, file.name)  # of the picture that it held before
    connection.execute(
        """
        INSERT INTO album_file (folder, name, size, modified_ns, picture_id) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (folder, name) DO UPDATE SET size = excluded.size, modified_ns = excluded.modified_ns,
            picture_id = excluded.picture_id
        """,
        (file.folder, file.name, file.size, file.modified_ns, file.picture),
    )
    cursor = connection.execute(
        "UPDATE album_picture SET vanished = NULL WHERE id = ? AND vanished IS NOT NULL", (file.picture,)
    )
    return int(cursor.rowcount) > 0


def drop_file(connection: Connection, folder: str, name: str) -> None:
    """A file is not there any more."""
    _note_folder(connection, folder, name)
    connection.execute("DELETE FROM album_file WHERE folder = ? AND name = ?", (folder, name))


def _note_folder(connection: Connection, folder: str, name: str) -> None:
    """Write down of the picture in a file where it was, in case that the file was its last."""
    connection.execute(
        """
        UPDATE album_picture SET last_folder = ?
        WHERE id = (SELECT picture_id FROM album_file WHERE folder = ? AND name = ?)
        """,
        (folder, folder, name),
    )


def mark_vanished(connection: Connection) -> list[int]:
    """Write down of pictures without a file that they vanished now; which did."""
    rows = connection.execute(
        """
        UPDATE album_picture SET vanished = ? WHERE vanished IS NULL
            AND NOT EXISTS (SELECT 1 FROM album_file WHERE picture_id = album_picture.id)
        RETURNING id
        """,
        (utc_now(),),
    ).fetchall()
    return [int(number) for (number,) in rows]


def forget_vanished(connection: Connection, before: str) -> int:
    """Remove the pictures that vanished before a time (UTC, ISO), with their faces; how many there were."""
    cursor = connection.execute("DELETE FROM album_picture WHERE vanished < ?", (before,))
    return int(cursor.rowcount)


def forget_folder(connection: Connection, folder: str) -> int:
    """Remove the files in a folder and below it, and the pictures that are nowhere else, or whose last file vanished
    from there, or from nobody knows where; how many files there were.
    """
    below = _below(folder)
    connection.execute(f"DELETE FROM album_folder WHERE {_BELOW}", below)
    connection.execute(
        f"UPDATE album_picture SET last_folder = ? WHERE id IN (SELECT picture_id FROM album_file WHERE {_BELOW})",
        (folder, *below),
    )
    cursor = connection.execute(f"DELETE FROM album_file WHERE {_BELOW}", below)
    connection.execute(
        f"""
        DELETE FROM album_picture WHERE (last_folder IS NULL OR {_LAST_BELOW})
            AND NOT EXISTS (SELECT 1 FROM album_file WHERE picture_id = album_picture.id)
        """,
        below,
    )
    return int(cursor.rowcount)


def put_folder(connection: Connection, folder: str) -> None:
    """Write down that a folder was scanned now."""
    connection.execute(
        """
        INSERT INTO album_folder (folder, scanned) VALUES (?, ?)
        ON CONFLICT (folder) DO UPDATE SET scanned = excluded.scanned
        """,
        (folder, utc_now()),
    )


def folders(connection: Connection) -> tuple[AlbumFolder, ...]:
    """The folders that were scanned, by name."""
    rows = connection.execute("SELECT folder, scanned FROM album_folder ORDER BY folder").fetchall()
    return tuple(
        AlbumFolder(str(folder), scanned, *_counted(connection, str(folder))) for folder, scanned in rows
    )


def scanned_folders(connection: Connection) -> tuple[str, ...]:
    """The folders that were scanned, by name, without a count of their files."""
    rows = connection.execute("SELECT folder FROM album_folder ORDER BY folder").fetchall()
    return tuple(str(row[0]) for row in rows)


def _counted(connection: Connection, folder: str) -> tuple[int, int]:
    """How many photos and films are in a folder and below it."""
    films, everything = connection.execute(
        f"""
        SELECT coalesce(sum(film), 0), count(*) FROM album_file
        JOIN album_picture ON album_picture.id = album_file.picture_id WHERE {_BELOW}
        """,
        _below(folder),
    ).fetchone()
    return int(everything) - int(films), int(films)


def places(connection: Connection, pictures: Iterable[int]) -> dict[int, list[str]]:
    """The paths of the files of pictures, by picture."""
    found: dict[int, list[str]] = {}
    for part in parts(list(pictures)):
        marks = ", ".join("?" * len(part))
        rows: Any = connection.execute(
            f"SELECT picture_id, folder, name FROM album_file WHERE picture_id IN ({marks}) ORDER BY folder, name",
            part,
        )
        for picture, folder, name in rows:
            found.setdefault(int(picture), []).append(os.path.join(str(folder), str(name)))  # noqa: PTH118
    return found


def parts(numbers: list[int], most: int = 500) -> list[list[int]]:
    """The numbers in portions that a statement can name."""
    return [numbers[at : at + most] for at in range(0, len(numbers), most)]
