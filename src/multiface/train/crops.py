"""Picture files of aligned faces to pixels, quickly.

Training reads the same kind of file millions of times: a JPEG of exactly SIDE x SIDE pixels without orientation or
colour profile. Such a file is known by its markers and goes straight to simplejpeg (libjpeg-turbo), which gives
the same pixels as Pillow, sooner (`benchmarks/loader_speed.py`). Everything else takes the careful way of
`multiface.images`.

Source of the markers: ITU-T T.81, annex B; the 14-byte header of JFIF 1.02.
"""

from collections.abc import Sequence

import numpy as np
import simplejpeg

from multiface.arrays import Pixels
from multiface.errors import DataSetError, PictureError
from multiface.images import load_picture

SIDE = 112
"""Width and height of an aligned face in pixels."""


_TABLES = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xFE))
"""Huffman and quantisation tables, restart interval, JFIF header, comment: nothing that changes what is
seen.
"""
_START_OF_FRAME = frozenset((0xC0, 0xC1, 0xC2))


def decode_pixels(data: bytes) -> Pixels:
    """The picture in a file's bytes as uint8 (SIDE, SIDE, 3) RGB.

    Raises DataSetError where it cannot be decoded or has another size; the message says why, not which.
    """
    if _is_plain_jpeg(data):
        try:
            found: Pixels = simplejpeg.decode_jpeg(data, "RGB")
            return found
        except ValueError:
            pass  # the careful way says what is wrong
    try:
        pixels = load_picture(data)
    except PictureError as error:
        raise DataSetError(str(error)) from error
    height, width = pixels.shape[:2]
    if (height, width) != (SIDE, SIDE):
        raise DataSetError(f"is {width} x {height} pixels, wanted an aligned face of {SIDE} x {SIDE}")
    return pixels


def decode_crops(pictures: Sequence[bytes | Pixels], name: str) -> Pixels:
    """Files or uint8 RGB arrays to uint8 (n, SIDE, SIDE, 3) RGB; `name` is how errors call them.

    Raises DataSetError, with the picture's number, where one cannot be used.
    """
    crops = np.empty((len(pictures), SIDE, SIDE, 3), np.uint8)
    for number, picture in enumerate(pictures):
        if isinstance(picture, bytes):
            try:
                crops[number] = decode_pixels(picture)
            except DataSetError as error:
                raise DataSetError(f"{name}: number {number} {error}") from error
        elif picture.shape == (SIDE, SIDE, 3):
            crops[number] = picture
        else:
            raise DataSetError(
                f"{name}: number {number} has shape {picture.shape}, wanted ({SIDE}, {SIDE}, 3)"
            )
    return crops


def _is_plain_jpeg(data: bytes) -> bool:
    """Whether this is a JPEG of SIDE x SIDE with three components in Y, Cb, Cr, and nothing to be
    interpreted.
    """
    if data[:4] != b"\xff\xd8\xff\xe0":
        return False
    at, end = 2, len(data) - 12
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _START_OF_FRAME:
            height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            return (height, width, data[at + 9]) == (SIDE, SIDE, 3)
        if marker not in _TABLES:
            return False
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return False
