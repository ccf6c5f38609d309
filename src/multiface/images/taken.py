"""When a picture was taken, as the camera wrote it."""

import contextlib
import re
from datetime import datetime

from PIL import ExifTags

from multiface.images.header import exif_of

_WRITTEN = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d", re.ASCII)
_YEARS = range(1826, 9999)
"""From the first photograph on, to where a time can still be given in another zone."""


def likely_time(time: datetime) -> bool:
    """Whether a photo can have been taken then."""
    return time.year in _YEARS


def taken_at(data: bytes) -> str | None:
    """The camera's local time, ISO 8601 without a zone; None where the picture does not say, or wrongly.

    data: the bytes of a picture file. Source: EXIF 2.3, tags 0x9003 (DateTimeOriginal), 0x9004 and 0x0132.
    """
    try:
        exif = exif_of(data)
        taken = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # what is broken in a picture's facts is no reason to leave out the picture
        return None
    for written in (taken.get(0x9003), taken.get(0x9004), exif.get(0x0132)):
        found = _WRITTEN.match(written) if isinstance(written, str) else None
        if found is None:
            continue
        with contextlib.suppress(ValueError):  # the 31st of February, or noughts
            time = datetime.strptime(found[0], "%Y:%m:%d %H:%M:%S")
            if likely_time(time):
                return time.isoformat()
    return None
