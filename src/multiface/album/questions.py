"""Questions to an album: in which photos and films is somebody, and with whom. Answered from the database alone.

A picture is part of an answer only as long as one of its files is there, and if it could be searched for faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multiface.gallery import Person, album_faces, album_pictures
from multiface.gallery.album_faces import AlbumFace
from multiface.gallery.sql import Connection
from multiface.images.box import Box

_KNOWN_FILE = "EXISTS (SELECT 1 FROM album_file WHERE album_file.picture_id = album_picture.id)"
_UNKNOWN = """
    album_face.person_id IS NULL AND album_face.ignored = 0 AND NOT EXISTS (
        SELECT 1 FROM album_stranger
        WHERE album_stranger.stranger_id = album_face.stranger_id AND album_stranger.ignored = 1
    )
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a picture has to show.

    everybody: persons who are all in it. nobody: persons who are not in it. only: no other known person and no unknown
    face is in it. unknown: an unknown face is in it. since, until: ISO 8601 days or times, local; a day as `until` is
    meant to its end; None for any time. any_of: one of `everybody` is enough.
    """

    everybody: tuple[Person, ...] = ()
    nobody: tuple[Person, ...] = ()
    only: bool = False
    unknown: bool = False
    since: str | None = None
    until: str | None = None
    any_of: bool = False


@dataclass(frozen=True, slots=True)
class HitFace:
    """A face in a picture of the answer.

    id: of the face, for corrections. picture: as `Hit.picture`. name, person: who it is; None for unknown. stranger:
    the number of the group of unknown faces. box: x0, y0, x1, y1 in pixels of the upright picture or frame. seconds: in
    a film, the first and the last in which the person was seen. by_hand: whether somebody said so. ignored: whether
    somebody said to ignore it.
    """

    id: int
    picture: int
    name: str | None
    person: str | None
    stranger: int | None
    box: Box
    seconds: tuple[float, float] | None
    by_hand: bool
    ignored: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo or film of the answer. paths: where it lies, all copies. taken: local time, ISO 8601."""

    picture: int
    paths: tuple[str, ...]
    film: bool
    width: int
    height: int
    taken: str
    faces: tuple[HitFace, ...]


def find(
    connection: Connection,
    wanted: Wanted,
    most: int | None = None,
    after: tuple[str, int] | None = None,
) -> tuple[Hit, ...]:
    """The pictures that show what is wanted, the oldest first: at most so many, behind that of a time and an id."""
    conditions, values = [_KNOWN_FILE, "refusal IS NULL"], list[object]()
    if after is not None:
        conditions.append("(taken > ? OR (taken = ? AND id > ?))")
        values += [after[0], *after]
    if wanted.any_of and wanted.everybody:
        marks = ", ".join("?" * len(wanted.everybody))
        conditions.append(f"id IN (SELECT picture_id FROM album_face WHERE person_id IN ({marks}))")
        values += [person.number for person in wanted.everybody]
    for person in () if wanted.any_of else wanted.everybody:
        conditions.append("id IN (SELECT picture_id FROM album_face WHERE person_id = ?)")
        values.append(person.number)
    for person in wanted.nobody:
        conditions.append("id NOT IN (SELECT picture_id FROM album_face WHERE person_id = ?)")
        values.append(person.number)
    if wanted.only:
        marks = ", ".join("?" * len(wanted.everybody))
        others = f"person_id NOT IN ({marks}) OR ({_UNKNOWN})" if marks else "TRUE"
        conditions.append(f"id NOT IN (SELECT picture_id FROM album_face WHERE {others})")
        values += [person.number for person in wanted.everybody]
    if wanted.unknown:
        conditions.append(f"id IN (SELECT picture_id FROM album_face WHERE {_UNKNOWN})")
    if wanted.since is not None:
        conditions.append("taken >= ?")
        values.append(wanted.since)
    if wanted.until is not None:
        conditions.append("taken <= ?")
        values.append(wanted.until + "T24" if len(wanted.until) == len("2024-05-01") else wanted.until)
    rows = connection.execute(
        f"""
        SELECT id, film, width, height, taken FROM album_picture
        WHERE {" AND ".join(conditions)} ORDER BY taken, id {"" if most is None else "LIMIT ?"}
        """,
        values if most is None else [*values, most],
    ).fetchall()
    return hits(connection, rows)


def hits(connection: Connection, rows: Sequence[tuple[int, int, int, int, str]]) -> tuple[Hit, ...]:
    """Pictures, from their rows, with their files and faces."""
    pictures = [int(row[0]) for row in rows]
    places = album_pictures.places(connection, pictures)
    faces = album_faces.faces_of(connection, pictures)
    people = _people(connection, {face.standing.person for own in faces.values() for face in own} - {None})
    ignored = {
        int(number)
        for (number,) in connection.execute(
            "SELECT stranger_id FROM album_stranger WHERE ignored = 1"
        ).fetchall()
    }
    return tuple(
        Hit(
            int(number),
            tuple(places.get(int(number), ())),
            bool(film),
            int(width),
            int(height),
            str(taken),
            tuple(hit_face(face, people, ignored) for face in faces.get(int(number), ())),
        )
        for number, film, width, height, taken in rows
    )


def hit_face(face: AlbumFace, people: dict[int, tuple[str, str]], ignored: set[int]) -> HitFace:
    """A face as answers have it. people: name and id by row. ignored: numbers of strangers to ignore."""
    standing = face.standing
    name, person = people.get(standing.person or -1, (None, None))
    return HitFace(
        face.id,
        face.picture,
        name,
        person,
        standing.stranger,
        face.box,
        face.seconds,
        standing.by_hand,
        standing.ignored or standing.stranger in ignored,
        face.fault,
    )


def _people(connection: Connection, numbers: set[int | None]) -> dict[int, tuple[str, str]]:
    """Name and id of persons, by row."""
    found: dict[int, tuple[str, str]] = {}
    for part in album_pictures.parts(sorted(number for number in numbers if number is not None)):
        marks = ", ".join("?" * len(part))
        rows = connection.execute(f"SELECT id, name, public_id FROM person WHERE id IN ({marks})", part)
        found |= {int(number): (str(name), str(person)) for number, name, person in rows}
    return found
