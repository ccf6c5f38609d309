"""Numbers of strangers that faces of an album had before: remembered when a face loses its number, or when the rate
changes, so that a group that comes back has its number again.

Of a face it is known at which rates it had which number, as ranges from a lowest to a highest rate (0..1) that do not
overlap. Functions with a connection run inside the caller's transaction.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from multiface.gallery.album_pictures import parts
from multiface.gallery.sql import Connection

Range = tuple[float, float, int]
"""The lowest and the highest rate at which a face is known to have had a number, and the number."""


def with_number(ranges: Sequence[Range], number: int, rate: float) -> list[Range]:
    """The ranges of a face, rising, once it had a number at a rate; what was known of that rate before is replaced."""
    points = [(rate, rate, number)]
    for lowest, highest, other in ranges:
        if other == number or not lowest <= rate <= highest:
            points.append((lowest, highest, other))
            continue
        points += [(end, end, other) for end in {lowest, highest} - {rate}]
    joined: list[Range] = []
    for lowest, highest, one in sorted(points):
        if joined and joined[-1][2] == one:
            joined[-1] = joined[-1][0], max(joined[-1][1], highest), one
        else:
            joined.append((lowest, highest, one))
    return joined


def number_at(ranges: Sequence[Range], rate: float) -> int | None:
    """The number that a face had at a rate, or at the nearest one, by ratio; None for a face that had none."""

    def distance(one: Range) -> float:
        return abs(math.log(rate / min(max(rate, one[0]), one[1])))

    return min(ranges, key=distance)[2] if ranges else None


def ranges(connection: Connection, faces: Iterable[int]) -> dict[int, list[Range]]:
    """What is remembered of faces, by their ids; of those without a memory nothing."""
    found: dict[int, list[Range]] = {}
    for part in parts(list(faces)):
        marks = ", ".join("?" * len(part))
        rows: Any = connection.execute(
            f"""
            SELECT face_id, lowest, highest, number FROM album_number
            WHERE face_id IN ({marks}) ORDER BY face_id, lowest
            """,
            part,
        )
        for face, lowest, highest, number in rows:
            found.setdefault(int(face), []).append((float(lowest), float(highest), int(number)))
    return found


def remember(connection: Connection, numbers: Mapping[int, int], rate: float) -> None:
    """Write down which numbers faces had at a rate. numbers: by face."""
    if not numbers:
        return
    known, ignored = ranges(connection, numbers), _ignored(connection)
    for face, number in numbers.items():
        before = known.get(face, [])
        after = with_number(before, number, rate)
        if after == before:
            continue
        if before:
            connection.execute("DELETE FROM album_number WHERE face_id = ?", (face,))
        for row in after:
            connection.execute(
                "INSERT INTO album_number (face_id, lowest, highest, number, ignored) VALUES (?, ?, ?, ?, ?)",
                (face, *row, int(row[2] in ignored)),
            )


def forget(connection: Connection, number: int) -> None:
    """A number is not to be given again: its stranger got a name, or was removed."""
    connection.execute("DELETE FROM album_number WHERE number = ?", (number,))


def set_ignored(connection: Connection, number: int, ignored: bool) -> None:
    """Whether somebody said to ignore the stranger, whose last face leaves now."""
    connection.execute("UPDATE album_number SET ignored = ? WHERE number = ?", (int(ignored), number))


def _ignored(connection: Connection) -> set[int]:
    """The numbers of strangers who were ignored when their last face left."""
    rows = connection.execute("SELECT DISTINCT number FROM album_number WHERE ignored = 1").fetchall()
    return {int(number) for (number,) in rows}


def was_ignored(connection: Connection, number: int) -> bool:
    """Whether a stranger who comes back is to be ignored."""
    (found,) = connection.execute(
        "SELECT max(ignored) FROM album_number WHERE number = ?", (number,)
    ).fetchone()
    return bool(found)
