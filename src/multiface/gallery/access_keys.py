"""Keys of a service in SQL: each function is one thing done inside the caller's transaction.

A key is `mf_ID_SECRET`; the secret has 256 bits and is shown once. Kept is its sha256, which is enough for a secret of
that length: nobody can try them all, so no slow function is needed that would cost as much for each request.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from multiface.errors import NotInGallery, UsageError
from multiface.gallery.clock import utc_now
from multiface.gallery.names import clean_name
from multiface.gallery.sql import Connection
from multiface.json_text import parse_json

SCOPES = ("recognise", "people:read", "people:write", "pictures:read", "embed", "admin")
"""What a key may be for; `admin` is for everything."""
GROUP_SCOPES = frozenset(("recognise", "people:read", "people:write"))
"""What a key may be for that is limited to groups of people: the rest is about pictures of anybody."""
_COLUMNS = "id, name, scopes, made, expires, used, revoked, people_groups"
_KEY = re.compile(r"mf_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
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
    number = "".join(secrets.choice(_LETTERS) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    expires = (
        None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    )
    key = AccessKey(
        number,
        name,
        tuple(one for one in SCOPES if one in scopes),
        utc_now(),
        expires,
        None,
        None,
        for_groups,
    )
    connection.execute(
        """
        INSERT INTO access_key (id, name, digest, scopes, made, expires, people_groups)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        (number, name, _digest(secret), " ".join(key.scopes), key.made, expires, json.dumps(for_groups)),
    )
    return key, f"mf_{number}_{secret}"


def found_key(connection: Connection, text: str) -> AccessKey | None:
    """The key with this text, if it holds still. The secret is compared in constant time."""
    parts = _KEY.fullmatch(text)
    if parts is None:
        return None
    row = connection.execute(
        f"SELECT {_COLUMNS}, digest FROM access_key WHERE id = ? AND kind = 'key'", (parts[1],)
    ).fetchone()
    if row is None or not hmac.compare_digest(str(row[-1]), _digest(parts[2])):
        return None
    key = _key(row)
    return None if key.revoked is not None or (key.expires is not None and key.expires < utc_now()) else key


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
        "UPDATE access_key SET revoked = coalesce(revoked, ?) WHERE id = ?", (utc_now(), number)
    )
    if not cursor.rowcount:
        raise NotInGallery(f"{place}: there is no key {number}; `multiface serve keys list` shows them")


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
