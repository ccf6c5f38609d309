"""Faces of an album in SQL: each function is one thing done inside the caller's transaction.

A face is of a person, of a stranger, single (of neither), or ignored. `by_hand` says that somebody decided that, so
that no scan changes it. A face that was too poor to embed, or was drawn where nothing could be embedded, has no vector.
Boxes are x0, y0, x1, y1 in pixels of the upright picture; vectors BLOBs of d little-endian float32.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiface.arrays import Floats, Ints, vector_bytes, vector_from
from multiface.errors import GalleryConflict, GalleryError
from multiface.gallery.album_pictures import parts
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.sql import LARGEST_ID, Connection, inserted_id
from multiface.gallery.template_rows import UNIT_TOLERANCE, vector_fault
from multiface.images.box import Box


@dataclass(frozen=True, slots=True, eq=False)
class NewFace:
    """A face that was found or drawn.

    seconds: of a film, the first and the last second in which it was seen; None in a photo. score: the detector's
    confidence, 0..1; 1 for a drawn one. quality: 0 or more, the length of the raw feature; the best picture of a person
    has the highest. fault: what makes it too poor for the stated rates, in words; alone: even against a good picture.
    vector: float32 (d,), unit length. crop: a small JPEG of the aligned face.
    """

    box: Box
    seconds: tuple[float, float] | None
    score: float
    quality: float
    fault: str | None
    alone: bool
    vector: Floats | None
    crop: bytes | None
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What a face is at the moment. person: the row of the person; stranger: the number."""

    person: int | None = None
    stranger: int | None = None
    by_hand: bool = False
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class AlbumFace:
    """A face without vector and crop; fields as in `NewFace`."""

    id: int
    picture: int
    box: Box
    seconds: tuple[float, float] | None
    quality: float
    fault: str | None
    drawn: bool
    standing: Standing


@dataclass(frozen=True, slots=True, eq=False)
class FaceVectors:
    """Many faces, by picture and then by id; n of each.

    vectors: float32 (n, d). ids, pictures, persons, strangers: int64 (n,); -1 for no person or stranger. by_hand,
    ignored, poor, alone: bool (n,). quality: float32 (n,). seconds: float64 (n, 2), NaN in photos. there: bool (n,),
    whether a file of the picture is there.
    """

    vectors: Floats
    ids: Ints
    pictures: Ints
    persons: Ints
    strangers: Ints
    by_hand: np.ndarray[tuple[int], np.dtype[np.bool_]]
    ignored: np.ndarray[tuple[int], np.dtype[np.bool_]]
    poor: np.ndarray[tuple[int], np.dtype[np.bool_]]
    alone: np.ndarray[tuple[int], np.dtype[np.bool_]]
    quality: Floats
    seconds: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    there: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def __len__(self) -> int:
        return len(self.ids)


_COLUMNS = """
    id, picture_id, x0, y0, x1, y1, begins, ends, quality, fault, drawn, person_id, stranger_id, by_hand, ignored
"""
_THERE = "EXISTS (SELECT 1 FROM album_file WHERE album_file.picture_id = album_face.picture_id)"


def add_face(connection: Connection, picture: int, new: NewFace, origin: VectorOrigin) -> int:
    """Write a face down; its id. Raises GalleryError if the vector is not what the gallery holds."""
    if new.vector is not None and (fault := vector_fault(new.vector, origin.dimension)) is not None:
        raise GalleryError(f"face of picture {picture}: {fault}")
    begins, ends = (None, None) if new.seconds is None else new.seconds
    cursor = connection.execute(
        """
        INSERT INTO album_face (picture_id, x0, y0, x1, y1, begins, ends, score, quality, fault, alone, vector, crop,
            drawn, by_hand, ignored)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) RETURNING id
        """,
        (
            picture,
            *(float(side) for side in new.box),
            begins,
            ends,
            new.score,
            new.quality,
            new.fault,
            int(new.alone),
            None if new.vector is None else vector_bytes(new.vector),
            new.crop,
            int(new.drawn),
        ),
    )
    return inserted_id(cursor)


def copy_to(connection: Connection, number: int, picture: int, box: Box) -> int:
    """A copy of a face in another picture, with nothing decided; its id."""
    cursor = connection.execute(
        """
        INSERT INTO album_face (picture_id, x0, y0, x1, y1, begins, ends, score, quality, fault, alone, vector, crop,
            drawn, by_hand, ignored)
        SELECT ?, ?, ?, ?, ?, begins, ends, score, quality, fault, alone, vector, crop, drawn, 0, 0
        FROM album_face WHERE id = ? RETURNING id
        """,
        (picture, *box, number),
    )
    return inserted_id(cursor)


def take_over(connection: Connection, number: int, found: int) -> None:
    """A face was found again, as another row, which goes: box, vector and crop are those of now, all else stays."""
    connection.execute(
        """
        UPDATE album_face SET (x0, y0, x1, y1, begins, ends, score, quality, fault, alone, vector, crop, drawn) =
            (SELECT x0, y0, x1, y1, begins, ends, score, quality, fault, alone, vector, crop, drawn
            FROM album_face AS found WHERE found.id = ?)
        WHERE id = ?
        """,
        (found, number),
    )
    drop(connection, found)


def drop(connection: Connection, number: int) -> None:
    """Remove a face."""
    connection.execute("DELETE FROM album_face WHERE id = ?", (number,))


def face(connection: Connection, number: int) -> AlbumFace | None:
    """The face of this id."""
    if not 0 < number <= LARGEST_ID:
        return None
    row = connection.execute(f"SELECT {_COLUMNS} FROM album_face WHERE id = ?", (number,)).fetchone()
    return None if row is None else _face(row)


def faces_of(connection: Connection, pictures: Iterable[int]) -> dict[int, list[AlbumFace]]:
    """The faces of pictures, by picture, oldest first."""
    found: dict[int, list[AlbumFace]] = {}
    for part in parts(list(pictures)):
        marks = ", ".join("?" * len(part))
        rows: Any = connection.execute(
            f"SELECT {_COLUMNS} FROM album_face WHERE picture_id IN ({marks}) ORDER BY id", part
        )
        for row in rows:
            one = _face(row)
            found.setdefault(one.picture, []).append(one)
    return found


def faces_of_stranger(connection: Connection, stranger: int) -> list[AlbumFace]:
    """The faces of a stranger, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM album_face WHERE stranger_id = ? ORDER BY id", (stranger,)
    )
    return [_face(row) for row in rows.fetchall()]


def faces_of_strangers(connection: Connection) -> dict[int, list[AlbumFace]]:
    """The faces of all strangers, by number, oldest first; of files that are there."""
    found: dict[int, list[AlbumFace]] = {}
    rows: Any = connection.execute(
        f"SELECT {_COLUMNS} FROM album_face WHERE stranger_id IS NOT NULL AND {_THERE} ORDER BY id"
    )
    for row in rows:
        face = _face(row)
        found.setdefault(face.standing.stranger or 0, []).append(face)
    return found


def single_faces(connection: Connection) -> list[AlbumFace]:
    """Unknown faces that are in no group, the best first; of files that are there."""
    rows = connection.execute(
        f"""
        SELECT {_COLUMNS} FROM album_face WHERE person_id IS NULL AND stranger_id IS NULL AND ignored = 0 AND {_THERE}
        ORDER BY quality DESC, id
        """
    )
    return [_face(row) for row in rows.fetchall()]


def of_pictures(connection: Connection, pictures: Iterable[int]) -> list[int]:
    """The ids of the faces in pictures."""
    return [face.id for faces in faces_of(connection, pictures).values() for face in faces]


def crop_of(connection: Connection, number: int) -> bytes | None:
    """The crop of a face, JPEG; None where none was kept or there is no such face."""
    row = connection.execute("SELECT crop FROM album_face WHERE id = ?", (number,)).fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


def vector_of(connection: Connection, number: int) -> Floats | None:
    """The vector of a face."""
    row = connection.execute("SELECT vector FROM album_face WHERE id = ?", (number,)).fetchone()
    return None if row is None or row[0] is None else vector_from(bytes(row[0]))


def set_standing(connection: Connection, number: int, standing: Standing) -> None:
    """Write down what a face is from now on."""
    connection.execute(
        "UPDATE album_face SET person_id = ?, stranger_id = ?, by_hand = ?, ignored = ? WHERE id = ?",
        (standing.person, standing.stranger, int(standing.by_hand), int(standing.ignored), number),
    )


def vectors(connection: Connection, origin: VectorOrigin) -> FaceVectors:
    """All faces that have a vector. Raises BadContent if one is not what the gallery holds."""
    rows = connection.execute(
        f"""
        SELECT id, picture_id, person_id, stranger_id, by_hand, ignored, fault, alone, quality, begins, ends, vector,
            CASE WHEN {_THERE} THEN 1 ELSE 0 END
        FROM album_face WHERE vector IS NOT NULL ORDER BY picture_id, id
        """
    ).fetchall()
    size = 4 * origin.dimension
    if not all(isinstance(row[11], bytes) and len(row[11]) == size for row in rows):
        raise BadContent(
            f"it is damaged: the vector of a face in the album is not {origin.dimension} numbers; check it"
        )
    found = vector_from(b"".join(row[11] for row in rows)).reshape(len(rows), origin.dimension)
    lengths = np.sqrt(np.einsum("nd,nd->n", found, found))
    if not (np.abs(lengths - 1.0) <= UNIT_TOLERANCE).all():  # also false for what is not finite
        raise BadContent("it is damaged: the vector of a face in the album is not of unit length; check it")

    def numbers(column: int) -> Ints:
        return np.array([-1 if row[column] is None else row[column] for row in rows], np.int64)

    return FaceVectors(
        found,
        numbers(0),
        numbers(1),
        numbers(2),
        numbers(3),
        np.array([row[4] != 0 for row in rows], np.bool_),
        np.array([row[5] != 0 for row in rows], np.bool_),
        np.array([row[6] is not None for row in rows], np.bool_),
        np.array([row[7] != 0 for row in rows], np.bool_),
        np.array([row[8] for row in rows], np.float32),
        np.array([[np.nan if v is None else v for v in row[9:11]] for row in rows], np.float64).reshape(
            -1, 2
        ),
        np.array([row[12] != 0 for row in rows], np.bool_),
    )


def last(connection: Connection) -> int:
    """The id of the newest face; 0 where there is none."""
    (found,) = connection.execute("SELECT max(id) FROM album_face").fetchone()
    return int(found or 0)


def loosen(connection: Connection) -> None:
    """What was decided by hand for a person or stranger who is gone is open again."""
    connection.execute(
        """
        UPDATE album_face SET by_hand = 0
        WHERE by_hand = 1 AND person_id IS NULL AND stranger_id IS NULL AND ignored = 0
        """
    )


def taken(connection: Connection, pictures: Iterable[int]) -> dict[int, tuple[str, bool]]:
    """When pictures were taken, and whether the camera said so, by picture."""
    found: dict[int, tuple[str, bool]] = {}
    for part in parts(list(pictures)):
        marks = ", ".join("?" * len(part))
        rows: Any = connection.execute(
            f"SELECT id, taken, dated FROM album_picture WHERE id IN ({marks})", part
        )
        found |= {int(number): (str(when), bool(dated)) for number, when, dated in rows}
    return found


def named_without_vector(connection: Connection) -> dict[int, set[int]]:
    """For photos the persons, by row, whom somebody named in a face that has no vector."""
    found: dict[int, set[int]] = {}
    rows = connection.execute(
        """
        SELECT picture_id, person_id FROM album_face
        WHERE vector IS NULL AND by_hand = 1 AND person_id IS NOT NULL AND begins IS NULL
        """
    )
    for picture, person in rows.fetchall():
        found.setdefault(int(picture), set()).add(int(person))
    return found


def refuse_twice(connection: Connection, one: AlbumFace, person: int, name: str, place: str) -> None:
    """Raises GalleryConflict where another face of the same photo is this person, by row, by hand: one person is not
    two faces of a photo.
    """
    if one.seconds is not None:
        return
    for other in faces_of(connection, [one.picture]).get(one.picture, ()):
        if other.id != one.id and other.standing.by_hand and other.standing.person == person:
            raise GalleryConflict(
                f"{place}: face {other.id} of the same photo is {name!r} by hand, and one person cannot be two faces "
                "in a photo",
                hint=f"`multiface album not f{other.id} NAME` takes that back",
                name=name,
            )


def refuse_contradiction(connection: Connection, place: str) -> None:
    """Raises GalleryConflict where two faces of one photo are one person, or one stranger, by hand: after what changes
    many faces at once.
    """
    row = connection.execute(
        """
        SELECT min(id), max(id) FROM album_face
        WHERE by_hand = 1 AND ignored = 0 AND begins IS NULL AND (person_id IS NOT NULL OR stranger_id IS NOT NULL)
        GROUP BY picture_id, person_id, stranger_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1
        """
    ).fetchone()
    if row is not None:
        raise GalleryConflict(
            f"{place}: faces {row[0]} and {row[1]} of one photo would be one person, and somebody said who both are",
            hint=f"`multiface album not f{row[1]} NAME` takes one of the two back",
        )


def barred(connection: Connection) -> dict[int, set[int]]:
    """For faces the persons, by row, of whom somebody said that the face is not theirs."""
    found: dict[int, set[int]] = {}
    for number, person in connection.execute("SELECT face_id, person_id FROM album_not").fetchall():
        found.setdefault(int(number), set()).add(int(person))
    return found


def barred_from(connection: Connection, person: int) -> list[int]:
    """The faces of which somebody said that they are not of this person."""
    rows = connection.execute("SELECT face_id FROM album_not WHERE person_id = ? ORDER BY face_id", (person,))
    return [int(number) for (number,) in rows.fetchall()]


def barred_of(connection: Connection, number: int) -> list[int]:
    """The persons, by row, of whom somebody said that this face is not theirs."""
    rows = connection.execute(
        "SELECT person_id FROM album_not WHERE face_id = ? ORDER BY person_id", (number,)
    )
    return [int(person) for (person,) in rows.fetchall()]


def bar(connection: Connection, number: int, person: int) -> bool:
    """Write down that a face is not of a person; False if that is known."""
    cursor = connection.execute(
        "INSERT INTO album_not (face_id, person_id) VALUES (?, ?) ON CONFLICT (face_id, person_id) DO NOTHING",
        (number, person),
    )
    return int(cursor.rowcount) > 0


def unbar(connection: Connection, number: int, person: int) -> bool:
    """Take that back; False if nobody had said so."""
    cursor = connection.execute("DELETE FROM album_not WHERE face_id = ? AND person_id = ?", (number, person))
    return int(cursor.rowcount) > 0


def of_person(connection: Connection, person: int, by_hand: bool = False) -> list[int]:
    """The ids of a person's faces; by_hand: only those that somebody named."""
    only = "AND by_hand = 1" if by_hand else ""
    rows = connection.execute(
        f"SELECT id FROM album_face WHERE person_id = ? {only} ORDER BY id", (person,)
    ).fetchall()
    return [int(number) for (number,) in rows]


def hand_over(connection: Connection, numbers: Iterable[int], person: int) -> None:
    """Give faces to another person; what they are else stays."""
    for number in numbers:
        connection.execute("UPDATE album_face SET person_id = ? WHERE id = ?", (person, number))


def remove_person(connection: Connection, person: int) -> int:
    """Remove the faces of a person for good; how many there were."""
    cursor = connection.execute("DELETE FROM album_face WHERE person_id = ?", (person,))
    return int(cursor.rowcount)


def remove_stranger(connection: Connection, stranger: int) -> int:
    """Remove the faces of a stranger for good; how many there were."""
    cursor = connection.execute("DELETE FROM album_face WHERE stranger_id = ?", (stranger,))
    return int(cursor.rowcount)


def broken_faces(connection: Connection, origin: VectorOrigin) -> Iterator[str]:
    """What is wrong with stored faces, a line each."""
    for number, blob in connection.execute(
        "SELECT id, vector FROM album_face WHERE vector IS NOT NULL ORDER BY id"
    ):
        if not isinstance(blob, bytes) or len(blob) != 4 * origin.dimension:
            yield f"face {number} of the album: not {origin.dimension} float32 numbers"
        elif (fault := vector_fault(vector_from(blob), origin.dimension)) is not None:
            yield f"face {number} of the album: {fault}"


def _face(row: Any) -> AlbumFace:
    (
        number,
        picture,
        x0,
        y0,
        x1,
        y1,
        begins,
        ends,
        quality,
        fault,
        drawn,
        person,
        stranger,
        by_hand,
        ignored,
    ) = row
    return AlbumFace(
        int(number),
        int(picture),
        (float(x0), float(y0), float(x1), float(y1)),
        None if begins is None else (float(begins), float(ends)),
        float(quality),
        None if fault is None else str(fault),
        bool(drawn),
        Standing(
            None if person is None else int(person),
            None if stranger is None else int(stranger),
            bool(by_hand),
            bool(ignored),
        ),
    )
