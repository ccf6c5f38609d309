"""A folder a person of aligned crops to record files, as the field's training archives have them.

    OUT/train.rec, train.idx     pictures with keys 1..n-1 (label: the person's class, flag 0); then record 0
                                 (label [n, m], no picture); then the people's headers with keys n..m-1
                                 (label [first key, last key + 1], no picture)
    OUT/property                 classes,height,width

People and pictures are numbered in natural order ("2" before "10"), so unpacked records come back with their
own labels; pictures in folders below a person's count too. Pictures go in as the files they are, JPEG or PNG; both
are what every reader of such records decodes.

Source: insightface `face2rec2.py` (layout and order of the records).
"""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiface.datasets.record_format import Record
from multiface.datasets.recordio import RecordWriter
from multiface.datasets.whole_file import write_beside
from multiface.errors import DataSetError, PictureError, UsageError
from multiface.images import load_picture
from multiface.images.endings import named_like_picture
from multiface.images.listing import is_folder, visible_files
from multiface.images.path_text import path_text
from multiface.images.signature import SIGNATURE_BYTES, PictureKind, picture_kind
from multiface.progress import Progress
from multiface.regular_file import read_regular


@dataclass(frozen=True, slots=True)
class PackedFolder:
    """What was written.

    folder: with train.rec, train.idx and property. people: the names of the folders, class 0 first.
    pictures: how many. width, height: of every picture, in pixels. ignored: files that are no pictures.
    left_out: pictures that cannot be in it, and why.
    """

    folder: Path
    people: tuple[str, ...]
    pictures: int
    width: int
    height: int
    ignored: tuple[Path, ...]
    left_out: tuple[tuple[Path, str], ...]


def pack_folder(folder: Path, out: Path, workers: int, progress: Progress = lambda *_: None) -> PackedFolder:
    """FOLDER/NAME/PICTURE to OUT/train.rec, train.idx and property; they appear whole or not at all.

    People without a picture get no class. Each picture is decoded once; one that is broken, neither JPEG nor PNG, or
    of another size than the first is left out. workers: pictures that are looked at the same time. progress: called
    with files done and all. Raises DataSetError where there is no picture; UsageError where nothing can be written.
    """
    people = _people(folder)
    total = sum(len(_files(folder / name)) for name in people)
    names: list[str] = []
    ranges: list[tuple[int, int]] = []
    ignored: list[Path] = []
    left_out: list[tuple[Path, str]] = []
    size: tuple[int, int] | None = None
    key, done = 1, 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (
            RecordWriter(out / "train.rec", out / "train.idx") as writer,
            ThreadPoolExecutor(workers) as pool,
        ):
            for name in people:
                first = key
                paths = _files(folder / name)
                for path, looked in zip(paths, _looked_at(pool, paths, 16 * workers), strict=True):
                    done += 1
                    if done % 64 == 0:
                        progress(done, total)
                    if looked is None:
                        ignored.append(path)
                        continue
                    if isinstance(looked, str):
                        left_out.append((path, looked))
                        continue
                    try:
                        require_size(looked, size)
                    except DataSetError as error:
                        left_out.append((path, str(error)))
                        continue
                    size = looked.width, looked.height
                    writer.write(key, Record(float(len(names)), key, 0, looked.content))
                    key += 1
                if key > first:
                    names.append(name)
                    ranges.append((first, key))
            if size is None:
                first_of = f" ({path_text(left_out[0][0])}: {left_out[0][1]})" if left_out else ""
                raise DataSetError(
                    f"{path_text(folder)}: wanted a folder per person with JPEG or PNG crops, found none{first_of}",
                    path=folder,
                )
            writer.write(0, _header(0, key, key + len(ranges)))
            for place, (first, end) in enumerate(ranges):
                writer.write(key + place, _header(key + place, first, end))
            # Before the records: a property file of an older, smaller set must never stand beside them.
            (out / "property").unlink(missing_ok=True)
        write_beside(out / "property", f"{len(names)},{size[1]},{size[0]}\n".encode())
    except OSError as error:
        raise UsageError(
            f"{path_text(error.filename or out)}: {error.strerror or error}", path=error.filename or out
        ) from error
    progress(total, total)
    return PackedFolder(out, tuple(names), key - 1, size[0], size[1], tuple(ignored), tuple(left_out))


@dataclass(frozen=True, slots=True)
class Looked:
    """A picture that can be in record files: its file, and its size in pixels."""

    content: bytes
    width: int
    height: int


def looked_at_content(content: bytes, size: tuple[int, int] | None) -> Looked:
    """A picture's file, decoded once. size: width and height of those before, None for the first.

    Raises DataSetError, whose text follows the picture's name, where it cannot be in record files with them.
    """
    kind = picture_kind(content[:SIGNATURE_BYTES])
    if kind not in (None, PictureKind.JPEG, PictureKind.PNG):
        raise DataSetError(
            f"is a {kind} picture; readers of record files know JPEG and PNG: convert it, "
            "or make crops with `multiface prepare photos`"
        )
    try:
        height, width = load_picture(content).shape[:2]
    except PictureError as error:
        raise DataSetError(
            f"{str(error).removeprefix('the picture: ')}", hint="fetch or make it again, or delete it"
        ) from error
    looked = Looked(content, width, height)
    require_size(looked, size)
    return looked


def require_size(looked: Looked, size: tuple[int, int] | None) -> None:
    """Raises DataSetError for a picture of another size than those before; None: there are none."""
    if size is not None and (looked.width, looked.height) != size:
        raise DataSetError(
            f"is {looked.width}x{looked.height} pixels, those before are {size[0]}x{size[1]}: records "
            "hold aligned crops of one size",
            hint="make them with `multiface prepare photos`",
        )


def _looked_at(pool: ThreadPoolExecutor, paths: list[Path], ahead: int) -> Iterator[Looked | str | None]:
    """Each file in turn, a few read ahead: a picture, why it cannot be used, or None for what is no picture."""
    for start in range(0, len(paths), ahead):
        yield from pool.map(_look, paths[start : start + ahead])


def _look(path: Path) -> Looked | str | None:
    try:
        content = read_regular(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if picture_kind(content[:SIGNATURE_BYTES]) is None and not named_like_picture(path):
        return None
    try:
        return looked_at_content(content, None)
    except DataSetError as error:
        return str(error)


def _people(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (e.name for e in entries if is_folder(folder / e.name) and e.name[0] != "."), key=_natural
            )
    except OSError as error:
        raise DataSetError(
            f"{path_text(folder)}: cannot be read ({error.strerror})", path=folder, hint="check the path"
        ) from error


def _files(person: Path) -> list[Path]:
    paths = [path for path, regular in visible_files(person) if regular]
    return sorted(paths, key=lambda path: _natural(path.relative_to(person).as_posix()))


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Orders digits by their value and letters without regard to capitals."""
    pieces = re.split(r"([0-9]+)", name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in pieces], name


def _header(key: int, first: int, end: int) -> Record:
    return Record(np.array([first, end], np.float32), key, 0, b"")
