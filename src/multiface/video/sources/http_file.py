"""A video file on a web server, copied to a file of ours before it is read, as standard input is.

A server's answer is a file when it states a length and is no playlist; all else is a stream. Credentials in the
address go into a header of the first request only. No proxy is asked.
"""

import secrets
from pathlib import Path

import httpx

from multiface.atomic_write import whole_file
from multiface.errors import InputError
from multiface.images.path_text import path_text
from multiface.net.address import checked_address, shown_address
from multiface.net.http import Refused, asked

_PLAYLISTS = ("mpegurl", "dash+xml", "multipart/")
_PLAYLIST_NAMES = (".m3u8", ".m3u", ".mpd")


def downloaded_file(address: str, folder: Path, patience: float = 10.0) -> Path | None:
    """The file at an http(s) address, copied into `folder` (0600); None where a stream or nothing answers.

    patience: seconds without a byte after which the server counts as silent. Raises InputError where the copying
    breaks off or cannot be written; then no file is left.
    """
    path = folder / f"download-{secrets.token_hex(8)}"
    try:
        with asked(checked_address(address), {}, httpx.Timeout(patience)) as answer:
            if not _is_file(answer):
                return None
            trouble = _copy(answer, path)
    except (httpx.HTTPError, httpx.InvalidURL, Refused, OSError, ValueError):
        return None
    if trouble is not None:
        raise InputError(f"{shown_address(address)}: {trouble}")
    return path


def _is_file(answer: httpx.Response) -> bool:
    kind = answer.headers.get("Content-Type", "").lower()
    playlist = answer.url.path.lower().endswith(_PLAYLIST_NAMES) or any(mark in kind for mark in _PLAYLISTS)
    return answer.is_success and not playlist and "Content-Length" in answer.headers


def _copy(answer: httpx.Response, path: Path) -> str | None:
    """Why it failed, in words; None for a whole file. A half one is deleted."""
    try:
        with whole_file(path, private=True) as file:
            for piece in answer.iter_raw():
                file.write(piece)
    except httpx.TimeoutException:
        return "the server fell silent in the middle of the file"
    except httpx.HTTPError:
        return f"the connection broke after {answer.num_bytes_downloaded} of {answer.headers['Content-Length']} bytes"
    except OSError as error:
        return f"cannot be copied to {path_text(path.parent)} ({error.strerror or error})"
    return None
