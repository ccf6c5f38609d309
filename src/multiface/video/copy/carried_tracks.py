"""Sound and subtitles of a source, brought into the container of its annotated copy.

What the container can hold is copied packet by packet; other sound becomes AAC, other text subtitles become mov_text
(MP4, QuickTime) or SubRip (Matroska). Subtitles that are pictures cannot be made text: they are copied or left out
with a note, as is all else that the copy cannot hold.

Which codecs: ISO/IEC 14496-14 and the registration authority's list (mp4ra.org), the QuickTime File Format, and
the Matroska codec mappings (RFC 9559), as far as common players read them; Vorbis and PCM in MP4 they do not.
"""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from multiface.video.copy.copied_part import Cut
from multiface.video.copy.sound_to_aac import SoundToAac
from multiface.video.copy.text_subtitles import TextSubtitles, is_text
from multiface.video.sources.local_file import is_cover, video_stream
from multiface.video.sources.pyav import av

if TYPE_CHECKING:
    from av.stream import AttachmentStream, Stream
    from av.subtitles.stream import SubtitleStream

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


class _Track(Protocol):
    def packets(self, packet: "av.Packet[Stream]") -> Iterable["av.Packet[Stream]"]:
        """What a packet of the source becomes."""

    def rest(self) -> Iterable["av.Packet[Stream]"]:
        """What is left at the end."""


class CarriedTracks:
    """The tracks of `source` (open) as they go into `target` (open, no header written yet).

    name: of the source, for messages. container: FFmpeg's name of the target's format. notes: what could not be
    carried as it was, in words.
    """

    def __init__(
        self,
        source: "av.container.InputContainer",
        name: str,
        target: "av.container.OutputContainer",
        container: str,
        cut: Cut,
    ) -> None:
        self._source = source
        self._cut = cut
        self.notes: list[str] = []
        self._tracks: dict[int, _Track] = {}
        shown = video_stream(source, name)
        for stream in source.streams:
            track = self._track(stream, shown, target, container)
            if track is not None:
                self._tracks[stream.index] = track

    def packets(self) -> Iterator[tuple[Fraction, "av.Packet[Stream]"]]:
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

    def _read(self, streams: "list[Stream]") -> Iterator["av.Packet[Stream]"]:
        try:
            for packet in self._source.demux(*streams):
                if (
                    packet.pts is not None or packet.dts is not None
                ):  # else the sign of the end, or unplaceable
                    yield packet
        except av.error.FFmpegError as error:
            self.notes.append(
                f"sound and subtitles end early: the source cannot be read further ({error.strerror})"
            )

    def _track(
        self, stream: "Stream", shown: "Stream", target: "av.container.OutputContainer", container: str
    ) -> _Track | None:
        number = stream.index
        if isinstance(stream, av.VideoStream):
            if is_cover(stream):
                self.notes.append(f"cover picture {number} is left out")
            elif stream.index != shown.index:
                self.notes.append(f"video track {number} is left out: the copy shows track {shown.index}")
            return None
        if isinstance(stream, av.stream.AttachmentStream):
            self._attach(stream, target, container)
            return None
        if stream.type == "data" and self._source.chapters():
            return None  # they are such a track in MP4, and are carried as chapters
        if stream.codec_context is None or not isinstance(
            stream, av.AudioStream | av.subtitles.stream.SubtitleStream
        ):
            self.notes.append(
                f"track {number} ({stream.type}) is left out: only sound and subtitles that FFmpeg knows are kept"
            )
            return None
        codec = _plain(stream.codec_context.codec.name)
        if isinstance(stream, av.AudioStream):
            return self._sound(stream, codec, target, container)
        return self._subtitles(stream, codec, target, container)

    def _attach(
        self, stream: "AttachmentStream", target: "av.container.OutputContainer", container: str
    ) -> None:
        if container == "matroska" and stream.data and stream.name:
            target.add_attachment(stream.name, stream.mimetype or "application/octet-stream", stream.data)
        else:
            why = "it is empty or has no name" if container == "matroska" else f"{container} cannot hold it"
            self.notes.append(f"attachment {stream.index} ({stream.name or 'no name'}) is left out: {why}")

    def _sound(
        self, stream: "av.AudioStream", codec: str, target: "av.container.OutputContainer", container: str
    ) -> _Track | None:
        name = f"sound track {stream.index} ({codec})"
        channels = stream.codec_context.channels
        if not (stream.codec_context.sample_rate and channels):
            self.notes.append(f"{name} is left out: it is announced, but no sound of it was found")
            return None
        if codec in _SOUND[container]:
            return self._copied(stream, target, container)
        track = SoundToAac(stream, target, self._cut)
        fewer = f"; of its {channels} channels {track.channels} are left" if track.channels < channels else ""
        self.notes.append(f"{name} becomes AAC: {container} cannot hold it{fewer}")
        _describe(track.made, stream)
        return track

    def _subtitles(
        self, stream: "SubtitleStream", codec: str, target: "av.container.OutputContainer", container: str
    ) -> _Track | None:
        name = f"subtitle track {stream.index} ({codec})"
        if codec in _SUBTITLES[container]:
            return self._copied(stream, target, container)
        if not is_text(codec):
            self.notes.append(f"{name} is left out: {container} cannot hold it")
            return None
        track = TextSubtitles(stream, target, _TEXT[container], self._cut)
        self.notes.append(f"{name} becomes {_TEXT[container]}")
        _describe(track.made, stream)
        return track

    def _copied(self, stream: "Stream", target: "av.container.OutputContainer", container: str) -> _Track:
        made = target.add_stream_from_template(stream, opaque=True)
        _describe(made, stream)
        return _Copied(stream, made, self._cut, container)


def _describe(made: "Stream", source: "Stream") -> None:
    made.metadata.update({k: v for k, v in source.metadata.items() if k in ("language", "title")})
    made.disposition = source.disposition


class _Copied:
    def __init__(self, source: "Stream", target: "Stream", cut: Cut, container: str) -> None:
        self._target = target
        self._cut = cut
        # Matroska has no times before 0, except for the lead-in that it knows of from another Matroska file.
        self._from_zero = container == "matroska" and "matroska" not in source.container.format.name
        self._is_text = source.type == "subtitle"
        assert source.time_base is not None  # every stream that is read has one
        self._shift = round(cut.origin / source.time_base)
        self._last: int | None = None

    def packets(self, packet: "av.Packet[Stream]") -> Iterable["av.Packet[Stream]"]:
        length = (packet.duration or 0) * packet.time_base
        start = (packet.pts if packet.pts is not None else packet.dts or 0) * packet.time_base
        if not self._cut.holds(start, length if self._is_text else Fraction(0)):
            return
        if self._is_text and packet.duration:
            packet.duration = math.ceil((self._cut.until(start + length) - start) / packet.time_base)
        pts = (packet.pts if packet.pts is not None else packet.dts or 0) - self._shift
        dts = (packet.dts if packet.dts is not None else packet.pts or 0) - self._shift
        late = -pts if self._is_text or self._from_zero else 0
        if late > 0:  # a subtitle that shows at the cut, or what decoders throw away before the sound's start
            if (packet.duration or 0) <= late:
                return
            packet.duration = (packet.duration or 0) - late
            pts = 0
        dts = pts if self._is_text else min(dts, pts)
        if self._from_zero:
            dts = max(dts, 0)
        if self._last is not None and dts <= self._last:
            dts = self._last + (0 if self._is_text else 1)
            pts = max(pts, dts)
        self._last = dts
        packet.pts, packet.dts = pts, dts
        packet.stream = self._target
        yield packet

    def rest(self) -> Iterable["av.Packet[Stream]"]:
        return ()


def _time(packet: "av.Packet[Stream]") -> Fraction:
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
