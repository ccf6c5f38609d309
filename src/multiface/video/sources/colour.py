"""From a decoded frame to 8-bit sRGB: the right matrix and range, and HDR brought down to what a screen shows.

Which matrix leads from Y'CbCr to R'G'B' is what the frame says (BT.601, BT.709, BT.2020, FCC, SMPTE 240M). Where it
says nothing: BT.2020 for PQ and HLG, else BT.709 for pictures at least 1280 wide or more than 576 high and BT.601
for smaller ones, as players do. The range is what the frame says, else limited for Y'CbCr and full for grey. swscale
does this step, for 8-bit 4:2:0 on its fast path.

What follows is done only for frames that need it, on R'G'B' of 12 bits, with tables for the curves:

- BT.2020 or Display P3 primaries at ordinary brightness: made linear (gamma 2.4, BT.1886), led to BT.709 primaries
  (matrices from the chromaticities, as in BT.2087), cut to 0..1 and given the same gamma again.
- PQ (BT.2100, table 4): light of the display in cd/m2.
- HLG (BT.2100, table 5): light of the scene, then the system gamma of 1.2 of a display of 1000 cd/m2.
- Both: light over 1000 cd/m2 is cut. The largest of R, G and B goes through the knee of BT.2390 (section 5.4.1) from
  1000 to 203 cd/m2, and all three are scaled alike, so that hues stay. 203 cd/m2 is the reference white of BT.2408;
  what is below 90 cd/m2 keeps its light, white paper lands at 229 of 255, brighter lights above it. Then primaries as
  above, and the curve of sRGB (IEC 61966-2-1). Brightness stated in the file's metadata is not looked at: it is often
  missing or wrong.
"""

import threading
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles, Floats
from multiface.errors import PictureError
from multiface.images import Image
from multiface.video.sources.pyav import av
from multiface.video.sources.upright import UPRIGHT, Rotation, set_upright

_BT709, _BT2020, _P3 = 1, 9, 12  # primaries, as ITU-T H.273 numbers them
_PQ, _HLG = 16, 18  # transfer characteristics of H.273
_UNSPECIFIED = 2
_LIMITED, _FULL = 1, 2

# Matrix coefficients of H.273 -> the number by which swscale knows them. 0 is RGB. 10 (BT.2020 with constant
# luminance) is taken as without: swscale has no better, and the difference is small outside strong colours.
_MATRICES = {0: 5, 1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}

_CHROMATICITIES = {
    _BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    _BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    _P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_WHITE = (0.3127, 0.3290)

_HDR_PEAK, _SDR_PEAK = 1000.0, 203.0
_CODES = 4096  # values of a channel of 12 bits
_SHADES = 16384  # steps of linear light on the way out: fine enough for the steep foot of the curve
_AT_ONCE = 1 << 16  # pixels, so that what is computed stays in the processor's cache

_local = threading.local()


def to_rgb(frame: av.VideoFrame, rotation: Rotation = UPRIGHT) -> Image:
    """The picture as (h, w, 3) uint8 RGB, upright.

    May be called from several threads at once for different frames. Raises PictureError for a pixel format or a
    colour matrix that cannot be converted, and where memory does not suffice.
    """
    transfer, primaries = _light(frame)
    plain = not transfer and primaries == _BT709
    try:
        # One converter for each thread: it keeps its tables from frame to frame.
        if not hasattr(_local, "reformatter"):
            _local.reformatter = av.video.reformatter.VideoReformatter()
        converted = _local.reformatter.reformat(
            frame,
            format="rgb24" if plain else "gbrp12le",
            src_colorspace=_matrix(frame, transfer),
            dst_colorspace=1,
            src_color_range=_range(frame),
            dst_color_range=_FULL,
        )
        if plain:
            return set_upright(np.ascontiguousarray(converted.to_ndarray()), rotation)
        return set_upright(_shown(converted.to_ndarray(), _tables(transfer, primaries)), rotation)
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        raise PictureError(
            f"a frame of {frame.width} x {frame.height} in {frame.format.name} cannot be converted to RGB ({error})"
        ) from error


def is_bt709_limited(frame: av.VideoFrame) -> bool:
    """Whether it is ordinary high-definition video: BT.709 in matrix and primaries, limited range, no HDR."""
    transfer, primaries = _light(frame)
    if transfer or primaries != _BT709 or frame.format.is_rgb or frame.colorspace not in (1, _UNSPECIFIED):
        return False
    return _matrix(frame, transfer) == 1 and _range(frame) == _LIMITED


def _matrix(frame: av.VideoFrame, transfer: int) -> int:
    stated = frame.colorspace
    if frame.format.is_rgb:
        return _MATRICES[0]
    if stated == _UNSPECIFIED or stated == 0:
        if transfer:
            return _MATRICES[9]
        return _MATRICES[1 if frame.width >= 1280 or frame.height > 576 else 6]
    if stated not in _MATRICES:
        raise PictureError(
            f"the video's colours are coded with matrix {stated} of ITU-T H.273 (YCgCo, ICtCp and their like), "
            "which cannot be converted",
            hint="convert the video to BT.709 first, for example with ffmpeg",
        )
    return _MATRICES[stated]


def _range(frame: av.VideoFrame) -> int:
    name = frame.format.name
    if frame.format.is_rgb or name.startswith("yuvj"):
        return _FULL
    if frame.color_range in (_LIMITED, _FULL):
        return frame.color_range
    return _FULL if name.startswith("gray") else _LIMITED


def _light(frame: av.VideoFrame) -> tuple[int, int]:
    """Transfer (PQ, HLG or 0 for ordinary brightness) and primaries (one of those known here)."""
    transfer = frame.color_trc if frame.color_trc in (_PQ, _HLG) else 0
    primaries = frame.color_primaries
    if primaries == _UNSPECIFIED and (transfer or frame.colorspace in (9, 10)):
        primaries = _BT2020
    return transfer, primaries if primaries in _CHROMATICITIES else _BT709


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """How one kind of light becomes what is shown.

    linear: (4096,) linear light of a code; 1 is white, or for HDR 1000 cd/m2. luminance: weights of R, G and B where
    the light is that of a scene (HLG). knee: (4096,) factor for light whose largest channel is index / 4095; None for
    ordinary brightness. matrix: (3, 3) to BT.709. shade: (16384,) uint8 of linear light 0..1.
    """

    linear: Floats
    luminance: Floats | None
    knee: Floats | None
    matrix: Floats
    shade: npt.NDArray[np.uint8]


@lru_cache(maxsize=8)
def _tables(transfer: int, primaries: int) -> _Tables:
    codes, light = np.linspace(0.0, 1.0, _CODES), np.linspace(0.0, 1.0, _SHADES)
    to_xyz = _to_xyz(primaries)
    if transfer == _PQ:
        linear = np.minimum(_pq_light(codes) / _HDR_PEAK, 1.0)
    else:
        linear = _hlg_scene(codes) if transfer == _HLG else codes**2.4
    return _Tables(
        linear=linear.astype(np.float32),
        luminance=to_xyz[1].astype(np.float32) if transfer == _HLG else None,
        knee=_knee(codes).astype(np.float32) if transfer else None,
        matrix=(np.linalg.inv(_to_xyz(_BT709)) @ to_xyz).astype(np.float32),
        shade=np.rint(255 * (_srgb_curve(light) if transfer else light ** (1 / 2.4))).astype(np.uint8),
    )


def _shown(coded: npt.NDArray[np.uint16], tables: _Tables) -> Image:
    """(h, w, 3) uint16 R'G'B' of 12 bits as 8-bit sRGB."""
    height, width = coded.shape[:2]
    shown = np.empty((height, width, 3), np.uint8)
    rows = max(1, _AT_ONCE // width)
    for top in range(0, height, rows):
        part = coded[top : top + rows]
        light = np.empty((3, part.shape[0] * width), np.float32)
        for channel in range(3):
            np.take(tables.linear, part[:, :, channel].ravel(), out=light[channel], mode="clip")
        if tables.luminance is not None:
            light *= (tables.luminance @ light) ** np.float32(0.2)
        if tables.knee is not None:
            largest = np.maximum(np.maximum(light[0], light[1]), light[2])
            light *= np.take(tables.knee, (largest * (_CODES - 1) + 0.5).astype(np.uint16), mode="clip")
        light = tables.matrix @ light
        np.clip(light, 0.0, 1.0, out=light)
        light *= _SHADES - 1
        light += 0.5
        shades = light.astype(np.uint16)
        for channel in range(3):
            shown[top : top + rows, :, channel] = tables.shade[shades[channel]].reshape(part.shape[:2])
    return shown


def _to_xyz(primaries: int) -> Doubles:
    """(3, 3): linear RGB to CIE XYZ with Y = 1 for white (SMPTE RP 177)."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in _CHROMATICITIES[primaries]]).T
    x, y = _WHITE
    scale: Doubles = np.linalg.solve(columns, np.array((x / y, 1.0, (1 - x - y) / y)))
    return columns * scale


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_light(coded: Doubles) -> Doubles:
    """Light in cd/m2 of PQ values 0..1."""
    power = coded ** (1 / _M2)
    light: Doubles = 10000.0 * (np.maximum(power - _C1, 0.0) / (_C2 - _C3 * power)) ** (1 / _M1)
    return light


def _pq_coded(light: Doubles) -> Doubles:
    power = (light / 10000.0) ** _M1
    coded: Doubles = ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2
    return coded


def _hlg_scene(coded: Doubles) -> Doubles:
    """Light of the scene, 0..1, of HLG values 0..1."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)


def _knee(light: Doubles) -> Doubles:
    """What light 0..1 of 1000 cd/m2 is multiplied by, so that it lies in 0..1 of the reference white (BT.2390)."""
    source, target = _pq_coded(np.array((_HDR_PEAK, _SDR_PEAK)))
    coded = _pq_coded(light * _HDR_PEAK) / source
    top = target / source
    start = 1.5 * top - 0.5
    t = np.maximum(coded - start, 0.0) / (1.0 - start)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * (1 - start) + (-2 * t**3 + 3 * t**2) * top
    )
    shown = _pq_light(np.where(coded < start, coded, spline) * source)
    factor: Doubles = np.where(coded < start, 1.0, shown / np.maximum(light * _HDR_PEAK, 1e-9))
    return factor * (_HDR_PEAK / _SDR_PEAK)


def _srgb_curve(linear: Doubles) -> Doubles:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
