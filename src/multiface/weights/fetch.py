"""Getting a file whose sha256 is known: from servers, resumable, or from a folder.

While a download runs, `TARGET.part` lies beside the target, and `TARGET.part.json` with the sha256 it shall
have and the server's validator. The part is renamed to the target only after its sha256 was checked, so the
final name never holds a wrong or half file. A part that stays behind (network gone, process killed) is taken
up again by the next call.

HTTP: RFC 9110 (ranges, If-Range). Sizes in bytes, times in seconds.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from multiface.atomic_write import sync_folder, write_whole
from multiface.errors import DownloadFailed, UsageError, WeightsMissing
from multiface.file_lock import lock
from multiface.json_text import parse_json
from multiface.net.address import shown_address
from multiface.net.http import REDIRECTS, Refused, asked, is_web_address
from multiface.progress import Progress
from multiface.regular_file import read_regular
from multiface.visible import log_of
from multiface.weights.catalogue import Entry, FileEntry
from multiface.weights.hashing import checked_sha256, sha256_of

log = log_of(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a download is.

    connect: longest wait for a connection.
    stall: longest wait for the next bytes; also the span over which `slowest` is measured.
    slowest: bytes a second below which a server counts as stalled.
    tries: how often each address is tried; a try goes on where the last one ended.
    pause: wait before the second try; it doubles with every further one.
    redirects: longest chain of redirects.
    largest: bytes accepted when the size is not known beforehand.
    """

    connect: float = 10.0
    stall: float = 30.0
    slowest: int = 1024
    tries: int = 4
    pause: float = 1.0
    redirects: int = REDIRECTS
    largest: int = 2 * 1024**3


class _Interrupted(Exception):
    """This address failed for now: try it again."""


def fetch(
    urls: Sequence[str],
    target: Path,
    sha256: str,
    size: int | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> None:
    """Bring the file with this sha256 to `target`, from the first of `urls` that delivers it.

    urls: http or https addresses of the same file, tried in order. An https address is never left for http.
    target: its folder is made. If the file is there already nothing is fetched.
    size: bytes the file has, if known; nothing else is accepted then.

    Raises DownloadFailed, which names every address and what went wrong there, and UsageError for arguments
    that cannot be meant. What was received stays in `TARGET.part` unless it proved wrong.
    """
    sha256 = checked_sha256(sha256)
    limits = limits or Limits()
    for url in urls:
        if not is_web_address(url):
            raise UsageError(f"{url!r} is not an http or https address of a file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and sha256_of(target) == sha256:
            return
        with _open_part(target) as part:
            _Download(target, part, sha256, size, progress, limits).from_first_of(urls)
    except OSError as error:
        raise DownloadFailed(
            f"{target.name} cannot be written to {target.parent}: {error.strerror or error}",
            path=target,
            hint="make room or choose another folder, then try again: the part received so far is reused",
        ) from error


def find_in_folder(folder: Path, files: Sequence[FileEntry]) -> tuple[Path, ...]:
    """Where in `folder`, or deeper, each file is; a file is known by its sha256, whatever its name.

    folder: a folder, or a single file. Only files of the right size are read, where the size is known.
    Raises WeightsMissing when one is not there, and for a file whose sha256 is not known.
    """
    if not folder.exists():
        raise WeightsMissing(f"{folder}: there is no such folder", path=folder)
    candidates = (
        [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    )
    known: dict[Path, str] = {}
    found = []
    for file in files:
        if file.sha256 is None:
            raise WeightsMissing(
                f"{file.filename}: its sha256 is not known, so no file can be verified",
                hint="give the sha256",
            )
        fitting = [path for path in candidates if file.size in (None, path.stat().st_size)]
        for path in fitting:
            if path not in known:
                known[path] = sha256_of(path)
            if known[path] == file.sha256:
                found.append(path)
                break
        else:
            raise WeightsMissing(_not_in_folder(folder, file, candidates, known), path=folder)
    return tuple(found)


def _not_in_folder(folder: Path, file: FileEntry, candidates: Sequence[Path], known: dict[Path, str]) -> str:
    message = (
        f"none of the {len(candidates)} files in {folder} is {file.filename} "
        f"(sha256 {file.sha256}{'' if file.size is None else f', {file.size} bytes'})"
    )
    for path in candidates:
        if path.name == file.filename:
            got = known.get(path) or f"another size, {path.stat().st_size} bytes"
            message += f"; {path} has that name but other content ({got}): a damaged or another version"
    return message


def file_urls(entry: Entry, file: FileEntry, mirror: str | None) -> tuple[str, ...]:
    """Where to fetch a file: below a mirror's address if one is given, else where the catalogue says.

    Raises WeightsMissing when no address is known.
    """
    if mirror is not None:
        return (f"{mirror.rstrip('/')}/{file.filename}",)
    if not file.urls:
        raise WeightsMissing(
            f"{entry.name}: no address of {file.filename} is known",
            name=entry.name,
            hint=f"if you have the file, run `multiface weights pull {entry.name} --from FOLDER` with the folder that "
            "holds it",
        )
    return file.urls


def _mark(url: str) -> str:
    """What is noted of an address: enough to know it again, and nothing of it is written down."""
    return hashlib.sha256(url.encode()).hexdigest()


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _note(target: Path) -> Path:
    return target.with_name(target.name + ".part.json")


@contextlib.contextmanager
def _open_part(target: Path) -> Iterator[io.BufferedRandom]:
    """The part, open and locked for this process alone. What is in it already stays in it."""
    while True:
        with _part(target).open("a+b") as part:
            if not lock(part):
                raise DownloadFailed(
                    f"{target.name}: another process is fetching it to {target.parent} now",
                    path=target,
                    hint="wait until it is done",
                )
            # The process that held the lock before may have renamed this very file to the target.
            if _part(target).exists() and os.path.samestat(_part(target).stat(), os.fstat(part.fileno())):
                yield part
                return


@dataclass(slots=True)
class _Download:
    target: Path
    part: io.BufferedRandom
    sha256: str
    size: int | None
    progress: Progress | None
    limits: Limits
    length: int = 0
    """Bytes that are in the part."""
    validator: str | None = None
    """The server's strong ETag or Last-Modified for them."""
    source: str | None = None
    """The address they came from, as `_mark` has it."""

    def from_first_of(self, urls: Sequence[str]) -> None:
        self._take_up()
        if self.length and self._digest() == self.sha256:
            self._move()
            return
        failures = []
        for url in urls:
            failure = self._from(url)
            if failure is None:
                return
            failures.append(f"{shown_address(url)}: {failure}")
        if self.length:
            kept = f" {self.length} bytes are kept and used by the next try."
        else:
            kept = ""
            _part(self.target).unlink(missing_ok=True)
            _note(self.target).unlink(missing_ok=True)
        raise DownloadFailed(
            f"{self.target.name} was not delivered.{kept}\n  "
            + "\n  ".join(failures or ["no address was given"]),
            path=self.target,
        )

    def _from(self, url: str) -> str | None:
        """None when the target is there, else what went wrong."""
        pause = self.limits.pause
        for left in reversed(range(self.limits.tries)):
            resumed = self.length > 0
            try:
                if self.size is None or self.length < self.size:
                    self._receive(url)
                got = self._digest()
                if got == self.sha256:
                    self._move()
                    return None
                problem = self._wrong(got)
                self._restart()
                # What an earlier try or another server left may not fit the rest from this server.
                if not resumed:
                    return problem
            except Refused as refusal:
                return str(refusal)
            except (_Interrupted, httpx.HTTPError, httpx.InvalidURL) as error:
                problem = str(error) or type(error).__name__
            if left:
                log.info("%s: %s; trying again in %.1f s", shown_address(url), problem, pause)
                time.sleep(pause)
                pause *= 2
        return f"{problem} (tried {self.limits.tries} times)"

    def _receive(self, url: str) -> None:
        """Add to the part what it lacks. Raises Refused, _Interrupted, httpx.HTTPError, OSError."""
        headers = {}
        if self.length:
            headers["Range"] = f"bytes={self.length}-"
            if self.validator and self.source == _mark(url):
                headers["If-Range"] = self.validator
        patience = httpx.Timeout(self.limits.stall, connect=self.limits.connect)
        with asked(url, headers, patience, self.limits.redirects, proxies=True) as response:
            self._check_status(response)
            total = self._total(response)
            if response.status_code == httpx.codes.OK or not self._continues(response):
                self._restart()
                if response.status_code != httpx.codes.OK:
                    given = response.headers.get("Content-Range")
                    raise _Interrupted(f"the server sent another range ({given}) than was asked")
            if self.length == 0:
                self._remember(url, response)
            self._pour(response, total)

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and self.length:
            self._restart()
            raise _Interrupted("the server has no such range; starting anew")
        if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or status >= 500:
            raise _Interrupted(f"the server answers {status} {response.reason_phrase}")
        if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise Refused(f"the server answers {status} {response.reason_phrase}")
        if status == httpx.codes.PARTIAL_CONTENT and not self.length:
            raise Refused("the server sent a part of the file though all of it was asked")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(f"the server sent it encoded as {response.headers['Content-Encoding']}")
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise Refused("the server sent a web page, not the file: about an error, a login or a notice")

    def _total(self, response: httpx.Response) -> int | None:
        """Bytes that the whole file has as the server says; refused where that cannot be right."""
        total = None
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            total = int(match["total"]) if match and match["total"] != "*" else None
        elif (announced := response.headers.get("Content-Length", "")).isdigit():
            total = int(announced)
        if self.size is not None and total not in (None, self.size):
            raise Refused(
                f"the server announces {total} bytes, the file has {self.size}: another version, or a page"
            )
        if total is not None and total > self.limits.largest:
            raise Refused(f"the server announces {total} bytes, over the limit of {self.limits.largest}")
        return self.size if total is None else total

    def _continues(self, response: httpx.Response) -> bool:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return match is not None and int(match["first"]) == self.length

    def _pour(self, response: httpx.Response, total: int | None) -> None:
        """The body into the part; stops one byte after too many."""
        most = self.limits.largest if total is None else total
        if self.progress:
            self.progress(self.length, total)
        since, before = time.monotonic(), self.length
        for chunk in response.iter_raw():
            if self.length + len(chunk) > most:
                self._restart()
                raise Refused(f"the server sends more than the {most} bytes that the file may have")
            self.part.write(chunk)
            self.length += len(chunk)
            if self.progress:
                self.progress(self.length, total)
            if (span := time.monotonic() - since) > self.limits.stall:
                if self.length - before < span * self.limits.slowest:
                    raise _Interrupted(
                        f"the server is too slow ({self.length - before} bytes in {span:.0f} s)"
                    )
                since, before = time.monotonic(), self.length
        if total is not None and self.length < total:
            raise _Interrupted(f"the server ended after {self.length} of {total} bytes")

    def _digest(self) -> str:
        self.part.flush()
        os.fsync(self.part.fileno())
        self.part.seek(0)  # by this handle: on Windows no other one may read what is locked
        return hashlib.file_digest(self.part, "sha256").hexdigest()

    def _move(self) -> None:
        if sys.platform == "win32":
            self.part.close()
        _part(self.target).replace(self.target)
        sync_folder(self.target.parent)
        _note(self.target).unlink(missing_ok=True)

    def _wrong(self, got: str) -> str:
        return (
            f"wrong content: wanted sha256 {self.sha256}, got {got} ({self.length} bytes). What was received "
            f"was deleted. Likely another version of the file, or a page instead of it"
        )

    def _restart(self) -> None:
        self.part.truncate(0)
        self.length, self.validator, self.source = 0, None, None

    def _take_up(self) -> None:
        """Go on with the part if it was meant to become the file that is wanted now; empty it otherwise."""
        self.length = self.part.seek(0, os.SEEK_END)
        try:
            note = parse_json(read_regular(_note(self.target)))
            if note["sha256"] == self.sha256 and self.length <= (self.size or self.limits.largest):
                self.source, self.validator = note["source"], note["validator"]
                return
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self._restart()

    def _remember(self, url: str, response: httpx.Response) -> None:
        etag = response.headers.get("ETag", "")
        self.source = _mark(url)
        # If-Range takes strong validators only (RFC 9110, 13.1.5).
        self.validator = etag if etag.startswith('"') else response.headers.get("Last-Modified")
        note = {"sha256": self.sha256, "source": self.source, "validator": self.validator}
        write_whole(_note(self.target), json.dumps(note).encode())


_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-(?P<last>\d+)/(?P<total>\d+|\*)")
