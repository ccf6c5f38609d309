"""From a path, bytes or an array to a picture: (h, w, 3) uint8 RGB, upright.

A picture is known by its content, never by its name. Each kind goes straight to its own decoder, so that no
other is ever tried (none that starts a program, as for PostScript) and Pillow's process-wide limit on pixels
and its list of plugins are neither needed nor changed. Of several pages or frames the first (in HEIC the
primary one) counts. What decoding takes is counted by the header before any pixel is decoded (`limits`). What the
pixels mean (transparency, depth, colour profile, orientation) is in `pixels`.

All functions may be called from several threads at once.
"""

import os
import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from multiface.errors import (
    ExtraMissing,
    PictureError,
    PictureTooLarge,
    UndecodablePicture,
    about,
    how_to_install,
)
from multiface.images.deep_colour import brightened, raw_mode_of
from multiface.images.jpeg_file import JpegFile
from multiface.images.limits import PictureLimits, picture_limits, require_room
from multiface.images.path_text import path_text
from multiface.images.pixels import Image, rgb_from_array, upright_rgb
from multiface.images.signature import SIGNATURE_BYTES, PictureKind, picture_kind
from multiface.regular_file import open_regular

PictureSource = (
    str | Path | bytes | bytearray | memoryview | BinaryIO | PIL.Image.Image | npt.NDArray[np.generic]
)
"""A path, the bytes of a picture file or a buffer or open binary file with them, a Pillow picture, or an array (see
`load_picture`)."""

_NAME = "the picture"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture. pixels: (h, w, 3) uint8 RGB, upright.

    whole_share: the share of its rows, 0..1, that no fault touches as far as can be seen; None for a file that is whole
    to its last byte. 1 where only the mark at the end is missing.
    """

    pixels: Image
    whole_share: float | None = None

    @property
    def damaged(self) -> bool:
        """Whether some of the pixels are not those of the picture."""
        return self.whole_share is not None and self.whole_share < 1


def load_picture(source: PictureSource, limits: PictureLimits | None = None) -> Image:
    """The picture as (h, w, 3) uint8 RGB, upright.

    source: a path (str or Path) of a file; the bytes of such a file, or a buffer or open binary file with them, read
        from where it stands; a Pillow picture; or an array: uint8 (h, w, 3) RGB, which comes back without a copy where
        it is contiguous, (h, w) or (h, w, 1) grey, or (h, w, 4) RGBA, laid over white. An array of floats holds
        0..1. OpenCV's BGR pictures go through `from_bgr`.

    Raises PictureError for a file that is missing, empty, no regular file or not readable, and for arrays of
    another kind; UndecodablePicture for what is no picture or a broken one; PictureTooLarge for a file
    of more bytes than `limits` (None: those of the process), or one whose decoding takes more; ExtraMissing for HEIC
    without the package pillow-heif.
    """
    with _about(source):
        picture = open_picture(source, limits)
        if picture.whole_share is not None and picture.damaged:
            raise UndecodablePicture(
                f"{_name_of(source)}: is damaged, {share_in_words(picture.whole_share)}",
                hint="fetch or copy it again",
            )
        return picture.pixels


def share_in_words(share: float) -> str:
    """How much of a damaged picture is whole."""
    if share == 1:
        return "its last bytes are missing, all of its rows are whole"
    return f"at most {100 * share:.1f} % of its rows are whole"


def open_picture(source: PictureSource, limits: PictureLimits | None = None) -> Picture:
    """The same, with what is whole of a damaged JPEG; of other kinds no damaged file is decoded."""
    limits = limits or picture_limits()
    with _about(source):
        held = _held(source, limits)
        if isinstance(held, np.ndarray):
            return Picture(held)
        return _decode(held, _name_of(source), limits)


def _name_of(source: PictureSource) -> str:
    """What messages call a picture."""
    return path_text(source) if isinstance(source, str | Path) else _NAME


def _about(source: PictureSource) -> AbstractContextManager[None]:
    return about(source if isinstance(source, str | Path) else None, _name_of(source))


def undecoded(source: PictureSource, limits: PictureLimits | None = None) -> bytes | Image:
    """The bytes of a picture's file, or its pixels where it has none: (h, w, 3) uint8 RGB. Raises as `load_picture`."""
    with _about(source):
        return _held(source, limits or picture_limits())


def _held(source: PictureSource, limits: PictureLimits) -> bytes | Image:
    if isinstance(source, str | Path):
        return _bytes_of(Path(source), limits)
    if isinstance(source, np.ndarray):
        return rgb_from_array(source)
    if isinstance(source, PIL.Image.Image):
        return _pixels_of(source)
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif callable(getattr(source, "read", None)):
        try:
            data = source.read(limits.max_file + 1)
        except (OSError, ValueError) as error:  # ValueError: a closed file
            raise PictureError(f"{_NAME}: its file cannot be read ({error})") from error
        if not isinstance(data, bytes):
            raise PictureError(
                f"{_NAME}: its file gives {type(data).__name__}", hint='open it in binary mode ("rb")'
            )
    else:
        raise PictureError(
            "a picture is a path, the bytes of a file, an open binary file, a Pillow picture or a NumPy array, got "
            f"{type(source).__name__}"
        )
    if len(data) > limits.max_file:
        raise _too_many_bytes(_NAME, len(data), limits)
    return data


def _pixels_of(picture: PIL.Image.Image) -> Image:
    if 0 in picture.size:
        raise PictureError(f"{_NAME}: has no pixels, it is {picture.width} x {picture.height}")
    try:
        picture.load()
        return upright_rgb(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise UndecodablePicture(f"{_NAME}: Pillow cannot decode it ({error})") from error


def read_picture(path: str | Path, limits: PictureLimits | None = None) -> bytes:
    """The bytes of a picture file, undecoded. Raises PictureError as `load_picture` does, PictureTooLarge."""
    with _about(path):
        return _bytes_of(Path(path), limits or picture_limits())


def _bytes_of(path: Path, limits: PictureLimits) -> bytes:
    name = path_text(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PictureError(f"{name}: is a folder", hint="name a picture in it", path=path)
        if not stat.S_ISREG(status.st_mode):
            raise PictureError(
                f"{name}: is not a regular file", hint="copy the picture into a file first", path=path
            )
        if status.st_size > limits.max_file:
            raise _too_many_bytes(name, status.st_size, limits)
        with open_regular(path) as file:
            data = file.read(limits.max_file + 1)
    except FileNotFoundError as error:
        raise PictureError(f"{name}: there is no such file", path=path) from error
    except PermissionError as error:
        raise PictureError(
            f"{name}: may not be read", hint="check the file's permissions", path=path
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise PictureError(f"{name}: cannot be read ({_reason(error)})", path=path) from error
    if len(data) > limits.max_file:
        raise _too_many_bytes(name, len(data), limits)
    return data


def _decode(data: bytes, name: str, limits: PictureLimits) -> Picture:
    if not data:
        raise UndecodablePicture(f"{name}: is empty (0 bytes)")
    kind = picture_kind(data[:SIGNATURE_BYTES])
    if kind is None:
        known = ", ".join(PictureKind)
        raise UndecodablePicture(f"{name}: is not a picture of a kind that MultiFace reads ({known})")
    try:
        if kind is PictureKind.HEIC:
            return Picture(upright_rgb(_open_heic(data, name, limits)))
        size = size_before_opening(kind, data)
        if size is not None:
            require_room(name, kind, *size, limits)
        with _open(kind, data) as picture:
            require_room(name, kind, *picture.size, limits, _more(picture))
            raw_mode = raw_mode_of(picture)
            picture.load()
            pixels = upright_rgb(picture, brightened(picture, lambda: _open(kind, data), raw_mode))
            return Picture(pixels, picture.whole_share() if isinstance(picture, JpegFile) else None)
    except (PictureError, ExtraMissing):
        raise
    except PIL.Image.DecompressionBombError as error:
        raise PictureTooLarge(f"{name}: is too large for Pillow ({_reason(error)})") from error
    except MemoryError as error:
        raise PictureTooLarge(f"{name}: does not fit into the memory of this machine") from error
    except Exception as error:  # decoders fail on broken files with nearly every class of error there is
        raise UndecodablePicture(
            f"{name}: cannot be decoded as a {kind} picture ({_reason(error)}); "
            "the file is broken, cut short or of a variant that is not supported"
        ) from error


class _Tiff(TiffImagePlugin.TiffImageFile):
    """TIFF without Pillow's process-wide limit on pixels: ours was checked before."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = PIL.Image.new(self.mode, self._tile_size).im
        ImageFile.ImageFile.load_prepare(self)


def _open(kind: PictureKind, data: bytes) -> ImageFile.ImageFile:
    file = BytesIO(data)
    match kind:
        case PictureKind.JPEG:
            return JpegFile(data)
        case PictureKind.PNG:
            return PngImagePlugin.PngImageFile(file)
        case PictureKind.GIF:
            return GifImagePlugin.GifImageFile(file)
        case PictureKind.BMP:
            return BmpImagePlugin.BmpImageFile(file)
        case PictureKind.TIFF:
            return _Tiff(file)
        case PictureKind.WEBP:
            return WebPImagePlugin.WebPImageFile(file)
        case PictureKind.AVIF:
            return AvifImagePlugin.AvifImageFile(file)
        case PictureKind.JPEG2000:
            return Jpeg2KImagePlugin.Jpeg2KImageFile(file)
        case PictureKind.PNM:
            return PpmImagePlugin.PpmImageFile(file)
        case PictureKind.HEIC:
            raise AssertionError("HEIC has a decoder of its own")


def _open_heic(data: bytes, name: str, limits: PictureLimits) -> PIL.Image.Image:
    try:
        import pillow_heif
    except ImportError as error:
        raise ExtraMissing(
            f"{name}: is a HEIC picture, for which an optional package is needed", hint=how_to_install("heic")
        ) from error
    container = pillow_heif.open_heif(data)  # reads the boxes; pixels are decoded by to_pillow
    width, height = container.size
    require_room(name, PictureKind.HEIC, width, height, limits)
    picture: PIL.Image.Image = container.to_pillow()
    return picture


def size_before_opening(kind: PictureKind, data: bytes) -> tuple[int, int] | None:
    """Width and height of the kinds whose decoder takes memory for the whole canvas as soon as it opens."""
    if kind is PictureKind.GIF:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if kind is PictureKind.WEBP and data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind is PictureKind.WEBP and data[12:16] == b"VP8L":
        sides = int.from_bytes(data[21:25], "little")
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    if kind is PictureKind.WEBP and data[12:16] == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _more(picture: ImageFile.ImageFile) -> int:
    """Bytes per pixel that a picture takes besides what is usual for its kind; before it is loaded."""
    # Of a progressive JPEG all coefficients, and a second picture to compare with.
    return 10 if picture.info.get("progressive") else 0


def _too_many_bytes(name: str, count: int, limits: PictureLimits) -> PictureTooLarge:
    return PictureTooLarge(
        f"{name}: has {count:,} bytes or more, over the {limits.max_file:,} allowed", hint="save it smaller"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or os.strerror(error.errno)
    return str(error).strip() or type(error).__name__
