"""People in SQL: each function is one thing done inside the caller's transaction.

Names come in as `names.clean_name` leaves them; `person` arguments are the numbers of rows. What is read back is
checked: a damaged row raises BadContent.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from multiface.errors import AmbiguousName, NotInGallery
from multiface.gallery import album_faces, album_strangers
from multiface.gallery.clock import utc_now
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import Person
from multiface.gallery.names import clean_name, nearest_name, some_text
from multiface.gallery.person_ids import is_id, new_id
from multiface.gallery.sql import Connection, inserted_id

_COMPARED = 500
"""Names looked at for a hint at most."""

_PERSON = """
    SELECT person.public_id, person.id, person.name, person.created, count(template.id), person.external_id,
        person.note, person.cover
    FROM person LEFT JOIN template ON template.person_id = person.id
"""


def people(connection: Connection, group: str | None = None) -> tuple[Person, ...]:
    """Everybody, or those of a group, by name and then by age."""
    if group is None:
        return _people(connection, "", ())
    return _people(
        connection, "WHERE person.id IN (SELECT person_id FROM person_group WHERE name = ?)", (group,)
    )


def page(
    connection: Connection,
    most: int,
    after: tuple[str, int] | None,
    part: str | None,
    groups: Sequence[str] = (),
) -> tuple[Person, ...]:
    """Some people by name and then by age.

    after: behind the person of this name and row. part: of the name, whatever the case of its ASCII letters. groups:
    only members of one of these; none for everybody.
    """
    conditions, values = ["1 = 1"], list[Any]()
    if after is not None:
        conditions.append("(name > ? OR (name = ? AND id > ?))")
        values += [after[0], after[0], after[1]]
    if part:
        escaped = part.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        conditions.append("lower(name) LIKE ? ESCAPE '!'")
        values.append(f"%{escaped}%")
    if groups:
        marks = ", ".join("?" * len(groups))
        conditions.append(f"id IN (SELECT person_id FROM person_group WHERE name IN ({marks}))")
        values += groups
    where = " AND ".join(conditions)
    rows = connection.execute(
        f"SELECT id FROM person WHERE {where} ORDER BY name, id LIMIT ?", (*values, most)
    )
    numbers = [int(number) for (number,) in rows.fetchall()]
    if not numbers:
        return ()
    marks = ", ".join("?" * len(numbers))
    return _people(connection, f"WHERE person.id IN ({marks})", tuple(numbers))


def person(connection: Connection, number: int) -> Person | None:
    """The person of this row."""
    return _only(_people(connection, "WHERE person.id = ?", (number,)))


def person_of_id(connection: Connection, public_id: str) -> Person | None:
    """The person of this id."""
    return _only(_people(connection, "WHERE person.public_id = ?", (public_id,)))


def person_of_external_id(connection: Connection, external_id: str) -> Person | None:
    """The person whom another system calls so."""
    return _only(_people(connection, "WHERE person.external_id = ?", (external_id,)))


def in_groups(connection: Connection, groups: Sequence[str]) -> list[int]:
    """The rows of those who are in one of these groups, rising."""
    marks = ", ".join("?" * len(groups))
    rows = connection.execute(
        f"SELECT DISTINCT person_id FROM person_group WHERE name IN ({marks}) ORDER BY person_id", groups
    )
    return [int(number) for (number,) in rows.fetchall()]


def groups(connection: Connection) -> tuple[tuple[str, int], ...]:
    """All groups by name, each with how many people are in it."""
    rows = connection.execute("SELECT name, count(*) FROM person_group GROUP BY name ORDER BY name")
    return tuple((str(name), int(count)) for name, count in rows.fetchall())


def people_of_name(connection: Connection, name: str) -> tuple[Person, ...]:
    """Those of exactly this name, oldest first."""
    return _people(connection, "WHERE person.name = ?", (name,))


def found(connection: Connection, who: str, place: str) -> Person:
    """The person of this id or name. place: the gallery, as messages begin.

    Raises GalleryError, with the nearest name, if there is none; AmbiguousName if several have the name.
    """
    if is_id(some_text(who).strip()):
        person = person_of_id(connection, who.strip())
        if person is None:
            raise NotInGallery(
                f"{place}: there is no person {who.strip()}",
                hint="`multiface people list` shows the ids",
                name=who.strip(),
            )
        return person
    name = clean_name(who)
    known = one_of_name(connection, name, place)
    if known is None:
        raise NotInGallery(
            f"{place}: there is nobody called {name!r}", name=name, hint=_hint(connection, name)
        )
    return known


def one_of_name(connection: Connection, name: str, place: str) -> Person | None:
    """The person of this name. Raises AmbiguousName if several have it."""
    known = people_of_name(connection, name)
    if len(known) > 1:
        raise AmbiguousName(
            f"{place}: {len(known)} people are called {name!r}",
            name,
            tuple(person.id for person in known),
            hint=f"give the id instead of the name: {described(known)}",
        )
    return known[0] if known else None


def described(people: Iterable[Person]) -> str:
    """People to choose from, for people to read: ids, and what tells them apart."""
    told = []
    for person in people:
        facts = (f"{person.templates} templates since {person.created}", person.external_id, person.note)
        told.append(f"{person.id} ({'; '.join(fact for fact in facts if fact)})")
    return ", ".join(told)


def add_person(
    connection: Connection, name: str, public_id: str | None = None, created: str | None = None
) -> Person:
    """A new person; others may have the name. public_id, created: of one who comes back or from elsewhere."""
    cursor = connection.execute(
        "INSERT INTO person (public_id, name, created) VALUES (?, ?, ?) RETURNING id",
        (public_id or new_id(), name, created or utc_now()),
    )
    made = person(connection, inserted_id(cursor))
    assert made is not None
    return made


def rename(connection: Connection, person: int, name: str) -> None:
    """Give a person a name."""
    connection.execute("UPDATE person SET name = ? WHERE id = ?", (name, person))


def set_external_id(connection: Connection, person: int, external_id: str | None) -> None:
    """Write down what another system calls the person; nobody else has that."""
    connection.execute("UPDATE person SET external_id = ? WHERE id = ?", (external_id, person))


def set_note(connection: Connection, person: int, note: str) -> None:
    """Write down a note."""
    connection.execute("UPDATE person SET note = ? WHERE id = ?", (note, person))


def set_cover(connection: Connection, person: int, template: int | None) -> None:
    """Show the person by one of the person's templates."""
    connection.execute("UPDATE person SET cover = ? WHERE id = ?", (template, person))


def set_groups(connection: Connection, person: int, groups: Iterable[str]) -> None:
    """The groups that the person is in from now on."""
    connection.execute("DELETE FROM person_group WHERE person_id = ?", (person,))
    for group in sorted(set(groups)):
        connection.execute("INSERT INTO person_group (person_id, name) VALUES (?, ?)", (person, group))


def remove_person(connection: Connection, person: int) -> None:
    """Remove a person and all templates; faces in the album are to be decided anew."""
    album_strangers.changed_by_hand(connection, album_faces.of_person(connection, person))
    connection.execute("DELETE FROM person WHERE id = ?", (person,))


def _people(connection: Connection, where: str, values: tuple[Any, ...]) -> tuple[Person, ...]:
    rows = connection.execute(
        f"{_PERSON} {where} GROUP BY person.id ORDER BY person.name, person.id", values
    ).fetchall()
    groups = _groups(connection, int(rows[0][1]) if len(rows) == 1 else None) if rows else {}
    return tuple(_person(row, groups) for row in rows)


def _groups(connection: Connection, person: int | None) -> dict[int, list[str]]:
    """The groups of one person or of everybody, by the number of the person."""
    where, values = ("WHERE person_id = ?", (person,)) if person is not None else ("", ())
    groups: dict[int, list[str]] = {}
    for number, name in connection.execute(
        f"SELECT person_id, name FROM person_group {where} ORDER BY name", values
    ):
        groups.setdefault(int(number), []).append(str(name))
    return groups


def _only(people: tuple[Person, ...]) -> Person | None:
    return people[0] if people else None


def _hint(connection: Connection, wanted: str) -> str:
    """The nearest of the names that begin or end like the one that is wanted and are about as long."""
    first, last = {wanted[0].lower(), wanted[0].upper()}, {wanted[-1].lower(), wanted[-1].upper()}
    rows = connection.execute(
        """
        SELECT name FROM person
        WHERE (substr(name, 1, 1) IN (?, ?) OR substr(name, length(name), 1) IN (?, ?))
            AND length(name) BETWEEN ? AND ?
        ORDER BY abs(length(name) - ?), name LIMIT ?
        """,
        (
            min(first),
            max(first),
            min(last),
            max(last),
            len(wanted) // 2,
            2 * len(wanted),
            len(wanted),
            _COMPARED,
        ),
    )
    near = nearest_name(wanted, [str(name) for (name,) in rows])
    if near:
        return f"did you mean {near!r}?"
    (count,) = connection.execute("SELECT count(*) FROM person").fetchone()
    return f"people in it: {count}"


def _person(row: tuple[Any, ...], groups: dict[int, list[str]]) -> Person:
    try:
        public_id, number, name, created, count, external_id, note, cover = row
        return Person(
            str(public_id),
            int(number),
            str(name),
            str(created),
            int(count),
            None if external_id is None else str(external_id),
            str(note),
            tuple(groups.get(int(number), ())),
            None if cover is None else int(cover),
        )
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: a person's row cannot be read") from error
