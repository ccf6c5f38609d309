"""Pictures as one H.264 stream of an open container, for copies and recordings.

libx264, 8 bits, yuv420p (what every player shows), marked BT.709 with limited range (ITU-T H.273: primaries,
transfer and matrix 1). yuv420p has even sizes: an odd side gets one more pixel, its last row or column again.
No B-frames: packets come in the order of the pictures, so that stretches encoded one by one can be put together.
A picture of another size than the first is fitted into it, with black bars.
"""

from fractions import Fraction

import numpy as np

from multiface.images import Image
from multiface.video.sources.pyav import av

_PRIMARIES = _TRANSFER = _MATRIX = 1  # ITU-R BT.709
_LIMITED_RANGE = 1
_OPTIONS = {"preset": "superfast", "crf": "20", "bf": "0"}
_LIVE_OPTIONS = {"tune": "zerolatency", "g": "50"}
_FINEST_CLOCK = 1_000_000
_USUAL_RATE = Fraction(25)


def clock(time_base: Fraction) -> Fraction:
    """The time base that pictures with this one are written with: the same, unless it is finer than a microsecond."""
    return time_base if time_base.denominator <= _FINEST_CLOCK else Fraction(1, _FINEST_CLOCK)


class PictureStream:
    """Encodes pictures into `container`.

    width, height: of the pictures. time_base: of the times given to `write`. rate: frames a second, None where not
    known (it steers how bits are spent, not times). aspect: width of a pixel by its height. live: nothing is held
    back, and a key frame comes every 50 frames.
    """

    def __init__(
        self,
        container: "av.container.OutputContainer",
        width: int,
        height: int,
        time_base: Fraction,
        rate: Fraction | None,
        aspect: Fraction = Fraction(1),
        live: bool = False,
    ) -> None:
        self._container = container
        self._width = width
        self._height = height
        self._time_base = time_base
        options = _OPTIONS | _LIVE_OPTIONS if live else _OPTIONS
        self._stream = container.add_stream("libx264", rate=rate or _USUAL_RATE, options=dict(options))
        context = self._stream.codec_context
        context.width, context.height = width + width % 2, height + height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = time_base
        context.sample_aspect_ratio = aspect
        context.color_primaries, context.color_trc, context.colorspace = _PRIMARIES, _TRANSFER, _MATRIX
        context.color_range = _LIMITED_RANGE
        self._reformatter = av.video.reformatter.VideoReformatter()

    def write(self, image: Image, pts: int) -> None:
        """Encode one picture (h, w, 3) uint8 RGB; pts: its time, greater than the last one's."""
        picture = _fitted(image, self._width, self._height)
        if self._width % 2 or self._height % 2:
            picture = np.pad(picture, ((0, self._height % 2), (0, self._width % 2), (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(picture)),
            format="yuv420p",
            interpolation=av.video.reformatter.Interpolation.BICUBIC,
            dst_colorspace=av.video.reformatter.Colorspace.ITU709,
            dst_color_range=av.video.reformatter.ColorRange.MPEG,
        )
        self.write_coded(frame, pts)

    def write_coded(self, frame: "av.VideoFrame", pts: int) -> None:
        """Encode a picture that is yuv420p, BT.709, limited range, and of the stream's size. Its time is set."""
        frame.pts, frame.time_base = pts, self._time_base
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


def _fitted(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner_width = min(max(round(image.shape[1] * scale), 1), width)
    inner_height = min(max(round(image.shape[0] * scale), 1), height)
    scaled = av.VideoFrame.from_ndarray(np.ascontiguousarray(image)).reformat(inner_width, inner_height)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    fitted = np.zeros((height, width, 3), np.uint8)
    fitted[top : top + inner_height, left : left + inner_width] = scaled.to_ndarray()
    return fitted
