"""Takes as files in a folder of people: FOLDER/NAME/capture-DIGEST.png, all of them or none.

DIGEST is the beginning of the sha256 of the pixels, so that no other picture is ever replaced, and the same takes
once more are the same files.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multiface.errors import UsageError
from multiface.file_name import file_name
from multiface.gallery.names import clean_name
from multiface.images import save_picture
from multiface.images.path_text import path_text
from multiface.video.capture.capture import Take

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Saved:
    """paths: of the takes, in their order. added: how many of these files are new; the others were there already."""

    paths: tuple[Path, ...]
    added: int


def person_folder(people: Path, name: str) -> Path:
    """The folder of the person in the folder of people: the one that is there already, or the one to be made.

    Nothing is made. Raises UsageError for a name that a folder cannot have, and where something in the way is no
    folder or cannot be written.
    """
    name = file_name(clean_name(name), "name")
    folder = people / name
    try:
        if people.is_dir():
            # The same name may be written in another form of Unicode on the disk.
            folder = next((one for one in sorted(people.iterdir()) if _is_called(one, name)), folder)
        for place in (folder, *folder.parents):
            if place.is_dir():
                # Gone again at once: nothing else tells whether files can be made here.
                with tempfile.TemporaryFile(dir=place):
                    return folder
            if place.is_symlink() or place.exists():
                raise UsageError(
                    f"{path_text(place)}: is not a folder, so no picture can be put into it", path=place
                )
    except OSError as error:
        raise UsageError(f"{path_text(folder)}: cannot be written ({error.strerror})", path=folder) from error
    return folder


def save_takes(folder: Path, takes: Sequence[Take]) -> Saved:
    """Write the takes as PNG into the folder, which is made if it is not there.

    When it fails or is stopped, what it wrote and made is gone again. Raises UsageError.
    """
    made: list[Path] = []
    written: list[Path] = []
    try:
        _make(folder, made)
        paths = tuple(folder / f"capture-{_digest(take)}.png" for take in takes)
        for path, take in zip(paths, takes, strict=True):
            if not path.exists():
                written.append(path)
                save_picture(take.picture, path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        for place in reversed(made):
            with suppress(OSError):  # somebody else has put something into it
                place.rmdir()
        raise
    return Saved(paths, len(written))


def _is_called(entry: Path, name: str) -> bool:
    try:
        return clean_name(entry.name) == name
    except UsageError:
        return False


def _make(folder: Path, made: list[Path]) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        try:
            place.mkdir()
        except OSError as error:
            raise UsageError(f"{path_text(place)}: cannot be made ({error.strerror})", path=place) from error
        made.append(place)


def _digest(take: Take) -> str:
    shape = f"{take.picture.shape[1]}x{take.picture.shape[0]}\n".encode()
    return hashlib.sha256(shape + take.picture.tobytes()).hexdigest()[:_DIGITS]
