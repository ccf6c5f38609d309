"""The quality of faces against the limits of a calibration."""

from multiface.decision import PictureLimits
from multiface.faces.picture_quality import PictureQuality


def picture_faults(limits: PictureLimits | None, quality: PictureQuality) -> list[str | None]:
    """What is wrong with each face that is too poor for the stated rates, in words; None for the others."""
    if limits is None:
        return [None] * len(quality.eyes)
    return [
        limits.fault(float(eyes), float(sharpness), float(norm))
        for eyes, sharpness, norm in zip(quality.eyes, quality.sharpness, quality.norm, strict=True)
    ]
