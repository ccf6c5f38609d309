"""Long work of a service in SQL: asked for, taken by one process, told how far it is, ended.

Each function is one thing done inside the caller's transaction. The process that works on a job is its owner, and says
every few seconds that it lives (`beat`). A job whose owner has been silent for `SILENT` is taken by another and begun
again, which every kind of job bears: what was done is kept batch by batch, or made anew.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from multiface.gallery.clock import utc_in, utc_now
from multiface.gallery.sql import Connection
from multiface.json_text import parse_json

SILENT = timedelta(seconds=15)
KEPT_DAYS = 30
ENDED = ("done", "failed", "cancelled")
_COLUMNS = "id, kind, asked, state, done, total, made, began, ended, result, problem, cancelled"

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    state: waiting, running, done, failed or cancelled. done, total: in the job's own unit; None while that is unknown.
    made, began, ended: UTC, ISO 8601. result: of one that is done; problem: of one that failed. cancelled: whether
    somebody asked for its end.
    """

    id: str
    kind: str
    asked: Facts
    state: str
    done: int
    total: int | None
    made: str
    began: str | None
    ended: str | None
    result: Facts | None
    problem: Facts | None
    cancelled: bool

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is done."""
        return self.state in ENDED


def ask(connection: Connection, kind: str, asked: Facts) -> Job:
    """A new job; or the one that waits already with the same to do."""
    text = json.dumps(dict(asked), sort_keys=True)
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM job WHERE kind = ? AND asked = ? AND state = 'waiting' AND cancelled = 0",
        (kind, text),
    ).fetchone()
    if row is not None:
        return _job(row)
    number = f"j_{secrets.token_hex(8)}"
    connection.execute(
        "INSERT INTO job (id, kind, asked, state, made) VALUES (?, ?, ?, 'waiting', ?)",
        (number, kind, text, _now()),
    )
    made = found(connection, number)
    assert made is not None
    return made


def found(connection: Connection, number: str) -> Job | None:
    """The job of this id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM job WHERE id = ?", (number,)).fetchone()
    return None if row is None else _job(row)


def jobs(connection: Connection, most: int) -> tuple[Job, ...]:
    """The last jobs, newest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM job ORDER BY made DESC, id LIMIT ?", (most,))
    return tuple(_job(row) for row in rows.fetchall())


def are_left(connection: Connection) -> bool:
    """Whether a job has not ended."""
    return connection.execute("SELECT 1 FROM job WHERE ended IS NULL LIMIT 1").fetchone() is not None


def next_one(connection: Connection, owner: str) -> Job | None:
    """Take the oldest job that nobody works on; None if there is none. Call it in a write transaction."""
    now = datetime.now(UTC)
    # A sign of life from the future is one from before the clock was set back.
    silent, ahead = ((now + span).isoformat(timespec="microseconds") for span in (-SILENT, SILENT))
    row = connection.execute(
        f"""
        SELECT {_COLUMNS} FROM job
        WHERE state = 'waiting' OR (state = 'running' AND (beat IS NULL OR beat < ? OR beat > ?))
        ORDER BY made, id LIMIT 1
        """,
        (silent, ahead),
    ).fetchone()
    if row is None:
        return None
    job = _job(row)
    connection.execute(
        "UPDATE job SET state = 'running', owner = ?, beat = ?, began = coalesce(began, ?) WHERE id = ?",
        (owner, _now(), utc_now(), job.id),
    )
    return job


def beat(connection: Connection, number: str, owner: str, done: int, total: int | None) -> bool:
    """The owner lives and is so far; whether it shall go on: not where it was cancelled, or taken by another."""
    connection.execute(
        "UPDATE job SET beat = ?, done = ?, total = ? WHERE id = ? AND owner = ? AND state = 'running'",
        (_now(), done, total, number, owner),
    )
    row = connection.execute(
        "SELECT cancelled FROM job WHERE id = ? AND owner = ? AND state = 'running'", (number, owner)
    ).fetchone()
    return row is not None and not row[0]


def end(
    connection: Connection,
    number: str,
    owner: str,
    state: str,
    result: Facts | None = None,
    problem: Facts | None = None,
) -> None:
    """A job has ended; nothing where another process took it meanwhile."""
    connection.execute(
        """
        UPDATE job SET state = ?, ended = ?, result = ?, problem = ?, owner = NULL
        WHERE id = ? AND owner = ? AND state = 'running'
        """,
        (
            state,
            utc_now(),
            None if result is None else json.dumps(dict(result)),
            None if problem is None else json.dumps(dict(problem)),
            number,
            owner,
        ),
    )


def let_go(connection: Connection, number: str, owner: str) -> None:
    """The owner ends before its job does: whoever is there next goes on with it at once."""
    connection.execute(
        "UPDATE job SET state = 'waiting', owner = NULL WHERE id = ? AND owner = ? AND state = 'running'",
        (number, owner),
    )


def cancel(connection: Connection, number: str) -> None:
    """End a job: at once where it waits, soon where it is worked on."""
    connection.execute("UPDATE job SET cancelled = 1 WHERE id = ?", (number,))
    connection.execute(
        "UPDATE job SET state = 'cancelled', ended = ? WHERE id = ? AND state = 'waiting'",
        (utc_now(), number),
    )


def forget_old(connection: Connection) -> None:
    """Forget the jobs that ended long ago."""
    connection.execute("DELETE FROM job WHERE ended < ?", (utc_in(-timedelta(days=KEPT_DAYS)),))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _job(row: tuple[Any, ...]) -> Job:
    number, kind, asked, state, done, total, made, began, ended, result, problem, cancelled = row
    return Job(
        str(number),
        str(kind),
        parse_json(asked),
        str(state),
        int(done),
        None if total is None else int(total),
        str(made),
        began,
        ended,
        None if result is None else parse_json(result),
        None if problem is None else parse_json(problem),
        bool(cancelled),
    )
