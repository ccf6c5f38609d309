"""The vectors of everybody, or of some people, out of the database into arrays. Everything read is checked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.large_arrays import large_array
from multiface.gallery.sql import LARGEST_ID, Connection
from multiface.gallery.template_rows import UNIT_TOLERANCE

_ROWS = """
    SELECT template.id, person.id, person.name, person.public_id, template.vector
    FROM template JOIN person ON person.id = template.person_id
"""
_AT_ONCE = 500
"""People asked for in one statement."""
_PAGE = 8_192
"""Templates read in one statement, and the rest of the last one's person."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """People who have templates, by number; arrays as `matrix.Block` has them."""

    vectors: Floats
    person_index: npt.NDArray[np.intp]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    numbers: npt.NDArray[np.int64]

    def part(self, begin: int, end: int) -> "People":
        """Those at the positions begin..end - 1."""
        end = min(end, len(self.numbers))
        first, last = np.searchsorted(self.person_index, [begin, end])
        return People(
            self.vectors[first:last],
            self.person_index[first:last] - begin,
            self.names[begin:end],
            self.ids[begin:end],
            self.numbers[begin:end],
        )

    def taken(self, positions: npt.NDArray[np.intp]) -> "People":
        """Those at these positions, which rise."""
        rows = np.isin(self.person_index, positions)
        return People(
            self.vectors[rows],
            np.searchsorted(positions, self.person_index[rows]),
            tuple(self.names[k] for k in positions),
            tuple(self.ids[k] for k in positions),
            self.numbers[positions],
        )


def all_people(connection: Connection, origin: VectorOrigin) -> People:
    """Everybody who has a template. Raises BadContent for a vector that is not what the gallery holds."""
    (count,) = connection.execute("SELECT count(*) FROM template").fetchone()
    people = _people(_pages(connection), int(count), origin)
    if len(people.vectors) != count:
        raise BadContent("it is damaged: a template's person is missing; check it")
    return people


def _pages(connection: Connection) -> Iterator[Any]:
    """Everybody's rows, some people at a time: the driver of a server holds a whole answer in memory."""
    last: int | None = -LARGEST_ID
    while last is not None:
        begin = last
        following = connection.execute(
            "SELECT person_id FROM template WHERE person_id > ? ORDER BY person_id LIMIT 1 OFFSET ?",
            (begin, _PAGE - 1),
        ).fetchone()
        last = None if following is None else int(following[0])
        yield from connection.execute(
            f"{_ROWS} WHERE template.person_id > ? AND template.person_id <= ? ORDER BY person.id, template.id",
            (begin, LARGEST_ID if last is None else last),
        )


def some_people(connection: Connection, numbers: Sequence[int], origin: VectorOrigin) -> People:
    """Those of these numbers, rising, who are there and have a template. Raises BadContent as `all_people`."""
    rows: list[Any] = []
    for at in range(0, len(numbers), _AT_ONCE):
        asked = numbers[at : at + _AT_ONCE]
        marks = ", ".join("?" * len(asked))
        found = connection.execute(
            f"{_ROWS} WHERE person.id IN ({marks}) ORDER BY person.id, template.id", tuple(asked)
        )
        rows += found.fetchall()
    return _people(rows, len(rows), origin)


def _people(rows: Iterable[Any], count: int, origin: VectorOrigin) -> People:
    """rows: at most `count`, by person and then by age."""
    size = 4 * origin.dimension
    vectors = large_array((count, origin.dimension))
    person_index = np.empty(count, np.intp)
    numbers: list[int] = []
    names: list[str] = []
    ids: list[str] = []
    at = 0
    for template, person, name, public_id, blob in rows:
        if not numbers or person != numbers[-1]:
            numbers.append(int(person))
            names.append(str(name))
            ids.append(str(public_id))
        if at == count or not isinstance(blob, bytes) or len(blob) != size:
            raise BadContent(f"it is damaged: template {template} is not {origin.dimension} numbers")
        vectors[at] = np.frombuffer(blob, "<f4")
        person_index[at] = len(numbers) - 1
        at += 1
    vectors, person_index = vectors[:at], person_index[:at]
    lengths = np.sqrt(np.einsum("td,td->t", vectors, vectors))
    if not (np.abs(lengths - 1.0) <= UNIT_TOLERANCE).all():  # also false for what is not finite
        raise BadContent("it is damaged: a vector is not of unit length; check it")
    return People(vectors, person_index, tuple(names), tuple(ids), np.array(numbers, np.int64))
