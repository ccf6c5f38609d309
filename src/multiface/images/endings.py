"""How the names of picture files end: one list for every place that goes by names.

What a file holds is told by its first bytes (`signature`). Names count where nothing is opened, because a set has
millions of files, and to tell a broken picture from a file that was never meant to be one.
"""

from pathlib import PurePath

from multiface.images.signature import PictureKind

ENDINGS: dict[PictureKind, tuple[str, ...]] = {
    PictureKind.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif"),
    PictureKind.PNG: (".png",),
    PictureKind.GIF: (".gif",),
    PictureKind.BMP: (".bmp", ".dib"),
    PictureKind.TIFF: (".tif", ".tiff"),
    PictureKind.WEBP: (".webp",),
    PictureKind.AVIF: (".avif",),
    PictureKind.HEIC: (".heic", ".heif", ".hif"),
    PictureKind.JPEG2000: (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
    PictureKind.PNM: (".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Of each kind, the usual one first; in lower case."""

PICTURE_ENDINGS = tuple(ending for endings in ENDINGS.values() for ending in endings)


def named_like_picture(name: str | PurePath) -> bool:
    """Whether a file's name, in capitals or not, ends as that of a picture."""
    return PurePath(name).suffix.lower() in PICTURE_ENDINGS
