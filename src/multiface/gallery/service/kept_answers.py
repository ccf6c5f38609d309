"""Answers of a service to writes that had an `Idempotency-Key`, in SQL, kept for a day: asked again, the same is said.

Each function is one thing done inside the caller's transaction. The key belongs to the access key that sent it.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from multiface.gallery.clock import utc_in, utc_now
from multiface.gallery.sql import Connection
from multiface.json_text import parse_json

KEPT = timedelta(hours=24)
LONGEST = timedelta(minutes=10)
"""After this long without an answer a request is taken for one whose process died."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """digest: sha256 of the request. status: None while there is no answer. headers: names and values.

    cut_off: there will be none, and nobody knows whether the request was done: its process died.
    """

    digest: str
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut_off: bool = False


def begun(connection: Connection, access_key: str, key: str, digest: str) -> KeptAnswer | None:
    """Write down that a request is worked on: None; or what is known of one with this key."""
    forget_old(connection)
    row = connection.execute(
        "SELECT digest, status, headers, body, made FROM kept_answer WHERE access_key = ? AND idempotency_key = ?",
        (access_key, key),
    ).fetchone()
    if row is None:
        connection.execute(
            "INSERT INTO kept_answer (access_key, idempotency_key, digest, made) VALUES (?, ?, ?, ?)",
            (access_key, key, digest, utc_now()),
        )
        return None
    known, status, headers, body, made = row
    return KeptAnswer(
        str(known),
        None if status is None else int(status),
        tuple((str(name), str(value)) for name, value in parse_json(headers or "[]")),
        bytes(body or b""),
        status is None and str(made) < utc_in(-LONGEST),
    )


def answered(connection: Connection, access_key: str, key: str, answer: KeptAnswer) -> None:
    """Keep the answer to a request that had begun."""
    connection.execute(
        """
        UPDATE kept_answer SET status = ?, headers = ?, body = ?
        WHERE access_key = ? AND idempotency_key = ? AND digest = ?
        """,
        (answer.status, json.dumps(answer.headers), answer.body, access_key, key, answer.digest),
    )


def given_up(connection: Connection, access_key: str, key: str) -> None:
    """A request that had begun came to nothing: it may be made again."""
    connection.execute(
        "DELETE FROM kept_answer WHERE access_key = ? AND idempotency_key = ? AND status IS NULL",
        (access_key, key),
    )


def forget_old(connection: Connection) -> None:
    """Forget what is kept no longer."""
    connection.execute("DELETE FROM kept_answer WHERE made < ?", (utc_in(-KEPT),))


def forget_people(connection: Connection, ids: Collection[str]) -> None:
    """People are removed: forget the answers that tell of them, which may hold names and notes. ids: of the people."""
    rows = connection.execute(
        "SELECT access_key, idempotency_key, body FROM kept_answer WHERE body IS NOT NULL"
    ).fetchall()
    for access_key, key, body in rows:
        if any(one.encode() in bytes(body) for one in ids):
            connection.execute(
                "DELETE FROM kept_answer WHERE access_key = ? AND idempotency_key = ?", (access_key, key)
            )
