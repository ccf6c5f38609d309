"""Who changed what over HTTP, in SQL: the key, the request and the ids it named; no names of people, no vectors.

It is kept for a year.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from multiface.gallery.clock import utc_in, utc_now
from multiface.gallery.sql import Connection
from multiface.json_text import parse_json

KEPT_DAYS = 365


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that was asked for.

    made: UTC, ISO 8601. access_key: its id, or that of a session, whose beginning has the key (or "link") and in `ids`
    the session; "" where no key is needed. request: the id that its answer had. ids: the
    parts of the address, such as the person.
    """

    number: int
    made: str
    access_key: str
    request: str
    method: str
    route: str
    status: int
    ids: Mapping[str, str]


def add_entry(
    connection: Connection,
    access_key: str,
    request: str,
    method: str,
    route: str,
    status: int,
    ids: Mapping[str, str],
) -> None:
    """Write a change down."""
    connection.execute(
        """
        INSERT INTO audit (made, access_key, request, method, route, status, ids)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        (utc_now(), access_key, request, method, route, status, json.dumps(dict(ids))),
    )


def entries(connection: Connection, most: int, before: int | None = None) -> tuple[AuditEntry, ...]:
    """The last changes, newest first. before: only those that are older than this one."""
    where, values = ("", ()) if before is None else ("WHERE id < ?", (before,))
    rows = connection.execute(
        f"""
        SELECT id, made, access_key, request, method, route, status, ids FROM audit {where}
        ORDER BY id DESC LIMIT ?
        """,
        (*values, most),
    )
    return tuple(
        AuditEntry(
            int(number),
            str(made),
            str(key),
            str(request),
            str(method),
            str(route),
            int(status),
            parse_json(ids),
        )
        for number, made, key, request, method, route, status, ids in rows.fetchall()
    )


def forget_old(connection: Connection) -> None:
    """Forget what is kept no longer."""
    connection.execute("DELETE FROM audit WHERE made < ?", (utc_in(-timedelta(days=KEPT_DAYS)),))
