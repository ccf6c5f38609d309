"""A picture into a file, PNG or JPEG by the name's ending; the file is there whole or not at all."""

from pathlib import Path

import PIL.Image

from multiface.atomic_write import whole_file
from multiface.errors import UsageError
from multiface.images.path_text import path_text
from multiface.images.pixels import Image, rgb_from_array

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_JPEG_QUALITY = 95


def save_picture(image: Image, path: str | Path) -> None:
    """Write the picture ((h, w, 3) uint8 RGB) to `path`: PNG for `.png`, JPEG for `.jpg` and `.jpeg`.

    It is written to a hidden file beside `path`, then renamed; an older file of that name is replaced.
    Raises UsageError for another ending and where the file cannot be written, PictureError for what is no
    picture.
    """
    path = Path(path)
    name = path_text(path)
    format_name = _FORMATS.get(path.suffix.lower())
    if format_name is None:
        raise UsageError(
            f"{name}: a picture is written as .png, .jpg or .jpeg, got the ending '{path_text(path.suffix)}'",
            path=path,
        )
    picture = PIL.Image.fromarray(rgb_from_array(image))
    try:
        with whole_file(path) as file:
            # subsampling 0 keeps thin coloured lines sharp; PNG takes no notice of either
            picture.save(file, format_name, quality=_JPEG_QUALITY, subsampling=0)
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: cannot be written ({error})", path=path) from error
