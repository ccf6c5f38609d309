"""From where on pictures are too poor for the stated rates: measured for one detector and one embedder.

Two poor pictures of different people resemble each other, since both show the same blur rather than two faces. The
limits lie where the false-match rate among such pictures leaves twice the stated one; docs/limits.md has the table,
benchmarks/poor_pictures.py makes it.
"""

from dataclasses import dataclass

SMALL = 12.0
"""Pixels between the eyes below which the size is the fault that is named."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """The least that a picture must show.

    sharpness: of the aligned crop, `faces.picture_quality.relative_detail`. norm: length of the raw feature. refused:
    the share, 0..1, of the set's own pictures that lie below: the price in misses.
    """

    sharpness: float
    norm: float
    refused: float

    def fault(self, eyes: float, sharpness: float, norm: float) -> str | None:
        """What is wrong with a face, in words; None where it is good enough.

        eyes: pixels between the eyes in the picture, for the words only.
        """
        if sharpness >= self.sharpness and norm >= self.norm:
            return None
        if eyes < SMALL:
            return f"the eyes are {eyes:.0f} pixels apart"
        if sharpness < self.sharpness:
            return f"blurred: sharpness {sharpness:.2f}, wanted {self.sharpness:.2f}"
        return f"too little of the face can be seen: feature norm {norm:.1f}, wanted {self.norm:.1f}"
