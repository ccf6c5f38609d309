"""Keys of a service in SQL: each function is one thing done inside the caller's transaction.

A key is `mf_ID_SECRET`; the secret has 256 bits and is shown once. Kept is its sha256, which is enough for a secret of
that length: nobody can try them all, so no slow function is needed that would cost as much for each request.

The page signs in by a link (`mfl_ID_SECRET`; good once, ten minutes) or by a key, and gets a session (`mfs_ID_SECRET`;
twelve hours). Both are rows of the same table, of another kind: none of them is taken for a key, nor listed as one.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from multiface.errors import NotInGallery, UsageError
from multiface.gallery.clock import utc_in, utc_now
from multiface.gallery.names import clean_name
from multiface.gallery.sql import Connection
from multiface.json_text import parse_json

SCOPES = (
    "recognise",
    "people:read",
    "people:write",
    "pictures:read",
    "events:read",
    "cameras",
    "embed",
    "admin",
)
"""What a key may be for; `admin` is for everything."""
LINK_MINUTES = 10
SESSION_HOURS = 12
_TEXT = re.compile(r"(mf|mfl|mfs)_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_PREFIXES = {"key": "mf", "link": "mfl", "session": "mfs"}
GROUP_SCOPES = frozenset(("recognise", "people:read", "people:write"))
"""What a key may be for that is limited to groups of people: the rest is about pictures of anybody."""
_COLUMNS = "id, name, scopes, made, expires, used, revoked, people_groups"
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key without its secret. expires, used: UTC, ISO 8601; None for never. groups: of people; none for everybody."""

    id: str
    name: str
    scopes: tuple[str, ...]
    made: str
    expires: str | None
    used: str | None
    revoked: str | None
    groups: tuple[str, ...] = ()


def new_key(
    connection: Connection,
    name: str,
    scopes: Collection[str],
    days: int | None = None,
    groups: Collection[str] = (),
) -> tuple[AccessKey, str]:
    """Make a key; it and its text, which is nowhere else. days: until it expires. groups: of the people it is for.

    Raises UsageError.
    """
    wrong = sorted(set(scopes) - set(SCOPES))
    if wrong or not scopes:
        raise UsageError(f"a key is for some of {', '.join(SCOPES)}, not {', '.join(wrong) or 'nothing'}")
    if days is not None and not 1 <= days <= 36500:
        raise UsageError(f"a key expires after 1 to 36,500 days, not {days}")
    for_groups = tuple(sorted({clean_name(group) for group in groups}))
    if for_groups and (many := sorted(set(scopes) - GROUP_SCOPES)):
        raise UsageError(
            f"a key for groups of people has no scope {', '.join(many)}, which is about everybody's; it may have "
            f"{', '.join(sorted(GROUP_SCOPES))}"
        )
    expires = None if days is None else utc_in(timedelta(days=days))
    return _made(connection, "key", name, [one for one in SCOPES if one in scopes], expires, for_groups)


def found_key(connection: Connection, text: str) -> AccessKey | None:
    """The key with this text, if it holds still. The secret is compared in constant time."""
    return _found(connection, "key", text)


def new_link(connection: Connection) -> str:
    """Make a link's token: who has it signs in once, within ten minutes, for everything."""
    _sweep(connection)
    return _made(connection, "link", "link", SCOPES, utc_in(timedelta(minutes=LINK_MINUTES)))[1]


def found_link(connection: Connection, text: str) -> AccessKey | None:
    """The link with this token, if it is good still."""
    return _found(connection, "link", text)


def use_link(connection: Connection, link: AccessKey) -> bool:
    """Use a link up; whether it was good still. Of several at the same time one succeeds."""
    return connection.execute("DELETE FROM access_key WHERE id = ?", (link.id,)).rowcount == 1


def new_session(connection: Connection, key: AccessKey | None) -> tuple[AccessKey, str]:
    """Begin a session; it and its text. key: that signed in; the session is for what it is for, and ends with it.

    None: signed in by a link, for everything.
    """
    _sweep(connection)
    expires = utc_in(timedelta(hours=SESSION_HOURS))
    if key is None:
        return _made(connection, "session", "link", SCOPES, expires)
    return _made(connection, "session", key.name, key.scopes, expires, key.groups, key.id)


def found_session(connection: Connection, text: str) -> AccessKey | None:
    """The session with this text, if it holds still, and so does the key that began it."""
    session = _found(connection, "session", text)
    if session is None:
        return None
    row = connection.execute(
        """
        SELECT own.parent, began.id, began.revoked, began.expires
        FROM access_key own LEFT JOIN access_key began ON began.id = own.parent WHERE own.id = ?
        """,
        (session.id,),
    ).fetchone()
    if row is None:
        return None
    parent, key, revoked, expires = row
    return session if parent is None or (key is not None and _holds(revoked, expires)) else None


def end_session(connection: Connection, number: str) -> None:
    """A session is over."""
    connection.execute("DELETE FROM access_key WHERE id = ? AND kind = 'session'", (number,))


def keys(connection: Connection) -> tuple[AccessKey, ...]:
    """All keys, also those that hold no more, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM access_key WHERE kind = 'key' ORDER BY made, id"
    ).fetchall()
    return tuple(_key(row) for row in rows)


def touch_key(connection: Connection, number: str) -> None:
    """Write down that a key was used now."""
    connection.execute("UPDATE access_key SET used = ? WHERE id = ?", (utc_now(), number))


def revoke_key(connection: Connection, number: str, place: str) -> None:
    """A key holds no more from now on. Raises NotInGallery if there is none of this id."""
    cursor = connection.execute(
        "UPDATE access_key SET revoked = coalesce(revoked, ?) WHERE id = ? AND kind = 'key'",
        (utc_now(), number),
    )
    if not cursor.rowcount:
        raise NotInGallery(
            f"{place}: there is no key {number}", hint="`multiface serve keys list` shows them"
        )


def _made(
    connection: Connection,
    kind: str,
    name: str,
    scopes: Collection[str],
    expires: str | None,
    groups: Collection[str] = (),
    parent: str | None = None,
) -> tuple[AccessKey, str]:
    """A new row, and its text."""
    number = "".join(secrets.choice(_LETTERS) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    key = AccessKey(number, name, tuple(scopes), utc_now(), expires, None, None, tuple(groups))
    connection.execute(
        """
        INSERT INTO access_key (id, name, digest, scopes, made, expires, people_groups, kind, parent)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            number,
            name,
            _digest(secret),
            " ".join(key.scopes),
            key.made,
            expires,
            json.dumps(key.groups),
            kind,
            parent,
        ),
    )
    return key, f"{_PREFIXES[kind]}_{number}_{secret}"


def _found(connection: Connection, kind: str, text: str) -> AccessKey | None:
    parts = _TEXT.fullmatch(text)
    if parts is None or parts[1] != _PREFIXES[kind]:
        return None
    row = connection.execute(
        f"SELECT {_COLUMNS}, digest FROM access_key WHERE id = ? AND kind = ?", (parts[2], kind)
    ).fetchone()
    if row is None or not hmac.compare_digest(str(row[-1]), _digest(parts[3])):
        return None
    key = _key(row)
    return key if _holds(key.revoked, key.expires) else None


def _holds(revoked: object, expires: object) -> bool:
    return revoked is None and (expires is None or str(expires) >= utc_now())


def _sweep(connection: Connection) -> None:
    """Links and sessions that nobody can use any more."""
    connection.execute("DELETE FROM access_key WHERE kind <> 'key' AND expires < ?", (utc_now(),))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: tuple[object, ...]) -> AccessKey:
    number, name, scopes, made, expires, used, revoked, groups = row[:8]
    return AccessKey(
        str(number),
        str(name),
        tuple(str(scopes).split()),
        str(made),
        None if expires is None else str(expires),
        None if used is None else str(used),
        None if revoked is None else str(revoked),
        tuple(str(group) for group in parse_json(str(groups))),
    )
