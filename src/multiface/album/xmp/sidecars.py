"""Where the XMP of a picture stands beside it: `photo.jpg.xmp` (digiKam, darktable, Immich) or `photo.xmp` (Adobe)."""

from pathlib import Path

from multiface.images.endings import PICTURE_ENDINGS

_RAW_ENDINGS = (
    ".3fr",
    ".arw",
    ".cr2",
    ".cr3",
    ".crw",
    ".dng",
    ".erf",
    ".iiq",
    ".kdc",
    ".mef",
    ".mos",
    ".mrw",
    ".nef",
    ".nrw",
    ".orf",
    ".pef",
    ".raf",
    ".raw",
    ".rw2",
    ".rwl",
    ".sr2",
    ".srf",
    ".srw",
    ".x3f",
)


def full_sidecar(picture: Path) -> Path:
    """`photo.jpg.xmp`: of this picture and no other."""
    return picture.with_name(f"{picture.name}.xmp")


def short_sidecar(picture: Path) -> Path:
    """`photo.xmp`, which `photo.jpg` may share with `photo.cr2`."""
    return picture.with_suffix(".xmp")


def sidecars(picture: Path) -> list[Path]:
    """The sidecars that are there, the one that counts first."""
    return [path for path in (full_sidecar(picture), short_sidecar(picture)) if is_there(path)]


def sidecar_to_write(picture: Path) -> Path:
    """The sidecar that is there, `photo.jpg.xmp` before `photo.xmp`; `photo.jpg.xmp` where there is none, and where
    `photo.xmp` may be that of another file, such as a raw picture of the same name.
    """
    full, short = full_sidecar(picture), short_sidecar(picture)
    if is_link(full) or is_there(full) or not is_there(short) or _shared(picture):
        return full
    return short


def _shared(picture: Path) -> bool:
    endings = {*PICTURE_ENDINGS, *_RAW_ENDINGS} - {picture.suffix.lower()}
    return any(
        is_there(picture.with_suffix(written)) for ending in endings for written in (ending, ending.upper())
    )


def is_there(path: Path) -> bool:
    """No also where the name is too long for any file, or the folder may not be looked into."""
    try:
        return path.exists()
    except OSError:
        return False


def is_link(path: Path) -> bool:
    """Whether it is a symbolic link, leading anywhere or nowhere."""
    try:
        return path.is_symlink()
    except OSError:
        return False
