"""XMP put into a picture itself, for those who ask for it: JPEG only, by replacing one segment.

Only the APP1 segment with XMP changes; all other bytes, the pixels' among them, stay as they are. The time of the file
is that of the writing, so that backups notice; when a picture was taken stands in EXIF. Source: ISO 16684-3, 3.
"""

from pathlib import Path

from multiface.album.xmp.parsing import parse
from multiface.album.xmp.rdf import rdf_of
from multiface.album.xmp.writing import refuse_link, replace_file
from multiface.errors import InputError, about
from multiface.images.decode import read_picture
from multiface.images.jpeg_segments import START_OF_SCAN, Segment, segments
from multiface.images.path_text import path_text
from multiface.images.signature import SIGNATURE_BYTES, PictureKind, picture_kind

_APP0, _APP1, _APP2 = 0xE0, 0xE1, 0xE2
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF = b"Exif\0"
_SEVERAL_PICTURES = b"MPF\0"
_LARGEST = 0xFFFF - 2 - len(_XMP)
_USE_SIDECAR = "write a sidecar instead"


def embed_xmp(picture: Path, packet: bytes) -> bool:
    """Put an XMP packet into a JPEG file, in the place of the one that it has; whether the file was changed.

    Raises InputError for another kind of picture, a symbolic link, a packet that is no XMP or larger than 65,502 bytes,
    and a picture whose file holds others behind it that would move; PictureError and UsageError if the file cannot be
    read or written.
    """
    name = path_text(picture)
    with about(picture, name):
        refuse_link(picture)
        rdf_of(parse(packet, "the packet"), "the packet")
        if len(packet) > _LARGEST:
            raise InputError(
                f"{name}: {len(packet):,} bytes of XMP do not fit into a JPEG ({_LARGEST:,} do)",
                hint=_USE_SIDECAR,
            )
        data = read_picture(picture)
        kind = picture_kind(data[:SIGNATURE_BYTES])
        if kind is not PictureKind.JPEG:
            raise InputError(
                f"{name}: XMP is put into JPEG files only, this is {kind or 'no picture'}", hint=_USE_SIDECAR
            )
        changed = _with_packet(data, packet, name)
        if changed == data:
            return False
        replace_file(picture, changed)
        return True


def _with_packet(data: bytes, packet: bytes, name: str) -> bytes:
    head: list[Segment] = []
    for one in segments(data):
        if one.marker == START_OF_SCAN:
            break
        head.append(one)
    else:
        raise InputError(
            f"{name}: is a broken JPEG; nothing was written into it", hint="fetch or copy it again"
        )
    there = [one for one in head if one.marker == _APP1 and one.content.startswith(_XMP)]
    segment = b"\xff\xe1" + (2 + len(_XMP) + len(packet)).to_bytes(2, "big") + _XMP + packet
    at = there[0].start if there else _after_exif(head)
    pieces = [data[:at], segment]
    for one in there:
        pieces.append(data[at : one.start])
        at = one.start + 4 + len(one.content)
    changed = b"".join([*pieces, data[at:]])
    index = next(
        (one.start for one in head if one.marker == _APP2 and one.content.startswith(_SEVERAL_PICTURES)), None
    )
    if index is not None and len(changed) != len(data) and any(one.start > index for one in there):
        raise InputError(f"{name}: holds further pictures, which would move", hint=_USE_SIDECAR)
    return changed


def _after_exif(head: list[Segment]) -> int:
    """Behind JFIF's and EXIF's segments, which must come first."""
    at = 2
    for one in head:
        if one.marker != _APP0 and not (one.marker == _APP1 and one.content.startswith(_EXIF)):
            break
        at = one.start + 4 + len(one.content)
    return at
