"""The quality of faces against the limits of a calibration."""

from multiface.decision import PictureFault, QualityLimits
from multiface.faces.picture_quality import PictureQuality


def picture_faults(limits: QualityLimits | None, quality: PictureQuality) -> list[PictureFault | None]:
    """What is wrong with each face that is too poor for the stated rates; None for the others."""
    if limits is None:
        return [None] * len(quality.eyes)
    return [
        limits.fault(float(eyes), float(sharpness), float(contrast), float(norm))
        for eyes, sharpness, contrast, norm in zip(
            quality.eyes, quality.sharpness, quality.contrast, quality.norm, strict=True
        )
    ]
