"""Cameras of a service in SQL, and which process runs them: each function is one thing done inside the caller's
transaction.

A password stands here and in no answer. The lease is one row: its owner counts it up every few seconds, and whoever
sees it stand still for long takes it. What is compared is the count and never a time, so clocks may jump.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from multiface.errors import NotInGallery
from multiface.gallery.clock import utc_now
from multiface.gallery.person_ids import new_id
from multiface.gallery.sql import Connection

_WANTED = ("name", "source", "password", "webhook", "keep_strangers", "unknown_alert", "paused")
_COLUMNS = f"id, {', '.join(_WANTED)}, made, state, detail, since, webhook_problem"


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera.

    id: opaque, `c_` and 16 characters. source: a webcam's number or an address, without a password. password: of the
    user whom the address names. webhook: where events go. keep_strangers: for how many days people whom nobody enrolled
    are kept with a picture; None for not at all. unknown_alert: whether there is an event "unknown" for them. made:
    UTC, ISO. state: "running", "starting", "waiting" or "stopped", detail: why, in words, since: when it began.
    webhook_problem: why the webhook did not take the last event; None where it did.
    """

    id: str
    name: str
    source: str = field(repr=False)
    password: str | None = field(repr=False)
    webhook: str | None = field(repr=False)
    keep_strangers: float | None
    unknown_alert: bool
    paused: bool
    made: str
    state: str
    detail: str | None
    since: str
    webhook_problem: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs the cameras. beat: counts up. beaten: when it last did, UTC, ISO, for people to read."""

    owner: str
    beat: int
    beaten: str


def cameras(connection: Connection) -> tuple[Camera, ...]:
    """All of them, by name."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM camera ORDER BY name, id").fetchall()
    return tuple(_camera(row) for row in rows)


def camera(connection: Connection, number: str, place: str) -> Camera:
    """The camera of this id. Raises NotInGallery."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM camera WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise NotInGallery(f"{place}: there is no camera {number}")
    return _camera(row)


def add_camera(
    connection: Connection,
    name: str,
    source: str,
    password: str | None,
    webhook: str | None,
    keep_strangers: float | None,
    unknown_alert: bool,
    paused: bool,
) -> str:
    """Write a new camera down; its id."""
    number, now = "c_" + new_id()[2:], utc_now()
    wanted = (name, source, password, webhook, keep_strangers, int(unknown_alert), int(paused))
    connection.execute(
        f"INSERT INTO camera ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'starting', NULL, ?, NULL)",
        (number, *wanted, now, now),
    )
    return number


def change_camera(connection: Connection, number: str, changes: Mapping[str, Any]) -> None:
    """Change some of what is wanted of a camera, by the names of its fields."""
    assert set(changes) <= set(_WANTED)
    for column, value in changes.items():
        stored = int(value) if isinstance(value, bool) else value
        connection.execute(f"UPDATE camera SET {column} = ? WHERE id = ?", (stored, number))


def remove_camera(connection: Connection, number: str) -> None:
    """Remove a camera with its events."""
    connection.execute("DELETE FROM camera WHERE id = ?", (number,))


def set_state(connection: Connection, number: str, state: str, detail: str | None) -> None:
    """What a camera does from now on, and why; `since` stays where the state does."""
    connection.execute(
        """
        UPDATE camera SET since = CASE WHEN state = ? THEN since ELSE ? END, state = ?, detail = ? WHERE id = ?
        """,
        (state, utc_now(), state, detail, number),
    )


def set_webhook_problem(connection: Connection, number: str, problem: str | None) -> None:
    """Why the webhook does not take events; None where it does."""
    connection.execute("UPDATE camera SET webhook_problem = ? WHERE id = ?", (problem, number))


def lease(connection: Connection) -> Lease | None:
    """Who runs the cameras; None for nobody."""
    row = connection.execute("SELECT owner, beat, beaten FROM camera_lease").fetchone()
    return None if row is None else Lease(str(row[0]), int(row[1]), str(row[2]))


def take_lease(connection: Connection, owner: str, stale: Lease | None) -> bool:
    """Take the lease or count it up, if it is free, one's own, or still what was found to stand still; whether."""
    now = lease(connection)
    if now is not None and now.owner != owner and (stale is None or now != stale):
        return False
    connection.execute(
        """
        INSERT INTO camera_lease (id, owner, beat, beaten) VALUES (1, ?, 1, ?)
        ON CONFLICT (id) DO UPDATE SET
            owner = excluded.owner, beat = camera_lease.beat + 1, beaten = excluded.beaten
        """,
        (owner, utc_now()),
    )
    return True


def release_lease(connection: Connection, owner: str) -> None:
    """Give the lease back, if it is one's own."""
    connection.execute("DELETE FROM camera_lease WHERE owner = ?", (owner,))


def _camera(row: tuple[Any, ...]) -> Camera:
    number, name, source, password, webhook, keep, alert, paused, made, state, detail, since, problem = row
    return Camera(
        str(number),
        str(name),
        str(source),
        _text(password),
        _text(webhook),
        None if keep is None else float(keep),
        bool(alert),
        bool(paused),
        str(made),
        str(state),
        _text(detail),
        str(since),
        _text(problem),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
