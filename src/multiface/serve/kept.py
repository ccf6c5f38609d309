"""What is kept of a person, place by place: what a deletion removes, said before it is done."""

from typing import Any

from multiface.gallery import Person
from multiface.gallery.changes import KEPT_DAYS
from multiface.gallery.sql import Connection

Document = dict[str, Any]

_COUNTS = (
    ("templates", "SELECT count(*) FROM template WHERE person_id = ?"),
    (
        "crops",
        "SELECT count(*) FROM crop JOIN template ON template.id = crop.template_id WHERE template.person_id = ?",
    ),
    ("album_faces", "SELECT count(*) FROM album_face WHERE person_id = ?"),
    ("camera_events", "SELECT count(*) FROM camera_event WHERE person_id = ?"),
    ("faces_said_not_to_be", "SELECT count(*) FROM album_not WHERE person_id = ?"),
)


def kept_of(connection: Connection, person: Person) -> list[Document]:
    """Each place with how much is there and how long it stays by itself. days: None for as long as the person does."""
    places: list[Document] = [
        {"place": place, "count": int(connection.execute(sql, (person.number,)).fetchone()[0]), "days": None}
        for place, sql in _COUNTS
    ]
    (changes,) = connection.execute(
        "SELECT count(*) FROM change_person WHERE person = ?", (person.id,)
    ).fetchone()
    return [*places, {"place": "changes", "count": int(changes), "days": KEPT_DAYS}]
