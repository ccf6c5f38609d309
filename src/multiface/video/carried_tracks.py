"""Sound and subtitles of a source, brought into the container of its annotated copy.

What the container can hold is copied packet by packet; other sound becomes AAC, other text subtitles become mov_text
(MP4, QuickTime) or SubRip (Matroska). Subtitles that are pictures cannot be made text: they are copied or left out
with a note, as are tracks of data.

Which codecs: ISO/IEC 14496-14 and the registration authority's list (mp4ra.org), the QuickTime File Format, and
the Matroska codec mappings (RFC 9559), as far as common players read them; Vorbis and PCM in MP4 they do not.

Times: a packet at source time t is written at t - `Cut.origin`, rounded to the track's own clock.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from multiface.video.pyav import av

_MP4_SOUND = {"aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac", "dts", "dca"}
_MOV_SOUND = {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"}
_SOUND = {
    "mp4": _MP4_SOUND,
    "mov": _MOV_SOUND,
    "matroska": _MP4_SOUND
    | {"vorbis", "mp1", "truehd", "mlp", "tta", "wavpack", "pcm_u8", "pcm_s16le", "pcm_s16be", "pcm_s24le"}
    | {"pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f64le"},
}
_SUBTITLES = {
    "mp4": {"mov_text", "dvd_subtitle", "dvdsub"},
    "mov": {"mov_text"},
    "matroska": {"subrip", "srt", "ass", "ssa", "webvtt", "text"}
    | {"dvd_subtitle", "dvdsub", "dvb_subtitle", "dvbsub", "hdmv_pgs_subtitle", "pgssub"},
}
_TEXT = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_AAC_BITS_PER_CHANNEL = 96_000


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of the source the copy holds, in seconds of the container's clock.

    origin: what becomes 0. begin: tracks start here; None for where they start by themselves. end: and end here.
    """

    origin: Fraction
    begin: Fraction | None
    end: Fraction | None

    def holds(self, start: Fraction, length: Fraction) -> bool:
        """Whether anything of what lasts from `start` for `length` seconds is in it."""
        if self.end is not None and start >= self.end:
            return False
        return self.begin is None or start >= self.begin or start + length > self.begin


class _Track(Protocol):
    def packets(self, packet: "av.Packet[Any]") -> Iterable["av.Packet[Any]"]:
        """What a packet of the source becomes."""

    def rest(self) -> Iterable["av.Packet[Any]"]:
        """What is left at the end."""


class CarriedTracks:
    """The tracks of `source` (open) as they go into `target` (open, no header written yet).

    container: FFmpeg's name of the target's format. notes: what could not be carried as it was, in words.
    """

    def __init__(
        self,
        source: "av.container.InputContainer",
        target: "av.container.OutputContainer",
        container: str,
        cut: Cut,
    ) -> None:
        self._source = source
        self._cut = cut
        self.notes: list[str] = []
        self._tracks: dict[int, _Track] = {}
        for stream in source.streams:
            track = self._track(stream, target, container)
            if track is not None:
                self._tracks[stream.index] = track

    def packets(self) -> Iterator[tuple[Fraction, "av.Packet[Any]"]]:
        """Packets ready for the target, each with its time in it in seconds, about in the order of their times."""
        now = Fraction(0)
        streams = [stream for stream in self._source.streams if stream.index in self._tracks]
        if not streams:
            return
        for packet in self._read(streams):
            for made in self._tracks[packet.stream_index].packets(packet):
                now = max(now, _time(made))
                yield now, made
        for track in self._tracks.values():
            for made in track.rest():
                yield now, made

    def _read(self, streams: "list[av.stream.Stream]") -> Iterator["av.Packet[Any]"]:
        try:
            for packet in self._source.demux(*streams):
                if (
                    packet.pts is not None or packet.dts is not None
                ):  # else the sign of the end, or unplaceable
                    yield packet
        except av.error.FFmpegError as error:
            self.notes.append(
                f"sound and subtitles end early: the source cannot be read on ({error.strerror})"
            )

    def _track(self, stream: Any, target: "av.container.OutputContainer", container: str) -> _Track | None:
        kind, number = stream.type, stream.index
        if kind == "video":
            return None
        if kind == "attachment":
            if container == "matroska" and stream.data and stream.name:
                target.add_attachment(stream.name, stream.mimetype or "application/octet-stream", stream.data)
            return None
        codec = stream.codec_context.codec.name if stream.codec_context is not None else None
        if kind == "data" and self._source.chapters():
            return None  # they are such a track in MP4, and are carried as chapters
        if kind not in ("audio", "subtitle") or codec is None:
            self.notes.append(
                f"track {number} ({codec or kind}) is left out: only sound and subtitles are kept"
            )
            return None
        codec = _plain(codec)
        track: _Track
        known = _SOUND if kind == "audio" else _SUBTITLES
        if codec in known[container]:
            made = target.add_stream_from_template(stream, opaque=True)
            track = _Copied(stream, made, self._cut, container)
        elif kind == "audio":
            made, track = _encoded_sound(stream, target, self._cut)
            self.notes.append(f"sound track {number} ({codec}) becomes AAC: {container} cannot hold it")
        elif _is_text(codec):
            made, track = _encoded_text(stream, target, _TEXT[container], self._cut)
            self.notes.append(f"subtitle track {number} ({codec}) becomes {_TEXT[container]}")
        else:
            self.notes.append(f"subtitle track {number} ({codec}) is left out: {container} cannot hold it")
            return None
        made.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
        made.disposition = stream.disposition
        return track


class _Copied:
    def __init__(self, source: Any, target: Any, cut: Cut, container: str) -> None:
        self._target = target
        self._cut = cut
        # Matroska has no times before 0, except for the lead-in that it knows of from another Matroska file.
        self._from_zero = container == "matroska" and "matroska" not in source.container.format.name
        self._is_text = source.type == "subtitle"
        self._shift = round(cut.origin / source.time_base)
        self._last: int | None = None

    def packets(self, packet: "av.Packet[Any]") -> Iterable["av.Packet[Any]"]:
        length = (packet.duration or 0) * packet.time_base
        start = (packet.pts if packet.pts is not None else packet.dts or 0) * packet.time_base
        if not self._cut.holds(start, length if self._is_text else Fraction(0)):
            return
        pts = (packet.pts if packet.pts is not None else packet.dts or 0) - self._shift
        dts = (packet.dts if packet.dts is not None else packet.pts or 0) - self._shift
        late = -pts if self._is_text or self._from_zero else 0
        if late > 0:  # a subtitle that shows at the cut, or what decoders throw away before the sound's start
            if (packet.duration or 0) <= late:
                return
            packet.duration = (packet.duration or 0) - late
            pts = 0
        dts = min(dts, pts)
        if self._from_zero:
            dts = max(dts, 0)
        if self._last is not None and dts <= self._last:
            dts = self._last + (0 if self._is_text else 1)
            pts = max(pts, dts)
        self._last = dts
        packet.pts, packet.dts = pts, dts
        packet.stream = self._target
        yield packet

    def rest(self) -> Iterable["av.Packet[Any]"]:
        return ()


def _encoded_sound(stream: Any, target: "av.container.OutputContainer", cut: Cut) -> tuple[Any, _Track]:
    rate = stream.codec_context.sample_rate
    channels = stream.codec_context.channels
    if rate not in _AAC_RATES:
        rate = 48_000
    layout = _AAC_LAYOUTS.get(channels, "stereo")
    made = target.add_stream(
        "aac", rate=rate, bit_rate=_AAC_BITS_PER_CHANNEL * len(av.AudioLayout(layout).channels)
    )
    made.codec_context.layout = layout
    return made, _EncodedSound(made, rate, layout, cut)


class _EncodedSound:
    def __init__(self, target: Any, rate: int, layout: str, cut: Cut) -> None:
        self._target = target
        self._cut = cut
        self._rate = rate
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)

    def packets(self, packet: "av.Packet[Any]") -> Iterable["av.Packet[Any]"]:
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            return  # a broken packet is a short silence
        for frame in frames:
            yield from self._encoded(frame)

    def rest(self) -> Iterable["av.Packet[Any]"]:
        for resampled in self._resampler.resample(None):
            yield from self._target.encode(resampled)
        yield from self._target.encode(None)

    def _encoded(self, frame: Any) -> Iterable["av.Packet[Any]"]:
        if frame.pts is None:
            return
        start = frame.pts * frame.time_base
        if not self._cut.holds(start, Fraction(0)):
            return
        frame.pts = round((start - self._cut.origin) * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        for resampled in self._resampler.resample(frame):
            yield from self._target.encode(resampled)


def _encoded_text(
    stream: Any, target: "av.container.OutputContainer", codec: str, cut: Cut
) -> tuple[Any, _Track]:
    stream.codec_context.open()
    made: Any = target.add_stream(codec)
    made.codec_context.subtitle_header = stream.codec_context.subtitle_header
    made.codec_context.time_base = made.time_base = _MILLISECOND
    return made, _EncodedText(made, cut)


_MILLISECOND = Fraction(1, 1000)


class _EncodedText:
    def __init__(self, target: Any, cut: Cut) -> None:
        self._target = target
        self._cut = cut

    def packets(self, packet: "av.Packet[Any]") -> Iterable["av.Packet[Any]"]:
        start = (packet.pts or 0) * packet.time_base
        length = (packet.duration or 0) * packet.time_base
        if not self._cut.holds(start, length):
            return
        try:
            subtitle = packet.stream.codec_context.decode2(packet)
        except av.error.InvalidDataError:
            return
        if subtitle is None or not len(subtitle):
            return
        text = b"\\N".join(_event_text(rectangle.ass) for rectangle in subtitle)
        from_, to = (max(at - self._cut.origin, Fraction(0)) for at in (start, start + length))
        lasting = math.ceil((to - from_) * 1000)
        event = b"0,0,Default,,0,0,0,," + text
        made = self._target.codec_context.encode_subtitle(
            av.subtitles.subtitle.SubtitleSet.create(event, 0, lasting, 0)
        )
        made.pts = made.dts = round(from_ * 1000)
        made.duration = lasting
        made.time_base = _MILLISECOND
        made.stream = self._target
        yield made

    def rest(self) -> Iterable["av.Packet[Any]"]:
        return ()


def _event_text(event: bytes) -> bytes:
    """The text of an event in ASS form, which has eight fields before it."""
    return event.split(b",", 8)[-1]


def _time(packet: "av.Packet[Any]") -> Fraction:
    return (packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base


def _plain(codec: str) -> str:
    """The codec's own name where a decoder has another."""
    aliases = {
        "mp3float": "mp3",
        "mp2float": "mp2",
        "mp1float": "mp1",
        "libopus": "opus",
        "libvorbis": "vorbis",
    }
    return aliases.get(codec, codec)


def _is_text(codec: str) -> bool:
    return codec in {"mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", "microdvd", "sami"}
