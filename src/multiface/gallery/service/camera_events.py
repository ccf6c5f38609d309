"""Events of cameras in SQL, with one numbering: each function is one thing done inside the caller's transaction.

Numbers rise and are never given twice. A row holds no name: the person is a reference, so a rename shows at once, a
merge takes the events along, and a person or stranger who is removed is gone from them. Of each event it is also kept
as whom it was decided, so that a merge can be undone; that goes with the person too. Times are UTC, ISO 8601 with
milliseconds; boxes x0, y0, x1, y1 in pixels of the upright frame.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from multiface.gallery.service.camera_rows import lease
from multiface.gallery.sql import LARGEST_ID, Connection
from multiface.images.box import Box

MOST_WAITING = 100_000
"""Events that are kept for a webhook that was not told, however old they are."""

_EVENT = """
    SELECT number, camera_event.camera_id, camera.name, run, happened, stored, kind, track, person.public_id,
        person.name, CASE WHEN person.id IS NULL THEN stranger END, similarity, threshold, x0, y0, x1, y1
    FROM camera_event JOIN camera ON camera.id = camera_event.camera_id
    LEFT JOIN person ON person.id = camera_event.person_id
"""


class Overtaken(Exception):
    """Another process runs the cameras now."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened before a camera.

    happened: when. kind: "appeared", "recognised", "changed", "left" or "unknown". track: its number within the run.
    person: the id of the person recognised. stranger: the number of somebody without a name. similarity: of the best
    person; threshold: what it had to reach.
    """

    happened: str
    kind: str
    track: int
    person: str | None
    stranger: int | None
    similarity: float | None
    threshold: float | None
    box: Box


@dataclass(frozen=True, slots=True)
class CameraEvent:
    """An event that is kept, with the person as he or she is called now; the rest as in `NewEvent`.

    number: 1 or more. camera: its id. run: names the time between two starts of the camera, in which a track's number
    means one track. stored: when it was written down.
    """

    number: int
    camera: str
    camera_name: str
    run: str
    happened: str
    stored: str
    kind: str
    track: int
    person: str | None
    name: str | None
    stranger: int | None
    similarity: float | None
    threshold: float | None
    box: Box

    def document(self) -> dict[str, Any]:
        """The event as JSON has it."""
        return {
            "number": self.number,
            "time": self.happened,
            "camera": self.camera,
            "camera_name": self.camera_name,
            "event": self.kind,
            "run": self.run,
            "track": self.track,
            "name": self.name,
            "person": self.person,
            "stranger": self.stranger,
            "similarity": None if self.similarity is None else round(self.similarity, 6),
            "threshold": None if self.threshold is None else round(self.threshold, 6),
            "box": [round(side, 1) for side in self.box],
        }


@dataclass(frozen=True, slots=True)
class LastSeen:
    """Where a person was seen last. camera: its id. time: UTC, ISO."""

    camera: str
    name: str
    time: str


def time_text(moment: datetime) -> str:
    """A time as events have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def add_events(
    connection: Connection, camera: str, run: str, owner: str, new: Iterable[NewEvent]
) -> list[int]:
    """Keep events; their numbers. owner: of the lease; a process that lost it keeps nothing more (Overtaken)."""
    held = lease(connection)
    if held is None or held.owner != owner:
        raise Overtaken
    stored, numbers = time_text(datetime.now(UTC)), []
    for one in new:
        row = connection.execute("SELECT id FROM person WHERE public_id = ?", (one.person,)).fetchone()
        # Somebody who was removed meanwhile is nobody again.
        person, decided = (None, None) if row is None else (row[0], one.person)
        cursor = connection.execute(
            """
            INSERT INTO camera_event (camera_id, run, happened, stored, kind, track, person_id, decided, stranger,
                similarity, threshold, x0, y0, x1, y1)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT id FROM stranger WHERE id = ?), ?, ?, ?, ?, ?, ?) RETURNING number
            """,
            (
                *(camera, run, one.happened, stored, one.kind, one.track, person, decided, one.stranger),
                *(one.similarity, one.threshold),
                *(float(side) for side in one.box),
            ),
        )
        numbers.append(int(cursor.fetchone()[0]))
    return numbers


def events(connection: Connection, after: int, most: int, camera: str | None = None) -> list[CameraEvent]:
    """At most so many events after a number, in order; all, or those of one camera."""
    where, values = ("", []) if camera is None else ("AND camera_event.camera_id = ?", [camera])
    rows = connection.execute(
        f"{_EVENT} WHERE number > ? {where} ORDER BY number LIMIT ?", (after, *values, most)
    )
    return [_event(row) for row in rows.fetchall()]


def of_person(connection: Connection, person: int) -> list[CameraEvent]:
    """The events with a person, in order."""
    rows = connection.execute(f"{_EVENT} WHERE camera_event.person_id = ? ORDER BY number", (person,))
    return [_event(row) for row in rows.fetchall()]


def latest(connection: Connection, most: int, camera: str | None = None) -> list[CameraEvent]:
    """The newest events, at most so many, in order; of all, or of those of one camera."""
    where, values = ("", []) if camera is None else ("WHERE camera_event.camera_id = ?", [camera])
    rows = connection.execute(f"{_EVENT} {where} ORDER BY number DESC LIMIT ?", (*values, most))
    return [_event(row) for row in reversed(rows.fetchall())]


def last_number(connection: Connection) -> int:
    """The highest number that is kept; 0 for none."""
    (last,) = connection.execute("SELECT max(number) FROM camera_event").fetchone()
    return int(last or 0)


def told(connection: Connection, camera: str, target: str) -> int | None:
    """Up to which number a webhook of a camera was told; None for one that is not known."""
    row = connection.execute(
        "SELECT number FROM camera_told WHERE camera_id = ? AND target = ?", (camera, target)
    ).fetchone()
    return None if row is None else int(row[0])


def set_told(connection: Connection, camera: str, target: str, number: int) -> None:
    """A webhook of a camera was told up to this number."""
    connection.execute(
        """
        INSERT INTO camera_told (camera_id, target, number) VALUES (?, ?, ?)
        ON CONFLICT (camera_id, target) DO UPDATE SET number = excluded.number
        """,
        (camera, target, number),
    )


def forget_targets(connection: Connection, camera: str, but: str | None) -> None:
    """Forget the webhooks that a camera had, all but one."""
    connection.execute("DELETE FROM camera_told WHERE camera_id = ? AND target <> ?", (camera, but or ""))


def forget_events(connection: Connection, older_than: timedelta, most_waiting: int = MOST_WAITING) -> int:
    """Remove the events stored longer ago than this; how many.

    What a webhook was not told stays, but for what is in front of the newest `most_waiting` events of its camera.
    """
    limit = time_text(datetime.now(UTC) - older_than)
    gone = 0
    for (camera,) in connection.execute("SELECT id FROM camera").fetchall():
        (reached,) = connection.execute(
            "SELECT min(number) FROM camera_told WHERE camera_id = ?", (camera,)
        ).fetchone()
        reached = LARGEST_ID if reached is None else int(reached)
        row = connection.execute(
            "SELECT number FROM camera_event WHERE camera_id = ? ORDER BY number DESC LIMIT 1 OFFSET ?",
            (camera, most_waiting),
        ).fetchone()
        upto = max(reached, 0 if row is None else int(row[0]))
        gone += connection.execute(
            "DELETE FROM camera_event WHERE camera_id = ? AND stored < ? AND number <= ?",
            (camera, limit, upto),
        ).rowcount
    return gone


def last_seen(connection: Connection, person: int) -> tuple[LastSeen, ...]:
    """When each camera saw a person last, by the number of the person's row; the newest first."""
    rows = connection.execute(
        """
        SELECT camera.id, camera.name, max(happened) FROM camera_event JOIN camera ON camera.id = camera_id
        WHERE person_id = ? GROUP BY camera.id, camera.name ORDER BY max(happened) DESC, camera.id
        """,
        (person,),
    )
    return tuple(LastSeen(str(camera), str(name), str(time)) for camera, name, time in rows.fetchall())


def forget_person(connection: Connection, person: int, ids: Collection[str]) -> None:
    """A person is removed: no event tells who it was. ids: the person's, and of those merged into the person."""
    gone = "SET person_id = NULL, decided = NULL, stranger = NULL"
    connection.execute(f"UPDATE camera_event {gone} WHERE person_id = ?", (person,))
    for one in ids:
        connection.execute(f"UPDATE camera_event {gone} WHERE decided = ?", (one,))


def hand_over(connection: Connection, gone: int, kept: int) -> None:
    """A person was merged into another."""
    connection.execute("UPDATE camera_event SET person_id = ? WHERE person_id = ?", (kept, gone))


def give_back(connection: Connection, kept: int, public_id: str, person: int) -> None:
    """A merge is undone: what was decided as the other person is that person's again."""
    connection.execute(
        "UPDATE camera_event SET person_id = ? WHERE person_id = ? AND decided = ?", (person, kept, public_id)
    )


def name_stranger(connection: Connection, stranger: int, person: int) -> None:
    """A stranger was given a name; to be told before the stranger is removed."""
    connection.execute(
        """
        UPDATE camera_event SET person_id = ?, decided = (SELECT public_id FROM person WHERE id = ?)
        WHERE stranger = ? AND person_id IS NULL
        """,
        (person, person, stranger),
    )


def unname_stranger(connection: Connection, stranger: int) -> None:
    """That is undone, whoever has the events by now."""
    connection.execute(
        "UPDATE camera_event SET person_id = NULL, decided = NULL WHERE stranger = ?", (stranger,)
    )


def forget_stranger(connection: Connection, stranger: int) -> None:
    """A stranger is removed. Of one who has a name the number stays, so that the naming can be undone."""
    connection.execute(
        "UPDATE camera_event SET stranger = NULL WHERE stranger = ? AND person_id IS NULL", (stranger,)
    )


def _event(row: tuple[Any, ...]) -> CameraEvent:
    number, camera, camera_name, run, happened, stored, kind, track, person, name, stranger, *rest = row
    similarity, threshold, *box = rest
    return CameraEvent(
        int(number),
        str(camera),
        str(camera_name),
        str(run),
        str(happened),
        str(stored),
        str(kind),
        int(track),
        None if person is None else str(person),
        None if name is None else str(name),
        None if stranger is None else int(stranger),
        None if similarity is None else float(similarity),
        None if threshold is None else float(threshold),
        (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
    )
