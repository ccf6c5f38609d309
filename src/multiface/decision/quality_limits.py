"""From where on pictures are too poor for the stated rates: measured for one detector and one embedder.

Two poor pictures of different people resemble each other, since both show the same blur rather than two faces. The
limits lie where the false-match rate among such pictures leaves twice the stated one; docs/limits.md has the table,
`benchmarks/poor_pictures.py` makes it.

One poor picture against a good one is another case: it costs misses, not false matches, down to a norm of `norm_alone`.
"""

from dataclasses import dataclass

SMALL = 12.0
"""Pixels between the eyes below which the size is the fault that is named."""


@dataclass(frozen=True, slots=True)
class PictureFault:
    """Why a face is too poor for the stated rates against another poor one.

    words: what is wrong. alone: whether it is too poor against a good one as well.
    """

    words: str
    alone: bool


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a face must show; measures as in `faces.picture_quality`.

    sharpness, noise: the least and the most detail. contrast: the least. norm: the least length of the raw feature.
    norm_alone: the least against a good picture. refused: the share, 0..1, of the calibration set's own pictures that
    are outside: the price in misses.
    """

    sharpness: float
    noise: float
    contrast: float
    norm: float
    norm_alone: float
    refused: float

    def fault(self, eyes: float, sharpness: float, contrast: float, norm: float) -> PictureFault | None:
        """What is wrong with a face; None where it is good enough.

        eyes: pixels between the eyes in the picture, for the words only.
        """
        words = self._words(eyes, sharpness, contrast, norm)
        return None if words is None else PictureFault(words, not norm >= self.norm_alone)

    def _words(self, eyes: float, sharpness: float, contrast: float, norm: float) -> str | None:
        sharp, even, weak = sharpness >= self.sharpness, not contrast >= self.contrast, not norm >= self.norm
        if sharp and sharpness <= self.noise and not even and not weak:
            return None
        if eyes < SMALL:
            return f"the eyes are {eyes:.0f} pixels apart"
        if even:
            return f"too dark or too even: contrast {contrast:.0f}, wanted {self.contrast:.0f}"
        if not sharp:
            return f"blurred: sharpness {sharpness:.2f}, wanted {self.sharpness:.2f}"
        if sharpness > self.noise:
            return f"noisy: detail {sharpness:.1f}, wanted at most {self.noise:.1f}"
        return f"too little of the face can be seen: feature norm {norm:.1f}, wanted {self.norm:.1f}"
