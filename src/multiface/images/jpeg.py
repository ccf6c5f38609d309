"""A picture as the bytes of a small JPEG file, for what is kept in a database or in a page."""

from io import BytesIO

import PIL.Image

from multiface.images.pixels import Image, rgb_from_array

_QUALITY = 90
_FAITHFUL = 95


def jpeg_bytes(image: Image, longest_side: int) -> bytes:
    """The picture ((h, w, 3) uint8 RGB) as JPEG, made smaller where a side is longer than `longest_side` pixels.

    Raises PictureError for what is no picture.
    """
    picture = PIL.Image.fromarray(rgb_from_array(image))
    picture.thumbnail((longest_side, longest_side), PIL.Image.Resampling.LANCZOS)
    content = BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


def faithful_jpeg(image: Image) -> bytes:
    """The picture ((h, w, 3) uint8 RGB) as JPEG of its own size, so that networks see nearly the same in it.

    Raises PictureError for what is no picture.
    """
    content = BytesIO()
    PIL.Image.fromarray(rgb_from_array(image)).save(content, "JPEG", quality=_FAITHFUL, subsampling=0)
    return content.getvalue()
