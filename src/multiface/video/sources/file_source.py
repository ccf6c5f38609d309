"""Frames of a video file: any container, exact presentation times, from and to any time, and taken up again.

Times of a container are kept as they are: constant or variable rate makes no difference. Only what cannot be used is
mended, and told in `notes`: a frame without a presentation time follows the one before it as that follows its own
predecessor (the second by the duration of the first, or one over the rate); one whose time does not lie after that of
the frame before it follows it by one tick; after a jump back of a second or more (files joined end to end) all later
times are moved on.

A packet that the container marks as broken or that the decoder refuses is skipped and counted. A file that is cut off
ends with what it has. Where a run starts later, the file is read from a key frame before that place, provided that
one is found whose frames can be trusted to be those of a whole run; containers whose times may jump (MPEG-TS and the
like) or that have none of presentation (AVI) and places that cannot be found so are reached by decoding from the start.

Cover pictures are no video. Fields of interlaced video are left woven, pixels that are not square are left as they
are. Only local files are opened, also where a file is a playlist that names others.
"""

import math
import threading
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path

from multiface.errors import InputError, UsageError
from multiface.images.path_text import path_text
from multiface.video.sources.coded_picture import fits_copy
from multiface.video.sources.colour import to_rgb
from multiface.video.sources.file_pass import FilePass, Timed
from multiface.video.sources.frame import Frame, SourceInfo
from multiface.video.sources.upright import rotation_of

_STEPS_BACK = 0, 1, 10, 100  # seconds before the wanted place at which a key frame is looked for
_CLOSE_WITHIN = 3.0


def open_file(
    path: Path,
    *,
    begin: float = 0.0,
    duration: float | None = None,
    after: int | None = None,
    first_number: int = 0,
) -> "FileSource":
    """The frames of a file whose time is at least `begin` and less than `begin + duration`.

    begin, duration: seconds of the source, to the nearest tick of its clock; duration None reads to the end.
    after: go on with the first frame whose pts is greater, as a run does that stopped after the frame with this pts;
        numbers then begin with `first_number` (one more than that frame's), times and pts are as in a whole run.
    Raises UsageError for times that cannot be meant; InputError for what is no file, no video, has no video stream
    or no frame that can be decoded, or is too large (`images.limits`). That it ends before `begin` is
    found when the frames are asked for.
    """
    if not (math.isfinite(begin) and begin >= 0):
        raise UsageError(f"begin is a time in seconds, at least 0, got {begin}")
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise UsageError(f"duration is a time in seconds, above 0, got {duration}")
    return FileSource(path, begin, duration, after, first_number)


class FileSource:
    """The frames of a file (a `Source`); made by `open_file`.

    notes: what went wrong, in words, complete when the frames have come to their end.
    """

    def __init__(
        self, path: Path, begin: float, duration: float | None, after: int | None, first_number: int
    ) -> None:
        self.notes: list[str] = []
        self._path, self._name = path, path_text(path)
        self._after, self._number = after, first_number
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._pass = FilePass(path, self._closed)
        try:
            self._info = self._look(begin, duration)
        except BaseException:
            self._pass.container.close()
            raise
        self._wanted = self._window()

    def _look(self, begin: float, duration: float | None) -> SourceInfo:
        """Decode the first frame, and learn from it where time begins and how the pictures lie."""
        first = next(self._pass.frames, None)
        if first is None:
            raise self._pass.nothing_decoded()
        self._first = first
        self._zero, shown = first
        self._rotation = rotation_of(shown)
        base = self._pass.time_base
        self._from = self._zero + round(Fraction(begin) / base)
        self._to = None if duration is None else self._zero + round(Fraction(begin + duration) / base)
        length = self._pass.length(self._zero)
        rest = None if length is None else max(0.0, length - begin)
        spans = [span for span in (rest, duration) if span is not None]
        stream = self._pass.stream
        whole = begin == 0 and duration is None
        width, height = self._rotation.size(shown.width, shown.height)
        return SourceInfo(
            name=self._name,
            width=width,
            height=height,
            frames=(stream.frames or None) if whole else None,
            rate=stream.average_rate or stream.guessed_rate or None,
            duration=min(spans, default=None),
            live=False,
        )

    @property
    def info(self) -> SourceInfo:
        """Of the whole run, also where this is the rest of one. `frames` is what the container states of a whole
        file, None for a part of one."""
        return self._info

    @property
    def skipped(self) -> int:
        """Packets that were skipped as broken so far."""
        return self._pass.skipped

    def frames(self) -> Iterator[Frame]:
        """The frames, in order of presentation; called once.

        Raises InputError where the part asked for holds no frame, where the frame with pts `after` is not in the
        file, and where the file cannot be read on.
        """
        while (found := self._next()) is not None:
            pts, decoded = found
            width, height = self._rotation.size(decoded.width, decoded.height)
            yield Frame(
                number=self._number,
                time=float((pts - self._zero) * self._pass.time_base),
                pts=pts,
                time_base=self._pass.time_base,
                width=width,
                height=height,
                convert=partial(to_rgb, decoded, self._rotation),
                coded=decoded if fits_copy(decoded, self._rotation) else None,
            )
            self._number += 1

    def close(self) -> None:
        """Close the file. Where another thread is just reading, it ends after its packet and closes the file."""
        self._closed.set()
        if self._lock.acquire(timeout=_CLOSE_WITHIN):
            try:
                self._pass.container.close()
            finally:
                self._lock.release()

    def _next(self) -> Timed | None:
        with self._lock:
            try:
                return None if self._closed.is_set() else next(self._wanted, None)
            finally:
                if self._closed.is_set():
                    self._pass.container.close()

    def _window(self) -> Iterator[Timed]:
        """The frames that were asked for; at their end the notes."""
        empty, whole = True, True
        for pts, decoded in self._from_place():
            if self._to is not None and pts >= self._to:
                whole = False
                break
            if pts >= self._from:
                empty = False
                yield pts, decoded
        if self._closed.is_set():
            return
        self.notes += self._pass.notes(whole)
        if empty and self._after is None:
            last = float(((self._pass.last or self._zero) - self._zero) * self._pass.time_base)
            raise InputError(
                f"{self._name}: has no frame in the part asked for; its last is at {last:.3f} s",
                path=self._path,
            )

    def _from_place(self) -> Iterator[Timed]:
        """All frames from one that is not after the first wanted; with `after`, all frames after it."""
        for frames in self._readings():
            if self._after is None:
                yield from frames
                return
            for pts, _ in frames:
                if pts == self._after:
                    yield from frames
                    return
                if pts > self._after:
                    break  # what was found is not what a whole run saw
        if not self._closed.is_set():
            raise InputError(
                f"{self._name}: has no frame with the presentation time {self._after} to go on after; "
                "the file has changed since, start anew",
                path=self._path,
            )

    def _readings(self) -> Iterator[Iterator[Timed]]:
        """Ways to read the file so that the wanted place comes: the quick one where there is one, then the sure."""
        place = max(self._from, self._from if self._after is None else self._after)
        if place == self._zero:
            yield chain((self._first,), self._pass.frames)
            return
        for seconds in _STEPS_BACK:
            if self._pass.seek(place - round(seconds / self._pass.time_base), place):
                yield self._pass.frames
                break
        self._pass.container.close()
        self._pass = FilePass(self._path, self._closed)
        yield self._pass.frames
