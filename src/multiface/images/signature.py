"""Which kind of picture a file holds, told by its first bytes and never by its name.

Sources: JPEG ITU T.81, PNG ISO/IEC 15948, GIF89a, the BITMAPINFOHEADER family, TIFF 6.0 and BigTIFF, the WebP
container, ISO/IEC 14496-12 (`ftyp` brands of HEIC and AVIF), JPEG 2000 ISO/IEC 15444-1, Netpbm.
"""

from enum import StrEnum

SIGNATURE_BYTES = 256
"""So many bytes from the start of a file are enough for `picture_kind`."""


class PictureKind(StrEnum):
    """The kinds of picture that MultiFace reads; the value is the name used in messages."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    WEBP = "WebP"
    AVIF = "AVIF"
    HEIC = "HEIC"
    JPEG2000 = "JPEG 2000"
    PNM = "PNM"


_PREFIXES = (
    (b"\xff\xd8\xff", PictureKind.JPEG),
    (b"\x89PNG\r\n\x1a\n", PictureKind.PNG),
    (b"GIF87a", PictureKind.GIF),
    (b"GIF89a", PictureKind.GIF),
    (b"II*\0", PictureKind.TIFF),
    (b"MM\0*", PictureKind.TIFF),
    (b"II+\0", PictureKind.TIFF),
    (b"MM\0+", PictureKind.TIFF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", PictureKind.JPEG2000),
    (b"\xff\x4f\xff\x51", PictureKind.JPEG2000),
)
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}


def picture_kind(head: bytes) -> PictureKind | None:
    """The kind of picture that starts with `head` (`SIGNATURE_BYTES` are enough), or None if it is none."""
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return PictureKind.WEBP
    if head[4:8] == b"ftyp":
        return _kind_of_brands(head)
    # Two letters alone would take many a text for a picture: look at what must follow them.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return PictureKind.BMP
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() and head[3:4] in b"#0123456789":
        return PictureKind.PNM if len(head) > 3 else None
    return None


def _kind_of_brands(head: bytes) -> PictureKind | None:
    """HEIC and AVIF share one container; the major brand decides, then the compatible ones."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major} | {head[at : at + 4] for at in range(16, end, 4)}
    if major in _AVIF_BRANDS or (brands & _AVIF_BRANDS and major in {b"mif1", b"msf1"}):
        return PictureKind.AVIF
    return PictureKind.HEIC if brands & _HEIC_BRANDS else None
