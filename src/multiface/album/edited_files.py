"""What somebody did to the faces of a file, after the file was edited: it goes to the same faces in the new content."""

from collections.abc import Sequence

from multiface.album.group_numbers import SAME_PICTURE
from multiface.gallery import album_faces
from multiface.gallery.album_faces import AlbumFace, NewFace
from multiface.gallery.sql import Connection
from multiface.images.box import Box, overlap

_OVERLAP = 0.5

Sides = tuple[int, int]


def carry_over(
    connection: Connection,
    old: Sequence[AlbumFace],
    new: Sequence[tuple[int, NewFace]],
    picture: int,
    sides: tuple[Sides, Sides],
) -> None:
    """Give new faces, by id, what was decided of the old ones by hand.

    A face is the same where its picture is nearly the same, or its box; one that was drawn by hand is copied where it
    was not found. picture: that of the new faces. sides: width and height of the old and the new picture.
    """
    free = dict(new)
    for face in old:
        barred = album_faces.barred_of(connection, face.id)
        if not (face.standing.by_hand or face.standing.ignored or barred or face.drawn):
            continue
        box = _scaled(face.box, *sides)
        number = _same_face(connection, face, box, free)
        if number is None and face.drawn:
            number = album_faces.copy_to(connection, face.id, picture, box)
        if number is None:
            continue
        free.pop(number, None)
        album_faces.set_standing(connection, number, face.standing)
        for person in barred:
            album_faces.bar(connection, number, person)


def searched_again(
    connection: Connection, old: Sequence[AlbumFace], new: Sequence[tuple[int, NewFace]]
) -> list[tuple[int, NewFace]]:
    """A picture was searched once more: faces that were found again keep their ids, and all that was said of them and
    of their groups; those drawn by hand stay, others go. The new faces with the ids they have then.
    """
    free, kept = dict(new), dict[int, int]()
    for face in sorted(old, key=lambda face: not (face.standing.by_hand or face.standing.ignored)):
        number = _same_face(connection, face, face.box, free)
        if number is not None:
            del free[number]
            kept[number] = face.id
            album_faces.take_over(connection, face.id, number)
        elif not face.drawn:
            album_faces.drop(connection, face.id)
    return [(kept.get(number, number), face) for number, face in new]


def _same_face(connection: Connection, face: AlbumFace, box: Box, free: dict[int, NewFace]) -> int | None:
    """Which of the new faces, by id, is the old one with this box."""
    vector = album_faces.vector_of(connection, face.id)
    best, number = 0.0, None
    for candidate, other in free.items():
        alike = 0.0 if vector is None or other.vector is None else float(vector @ other.vector)
        likeness = max(overlap(box, other.box) - _OVERLAP, alike - SAME_PICTURE)
        if likeness >= best:
            best, number = likeness, candidate
    return number


def _scaled(box: Box, before: Sides, after: Sides) -> Box:
    across, down = after[0] / max(1, before[0]), after[1] / max(1, before[1])
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down
