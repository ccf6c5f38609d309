"""Which files of a folder are pictures: told by their first bytes, in a stable natural order.

A regular file that is named like a picture is listed too, whatever it holds: a broken picture is then reported where
it is read, and not passed over.
Hidden files and folders (names that begin with a dot) are left out without a word. Linked folders are
followed, but each folder is entered once, so that loops end. "Natural" means that 2 comes before 10 and that
capital letters do not matter, name by name along the path.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from multiface.errors import PictureError
from multiface.images.endings import named_like_picture
from multiface.images.path_text import path_text
from multiface.images.signature import SIGNATURE_BYTES, picture_kind
from multiface.regular_file import open_regular


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found: `pictures`, and the files `ignored` because they are no picture or cannot be read.

    again: paths that were given a second time; they count once.
    """

    pictures: tuple[Path, ...]
    ignored: tuple[Path, ...]
    again: tuple[Path, ...] = ()


def list_pictures(folder: str | Path) -> Listing:
    """All pictures below a folder, and the other files, each sorted by its path below the folder.

    Paths begin with `folder` as it was given. A folder that may not be entered is among the ignored.
    Raises PictureError where there is no such folder.
    """
    folder = Path(folder)
    if not is_folder(folder):
        found = "is not a folder" if os.path.lexists(folder) else "there is no such folder"
        raise PictureError(f"{path_text(folder)}: {found}", path=folder)
    pictures: list[Path] = []
    ignored: list[Path] = []
    for path, regular in sorted(visible_files(folder), key=lambda one: _natural(one[0].relative_to(folder))):
        (pictures if regular and _is_picture(path) else ignored).append(path)
    return Listing(tuple(pictures), tuple(ignored))


def expand(paths: Iterable[str | Path]) -> Listing:
    """Files and folders, mixed, as one listing in the order given; a path that comes twice counts once.

    A folder stands for what `list_pictures` finds in it. A file named by the caller counts as a picture
    unseen, so that a broken one is reported when it is read and not passed over.
    Raises PictureError for a path that does not exist.
    """
    pictures: dict[str, Path] = {}
    ignored: dict[str, Path] = {}
    given: set[str] = set()
    again: list[Path] = []
    for path in map(Path, paths):
        if _key(path) in given:
            again.append(path)
            continue
        given.add(_key(path))
        if is_folder(path):
            listing = list_pictures(path)
            for one in listing.pictures:
                pictures.setdefault(_key(one), one)
            for one in listing.ignored:
                ignored.setdefault(_key(one), one)
        elif os.path.lexists(path):
            pictures.setdefault(_key(path), path)
        else:
            raise PictureError(f"{path_text(path)}: there is no such file or folder", path=path)
    rest = tuple(path for key, path in ignored.items() if key not in pictures)
    return Listing(tuple(pictures.values()), rest, tuple(again))


def _key(path: Path) -> str:
    """Equal for two ways to write one path; a link is another path than its target."""
    return os.path.normpath(Path.cwd() / path)


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; what cannot be looked at does not."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def visible_files(top: Path) -> Iterator[tuple[Path, bool]]:
    """Every visible file below `top`, and whether it is a regular one; a folder that may not be entered is told too.

    Linked folders wait until all real ones are done, so that a folder inside the tree keeps its own name when a link
    leads to it too.
    """
    entered: set[tuple[int, int]] = set()
    folders, links = [top], list[Path]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError:
            yield folder, False
            continue
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                continue
            if not is_folder(path):
                yield path, _is_regular(entry)
            elif entry.is_symlink():
                links.append(path)
            else:
                folders.append(path)


def _is_regular(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_picture(path: Path) -> bool:
    if named_like_picture(path):
        return True
    try:
        with open_regular(path) as file:
            return picture_kind(file.read(SIGNATURE_BYTES)) is not None
    except OSError:
        return False


def _natural(path: Path) -> tuple[list[list[tuple[int, int, str]]], str]:
    return [[_piece(text) for text in re.split(r"([0-9]+)", name)] for name in path.parts], str(path)


def _piece(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text.casefold())
