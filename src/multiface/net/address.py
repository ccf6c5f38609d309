"""Addresses of streams, and the form in which they are shown: without what may let somebody in.

The parts of an address are those of RFC 3986 (scheme://user:password@host:port/path?query#fragment). Secrets stand
in the user part, in the query (tokens, SRT's passphrase), in the path of cameras that take `user=..&password=..`
there or `user:password`, as long random names in the path (stream keys, tokens, signed tokens whose pieces are joined
by dots: RFC 7515), and as the last name of an RTMP path, whatever it looks like (the stream key). All of these are
left out of the shown form.
"""

import re

from multiface.errors import UsageError

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "tcp", "udp", "srt")
"""What a stream's address may begin with."""

_ADDRESS = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_PLAIN_HOST_AND_QUERY = re.compile(r"([^/?#@:]+(?::\d+)?/[^?#@]*)\?[^@]*=.*", re.DOTALL)
_VALUE = re.compile(r"=[^/&;,]*")
_RANDOM_NAME = re.compile(r"(?<=/)(?=[^/]*[A-Za-z])(?=[^/]*\d[^/]*\d)[A-Za-z0-9_-]{16,}(?=/|$)")
_TOKEN = re.compile(r"(?<=/)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)*(?=/|$)")
_USER = re.compile(r"(?<=/)[^/]*(?::|%3[Aa])[^/]*")
_LAST_NAME = re.compile(r"(?<=/)[^/]+(?=/*$)")
_HIDDEN = "..."


def scheme_of(name: str) -> str | None:
    """What stands before `://`, in small letters; None for a name that is no address."""
    found = _ADDRESS.fullmatch(name)
    return None if found is None else found[1].lower()


def shown_address(address: str) -> str:
    """The address as it may be shown and logged: scheme, host, port and path, and `...` for what is left out.

    A password that should have been percent-encoded and holds `@`, `/`, `?` or `#` is left out too: everything up
    to the last `@` goes. Raises UsageError for what is no address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise UsageError(
            "an address of a stream is wanted, such as rtsp://HOST/PATH, and what was given has no `://`"
        )
    scheme, rest = found[1].lower(), found[2].strip()
    plain = _PLAIN_HOST_AND_QUERY.fullmatch(rest)
    place = rest if plain is None else plain[1]
    place = place.rpartition("@")[2]
    cut = re.split(r"[?#]", place, maxsplit=1)[0]
    left_out = plain is not None or cut != place
    host, slash, path = cut.partition("/")
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^:\s]*)(:\d*)?", host):
        return f"{scheme}://{_HIDDEN}"  # a piece of a password stands where the host should
    path = slash + _VALUE.sub(f"={_HIDDEN}", path)
    for pattern in (_RANDOM_NAME, _TOKEN, _USER, *((_LAST_NAME,) if scheme.startswith("rtmp") else ())):
        path = pattern.sub(_HIDDEN, path)
    shown = f"{scheme}://{host}{path}{'?' + _HIDDEN if left_out else ''}"
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def checked_address(address: str) -> str:
    """The address as FFmpeg is given it. Raises UsageError for a scheme that is none of `SCHEMES`, or no host."""
    shown = shown_address(address)
    scheme = scheme_of(address)
    if scheme not in SCHEMES:
        raise UsageError(f"{shown}: `{scheme}` is not a known kind of stream ({', '.join(SCHEMES)})")
    address = address.strip()
    if address.partition("://")[2].rpartition("@")[2][:1] in ("", "/", "?", "#"):
        raise UsageError(f"{shown}: the address names no host")
    if not address.isprintable():
        raise UsageError(
            f"{shown}: the address holds a character that cannot be printed", hint="write it as %XX"
        )
    return address
