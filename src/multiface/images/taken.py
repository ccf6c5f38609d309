"""When a picture was taken, as the camera wrote it."""

import re

from PIL import ExifTags

from multiface.images.header import exif_of

_WRITTEN = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")


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
        if found is not None and found[1] > "1825" and "01" <= found[2] <= "12" and "01" <= found[3] <= "31":
            year, month, day, hour, minute, second = found.groups()
            return f"{year}-{month}-{day}T{hour}:{minute}:{second}"
    return None
