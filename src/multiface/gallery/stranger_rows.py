"""Strangers and their views in SQL: each function is one thing done inside the caller's transaction.

Vectors are BLOBs of d little-endian float32; times are UTC, ISO 8601 with whole seconds, so that they compare as
text. What is read back is checked: a damaged row raises BadContent instead of giving a wrong vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiface.arrays import Floats, vector_bytes, vector_from
from multiface.errors import GalleryError, PictureError
from multiface.gallery import album_numbers
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.service import camera_events
from multiface.gallery.sql import LARGEST_ID, Connection, inserted_id
from multiface.gallery.template_rows import UNIT_TOLERANCE, vector_fault
from multiface.images import load_picture

MOST_VIEWS = 5
"""So many vectors of a stranger are kept at most."""

_STRANGER = """
    SELECT stranger.id, first_seen, last_seen, kept_until, sightings, stranger.quality, count(stranger_view.id)
    FROM stranger LEFT JOIN stranger_view ON stranger_view.stranger_id = stranger.id
"""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody without a name.

    number: 1 or more, given once. first_seen, last_seen, kept_until: UTC, ISO. sightings: how many
    tracks ended that were found to be this person; 0 while the first is there. quality: of the picture kept, 0..1.
    views: how many vectors are kept.
    """

    number: int
    first_seen: str
    last_seen: str
    kept_until: str
    sightings: int
    quality: float
    views: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One vector of a stranger: the pooled vector of one track.

    vector: float32 (d,), unit length. spread: of the views of its track, 0..1. quality: 0..1. picture_digest: sha256
    of the track's best picture, as JPEG; width, height: its size. seen: UTC, ISO.
    """

    vector: Floats
    spread: float
    quality: float
    picture_digest: str
    width: int
    height: int
    seen: str


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """The views of all strangers: float32 (v, d), the numbers of their strangers (v,), rising, and spreads (v,)."""

    vectors: Floats
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]]
    spreads: np.ndarray[tuple[int], np.dtype[np.float64]]


def strangers(connection: Connection) -> tuple[Stranger, ...]:
    """All of them, by number."""
    rows = connection.execute(f"{_STRANGER} GROUP BY stranger.id ORDER BY stranger.id").fetchall()
    return tuple(_stranger(row) for row in rows)


def stranger(connection: Connection, number: int) -> Stranger | None:
    """The stranger of this number."""
    if not 0 < number <= LARGEST_ID:
        return None
    row = connection.execute(f"{_STRANGER} WHERE stranger.id = ? GROUP BY stranger.id", (number,)).fetchone()
    return None if row is None else _stranger(row)


def count(connection: Connection) -> int:
    """How many there are."""
    (found,) = connection.execute("SELECT count(*) FROM stranger").fetchone()
    return int(found)


def picture(connection: Connection, number: int) -> bytes | None:
    """The picture of a stranger, JPEG; None where there is no such stranger."""
    row = connection.execute("SELECT picture FROM stranger WHERE id = ?", (number,)).fetchone()
    if row is not None and not isinstance(row[0], bytes):
        raise BadContent(f"it is damaged: the picture of stranger {number} cannot be read")
    return None if row is None else row[0]


def views(connection: Connection, number: int, origin: VectorOrigin) -> list[tuple[int, View]]:
    """The views of one stranger with their ids, oldest first."""
    rows = connection.execute(
        """
        SELECT id, vector, spread, quality, picture_digest, width, height, seen FROM stranger_view
        WHERE stranger_id = ? ORDER BY id
        """,
        (number,),
    ).fetchall()
    return [(int(row[0]), _view(row, origin.dimension)) for row in rows]


def all_views(connection: Connection, origin: VectorOrigin) -> Views:
    """The views of everybody, by number and then by age."""
    rows = connection.execute(
        "SELECT vector, stranger_id, spread FROM stranger_view ORDER BY stranger_id, id"
    ).fetchall()
    size = 4 * origin.dimension
    if not all(isinstance(blob, bytes) and len(blob) == size for blob, _, _ in rows):
        raise BadContent(f"it is damaged: a stranger's vector is not {origin.dimension} numbers; check it")
    vectors = vector_from(b"".join(row[0] for row in rows))
    vectors = vectors.reshape(len(rows), origin.dimension)
    lengths = np.sqrt(np.einsum("vd,vd->v", vectors, vectors))
    if not (np.abs(lengths - 1.0) <= UNIT_TOLERANCE).all():  # also false for what is not finite
        raise BadContent("it is damaged: a stranger's vector is not of unit length; check it")
    return Views(
        vectors, np.array([row[1] for row in rows], np.int64), np.array([row[2] for row in rows], np.float64)
    )


def add_stranger(connection: Connection, when: str, kept_until: str, quality: float, picture: bytes) -> int:
    """A new stranger, not seen yet; the number."""
    cursor = connection.execute(
        """
        INSERT INTO stranger (first_seen, last_seen, kept_until, sightings, quality, picture)
        VALUES (?, ?, ?, 0, ?, ?) RETURNING id
        """,
        (when, when, kept_until, quality, picture),
    )
    return inserted_id(cursor)


def put_back(connection: Connection, row: Sequence[Any], picture: bytes) -> None:
    """A stranger who had a name for a while. row: number, first and last seen, kept until, sightings, quality."""
    connection.execute(
        """
        INSERT INTO stranger (id, first_seen, last_seen, kept_until, sightings, quality, picture)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        (*row, picture),
    )


def see_stranger(connection: Connection, number: int, when: str, kept_until: str, sightings: int) -> None:
    """The stranger was seen, in so many new tracks; times only grow."""
    connection.execute(
        """
        UPDATE stranger SET sightings = sightings + ?,
            first_seen = CASE WHEN first_seen < ? THEN first_seen ELSE ? END,
            last_seen = CASE WHEN last_seen > ? THEN last_seen ELSE ? END,
            kept_until = CASE WHEN kept_until > ? THEN kept_until ELSE ? END
        WHERE id = ?
        """,
        (sightings, when, when, when, when, kept_until, kept_until, number),
    )


def better_picture(connection: Connection, number: int, quality: float, picture: bytes) -> bool:
    """Keep this picture where it is better than the one that is kept; whether it is."""
    cursor = connection.execute(
        "UPDATE stranger SET quality = ?, picture = ? WHERE id = ? AND quality < ?",
        (quality, picture, number, quality),
    )
    return cursor.rowcount > 0


def start_again(connection: Connection, number: int, quality: float, picture: bytes) -> None:
    """Keep this picture instead of the one that is kept, and none of the views."""
    connection.execute(
        "UPDATE stranger SET quality = ?, picture = ? WHERE id = ?", (quality, picture, number)
    )
    connection.execute("DELETE FROM stranger_view WHERE stranger_id = ?", (number,))


def add_view(connection: Connection, number: int, view: View, origin: VectorOrigin) -> None:
    """Keep a view. Raises GalleryError if the vector is not what the gallery holds."""
    fault = vector_fault(view.vector, origin.dimension)
    if fault is not None:
        raise GalleryError(f"stranger {number}: {fault}")
    connection.execute(
        """
        INSERT INTO stranger_view (stranger_id, vector, spread, quality, picture_digest, width, height, seen)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            number,
            vector_bytes(view.vector),
            view.spread,
            view.quality,
            view.picture_digest,
            view.width,
            view.height,
            view.seen,
        ),
    )


def drop_view(connection: Connection, view: int) -> None:
    """Keep a view no longer."""
    connection.execute("DELETE FROM stranger_view WHERE id = ?", (view,))


def remove_stranger(connection: Connection, number: int) -> None:
    """Remove a stranger with picture and views."""
    album_numbers.forget(connection, number)
    camera_events.forget_stranger(connection, number)
    connection.execute("DELETE FROM stranger WHERE id = ?", (number,))


def expired(connection: Connection, now: str) -> list[int]:
    """The numbers of those whose time is over."""
    rows = connection.execute("SELECT id FROM stranger WHERE kept_until < ? ORDER BY id", (now,)).fetchall()
    return [int(number) for (number,) in rows]


def remove_expired(connection: Connection, now: str) -> int:
    """Remove those whose time is over; how many there were."""
    gone = expired(connection, now)
    for number in gone:
        remove_stranger(connection, number)
    return len(gone)


def broken_strangers(connection: Connection, origin: VectorOrigin) -> list[str]:
    """What is wrong with stored strangers, a line each."""
    problems = []
    rows = connection.execute("SELECT id, stranger_id, vector FROM stranger_view ORDER BY id")
    for view, number, blob in rows:
        if not isinstance(blob, bytes) or len(blob) != 4 * origin.dimension:
            fault: str | None = f"not {origin.dimension} float32 numbers"
        else:
            fault = vector_fault(vector_from(blob), origin.dimension)
        if fault is not None:
            problems.append(f"stranger {number}, view {view}: {fault}")
    made = connection.execute("SELECT stranger_id FROM album_stranger WHERE made = 1")
    albums = {int(number) for (number,) in made.fetchall()}
    for one in strangers(connection):
        if not one.views and one.number not in albums:
            problems.append(f"stranger {one.number}: there is no vector")
        try:
            kept = picture(connection, one.number) or b""
            if kept or one.number not in albums:  # an album may keep no crops
                load_picture(kept)
        except (PictureError, BadContent) as error:
            problems.append(f"stranger {one.number}: the picture cannot be read ({error})")
    return problems


def _stranger(row: tuple[Any, ...]) -> Stranger:
    try:
        number, first, last, until, sightings, quality, views = row
        return Stranger(
            int(number), str(first), str(last), str(until), int(sightings), float(quality), int(views)
        )
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: a stranger's row cannot be read") from error


def _view(row: tuple[Any, ...], dimension: int) -> View:
    try:
        _, blob, spread, quality, digest, width, height, seen = row
        if not isinstance(blob, bytes) or len(blob) != 4 * dimension:
            raise ValueError("vector")
        vector = vector_from(blob)
        return View(vector, float(spread), float(quality), str(digest), int(width), int(height), str(seen))
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: a stranger's view cannot be read") from error
