"""Pictures of every orientation and kind, with one red rectangle."""

import io
from pathlib import Path

import PIL.Image
import pillow_heif
from PIL import ImageDraw

WIDTH, HEIGHT = 96, 64
RED = (16, 8, 48, 24)
"""Where it is in the stored picture: x0, y0, x1, y1."""


def turned(path: Path, orientation: int = 1) -> Path:
    """A picture stored as 96 x 64 pixels, of the kind of its ending."""
    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), "white")
    x0, y0, x1, y1 = RED
    ImageDraw.Draw(picture).rectangle((x0, y0, x1 - 1, y1 - 1), "red")
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    if path.suffix == ".heic":
        heic = pillow_heif.from_pillow(picture)
        heic.info["exif"] = exif.tobytes()
        heic.save(path, quality=95)
    elif path.suffix == ".tif":
        picture.save(path, tiffinfo={0x0112: orientation})
    elif path.suffix == ".jpg":
        picture.save(path, exif=exif, quality=95, subsampling=0)
    else:
        picture.save(path, exif=exif)
    return path


def with_xmp(path: Path, packet: bytes) -> Path:
    """A picture with this XMP inside."""
    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), "white")
    content = io.BytesIO()
    picture.save(content, "JPEG", xmp=packet)
    path.write_bytes(content.getvalue())
    return path
