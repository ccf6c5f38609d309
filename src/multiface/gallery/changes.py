"""What people did to a gallery, one row a change, kept for 30 days so that it can be undone.

A row and the change are one transaction. Its facts are what undoing needs: ids, and what was there before. Removing a
person is final: the rows about that person go, only the id stays, so that an import cannot bring the person back.

Kinds: "enrol" (also of a folder), "rename", "edit", "merge", "split", "name" (a stranger), "album" (see
`album.hand_work`), "undo", "reembed" (all vectors were made anew with other weights).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from multiface.gallery.clock import utc_in, utc_now
from multiface.gallery.connection import BadContent
from multiface.gallery.sql import LARGEST_ID, Connection, inserted_id
from multiface.json_text import parse_json

KEPT_DAYS = 30
FINAL = ("undo", "reembed")
"""Kinds that cannot be undone."""
_ALL = 1 << 31

Facts = dict[str, Any]
_here: ContextVar[list[int] | None] = ContextVar("changes recorded here", default=None)


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    id: rises with time. made: UTC, ISO. kind: see the module. people: ids of those it is about. facts: what undoing
    needs, by kind. undone: when it was undone; None if it was not.
    """

    id: int
    made: str
    kind: str
    people: tuple[str, ...]
    facts: Facts
    undone: str | None

    @property
    def can_be_undone(self) -> bool:
        """Whether it is a change that can be undone and was not."""
        return self.undone is None and self.kind not in FINAL and not self.facts.get("vectors_gone")


@contextmanager
def recorded() -> Iterator[list[int]]:
    """The ids of the changes that are written down inside, by this thread alone, as they come."""
    ids: list[int] = []
    token = _here.set(ids)
    try:
        yield ids
    finally:
        _here.reset(token)


def last_of(ids: Sequence[int]) -> int | None:
    """The last of the ids of `recorded`, to undo it; None where nothing was changed."""
    return ids[-1] if ids else None


def record(
    connection: Connection, kind: str, people: Iterable[str], facts: Facts, blobs: Sequence[bytes] = ()
) -> int:
    """Write a change down in the transaction that makes it; its id."""
    cursor = connection.execute(
        "INSERT INTO change (made, kind, facts) VALUES (?, ?, ?) RETURNING id",
        (utc_now(), kind, json.dumps(facts, ensure_ascii=True)),
    )
    change = inserted_id(cursor)
    for person in sorted(set(people)):
        connection.execute("INSERT INTO change_person (change_id, person) VALUES (?, ?)", (change, person))
    for number, data in enumerate(blobs):
        connection.execute(
            "INSERT INTO change_blob (change_id, number, data) VALUES (?, ?, ?)", (change, number, data)
        )
    here = _here.get()
    if here is not None:
        here.append(change)
    return change


def changes(connection: Connection, most: int, person: str | None = None) -> tuple[Change, ...]:
    """The last changes, newest first; all, or those about one person."""
    where, values = "", []
    if person is not None:
        where, values = "WHERE id IN (SELECT change_id FROM change_person WHERE person = ?)", [person]
    rows = connection.execute(
        f"SELECT id, made, kind, facts, undone FROM change {where} ORDER BY id DESC LIMIT ?", (*values, most)
    )
    return tuple(_change(connection, row) for row in rows.fetchall())


def later(connection: Connection, number: int) -> tuple[Change, ...]:
    """The changes after one, oldest first."""
    rows = connection.execute(
        "SELECT id, made, kind, facts, undone FROM change WHERE id > ? ORDER BY id", (number,)
    )
    return tuple(_change(connection, row) for row in rows.fetchall())


def change(connection: Connection, number: int) -> Change | None:
    """The change of this id."""
    if not 0 < number <= LARGEST_ID:
        return None
    row = connection.execute(
        "SELECT id, made, kind, facts, undone FROM change WHERE id = ?", (number,)
    ).fetchone()
    return None if row is None else _change(connection, row)


def blobs(connection: Connection, number: int) -> list[bytes]:
    """What was kept with a change, in order."""
    rows = connection.execute(
        "SELECT data FROM change_blob WHERE change_id = ? ORDER BY number", (number,)
    ).fetchall()
    return [bytes(data) for (data,) in rows]


def mark_undone(connection: Connection, number: int) -> None:
    """Write down that a change was undone now; what was kept to undo it goes."""
    connection.execute("UPDATE change SET undone = ? WHERE id = ?", (utc_now(), number))
    connection.execute("DELETE FROM change_blob WHERE change_id = ?", (number,))


def forget_vectors(connection: Connection) -> None:
    """Forget the vectors kept to undo changes, with the pictures beside them; these changes can be undone no more."""
    rows = connection.execute(
        "SELECT id, facts FROM change WHERE id IN (SELECT change_id FROM change_blob) ORDER BY id"
    ).fetchall()
    for number, facts in rows:
        text = json.dumps({**parse_json(facts), "vectors_gone": True}, ensure_ascii=True)
        connection.execute("UPDATE change SET facts = ? WHERE id = ?", (text, number))
    connection.execute("DELETE FROM change_blob")


def have_expired(connection: Connection) -> bool:
    """Whether there are changes that are kept no longer."""
    row = connection.execute("SELECT 1 FROM change WHERE made < ? LIMIT 1", (_oldest(),)).fetchone()
    return row is not None


def forget_expired(connection: Connection) -> None:
    """Forget the changes that are kept no longer."""
    connection.execute("DELETE FROM change WHERE made < ?", (_oldest(),))


def forget(connection: Connection, number: int) -> None:
    """Forget one change."""
    connection.execute("DELETE FROM change WHERE id = ?", (number,))


def forget_person(connection: Connection, person: str) -> tuple[str, ...]:
    """Forget all changes about a person and about those who were merged into the person; the ids of all of them.

    They are written down as removed. Of changes that are also about many others, as an enrolment of a folder is, only
    the person goes; they hold no names.
    """
    gone: list[str] = [person]
    for one in gone:
        for made in changes(connection, _ALL, one):
            if made.kind == "merge" and made.undone is None and made.facts["into"] == one:
                gone.append(str(made.facts["from"]["id"]))
    for one in gone:
        connection.execute(
            """
            DELETE FROM change WHERE kind <> 'enrol' AND id IN (SELECT change_id FROM change_person WHERE person = ?)
            """,
            (one,),
        )
        connection.execute("DELETE FROM change_person WHERE person = ?", (one,))
        connection.execute(
            "INSERT INTO removed_person (person, removed) VALUES (?, ?) ON CONFLICT (person) DO NOTHING",
            (one, utc_now()),
        )
    connection.execute(
        "DELETE FROM change WHERE kind = 'enrol' AND id NOT IN (SELECT change_id FROM change_person)"
    )
    return tuple(gone)


def was_removed(connection: Connection, person: str) -> bool:
    """Whether a person of this id was removed for good."""
    row = connection.execute("SELECT 1 FROM removed_person WHERE person = ?", (person,)).fetchone()
    return row is not None


def _oldest() -> str:
    return utc_in(-timedelta(days=KEPT_DAYS))


def _change(connection: Connection, row: tuple[Any, ...]) -> Change:
    try:
        number, made, kind, text, undone = row
        facts = parse_json(text)
        if not isinstance(facts, dict):
            raise ValueError("facts")
        people = connection.execute(
            "SELECT person FROM change_person WHERE change_id = ? ORDER BY person", (number,)
        ).fetchall()
        return Change(
            int(number),
            str(made),
            str(kind),
            tuple(str(person) for (person,) in people),
            facts,
            None if undone is None else str(undone),
        )
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: a change's row cannot be read") from error
