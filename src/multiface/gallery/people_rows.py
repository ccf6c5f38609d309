"""People and templates in SQL: each function is one thing done inside the caller's transaction.

Vectors are BLOBs of d little-endian float32. Names come in as `names.clean_name` leaves them. What is
read back is checked: a damaged row raises BadContent instead of giving a wrong vector.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np

from multiface.arrays import Floats
from multiface.errors import GalleryError
from multiface.gallery.clock import utc_now
from multiface.gallery.connection import BadContent
from multiface.gallery.engine import NewTemplate, Person, PictureFacts, Template, VectorOrigin
from multiface.gallery.search import Matrix
from multiface.images.path_text import path_text

UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of a vector may be."""

_PERSON = """
    SELECT person.id, person.name, person.created, count(template.id)
    FROM person LEFT JOIN template ON template.person_id = person.id
"""
_TEMPLATE = """
    SELECT id, person_id, vector, source_digest, source, width, height, x0, y0, x1, y1, score, detector,
        quarter_turns, faces_in_picture, added
    FROM template
"""


def people(connection: sqlite3.Connection) -> tuple[Person, ...]:
    """Everybody, by name."""
    rows = connection.execute(f"{_PERSON} GROUP BY person.id ORDER BY person.name, person.id").fetchall()
    return tuple(_person(row) for row in rows)


def person(connection: sqlite3.Connection, name: str) -> Person | None:
    """The person of exactly this name."""
    row = connection.execute(f"{_PERSON} WHERE person.name = ? GROUP BY person.id", (name,)).fetchone()
    return None if row is None else _person(row)


def person_id(connection: sqlite3.Connection, name: str) -> int:
    """The id of the person of this name, who is made if there is none."""
    connection.execute(
        "INSERT INTO person (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, utc_now())
    )
    (found,) = connection.execute("SELECT id FROM person WHERE name = ?", (name,)).fetchone()
    return int(found)


def rename(connection: sqlite3.Connection, person: int, name: str) -> None:
    """Give a person a name that nobody has."""
    connection.execute("UPDATE person SET name = ? WHERE id = ?", (name, person))


def remove_person(connection: sqlite3.Connection, person: int) -> None:
    """Remove a person and all templates."""
    connection.execute("DELETE FROM person WHERE id = ?", (person,))


def move_templates(connection: sqlite3.Connection, from_: int, into: int) -> int:
    """Give all templates of one person to another; how many there were."""
    return connection.execute("UPDATE template SET person_id = ? WHERE person_id = ?", (into, from_)).rowcount


def templates(connection: sqlite3.Connection, person: int, origin: VectorOrigin) -> tuple[Template, ...]:
    """A person's templates, oldest first."""
    rows = connection.execute(f"{_TEMPLATE} WHERE person_id = ? ORDER BY id", (person,)).fetchall()
    return tuple(_template(row, origin.dimension) for row in rows)


def same_face(
    connection: sqlite3.Connection, new: NewTemplate, origin: VectorOrigin
) -> tuple[Template, str] | None:
    """The template of the same face in the same picture, and the name of the person who has it."""
    rows = connection.execute(f"{_TEMPLATE} WHERE source_digest = ? ORDER BY id", (new.source_digest,))
    for row in rows.fetchall():
        template = _template(row, origin.dimension)
        if template.facts.same_face(new.facts):
            return template, name_of(connection, template.person_id)
    return None


def name_of(connection: sqlite3.Connection, person: int) -> str:
    """The name of a person that a template belongs to."""
    row = connection.execute("SELECT name FROM person WHERE id = ?", (person,)).fetchone()
    if row is None:
        raise BadContent(f"it is damaged: person {person} has templates but no name")
    return str(row[0])


def add_new_templates(
    connection: sqlite3.Connection, name: str, new: Sequence[NewTemplate], origin: VectorOrigin
) -> int:
    """Give templates to the person of this name, who is made if there is none; how many were not there yet.

    Raises GalleryError if another person has one of them, or if a vector is not what the gallery holds.
    """
    added = 0
    person = person_id(connection, name)
    for template in new:
        there = same_face(connection, template, origin)
        if there is None:
            add_template(connection, person, template, origin)
            added += 1
        elif there[0].person_id != person:
            raise GalleryError(
                f"picture {template.source}: this face is already enrolled as {there[1]!r}, so it "
                f"was not added to {name!r}; remove or merge one of the two people first"
            )
    return added


def add_template(connection: sqlite3.Connection, person: int, new: NewTemplate, origin: VectorOrigin) -> int:
    """Store a template and return its id.

    Raises GalleryError if the vector is not what the gallery holds: length d, finite, unit length.
    """
    fault = vector_fault(new.vector, origin.dimension)
    if fault is not None:
        raise GalleryError(f"template of {path_text(new.source)}: {fault}")
    facts = new.facts
    cursor = connection.execute(
        """
        INSERT INTO template (person_id, vector, source_digest, source, width, height, x0, y0, x1, y1, score,
            detector, quarter_turns, faces_in_picture, added)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            person,
            new.vector.astype("<f4").tobytes(),
            new.source_digest,
            path_text(new.source),
            int(facts.width),
            int(facts.height),
            *(float(side) for side in facts.box),
            float(facts.score),
            facts.detector,
            int(facts.quarter_turns),
            int(facts.faces_in_picture),
            utc_now(),
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def vector_fault(vector: Floats, dimension: int) -> str | None:
    """What is wrong with a vector, or None."""
    if vector.shape != (dimension,):
        return f"the vector has shape {vector.shape}, the gallery holds ({dimension},)"
    if not np.isfinite(vector).all():
        return "the vector holds a value that is not finite"
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if abs(length - 1.0) > UNIT_TOLERANCE:
        return f"the vector has length {length:.4g}, not 1"
    return None


def matrix(connection: sqlite3.Connection, origin: VectorOrigin) -> Matrix:
    """All templates as one array, by person and then by age. People without templates are left out."""
    (count,) = connection.execute("SELECT count(*) FROM template").fetchone()
    size = 4 * origin.dimension
    vectors = np.empty((count, origin.dimension), np.float32)
    person_index = np.empty(count, np.intp)
    names: list[str] = []
    last: int | None = None
    rows = connection.execute(
        """
        SELECT template.id, person.id, person.name, template.vector
        FROM template JOIN person ON person.id = template.person_id ORDER BY person.id, template.id
        """
    )
    at = 0
    for template, person, name, blob in rows:
        if person != last:
            names.append(str(name))
            last = person
        if at == count or not isinstance(blob, bytes) or len(blob) != size:
            raise BadContent(f"it is damaged: template {template} is not {origin.dimension} numbers")
        vectors[at] = np.frombuffer(blob, "<f4")
        person_index[at] = len(names) - 1
        at += 1
    lengths = np.sqrt(np.einsum("td,td->t", vectors[:at], vectors[:at]))
    if (
        at != count or not (np.abs(lengths - 1.0) <= UNIT_TOLERANCE).all()
    ):  # also false for what is not finite
        raise BadContent("it is damaged: a vector is missing or not of unit length; check it")
    return Matrix(vectors, person_index, tuple(names))


def broken_templates(connection: sqlite3.Connection, origin: VectorOrigin) -> list[str]:
    """What is wrong with stored vectors, a line each."""
    problems = []
    for template, blob in connection.execute("SELECT id, vector FROM template ORDER BY id"):
        if not isinstance(blob, bytes) or len(blob) != 4 * origin.dimension:
            problems.append(f"template {template}: not {origin.dimension} float32 numbers")
            continue
        fault = vector_fault(np.frombuffer(blob, "<f4").astype(np.float32), origin.dimension)
        if fault is not None:
            problems.append(f"template {template}: {fault}")
    return problems


def _person(row: tuple[Any, ...]) -> Person:
    try:
        number, name, created, count = row
        return Person(int(number), str(name), str(created), int(count))
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: a person's row cannot be read") from error


def _template(row: tuple[Any, ...], dimension: int) -> Template:
    try:
        (
            number,
            person,
            blob,
            digest,
            source,
            width,
            height,
            x0,
            y0,
            x1,
            y1,
            score,
            detector,
            turns,
            faces,
            added,
        ) = row
        if not isinstance(blob, bytes) or len(blob) != 4 * dimension:
            raise ValueError("vector")
        facts = PictureFacts(
            int(width),
            int(height),
            (float(x0), float(y0), float(x1), float(y1)),
            float(score),
            str(detector),
            int(turns),
            int(faces),
        )
        vector = np.frombuffer(blob, "<f4").astype(np.float32)
        return Template(int(number), int(person), vector, str(digest), str(source), facts, str(added))
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: a template's row cannot be read") from error
