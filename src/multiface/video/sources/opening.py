"""From the name of a source, as a user writes it, to an open source.

- `0`, `1`, ... or /dev/video0: a webcam (a folder that is named so is written ./0)
- an address with `://`: a stream; an http(s) address whose server states a length is a file, unless `live` is True
- `-`: standard input, a file
- a folder: its pictures, in their order
- else a video file
"""

import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from multiface.errors import InputError, UsageError
from multiface.images.path_text import path_text
from multiface.net.address import checked_address, scheme_of, shown_address
from multiface.video.sources.file_source import FileSource, open_file
from multiface.video.sources.folder_source import open_folder
from multiface.video.sources.frame import Frame, Source, SourceInfo
from multiface.video.sources.live_source import open_live
from multiface.video.sources.stdin_spool import spooled_stdin
from multiface.video.sources.webcam import open_webcam

_WEBCAM = re.compile(r"[0-9]{1,3}|/dev/video[0-9]+|/dev/v4l/.+")


def open_source(
    name: str,
    *,
    begin: float = 0.0,
    duration: float | None = None,
    after: int | None = None,
    first_number: int = 0,
    rate: float | None = None,
    size: tuple[int, int] | None = None,
    live: bool | None = None,
    scratch: Path | None = None,
) -> Source:
    """The source that `name` stands for, open.

    begin, duration: seconds of a file; a live source takes duration alone, from its first frame. after,
    first_number: to go on after a frame, as for `open_file`. rate: frames a second of a folder, or asked of a webcam;
    size: width and height asked of a webcam. live: False takes only what is read at our pace (file, folder, standard
    input, file on a web server), True only streams and webcams, None either. scratch: an existing folder for copies
    of standard input and of files on web servers; None for the system's. A copy is there until `SpooledSource.dispose`
    deletes it.

    Raises UsageError for a name or arguments that cannot be meant; InputError, or a subclass, for what cannot be
    opened.
    """
    webcam = _WEBCAM.fullmatch(name) is not None
    address = scheme_of(name) is not None
    if not address and re.search(r":[^/]*@", name) and not Path(name).exists():
        raise InputError(
            "there is no such file; what was given looks like an address of a stream with a password, without its "
            "kind in front (rtsp://, http://)"
        )
    shown = shown_address(name) if address else path_text(name)
    if size is not None and not webcam:
        raise UsageError(f"{shown}: a size can be asked of a webcam only")
    if live is False and webcam:
        raise UsageError(f"webcam {shown}: is a live source, where a file or a folder is wanted")
    if live is True and not (webcam or address):
        raise UsageError(
            f"{shown}: a live source is wanted: a webcam's index (0) or an address such as rtsp://HOST/PATH"
        )
    if webcam:
        _begins_now(shown, begin, after)
        return open_webcam(int(name) if name.isdecimal() else name, size, rate, duration=duration)
    if name != "-" and not address and Path(name).is_dir():
        return open_folder(
            Path(name),
            25 if rate is None else rate,
            begin=begin,
            duration=duration,
            after=after,
            first_number=first_number,
        )
    if rate is not None:
        raise UsageError(f"{shown}: a video has a rate of its own", hint="leave out the rate")
    read = partial(open_file, begin=begin, duration=duration, after=after, first_number=first_number)
    if name == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed", hint="pipe a video into it, or name a file")
        return SpooledSource("standard input", partial(spooled_stdin, sys.stdin.buffer), read, scratch)
    if not address:
        return read(Path(name))
    checked_address(name)
    if live is not True and scheme_of(name) in ("http", "https"):
        with suppress(_IsStream):
            return SpooledSource(shown, partial(_download, name), read, scratch)
    if live is False:
        raise InputError(f"{shown}: is a stream, or nothing answers there; a file or a folder is wanted")
    _begins_now(shown, begin, after)
    return open_live(name, duration=duration)


def _begins_now(shown: str, begin: float, after: int | None) -> None:
    if begin or after is not None:
        raise UsageError(f"{shown}: a live source begins now", hint="leave out the start time")


class _IsStream(Exception):
    """What answers at an http(s) address is no file."""


def _download(address: str, folder: Path) -> Path:
    from multiface.video.sources.http_file import (
        downloaded_file,  # not before it is needed: it takes its time
    )

    path = downloaded_file(address, folder)
    if path is None:
        raise _IsStream
    return path


class SpooledSource:
    """A file source over a copy of its own, which `dispose` deletes; else it goes with this object.

    path: of the copy; it can be read again after `close`, for its sound. Notes and errors show `name` for it.
    """

    def __init__(
        self,
        name: str,
        copy: Callable[[Path], Path],
        read: Callable[[Path], FileSource],
        scratch: Path | None,
    ) -> None:
        """copy lays the file into the folder that it is given, read opens it. Raises what they do."""
        folder = Path(tempfile.mkdtemp(prefix="multiface-", dir=scratch))
        self._delete = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._name = name
        try:
            self.path = copy(folder)
            with self._named():
                self._source = read(self.path)
        except BaseException:
            self._delete()
            raise
        self.info: SourceInfo = replace(self._source.info, name=name)

    @property
    def notes(self) -> list[str]:
        """What went wrong, in words."""
        return [self._with_name(note) for note in self._source.notes]

    @property
    def skipped(self) -> int:
        """Packets that were skipped as broken so far."""
        return self._source.skipped

    def frames(self) -> Iterator[Frame]:
        """As those of the file source."""
        frames = self._source.frames()
        while True:
            with self._named():
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def close(self) -> None:
        """Closes the file; the copy stays."""
        self._source.close()

    def dispose(self) -> None:
        """Closes the file and deletes the copy; twice is fine."""
        self._source.close()
        self._delete()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise type(error)(self._with_name(str(error))) from None

    def _with_name(self, text: str) -> str:
        return text.replace(path_text(self.path), self._name)
