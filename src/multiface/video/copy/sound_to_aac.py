"""A sound track that a container cannot hold, made AAC (ISO/IEC 14496-3): its rates and, up to 7.1, its layouts.

The rate stays where AAC has it, else it becomes 48 kHz. Channels stay where they are 1, 2, 6 or 8, else they are
mixed to stereo. 96 kbit/s a channel.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from multiface.video.copy.copied_part import Cut
from multiface.video.sources.pyav import av

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.stream import Stream

_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_BITS_PER_CHANNEL = 96_000


class SoundToAac:
    """Decodes `source` and encodes it into a new track of `target`, the part that `cut` names.

    made: the new track. channels: how many it has.
    """

    def __init__(self, source: "AudioStream", target: "av.container.OutputContainer", cut: Cut) -> None:
        context = source.codec_context
        rate = context.sample_rate if context.sample_rate in _RATES else 48_000
        layout = _LAYOUTS.get(context.channels, "stereo")
        self.channels = len(av.AudioLayout(layout).channels)
        self.made = target.add_stream("aac", rate=rate, bit_rate=_BITS_PER_CHANNEL * self.channels)
        self.made.codec_context.layout = layout
        self._source = source
        self._cut = cut
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)

    def packets(self, packet: "av.Packet[Stream]") -> "Iterable[av.Packet[Stream]]":
        """What a packet of the source becomes."""
        try:
            frames = self._source.decode(packet)
        except av.error.InvalidDataError:
            return  # a broken packet is a short silence
        for frame in frames:
            yield from self._encoded(frame)

    def rest(self) -> "Iterable[av.Packet[Stream]]":
        """What is left at the end."""
        for resampled in self._resampler.resample(None):
            yield from self.made.encode(resampled)
        yield from self.made.encode(None)

    def _encoded(self, frame: "AudioFrame") -> "Iterable[av.Packet[Stream]]":
        if frame.pts is None or frame.time_base is None:
            return
        start = frame.pts * frame.time_base
        if not self._cut.holds(start, Fraction(0)):
            return
        frame.pts = round((start - self._cut.origin) * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        for resampled in self._resampler.resample(frame):
            yield from self.made.encode(resampled)
