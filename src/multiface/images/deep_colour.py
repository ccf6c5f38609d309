"""Colour pictures of 16 bits a channel that use only the lower ones.

Microscopes, scanners and cameras store samples of 10, 12 or 14 bits in files of 16 without scaling them. Such
a picture looks black, and Pillow keeps only the upper byte of each colour sample. Here the lower byte is read
too, and the largest value that the samples could have becomes white.
"""

import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageFile

from multiface.images.strips import strip_rows

_USUAL_BITS = (8, 10, 12, 14, 16)
_FAINT = (1 << 14) >> 8
"""With no upper byte this large, samples have at most 14 bits."""
_NATIVE, _FOREIGN = (";16L", ";16B") if sys.byteorder == "little" else (";16B", ";16L")
_OTHER_BYTE = {";16B": ";16L", ";16L": ";16B", ";16N": _FOREIGN}


def white_of(largest: int) -> int:
    """The white of 16-bit samples of which none is above `largest`: all bits of the smallest usual depth set."""
    return next(white for bits in _USUAL_BITS if largest <= (white := (1 << bits) - 1))


def eight_bits(samples: npt.NDArray[np.uint16], white: int) -> npt.NDArray[np.uint8]:
    """Samples 0..white as 0..255, rounded."""
    return ((samples.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)


def brightened(
    upper: PIL.Image.Image, open_again: Callable[[], ImageFile.ImageFile], raw_mode: str | None
) -> PIL.Image.Image:
    """The picture, changed in place so that its white is where the samples have it.

    upper: mode RGB or RGBA, the upper byte of each sample. raw_mode: of its file, as `raw_mode_of` says.
    """
    if raw_mode is None or upper.mode not in {"RGB", "RGBA"}:
        return upper
    if any(sum(upper.histogram()[256 * k + _FAINT : 256 * (k + 1)]) for k in range(3)):
        return upper
    with open_again() as lower:
        if raw_mode.startswith("LA;16"):  # grey and alpha in four bytes: upper and lower of each
            lower.tile = [tile._replace(args="RGBA") for tile in lower.tile]
            channels = slice(1, 2)
        else:
            other = raw_mode[:-4] + _OTHER_BYTE[raw_mode[-4:]]
            lower.tile = [
                tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)
                for tile in lower.tile
            ]
            channels = slice(0, 3)
        lower.load()

        def samples(rows: tuple[int, int]) -> npt.NDArray[np.uint16]:
            high, low = (np.asarray(one.crop((0, rows[0], one.width, rows[1]))) for one in (upper, lower))
            return np.asarray(high[:, :, :3].astype(np.uint16) << 8 | low[:, :, channels], np.uint16)

        strips = list(strip_rows(upper.width, upper.height))
        white = white_of(max(int(samples(rows).max()) for rows in strips))
        for rows in strips:
            colours = PIL.Image.fromarray(eight_bits(samples(rows), white))
            if upper.mode == "RGBA":
                colours.putalpha(upper.crop((0, rows[0], upper.width, rows[1])).getchannel("A"))
            upper.paste(colours, (0, rows[0]))
    return upper


def raw_mode_of(picture: ImageFile.ImageFile) -> str | None:
    """How the samples lie in the file where they are colours of 16 bits, else None; before it is loaded."""
    if not picture.tile:
        return None
    arguments = picture.tile[0].args
    raw_mode = arguments if isinstance(arguments, str) else arguments[0] if arguments else None
    if not isinstance(raw_mode, str) or raw_mode[:-4] not in {"RGB", "RGBA", "LA"}:
        return None
    return raw_mode if raw_mode[-4:] in _OTHER_BYTE else None
