"""Subtitles of one text form made those of another: mov_text (3GPP TS 26.245) or SubRip.

In between FFmpeg has them as events of ASS."""

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from multiface.video.copy.copied_part import Cut
from multiface.video.sources.pyav import av

if TYPE_CHECKING:
    from av.stream import Stream
    from av.subtitles.stream import SubtitleStream

_MILLISECOND = Fraction(1, 1000)
_TEXTS = {"mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", "microdvd", "sami"}


def is_text(codec: str) -> bool:
    """Whether subtitles of this codec are text, not pictures."""
    return codec in _TEXTS


class TextSubtitles:
    """Decodes `source` and encodes it as `codec` into a new track of `target`, the part that `cut` names.

    made: the new track. Its clock counts milliseconds.
    """

    def __init__(
        self, source: "SubtitleStream", target: "av.container.OutputContainer", codec: str, cut: Cut
    ) -> None:
        source.codec_context.open()
        made = target.add_stream(codec)
        assert isinstance(made, av.subtitles.stream.SubtitleStream)
        made.codec_context.subtitle_header = source.codec_context.subtitle_header
        made.codec_context.time_base = made.time_base = _MILLISECOND
        self.made = made
        self._source = source
        self._cut = cut

    def packets(self, packet: "av.Packet[Stream]") -> "Iterable[av.Packet[Stream]]":
        """What a packet of the source becomes."""
        start = (packet.pts or 0) * packet.time_base
        length = (packet.duration or 0) * packet.time_base
        if not self._cut.holds(start, length):
            return
        try:
            subtitle = self._source.codec_context.decode2(packet)
        except av.error.InvalidDataError:
            return
        if subtitle is None or not len(subtitle):
            return
        texts = (one for one in subtitle if isinstance(one, av.subtitles.subtitle.AssSubtitle))
        text = b"\\N".join(_event_text(one.ass) for one in texts)
        origin, end = self._cut.origin, self._cut.until(start + length)
        shown_from, shown_to = (max(at - origin, Fraction(0)) for at in (start, end))
        lasting = math.ceil((shown_to - shown_from) * 1000)
        event = b"0,0,Default,,0,0,0,," + text
        made = self.made.codec_context.encode_subtitle(
            av.subtitles.subtitle.SubtitleSet.create(event, 0, lasting, 0)
        )
        made.pts = made.dts = round(shown_from * 1000)
        made.duration = lasting
        made.time_base = _MILLISECOND
        made.stream = self.made
        yield made

    def rest(self) -> "Iterable[av.Packet[Stream]]":
        """What is left at the end: nothing."""
        return ()


def _event_text(event: bytes) -> bytes:
    """The text of an event in ASS form, which has eight fields before it."""
    return event.split(b",", 8)[-1]
