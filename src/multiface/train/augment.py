"""What happens to a picture before it is learned from: flip, crop, colour, blur, low resolution, erasing.

All numbers of a picture come from Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")
with the run's seed as key and (epoch, sample number) as counter. So a picture of an epoch looks the same
however many processes and workers there are, in whatever order they work, and after a resume. Each kind draws
numbers of its own
whether it is on or not: switching one on leaves the others as they were.

Pixels are uint8 RGB; pictures are Pillow's. A probability of 0 switches a kind off.
Sources: flip as the original MultiFace; crop, low resolution and colour as AdaFace (Kim et al. 2022,
arXiv:2204.00964, section 4.1); erasing as Zhong et al. 2020 (arXiv:1708.04896).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from multiface.arrays import Pixels
from multiface.errors import UsageError

_DRAWN = 24
_BILINEAR = Image.Resampling.BILINEAR
_SHRINKING = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)

_LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""

Draw = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Probabilities (0..1) and strengths.

    flip: mirror image.
    crop: a square whose side is `crop_smallest`..1 of the picture's, anywhere in it, enlarged again. With
        `crop_in_place` as AdaFace: a rectangle of `crop_smallest` ** 2..1 of the area with sides as 3:4..4:3, which
        stays where it is, and all around it is black; the face stays aligned.
    low_resolution: shrunk to `low_resolution_smallest`..1 of the side, and enlarged again.
    blur: Gaussian with a deviation of 0..`blur_largest` pixels.
    colour: brightness, contrast and saturation times 1 - `colour_strength`..1 + `colour_strength` each.
    erase: a rectangle with sides of 0.1..`erase_largest` of the picture's, filled with one random colour.
    """

    flip: float = 0.5
    crop: float = 0.0
    crop_smallest: float = 0.8
    crop_in_place: bool = False
    low_resolution: float = 0.0
    low_resolution_smallest: float = 0.2
    blur: float = 0.0
    blur_largest: float = 2.0
    colour: float = 0.0
    colour_strength: float = 0.3
    erase: float = 0.0
    erase_largest: float = 0.4

    def __post_init__(self) -> None:
        for name in ("flip", "crop", "low_resolution", "blur", "colour", "erase"):
            _within(name, getattr(self, name), 0, 1)
        _within("crop_smallest", self.crop_smallest, 0.3, 1)
        _within("low_resolution_smallest", self.low_resolution_smallest, 0.05, 1)
        _within("blur_largest", self.blur_largest, 0, 20)
        _within("colour_strength", self.colour_strength, 0, 1)
        _within("erase_largest", self.erase_largest, 0.1, 1)


class Draws:
    """The random numbers of a run's pictures."""

    def __init__(self, seed: int) -> None:
        self._philox = np.random.Philox(key=seed)
        self._generator = np.random.Generator(self._philox)
        self._state = self._philox.state
        self._counter = self._state["state"]["counter"]

    def of(self, epoch: int, sample: int) -> Draw:
        """_DRAWN numbers in [0, 1) for a sample of an epoch: those of Philox(key=seed, counter=[0, epoch,
        sample, 0]).
        """
        # Setting the state takes a quarter of the time of making a generator.
        self._counter[:] = (0, epoch, sample, 0)
        self._philox.state = self._state
        return self._generator.random(_DRAWN)


def augment_pixels(pixels: Pixels, config: AugmentConfig, numbers: Draw) -> Pixels:
    """The picture, uint8 (h, w, 3) RGB, as `augment` changes it; one that is only mirrored takes a shorter way."""
    if config.crop or config.colour or config.blur or config.low_resolution or config.erase:
        return np.asarray(augment(Image.fromarray(pixels), config, numbers))
    if numbers[0] >= config.flip:
        return pixels
    mirrored = np.empty_like(pixels)
    for channel in range(pixels.shape[2]):  # a quarter of the time of all three at once
        mirrored[:, :, channel] = pixels[:, ::-1, channel]
    return mirrored


def augment(picture: Image.Image, config: AugmentConfig, numbers: Draw) -> Image.Image:
    """The picture (RGB) changed by the numbers of one draw; of the same size."""
    draw = numbers.tolist()
    width, height = picture.size
    if draw[0] < config.flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if draw[1] < config.crop and config.crop_in_place:
        picture = _kept_in_place(picture, config.crop_smallest, [*draw[2:5], draw[22]])
    elif draw[1] < config.crop:
        share = config.crop_smallest + (1 - config.crop_smallest) * draw[2]
        x, y = draw[3] * (1 - share) * width, draw[4] * (1 - share) * height
        box = (x, y, x + share * width, y + share * height)
        picture = picture.resize((width, height), _BILINEAR, box)
    if draw[5] < config.colour:
        picture = _recoloured(picture, config.colour_strength, draw[6:9])
    if draw[9] < config.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(config.blur_largest * draw[10]))
    if draw[11] < config.low_resolution:
        share = config.low_resolution_smallest + (1 - config.low_resolution_smallest) * draw[12]
        small = (max(1, round(share * width)), max(1, round(share * height)))
        shrinking = _SHRINKING[int(draw[13] * len(_SHRINKING))]
        picture = picture.resize(small, shrinking).resize((width, height), _BILINEAR)
    if draw[14] < config.erase:
        picture = _erased(picture, config.erase_largest, draw[15:22])
    return picture


def _kept_in_place(picture: Image.Image, smallest: float, draw: list[float]) -> Image.Image:
    """A rectangle of the picture on black. Four numbers: area, place (two), ratio of the sides."""
    width, height = picture.size
    area = smallest**2 + (1 - smallest**2) * draw[0]
    ratio = 0.75 * (16 / 9) ** draw[3]  # 3/4..4/3, each as likely as its inverse
    w = min(width, max(1, round((area * ratio) ** 0.5 * width)))
    h = min(height, max(1, round((area / ratio) ** 0.5 * height)))
    x, y = int(draw[1] * (width - w + 1)), int(draw[2] * (height - h + 1))
    black = Image.new("RGB", picture.size)
    black.paste(picture.crop((x, y, x + w, y + h)), (x, y))
    return black


def _recoloured(picture: Image.Image, strength: float, draw: list[float]) -> Image.Image:
    """Brightness b, contrast c (around the mean luminance m), then saturation s, as one matrix.

    A pixel x of luminance l becomes s y + (1 - s) l(y) with y = c b x + (1 - c) b m.
    """
    b, c, s = (1 + strength * (2 * number - 1) for number in draw)
    mean = picture.reduce(picture.size).getpixel((0, 0))
    assert isinstance(mean, tuple)
    offset = (1 - c) * b * sum(share * value for share, value in zip(_LUMINANCE, mean, strict=True))
    rows = [[b * c * (1 - s) * share for share in _LUMINANCE] + [offset] for _ in range(3)]
    for channel in range(3):
        rows[channel][channel] += b * c * s
    return picture.convert("RGB", tuple(number for row in rows for number in row))


def _erased(picture: Image.Image, largest: float, draw: list[float]) -> Image.Image:
    """Seven numbers: two for the size, two for the place, three for the colour."""
    width, height = picture.size
    w = max(1, round((0.1 + (largest - 0.1) * draw[0]) * width))
    h = max(1, round((0.1 + (largest - 0.1) * draw[1]) * height))
    x, y = int(draw[2] * (width - w + 1)), int(draw[3] * (height - h + 1))
    red, green, blue = (int(number * 256) for number in draw[4:7])
    picture = picture.copy()
    picture.paste((red, green, blue), (x, y, x + w, y + h))
    return picture


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"augment: {name} must be within {low:g}..{high:g}, not {value:g}")
