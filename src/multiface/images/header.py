"""The header of a picture file: how its pixels are stored, how they are turned to be upright, and the XMP inside.

No pixel is decoded, except those of PNG, whose EXIF and XMP may stand behind them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import PIL.Image
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from multiface.errors import ExtraMissing, PictureError, UndecodablePicture, about, how_to_install
from multiface.images.decode import size_before_opening
from multiface.images.limits import PictureLimits, picture_limits, require_room
from multiface.images.path_text import path_text
from multiface.images.pixels import ORIENTATION_TAG, orientation_of
from multiface.images.signature import SIGNATURE_BYTES, PictureKind, picture_kind
from multiface.regular_file import open_regular

_PLUGINS: dict[PictureKind, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    PictureKind.JPEG: JpegImagePlugin.JpegImageFile,
    PictureKind.PNG: PngImagePlugin.PngImageFile,
    PictureKind.GIF: GifImagePlugin.GifImageFile,
    PictureKind.BMP: BmpImagePlugin.BmpImageFile,
    PictureKind.TIFF: TiffImagePlugin.TiffImageFile,
    PictureKind.WEBP: WebPImagePlugin.WebPImageFile,
    PictureKind.AVIF: AvifImagePlugin.AvifImageFile,
    PictureKind.JPEG2000: Jpeg2KImagePlugin.Jpeg2KImageFile,
    PictureKind.PNM: PpmImagePlugin.PpmImageFile,
}
_HEIC_HEAD = 1 << 20
"""The boxes of a HEIC file come before its pixels, within so many bytes."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """width, height: of the picture as it is stored, in pixels. orientation: EXIF's 1..8, by which `load_picture` turns
    the stored pixels upright. xmp: the XMP packet inside the file, undecoded; None where there is none or Pillow does
    not hand it out.
    """

    width: int
    height: int
    orientation: int
    xmp: bytes | None


def read_header(path: str | Path, limits: PictureLimits | None = None) -> PictureHeader:
    """The header of a picture file. Raises PictureError, UndecodablePicture, PictureTooLarge and ExtraMissing as
    `load_picture` does.
    """
    name = path_text(path)
    limits = limits or picture_limits()
    with about(path, name):
        try:
            with open_regular(path) as file:
                return _header(file, name, limits)
        except (PictureError, ExtraMissing):
            raise
        except FileNotFoundError as error:
            raise PictureError(f"{name}: there is no such file") from error
        except PermissionError as error:
            raise PictureError(f"{name}: may not be read", hint="check the file's permissions") from error
        except Exception as error:  # readers fail on broken files with nearly every class of error there is
            raise UndecodablePicture(f"{name}: its header cannot be read ({error})") from error


def exif_of(data: bytes) -> PIL.Image.Exif:
    """What a picture file, given by its bytes, says of itself (EXIF). Raises whatever the kind's reader does."""
    kind = picture_kind(data[:SIGNATURE_BYTES])
    if kind is None:
        raise UndecodablePicture("the picture is not of a kind that MultiFace reads")
    if kind is PictureKind.HEIC:
        import pillow_heif

        exif = PIL.Image.Exif()
        exif.load(pillow_heif.open_heif(data).info.get("exif") or b"")
        return exif
    size = size_before_opening(kind, data)
    if size is not None:
        require_room("the picture", kind, *size, picture_limits())
    with _PLUGINS[kind](BytesIO(data)) as picture:
        return picture.getexif()


def _header(file: BinaryIO, name: str, limits: PictureLimits) -> PictureHeader:
    head = file.read(SIGNATURE_BYTES)
    kind = picture_kind(head)
    if kind is None:
        raise UndecodablePicture(f"{name}: is not a picture of a kind that MultiFace reads")
    file.seek(0)
    if kind is PictureKind.HEIC:
        return _heic_header(file, name)
    size = size_before_opening(kind, head)
    if size is not None:
        require_room(name, kind, *size, limits)
    with _PLUGINS[kind](file) as picture:
        if kind is PictureKind.PNG:
            require_room(name, kind, *picture.size, limits)
            picture.load()
        orientation = orientation_of(picture)
        width, height = picture.size
        if kind is PictureKind.TIFF and orientation > 4:  # Pillow states the upright size
            width, height = height, width
        return PictureHeader(width, height, orientation, _bytes_of(picture.info.get("xmp")))


def _heic_header(file: BinaryIO, name: str) -> PictureHeader:
    """HEIC is turned by boxes of its own. Its writers repeat in EXIF what these do, and readers of regions go by EXIF;
    one without such boxes is shown as it is stored, whatever EXIF says.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise ExtraMissing(
            f"{name}: is a HEIC picture, for which an optional package is needed", hint=how_to_install("heic")
        ) from error
    head = file.read(_HEIC_HEAD)
    file.seek(0)
    container = pillow_heif.open_heif(file)
    width, height = container.size
    orientation = 1
    if b"irot" in head or b"imir" in head:
        exif = PIL.Image.Exif()
        exif.load(container.info.get("exif") or b"")
        value = exif.get(ORIENTATION_TAG, 1)
        orientation = value if isinstance(value, int) and 1 <= value <= 8 else 1
    if orientation > 4:
        width, height = height, width
    return PictureHeader(width, height, orientation, _bytes_of(container.info.get("xmp")))


def _bytes_of(packet: object) -> bytes | None:
    if isinstance(packet, str):
        return packet.encode("utf-8", "surrogatepass") or None
    return packet if isinstance(packet, bytes) and packet else None
