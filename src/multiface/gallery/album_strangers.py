"""Strangers of an album in SQL: groups of unknown faces that have a number, shared with those of cameras and films.

`made` says that the album gave the number, and that no camera has met the stranger since. Such a one goes when its last
face does; others go back to being kept for a time. Functions run inside the caller's transaction.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multiface.gallery import album_faces, album_numbers
from multiface.gallery.album_faces import Standing
from multiface.gallery.service import camera_events
from multiface.gallery.sql import Connection
from multiface.json_text import parse_json

KEPT = "9999-12-31T23:59:59+00:00"
"""Until when a stranger is kept who is in the album."""

Before = list[list[int | str | None]]
"""What faces were before a change, for undoing it: id, the person's public id, stranger, by hand, ignored."""


@dataclass(frozen=True, slots=True)
class AlbumStranger:
    """made, ignored: see the module and `Standing.ignored`."""

    number: int
    made: bool
    ignored: bool


def all_of_them(connection: Connection) -> dict[int, AlbumStranger]:
    """The strangers who are in the album, by number."""
    rows = connection.execute("SELECT stranger_id, made, ignored FROM album_stranger ORDER BY stranger_id")
    return {int(row[0]): AlbumStranger(int(row[0]), bool(row[1]), bool(row[2])) for row in rows}


def put(connection: Connection, one: AlbumStranger) -> None:
    """Write a stranger of the album down."""
    connection.execute(
        """
        INSERT INTO album_stranger (stranger_id, made, ignored) VALUES (?, ?, ?)
        ON CONFLICT (stranger_id) DO UPDATE SET made = excluded.made, ignored = excluded.ignored
        """,
        (one.number, int(one.made), int(one.ignored)),
    )
    connection.execute("UPDATE stranger SET kept_until = ? WHERE id = ?", (KEPT, one.number))


def leave(connection: Connection, one: AlbumStranger, kept_until: str) -> None:
    """A stranger has no face in the album any more. kept_until: of one whom a camera met."""
    album_numbers.set_ignored(connection, one.number, one.ignored)
    if one.made:
        camera_events.forget_stranger(connection, one.number)
        connection.execute("DELETE FROM stranger WHERE id = ?", (one.number,))
        return
    connection.execute("DELETE FROM album_stranger WHERE stranger_id = ?", (one.number,))
    connection.execute("UPDATE stranger SET kept_until = ? WHERE id = ?", (kept_until, one.number))


def met(connection: Connection, stranger: int) -> None:
    """A camera met a stranger."""
    connection.execute("UPDATE album_stranger SET made = 0 WHERE stranger_id = ?", (stranger,))


def missing(connection: Connection) -> list[tuple[int, str, str]]:
    """Strangers whom only the album knows and something is shown of, though all files with them are missing: number,
    first and last seen.
    """
    rows = connection.execute(
        """
        SELECT stranger.id, first_seen, last_seen FROM album_stranger JOIN stranger ON stranger.id = stranger_id
        WHERE made = 1 AND sightings > 0 AND NOT EXISTS (
            SELECT 1 FROM album_face JOIN album_file ON album_file.picture_id = album_face.picture_id
            WHERE album_face.stranger_id = album_stranger.stranger_id
        ) ORDER BY stranger.id
        """
    ).fetchall()
    return [(int(number), str(first), str(last)) for number, first, last in rows]


def set_seen(connection: Connection, stranger: int, first: str, last: str, sightings: int) -> None:
    """When and how often a stranger was seen."""
    connection.execute(
        "UPDATE stranger SET first_seen = ?, last_seen = ?, sightings = ? WHERE id = ?",
        (first, last, sightings, stranger),
    )


def before(connection: Connection, faces: Sequence[int]) -> Before:
    """What these faces are."""
    rows = []
    for number in faces:
        found = connection.execute(
            """
            SELECT album_face.id, person.public_id, stranger_id, by_hand, ignored
            FROM album_face LEFT JOIN person ON person.id = album_face.person_id WHERE album_face.id = ?
            """,
            (number,),
        ).fetchone()
        if found is not None:
            rows.append(list(found))
    return rows


def put_back(connection: Connection, rows: Before) -> None:
    """Make faces again what they were, as far as they and their people and strangers are there."""
    for number, public_id, stranger, by_hand, ignored in rows:
        person = connection.execute("SELECT id FROM person WHERE public_id = ?", (public_id,)).fetchone()
        there = connection.execute("SELECT id FROM stranger WHERE id = ?", (stranger,)).fetchone()
        lost = (public_id is not None and person is None) or (stranger is not None and there is None)
        standing = Standing(
            None if person is None else int(person[0]),
            None if there is None else int(there[0]),
            bool(by_hand) and not lost,
            bool(ignored),
        )
        assert isinstance(number, int)
        album_faces.set_standing(connection, number, standing)
    stale(connection)


def stale(connection: Connection) -> None:
    """All faces of the album have to be decided anew."""
    connection.execute("UPDATE album_state SET settings = ''")


@dataclass(frozen=True, slots=True)
class AlbumState:
    """What the faces were last decided with.

    touched: the last row of that table; face: the last face. settings: calibration, in words; "" where all is to be
    decided anew. rate: the error rate; None before it was written down. level: for how many unknown faces they were
    grouped, rounded up. changed: faces changed by hand since.
    """

    touched: int = -1
    face: int = 0
    settings: str = ""
    rate: float | None = None
    level: int = 0
    changed: frozenset[int] = frozenset()


def state(connection: Connection) -> AlbumState:
    """What the faces were last decided with."""
    row = connection.execute(
        "SELECT touched, face, settings, rate, level, changed FROM album_state"
    ).fetchone()
    if row is None:
        return AlbumState()
    touched, face, settings, rate, level, changed = row
    numbers = frozenset(map(int, parse_json(str(changed))))
    return AlbumState(
        int(touched), int(face), str(settings), None if rate is None else float(rate), int(level), numbers
    )


def changed_by_hand(connection: Connection, faces: Sequence[int]) -> None:
    """These faces, and what depends on them, have to be decided anew; in the transaction that changes them, so that a
    program that is cut off before it does so leaves that to the next.
    """
    before = state(connection)
    if before.settings:
        set_state(connection, replace(before, changed=before.changed | set(faces)))


def set_state(connection: Connection, new: AlbumState) -> None:
    """Write that down."""
    connection.execute(
        """
        INSERT INTO album_state (id, touched, face, settings, rate, level, changed) VALUES (1, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET touched = excluded.touched, face = excluded.face, settings = excluded.settings,
            rate = excluded.rate, level = excluded.level, changed = excluded.changed
        """,
        (new.touched, new.face, new.settings, new.rate, new.level, json.dumps(sorted(new.changed))),
    )
