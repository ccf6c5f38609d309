"""Templates in SQL: each function is one thing done inside the caller's transaction.

Vectors are BLOBs of d little-endian float32. What is read back is checked: a damaged row raises BadContent instead of
giving a wrong vector.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from multiface.arrays import Floats, vector_bytes, vector_from
from multiface.errors import GalleryConflict, GalleryError
from multiface.gallery.clock import utc_now
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import Crop, NewTemplate, Person, PictureFacts, Template, VectorOrigin
from multiface.gallery.sql import Connection, inserted_id
from multiface.images.path_text import path_text

UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of a vector may be."""

FACTS = "width, height, x0, y0, x1, y1, score, detector, quarter_turns, faces_in_picture"
"""The columns that `facts_of` reads."""

_DAMAGED = "it is damaged: a template's row cannot be read"

_TEMPLATE = f"SELECT id, person_id, vector, source_digest, source, {FACTS}, added FROM template"


def ids_of(connection: Connection, person: int) -> list[int]:
    """The ids of a person's templates, oldest first."""
    rows = connection.execute("SELECT id FROM template WHERE person_id = ? ORDER BY id", (person,)).fetchall()
    return [int(number) for (number,) in rows]


def move_templates(connection: Connection, templates: Iterable[int], into: int) -> None:
    """Give templates to a person."""
    for template in templates:
        connection.execute("UPDATE template SET person_id = ? WHERE id = ?", (into, template))


def templates(connection: Connection, person: int, origin: VectorOrigin) -> tuple[Template, ...]:
    """A person's templates, oldest first."""
    rows = connection.execute(f"{_TEMPLATE} WHERE person_id = ? ORDER BY id", (person,)).fetchall()
    return tuple(_template(row, origin.dimension) for row in rows)


def person_of(connection: Connection, template: int) -> int | None:
    """The number of the person who has this template; None if there is no such template."""
    row = connection.execute("SELECT person_id FROM template WHERE id = ?", (template,)).fetchone()
    return None if row is None else int(row[0])


def same_face(connection: Connection, new: NewTemplate, origin: VectorOrigin) -> Template | None:
    """The template of the same face in the same picture."""
    rows = connection.execute(f"{_TEMPLATE} WHERE source_digest = ? ORDER BY id", (new.source_digest,))
    for row in rows.fetchall():
        template = _template(row, origin.dimension)
        if template.facts.same_face(new.facts):
            return template
    return None


def owner(connection: Connection, template: Template) -> tuple[str, str]:
    """The name and the id of the person who has a template."""
    row = connection.execute("SELECT name, public_id FROM person WHERE id = ?", (template.person,)).fetchone()
    if row is None:
        raise BadContent(f"it is damaged: person {template.person} has templates but no name")
    return str(row[0]), str(row[1])


def add_new_templates(
    connection: Connection, person: Person, new: Sequence[NewTemplate], origin: VectorOrigin
) -> list[int]:
    """Give templates to a person; the ids of those that were not there yet.

    Raises GalleryError if another person has one of them, or if a vector is not what the gallery holds.
    """
    added = []
    for template in new:
        there = same_face(connection, template, origin)
        if there is None:
            added.append(add_template(connection, person.number, template, origin))
        elif there.person != person.number:
            name, who = owner(connection, there)
            raise GalleryConflict(
                f"picture {template.source}: this face is already enrolled as {name!r} ({who}), so it "
                f"was not added to {person.name!r}",
                hint="remove or merge one of the two people first",
                picture=template.source,
                name=name,
            )
    return added


def add_template(
    connection: Connection, person: int, new: NewTemplate, origin: VectorOrigin, added: str | None = None
) -> int:
    """Store a template and return its id. added: when it was, for one from elsewhere; None for now.

    Raises GalleryError if the vector is not what the gallery holds: length d, finite, unit length.
    """
    fault = vector_fault(new.vector, origin.dimension)
    if fault is not None:
        raise GalleryError(f"template of {path_text(new.source)}: {fault}", picture=new.source)
    facts = new.facts
    cursor = connection.execute(
        """
        INSERT INTO template (person_id, vector, source_digest, source, width, height, x0, y0, x1, y1, score,
            detector, quarter_turns, faces_in_picture, added)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
        """,
        (
            person,
            vector_bytes(new.vector),
            new.source_digest,
            path_text(new.source).replace("\0", "\ufffd"),  # PostgreSQL keeps no NUL
            int(facts.width),
            int(facts.height),
            *(float(side) for side in facts.box),
            float(facts.score),
            facts.detector.replace("\0", "\ufffd"),
            int(facts.quarter_turns),
            int(facts.faces_in_picture),
            added or utc_now(),
        ),
    )
    number = inserted_id(cursor)
    if new.crop is not None:
        connection.execute(
            "INSERT INTO crop (template_id, picture, aligned) VALUES (?, ?, ?)",
            (number, new.crop.picture, int(new.crop.aligned)),
        )
    return number


def crop(connection: Connection, template: int) -> Crop | None:
    """The crop of a template; None where none is kept."""
    row = connection.execute(
        "SELECT picture, aligned FROM crop WHERE template_id = ?", (template,)
    ).fetchone()
    if row is None:
        return None
    if not isinstance(row[0], bytes):
        raise BadContent(f"it is damaged: the crop of template {template} cannot be read")
    return Crop(row[0], bool(row[1]))


def kinds_of_crops(connection: Connection, person: int) -> dict[int, bool]:
    """For the ids of those of a person's templates that have a crop, whether it is aligned."""
    rows = connection.execute(
        "SELECT template_id, aligned FROM crop JOIN template ON template.id = template_id WHERE person_id = ?",
        (person,),
    ).fetchall()
    return {int(template): bool(aligned) for template, aligned in rows}


def forget_crops(connection: Connection) -> int:
    """Delete all crops; how many there were."""
    return connection.execute("DELETE FROM crop").rowcount


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


def broken_templates(connection: Connection, origin: VectorOrigin) -> list[str]:
    """What is wrong with stored vectors, a line each."""
    problems = []
    for template, blob in connection.execute("SELECT id, vector FROM template ORDER BY id"):
        if not isinstance(blob, bytes) or len(blob) != 4 * origin.dimension:
            problems.append(f"template {template}: not {origin.dimension} float32 numbers")
            continue
        fault = vector_fault(vector_from(blob), origin.dimension)
        if fault is not None:
            problems.append(f"template {template}: {fault}")
    return problems


def facts_of(row: Sequence[Any]) -> PictureFacts:
    """What the columns `FACTS` say. Raises BadContent where they cannot be read."""
    try:
        width, height, x0, y0, x1, y1, score, detector, turns, faces = row
        return PictureFacts(
            int(width),
            int(height),
            (float(x0), float(y0), float(x1), float(y1)),
            float(score),
            str(detector),
            int(turns),
            int(faces),
        )
    except (TypeError, ValueError) as error:
        raise BadContent(_DAMAGED) from error


def _template(row: tuple[Any, ...], dimension: int) -> Template:
    number, person, blob, digest, source, *facts, added = row
    try:
        if not isinstance(blob, bytes) or len(blob) != 4 * dimension:
            raise ValueError("vector")
        vector = vector_from(blob)
        return Template(
            int(number), int(person), vector, str(digest), str(source), facts_of(facts), str(added)
        )
    except (TypeError, ValueError) as error:
        raise BadContent(_DAMAGED) from error
