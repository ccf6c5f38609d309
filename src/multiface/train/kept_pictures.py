"""Decoded pictures kept in memory, made smaller: for experiments in which decoding would take most of the time."""

from dataclasses import dataclass

import numpy as np
import PIL.Image

from multiface.arrays import Pixels
from multiface.datasets.identities import IdentitySet, Pictures
from multiface.errors import DataSetError, UsageError
from multiface.train.crops import SIDE, decode_pixels
from multiface.train.validation import ValidationSet


@dataclass(frozen=True, slots=True, eq=False)
class KeptPictures:
    """The pictures of a set, and all of them decoded. pixels: uint8 (n, side, side, 3) RGB."""

    pictures: Pictures
    pixels: Pixels

    def read(self, i: int) -> bytes:
        """The file of picture i, as it was."""
        return self.pictures.read(i)


@dataclass(frozen=True, slots=True, eq=False)
class _KeptCrops:
    pixels: Pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def crops(self, start: int, stop: int) -> Pixels:
        return self.pixels[start:stop]


def keep_pictures(pictures: IdentitySet, shrink: int) -> IdentitySet:
    """The same set with each picture kept as the means of its `shrink` x `shrink` pixels.

    Raises UsageError where the side of 112 is no multiple of that, DataSetError for a picture that cannot be used.
    """
    check_shrink(shrink)
    side = SIDE // shrink
    pixels = np.empty((len(pictures), side, side, 3), np.uint8)
    for number in range(len(pictures)):
        try:
            pixels[number] = np.asarray(
                PIL.Image.fromarray(decode_pixels(pictures.read(number))).reduce(shrink)
            )
        except DataSetError as error:
            raise DataSetError(f"picture {number} cannot be used: {error}") from error
    return IdentitySet(
        pictures.labels, pictures.classes, KeptPictures(pictures.pictures, pixels), pictures.notes
    )


def keep_crops(validation: ValidationSet, shrink: int) -> ValidationSet:
    """The same for a set that is measured on: means, rounded as Pillow does for pictures that are learned from."""
    import PIL.Image

    check_shrink(shrink)
    side = SIDE // shrink
    pixels = np.empty((len(validation.faces), side, side, 3), np.uint8)
    for start in range(0, len(pixels), 256):
        crops = validation.faces.crops(start, min(start + 256, len(pixels)))
        for number, crop in enumerate(crops, start):
            pixels[number] = np.asarray(PIL.Image.fromarray(crop).reduce(shrink))
    return ValidationSet(validation.pairs, _KeptCrops(pixels))


def check_shrink(shrink: int) -> None:
    """Raises UsageError where pictures of 112 pixels cannot be shrunk by this."""
    if shrink < 1 or SIDE % shrink:
        raise UsageError(f"shrink must divide {SIDE}, as 4 does, not be {shrink}")
