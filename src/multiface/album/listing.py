"""Which files of a folder are photos and films, and which of them are new or changed since the last scan."""

import os
from dataclasses import dataclass
from pathlib import Path

from multiface.errors import PictureError, UsageError
from multiface.gallery.album_pictures import AlbumFile
from multiface.gallery.clock import modified_ns
from multiface.images.endings import named_like_picture
from multiface.images.listing import is_folder, visible_files
from multiface.images.path_text import path_of_text, path_text

FILM_ENDINGS = (
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".3gp", ".wmv", ".flv",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlbumPath:
    """A photo or film on the disk. folder, name: as the album has them. size: bytes. modified_ns: as `clock` has it."""

    path: Path
    folder: str
    name: str
    size: int
    modified_ns: int
    film: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """What a folder holds.

    changed: files that are new or not as they were. unchanged: how many are. vanished: files of the album that are not
    there. unreadable: folders and files that could not be looked at.
    """

    changed: tuple[AlbumPath, ...]
    unchanged: int
    vanished: tuple[AlbumFile, ...]
    unreadable: tuple[str, ...]


def real_folder(folder: str | Path) -> Path:
    """The folder with links resolved. Raises PictureError where there is no such folder."""
    if not is_folder(Path(folder)):
        found = "is not a folder" if os.path.lexists(folder) else "there is no such folder"
        raise PictureError(f"{path_text(folder)}: {found}", path=folder)
    return Path(folder).resolve()


def listed(folder: Path, known: dict[tuple[str, str], AlbumFile], again: bool = False) -> Listed:
    """What a folder holds against what the album knows of it.

    known: by folder and name. again: count every file as changed. Raises UsageError if all files of the album are gone
    from the folder: that is more likely a drive that is not there than a wish.
    """
    changed, unreadable, unchanged, there = [], [], 0, set[tuple[str, str]]()
    for path, regular in visible_files(folder):
        film = path.suffix.lower() in FILM_ENDINGS
        if not regular:
            if is_folder(path):
                unreadable.append(path_text(path))
            continue
        if not film and not named_like_picture(path):
            continue
        key = path_text(path.parent), path_text(path.name)
        there.add(key)
        try:
            facts = path.stat()
        except OSError:
            unreadable.append(path_text(path))
            continue
        file = AlbumPath(path, *key, facts.st_size, modified_ns(facts), film)
        before = known.get(key)
        if before is None or again or (before.size, before.modified_ns) != (file.size, file.modified_ns):
            changed.append(file)
        else:
            unchanged += 1
    vanished = [file for key, file in known.items() if key not in there and _is_gone(file)]
    if known and len(vanished) == len(known):
        raise UsageError(
            f"{path_text(folder)}: none of the {len(known):,} photos and films known to the album is there any more; "
            "nothing was changed",
            path=folder,
            hint="if they are on a drive that is not connected, connect it; if they were moved, first scan where they "
            f"are now; if they are meant to be gone, `multiface album forget {path_text(folder)}` forgets them",
        )
    return Listed(tuple(sorted(changed, key=_order)), unchanged, tuple(vanished), tuple(unreadable))


def _order(file: AlbumPath) -> tuple[str, str]:
    return file.folder, file.name


def _is_gone(file: AlbumFile) -> bool:
    """Whether a file is missing; what cannot be asked does not count as gone."""
    try:
        path_of_text(os.path.join(file.folder, file.name)).stat()  # noqa: PTH118
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
