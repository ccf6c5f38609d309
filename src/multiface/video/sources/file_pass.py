"""One pass over a video file: its pictures decoded in order of presentation, with times that rise.

Times are in ticks of the video stream's `time_base`. What is mended, and how, is told in `file_source`.
"""

import threading
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

from multiface.errors import InputError, about
from multiface.images.path_text import path_text
from multiface.video.sources.frame_size import limit_in_words
from multiface.video.sources.local_file import opened_file, video_stream
from multiface.video.sources.pyav import av

Timed = tuple[int, av.VideoFrame]
"""Presentation time in ticks, mended, and the decoded frame."""

_JUMP = 1  # seconds back from which on all later times are moved


class FilePass:
    """A file that is open and read once, from its start or from where `seek` leads.

    frames: the frames from here on. skipped, filled, moved: packets left out as broken, frames that came without a
    time, frames whose time was moved. last: time of the last frame. Not for two threads at once; once `closed` is set
    the frames end after the next packet.
    """

    def __init__(self, path: Path, closed: threading.Event) -> None:
        """Raises InputError for what is no regular file, no video, or too large."""
        self._path, self._name, self._closed = path, path_text(path), closed
        self.container = opened_file(path, self._name)
        try:
            with about(path):
                self.stream = video_stream(self.container, self._name)
        except BaseException:
            self.container.close()
            raise
        assert self.stream.time_base is not None  # every stream that is read has one
        self.time_base: Fraction = self.stream.time_base
        rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(25)
        self._step = max(1, round(1 / (rate * self.time_base)))
        # AVI has no times of presentation; what comes as such are times of decoding, in the wrong order.
        self._by_decoding = self.container.format.name == "avi"
        self._begin(self._packets())

    def _begin(self, packets: "Iterable[av.Packet[av.VideoStream]]", key: int | None = None) -> None:
        self.skipped = self.filled = self.moved = 0
        self.last: int | None = None
        self._end = self._gap = self._offset = 0
        self._trouble: str | None = None
        self.frames: Iterator[Timed] = self._decoded(packets, key)

    def seek(self, to: int, place: int) -> bool:
        """Go to a key frame at `to` or before, from which on frames are those of a pass from the start.

        False, and the pass is of no more use but for another `seek`, where none is found whose time is known and not
        after `place`, or where times of the container may jump.
        """
        jumps = self.container.format.flags & cast("int", av.format.Flags.ts_discont.value)
        if jumps or self._by_decoding or self.filled or self.moved:
            return False
        try:
            self.container.seek(to, stream=self.stream)
            packets = self._packets()
            for packet in packets:
                if packet.is_keyframe:
                    if packet.pts is None or packet.pts > place:
                        return False
                    self._begin(chain((packet,), packets), packet.pts)
                    return True
        except av.error.FFmpegError:
            return False
        return False

    def length(self, zero: int) -> float | None:
        """Seconds from `zero` to the end of the picture, as the container states them; None where it does not."""
        stated = self._stated_end()
        if stated is not None:
            return max(0.0, float((stated - zero) * self.time_base))
        if self.container.duration is None:
            return None
        start = (self.container.start_time or 0) / av.time_base
        return max(0.0, start + self.container.duration / av.time_base - float(zero * self.time_base))

    def notes(self, whole: bool) -> list[str]:
        """What went wrong in this pass, in words. whole: the end of the file was reached."""
        notes = []
        if self._trouble is not None and whole:
            notes.append(f"{self._name}: {self._trouble}")
        stated = self._stated_end()
        if whole and stated is not None and self.last is not None:
            missing = float((stated - self._end) * self.time_base)
            if missing > 0.2 + 2 * float(self._step * self.time_base):
                notes.append(
                    f"{self._name}: ends early, {missing:.2f} s of the announced picture are missing; "
                    "it was probably cut off"
                )
        for count, text in (
            (self.skipped, "broken packets that were skipped"),
            (
                self.filled,
                "frames without a presentation time, put as far after the one before as that from its own",
            ),
            (self.moved, "frames with a presentation time not after that of an earlier frame, moved on"),
        ):
            if count:
                notes.append(f"{self._name}: {text}: {count}")
        return notes

    def nothing_decoded(self) -> InputError:
        """The error for a file whose first frame does not come."""
        why = self._trouble or (
            f"{self.skipped} packets, all broken or {limit_in_words()}"
            if self.skipped
            else "the stream is empty"
        )
        return InputError(f"{self._name}: not one frame of its video can be decoded ({why})", path=self._path)

    def _stated_end(self) -> int | None:
        """The end of the picture that the container states for this stream alone."""
        if self.stream.duration is not None:
            return (self.stream.start_time or 0) + self.stream.duration
        for key, value in self.stream.metadata.items():  # Matroska: from its beginning, as 00:01:02.500000000
            parts = value.split(":")
            if key.upper().startswith("DURATION") and len(parts) == 3:
                try:
                    hours, minutes, seconds = map(Fraction, parts)
                except (ValueError, ZeroDivisionError):
                    continue
                return round((hours * 3600 + minutes * 60 + seconds) / self.time_base)
        return None

    def _packets(self) -> "Iterator[av.Packet[av.VideoStream]]":
        try:
            yield from self.container.demux(self.stream)
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise InputError(
                    f"{self._name}: cannot be read further ({error.strerror})", path=self._path
                ) from error
            self._trouble = f"is broken and cannot be read further ({error.strerror})"

    def _decoded(self, packets: "Iterable[av.Packet[av.VideoStream]]", key: int | None) -> Iterator[Timed]:
        for packet in packets:
            if self._closed.is_set():
                return
            yield from self._timed(self._pictures(packet), key)
        if (
            self._trouble is not None
        ):  # without the empty packet at the end that has the decoder hand out the rest
            yield from self._timed(self._pictures(None), key)

    def _pictures(self, packet: "av.Packet[av.VideoStream] | None") -> list[av.VideoFrame]:
        if packet is not None and packet.is_corrupt:
            self.skipped += 1
            return []
        try:
            return self.stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.skipped += 1
            return []

    def _timed(self, decoded: Iterable[av.VideoFrame], key: int | None) -> Iterator[Timed]:
        for frame in decoded:
            if key is not None and frame.pts is not None and frame.pts < key:
                continue  # it shows something that came before the key frame
            pts = self._time(frame)
            length = frame.duration or self._step
            self._gap = length if self.last is None else pts - self.last
            self.last, self._end = pts, pts + length
            yield pts, frame

    def _time(self, frame: av.VideoFrame) -> int:
        stated = frame.dts if self._by_decoding else frame.pts
        if stated is None:
            self.filled += 1
            return (self.stream.start_time or 0) if self.last is None else self.last + self._gap
        pts = stated + self._offset
        if self.last is None or pts > self.last:
            return pts
        self.moved += 1
        if (self.last - pts) * self.time_base < _JUMP:
            return self.last + 1
        self._offset += self._end - pts
        return self._end
