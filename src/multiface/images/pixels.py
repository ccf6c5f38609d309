"""From whatever Pillow decoded, or an array, to the one form that MultiFace works on: upright 8-bit RGB.

Choices, where a format leaves them open:
- transparency is laid over white;
- of 16-bit samples white is the largest number of 8, 10, 12, 14 or 16 bits, the fewest that hold all of them,
  except in PNM, whose files state it: so 12-bit data is as bright as it was;
- 32-bit numbers have no agreed white. Floats within 0..1 are multiplied by 255; values within 0..255 are
  kept, within 0..65535 divided by 257, anything else is stretched from its lowest to its highest value;
- an embedded ICC profile is followed to sRGB with LittleCMS; one that is broken, or that does not belong to
  the picture's colours, is ignored;
- the orientation is that of EXIF 2.3, tag 0x0112, values 1 to 8; any other value counts as 1.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageCms

from multiface.errors import PictureError
from multiface.images.deep_colour import eight_bits, white_of
from multiface.images.strips import strip_rows

Image = npt.NDArray[np.uint8]
"""(h, w, 3) uint8 RGB, upright."""

ORIENTATION_TAG = 0x0112
_PROFILE_SPACE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_SAME_COLOUR = 2  # a profile that moves no channel by more than this is sRGB under another name


def rgb_from_array(array: npt.NDArray[Any]) -> Image:
    """An array as a picture: (h, w, 3) RGB as it is, (h, w) or (h, w, 1) grey tripled, (h, w, 4) RGBA over white.

    An (h, w, 3) array of uint8 comes back without a copy where it is contiguous. Floats hold 0..1 and are rounded.
    Raises PictureError for any other shape or numbers, and for a picture without pixels.
    """
    if isinstance(array, np.ndarray) and np.issubdtype(array.dtype, np.floating):
        array = _from_floats(array)
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        got = f"{array.dtype} numbers" if isinstance(array, np.ndarray) else type(array).__name__
        raise PictureError(f"a picture as an array holds uint8 numbers 0..255 or floats 0..1, got {got}")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))):
        raise PictureError(
            "a picture as an array is (h, w, 3) RGB, (h, w) or (h, w, 1) grey or (h, w, 4) RGBA, "
            f"got shape {array.shape}",
            hint="pass one picture at a time, channels last",
        )
    if array.size == 0:
        raise PictureError(f"a picture as an array has at least one pixel, got shape {array.shape}")
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    if array.shape[2] == 4:
        picture = PIL.Image.fromarray(np.ascontiguousarray(array))
        return np.array(_over_white(picture.convert("RGB"), picture.getchannel("A")))
    return np.ascontiguousarray(array)


def from_bgr(array: npt.NDArray[Any]) -> Image:
    """A picture in OpenCV's order of colours, (h, w, 3) BGR or (h, w, 4) BGRA, as `rgb_from_array` gives it."""
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.shape[2] not in (3, 4):
        got = f"shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise PictureError(f"a BGR picture is an array (h, w, 3) or (h, w, 4), got {got}")
    return rgb_from_array(array[:, :, [2, 1, 0, 3][: array.shape[2]]])


def _from_floats(array: npt.NDArray[Any]) -> Image:
    # Neither comparison holds for NaN.
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise PictureError(
            f"a picture as an array of floats holds 0..1, got {array.min():g} to {array.max():g}",
            hint="divide by 255 if its white is 255",
        )
    pixels: Image = np.rint(array * 255).astype(np.uint8)
    return pixels


def upright_rgb(picture: PIL.Image.Image, shown: PIL.Image.Image | None = None) -> Image:
    """The pixels of a loaded picture of any Pillow mode, as upright RGB, in memory of their own.

    shown: what counts instead of the pixels of `picture`, whose orientation holds for it too. The work is done strip by
    strip, so that besides the picture and the result little memory is needed.
    """
    orientation = orientation_of(picture)
    source = picture if shown is None else shown
    width, height = source.size
    shape = (height, width, 3) if orientation < 5 else (width, height, 3)
    upright = np.empty(shape, np.uint8)
    # The same memory, as it lies in the picture: turns by a quarter undo each other, mirror images themselves.
    lying = _turned(upright, {6: 8, 8: 6}.get(orientation, orientation))
    grey = _grey_scale(source)
    for rows, strip in strips(source):
        lying[rows] = np.asarray(
            _rgb(strip) if grey is None else PIL.Image.fromarray(grey(strip)).convert("RGB")
        )
    return upright


def strips(picture: PIL.Image.Image) -> Iterator[tuple[slice, PIL.Image.Image]]:
    """A loaded picture from top to bottom in parts of some two million pixels, each with its rows."""
    width, height = picture.size
    for top, bottom in strip_rows(width, height):
        whole = bottom - top == height
        yield slice(top, bottom), picture if whole else picture.crop((0, top, width, bottom))


def orientation_of(picture: PIL.Image.Image) -> int:
    """EXIF's orientation of an open picture, 1..8; 1 where there is none or it is broken."""
    try:
        value = picture.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # broken EXIF fails in many ways, none of them a reason to refuse the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(pixels: Image, orientation: int) -> Image:
    match orientation:
        case 2:
            return pixels[:, ::-1]
        case 3:
            return pixels[::-1, ::-1]
        case 4:
            return pixels[::-1]
        case 5:
            return pixels.transpose(1, 0, 2)
        case 6:
            return pixels.transpose(1, 0, 2)[:, ::-1]
        case 7:
            return pixels.transpose(1, 0, 2)[::-1, ::-1]
        case 8:
            return pixels.transpose(1, 0, 2)[::-1]
        case _:
            return pixels


def _grey_scale(picture: PIL.Image.Image) -> Callable[[PIL.Image.Image], Image] | None:
    """How the numbers of a strip become grey 0..255, by what the whole picture holds; None for colours of 8 bits."""
    if not (picture.mode.startswith("I") or picture.mode == "F"):
        return None
    if _is_sixteen_bit(picture):
        largest = max(int(np.asarray(strip).max()) for _, strip in strips(picture))
        white = 65535 if picture.format == "PPM" else white_of(largest)
        return lambda strip: eight_bits(np.asarray(strip), white)
    ends: list[float] = []
    for _, strip in strips(picture):
        numbers = np.asarray(strip)
        finite = numbers[np.isfinite(numbers)]
        ends += [float(finite.min()), float(finite.max())] if len(finite) else []
    low, high = (min(ends), max(ends)) if ends else (0.0, 0.0)
    return lambda strip: _scaled(np.asarray(strip), low, high)


def _rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    profile = picture.info.get("icc_profile")
    if picture.mode == "LAB":
        lab = ImageCms.buildTransform(
            ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
        )
        return _transformed(picture, lab)
    alpha: PIL.Image.Image | None = None
    grey_based = picture.mode in {"1", "L", "LA", "La"}
    if picture.has_transparency_data:
        picture = picture.convert("LA") if picture.mode == "La" else picture
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
    if grey_based:
        colour = picture.convert("L")
    elif picture.mode in {"RGB", "CMYK"}:
        colour = picture
    else:
        colour = picture.convert("RGB")
    rgb = _srgb(colour, profile) if isinstance(profile, bytes) and profile else None
    if rgb is None:
        rgb = colour.convert("RGB")
    return rgb if alpha is None else _over_white(rgb, alpha)


def _over_white(rgb: PIL.Image.Image, alpha: PIL.Image.Image) -> PIL.Image.Image:
    white = PIL.Image.new("RGB", rgb.size, (255, 255, 255))
    white.paste(rgb, mask=alpha)
    return white


def _is_sixteen_bit(picture: PIL.Image.Image) -> bool:
    """Pillow opens 16-bit PNG and TIFF as I;16, 16-bit PNM as I with the full scale 65535."""
    return picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM")


def _scaled(values: npt.NDArray[Any], low: float, high: float) -> Image:
    """low, high: the lowest and the highest finite value of the whole picture."""
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    numbers = np.where(finite, numbers, low)
    if low >= 0 and high <= 1 and values.dtype.kind == "f":
        numbers = numbers * 255
    elif low >= 0 and high <= 255:
        pass
    elif low >= 0 and high <= 65535:
        numbers = numbers / 257
    else:
        numbers = (numbers - low) / (high - low) * 255 if high > low else np.zeros_like(numbers)
    return np.rint(numbers).astype(np.uint8)


def _srgb(colour: PIL.Image.Image, profile: bytes) -> PIL.Image.Image | None:
    """The picture (mode L, RGB or CMYK) led from its profile to sRGB; None where the profile is of no use."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space.strip() != _PROFILE_SPACE[colour.mode]:
            return None
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, colour.mode, "RGB")
        if colour.mode == "RGB" and _changes_nothing(transform):
            return colour
        return _transformed(colour, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _transformed(colour: PIL.Image.Image, transform: ImageCms.ImageCmsTransform) -> PIL.Image.Image:
    result = ImageCms.applyTransform(colour, transform)
    assert result is not None  # None is the answer for work in place only
    return result


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(_transformed(PIL.Image.fromarray(colours), transform))
    return int(np.abs(moved.astype(int) - colours).max()) <= _SAME_COLOUR
