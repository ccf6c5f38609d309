"""A video file on a web server, copied to a file of ours before it is read, as standard input is.

A server's answer is a file when it states a length and is no playlist; all else is a stream. Credentials in the
address go into a header of the first request only, not along with a redirection to another place.
"""

import base64
import secrets
import shutil
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from multiface.atomic_write import whole_file
from multiface.errors import InputError
from multiface.images.path_text import path_text
from multiface.video.sources.address import checked_address, shown_address

_PLAYLISTS = ("mpegurl", "dash+xml", "multipart/")
_PLAYLIST_NAMES = (".m3u8", ".m3u", ".mpd")


def downloaded_file(address: str, folder: Path, patience: float = 10.0) -> Path | None:
    """The file at an http(s) address, copied into `folder` (0600); None where a stream or nothing answers.

    patience: seconds without a byte after which the server counts as silent. Raises InputError where the copying
    breaks off or cannot be written; then no file is left.
    """
    name = shown_address(address)
    try:
        answer = _asked(checked_address(address), patience)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return None
    except (OSError, HTTPException, ValueError):
        return None
    with answer:
        kind = answer.headers.get_content_type().lower()
        length = answer.headers.get("Content-Length", "")
        playlist = urlsplit(answer.url).path.lower().endswith(_PLAYLIST_NAMES)
        if playlist or not length.isdecimal() or any(mark in kind for mark in _PLAYLISTS):
            return None
        path = folder / f"download-{secrets.token_hex(8)}"
        trouble = _copy(answer, path, int(length))
    if trouble is not None:
        raise InputError(f"{name}: {trouble}")
    return path


def _asked(address: str, patience: float) -> HTTPResponse:
    parts = urlsplit(address)
    user, at, place = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=place, fragment="")))
    if at:
        pair = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {pair}")
    answer = _opener().open(request, timeout=patience)
    assert isinstance(answer, HTTPResponse)
    return answer


def _opener() -> urllib.request.OpenerDirector:
    """Speaks http and https alone, also where a redirection leads elsewhere, and asks no proxy."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _copy(answer: HTTPResponse, path: Path, length: int) -> str | None:
    """Why it failed, in words; None for a whole file. A half one is deleted."""
    trouble = None
    try:
        with whole_file(path, private=True) as file:
            shutil.copyfileobj(answer, file, 1 << 20)
            got = file.tell()
    except TimeoutError:
        trouble = "the server fell silent in the middle of the file"
    except OSError as error:
        trouble = f"cannot be copied to {path_text(path.parent)} ({error.strerror or 'the connection broke'})"
    except HTTPException:
        trouble = "the connection broke in the middle of the file"
    else:
        if got != length:
            path.unlink(missing_ok=True)
            trouble = f"the connection broke after {got} of {length} bytes"
    return trouble
