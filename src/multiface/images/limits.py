"""How large a picture may be: one limit, in bytes that its decoding takes, counted before a pixel is decoded.

What a decoder takes depends on the kind: a JPEG needs the picture and the result, WebP also two canvases. The numbers
below are measured peaks, rounded up; `tests/images/test_memory.py` holds them. The limit is one for the process, so
that it holds wherever a picture is read.
"""

from dataclasses import dataclass

from multiface.errors import PictureTooLarge, UsageError
from multiface.images.signature import PictureKind

_PER_PIXEL: dict[PictureKind, int] = {
    PictureKind.JPEG: 8,
    PictureKind.PNG: 8,
    PictureKind.GIF: 12,
    PictureKind.BMP: 8,
    PictureKind.TIFF: 12,
    PictureKind.WEBP: 20,
    PictureKind.AVIF: 16,
    PictureKind.HEIC: 16,
    PictureKind.JPEG2000: 24,
    PictureKind.PNM: 8,
}
"""Bytes that decoding takes for each pixel, the result's three included."""

PER_PIXEL_OF_VIDEO = 20
"""The same for a frame of a film or a camera."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What is too large to be decoded.

    max_file: size of the file in bytes. max_decoded: bytes that decoding may take, beside some 200 MB for all else.
    """

    max_file: int = 200_000_000
    max_decoded: int = 2_000_000_000

    def __post_init__(self) -> None:
        if self.max_file < 1 or self.max_decoded < 1:
            raise UsageError(
                f"limits on pictures are at least 1, got max_file {self.max_file} and max_decoded {self.max_decoded}"
            )

    @property
    def video_pixels(self) -> int:
        """Pixels that a frame of a film or a camera may have."""
        return self.max_decoded // PER_PIXEL_OF_VIDEO


_limits = [PictureLimits()]


def picture_limits() -> PictureLimits:
    """The limits of this process."""
    return _limits[0]


def limit_pictures(limits: PictureLimits) -> None:
    """From now on these limits hold in this process, wherever no others are named."""
    _limits[0] = limits


def require_room(
    name: str, kind: PictureKind, width: int, height: int, limits: PictureLimits, more: int = 0
) -> None:
    """Raises PictureTooLarge for a picture whose decoding takes too much. more: bytes per pixel besides the usual."""
    needed = width * height * (_PER_PIXEL[kind] + more)
    if needed > limits.max_decoded:
        raise PictureTooLarge(
            f"{name}: has {width} x {height} pixels, and decoding such a {kind} picture takes {needed:,} bytes, more "
            f"than the {limits.max_decoded:,} allowed",
            hint="scale it down, or allow more (--max-picture)",
        )
