"""A folder of people used directly: its vectors are kept in a gallery of their own in the cache.

The cache holds a file for each folder, detector, embedder and choice of flips. The pictures stay where they
are; each run embeds only what is new or changed, and drops what vanished, also from the folder's files of
other settings. Vectors are biometric data: `forget` removes them, and nothing else keeps them.
"""

import errno
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from multiface.errors import GalleryError, NotAvailable, PictureError
from multiface.gallery import Gallery, VectorOrigin, drop_vanished
from multiface.visible import log_of

_LOG = log_of(__name__)


def people_folder(folder: Path) -> Path:
    """The same folder. Raises PictureError when it is none."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise PictureError(
            f"{folder}: {what}; the people are a folder with a folder of pictures for each person",
            path=folder,
        )
    return folder


@dataclass(frozen=True, slots=True)
class NotKept:
    """A temporary folder with the gallery of a people folder, for the caller to delete; why it is not in the cache."""

    folder: Path
    why: str


def gallery_of_folder(cache: Path, folder: Path, origin: VectorOrigin) -> tuple[Gallery, NotKept | None]:
    """`cached_gallery`, or where the cache cannot be written, as in a read-only home, one that is not kept."""
    try:
        return cached_gallery(cache, folder, origin), None
    except NotAvailable as error:
        why = f"{error}; until then they are made anew each time"
    passing = Path(tempfile.mkdtemp(prefix="multiface-"))
    try:
        return cached_gallery(passing, folder, origin), NotKept(passing, why)
    except BaseException:
        shutil.rmtree(passing, ignore_errors=True)
        raise


def cached_gallery(cache: Path, folder: Path, origin: VectorOrigin) -> Gallery:
    """The gallery that keeps this folder's vectors; made if it is not there yet.

    Raises PictureError when the folder is not one, NotAvailable when the cache cannot be written, and
    GalleryError when what lies in it cannot be used.
    """
    home = _home(cache, people_folder(folder))
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise NotAvailable(
            f"cache {cache}: cannot be written ({error.strerror}), so the vectors of {folder} cannot be kept",
            hint="name another folder as `cache`",
            path=cache,
        ) from error
    flip = "flip" if origin.flip else "no flip"
    key = hashlib.sha256(f"{origin.fingerprint}\n{origin.detector}\n{flip}".encode()).hexdigest()[:16]
    return Gallery.open(home / f"{key}.sqlite", origin, create=True)


def drop_from_others(current: Gallery, folder: Path) -> None:
    """Remove what vanished from a folder from its cache files of other settings.

    current: the folder's cache file that was just brought up to date. A file that cannot be opened or written
    is left for the next run, and that is logged.
    """
    for file in sorted(current.path.parent.glob("*.sqlite")):
        if file.name == current.path.name:
            continue
        try:
            with Gallery.open(file) as other:
                drop_vanished(other, folder, current)
        except GalleryError as error:
            _LOG.warning("%s (`multiface people forget` removes it)", error)


def forget(cache: Path, folder: Path) -> int:
    """Remove everything that is cached of a folder; the number of files removed."""
    home = _home(cache, folder)
    files = sorted(home.glob("*")) if home.is_dir() else []
    for file in files:
        file.unlink()
    if files:
        home.rmdir()
    return len(files)


def _home(cache: Path, folder: Path) -> Path:
    return (
        cache
        / "people"
        / hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    )
