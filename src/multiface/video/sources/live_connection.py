"""One connection to a live feed: opened with time limits, read until it ends, and why it ended, in words.

FFmpeg's own messages are never passed on, since they quote addresses with credentials: words are made of the bare
error text (`strerror`). PyAV's log is silent unless the program that uses us switches it on (`av.logging`); from then
on addresses may stand in it.

Frames are decoded as they come. When decoding cannot keep up, only key frames are decoded until nothing lies unread
(stream_clock.py).
"""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from multiface.errors import InputError
from multiface.video.sources.colour import to_rgb
from multiface.video.sources.frame import Frame, SourceInfo
from multiface.video.sources.frame_size import limit_in_words, over_limit, pixel_limit
from multiface.video.sources.pyav import av
from multiface.video.sources.stream_clock import Backlog, StreamClock
from multiface.video.sources.upright import Rotation, Rotations

CLOCKLESS = frozenset(
    {"mpjpeg", "mjpeg", "h264", "hevc", "m4v", "mpegvideo", "obu", "image2pipe", "jpeg_pipe", "png_pipe"}
)
"""Formats of FFmpeg whose presentation times are counted up, not sent."""

PIECEMEAL = frozenset({"hls", "dash"})
"""Formats that come in pieces of seconds: their frames are handed out at their times, not all at once."""

SLACK = 2.0
"""Seconds over a time limit of FFmpeg's after which it is not trusted any more."""

if TYPE_CHECKING:
    Packet = av.Packet[av.stream.Stream]

CLOCK_UNIT = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    opening: for the first frame of each connection (a camera may send a key frame only every few seconds). stall:
    for the next frame after that; then the connection counts as lost.
    """

    opening: float = 10.0
    stall: float = 5.0


def _nothing_asked(_: SourceInfo) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Feed:
    """Where frames come from.

    name: fit to be shown. connect: opens it, given PyAV's time limits in seconds, of opening and of each read; may
    raise PyAV's errors, or InputError. asked: of what
    it gives, what had been asked for instead, in words.
    """

    name: str
    connect: Callable[[tuple[float, float]], av.container.InputContainer] = field(
        repr=False
    )  # it holds the address
    asked: Callable[[SourceInfo], str | None] = _nothing_asked


class LiveConnection:
    """Reads one connection.

    lasted: seconds from its first to its last frame; None where no frame came. due: `time.monotonic()` by which
    FFmpeg's own time limits must have brought it on; later than that, it hangs (in a name server, in a driver, or in
    packets of a stream that was not announced, which PyAV passes over without end).
    """

    def __init__(self, feed: Feed, patience: Patience, closing: threading.Event, answer: float) -> None:
        """answer: seconds that the other side has to answer."""
        self._feed, self._patience, self._closing, self._answer = feed, patience, closing, answer
        self.lasted: float | None = None
        self.due = time.monotonic() + 2 * answer + SLACK  # opened, then looked into

    def read(self, clock: StreamClock, hand_out: Callable[[Frame, Fraction | None], None]) -> str:
        """Hands out frames until the connection ends or `closing` is set; returns why it ended.

        hand_out is given each frame, numbered 0, and the frame rate that the stream states.
        """
        began = time.monotonic()
        try:
            container = self._feed.connect((self._answer, self._patience.stall))
        except av.FFmpegError as error:
            if (
                isinstance(error, av.InvalidDataError)
                and time.monotonic() - began > 0.9 * self._patience.stall
            ):
                return f"nothing came for {self._patience.stall:g} s"  # FFmpeg's RTSP says so when its time is over
            return self._words(error)
        except InputError as error:
            return str(error)
        try:
            return self._read_open(container, clock, hand_out)
        except av.FFmpegError as error:
            return self._words(error)
        finally:
            self._within(self._patience.stall)
            container.close()

    def _read_open(
        self,
        container: av.container.InputContainer,
        clock: StreamClock,
        hand_out: Callable[[Frame, Fraction | None], None],
    ) -> str:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
            return "it holds no video that can be decoded"
        stream.codec_context.options = pixel_limit()
        formats = set(container.format.name.split(","))
        clockless = bool(formats & CLOCKLESS)
        paced = bool(formats & PIECEMEAL) or (container.duration is not None and "rtsp" not in formats)
        pace: float | None = None  # wall clock less the stream's
        rate = stream.average_rate or stream.guessed_rate or None
        rotations = Rotations()
        backlog = Backlog()
        opened = newest = time.monotonic()
        self._within(self._patience.stall)
        for packet, waited in _timed(container.demux()):
            now = time.monotonic()
            if self._closing.is_set():
                return "closed"
            limit = self._patience.opening if self.lasted is None else self._patience.stall
            if now - newest > limit:
                return f"no picture came for {limit:g} s"
            self._within(self._patience.stall)
            if packet.stream_index != stream.index:
                continue
            sent = None if clockless else _seconds(packet.dts, packet.time_base)
            if paced:
                if sent is not None:
                    pace = now - sent if pace is None or abs(pace + sent - now) > limit else pace
                    self._closing.wait(max(0.0, pace + sent - now))
            elif backlog.skips(sent, now, waited, packet.is_keyframe):
                continue
            self._within(self._patience.stall)
            if (reason := over_limit(stream.codec_context.width, stream.codec_context.height)) is not None:
                return reason
            for picture in _decoded(packet):
                newest = time.monotonic()
                if self.lasted is None:
                    opened = newest
                self.lasted = newest - opened
                seconds = None if clockless else _seconds(picture.pts, picture.time_base)
                rotation = rotations.of(picture)
                hand_out(_frame(picture, rotation, clock.time_of(seconds, newest), newest), rate)
        return "the stream ended" if self.lasted is not None else "it ended before a picture came"

    def _within(self, seconds: float) -> None:
        self.due = time.monotonic() + seconds + SLACK

    def _words(self, error: av.FFmpegError) -> str:
        if isinstance(error, av.ExitError | TimeoutError):
            return f"nothing came for {self._patience.stall:g} s"
        if isinstance(error, av.ProtocolNotFoundError):
            return "PyAV is built without this kind of stream"
        if error.errno == errno.EINVAL:
            return f"it cannot be opened; its address is wrong, or its frames are {limit_in_words()}"
        if isinstance(error, av.InvalidDataError):
            return "it is not a readable video"
        if isinstance(error, OSError) and error.errno == errno.EIO:
            return "the connection broke"
        return error.strerror or "no reason is given"


def _timed(packets: Iterator["Packet"]) -> Iterator[tuple["Packet", float]]:
    """Each packet with the seconds that reading it took."""
    while True:
        began = time.monotonic()
        packet = next(packets, None)
        if packet is None:
            return
        yield packet, time.monotonic() - began


def _decoded(packet: "Packet") -> list[av.VideoFrame]:
    """The pictures that a packet completes; none where it is damaged."""
    try:
        pictures = packet.decode()
    except av.InvalidDataError:
        return []
    return [picture for picture in pictures if isinstance(picture, av.VideoFrame) and not picture.is_corrupt]


def _seconds(stamp: int | None, unit: Fraction | None) -> float | None:
    return None if stamp is None or unit is None else float(stamp * unit)


def _frame(picture: av.VideoFrame, rotation: Rotation, seconds: float, captured: float) -> Frame:
    width, height = rotation.size(picture.width, picture.height)
    stamp, unit = picture.pts, picture.time_base
    if stamp is None or unit is None:
        stamp, unit = round(seconds / CLOCK_UNIT), CLOCK_UNIT
    return Frame(0, seconds, stamp, unit, width, height, partial(to_rgb, picture, rotation), captured)
