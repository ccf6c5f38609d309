"""Labeled Faces in the Wild: its pairs file, and the folder of pictures that it speaks of.

The file, fields parted by tabs (or blanks where a line has no tab):

    10  300                      folds and pairs of each kind in a fold; or one number: a single fold
    NAME  i  j                   the same person, pictures i and j
    NAME1  i  NAME2  j           two people

Each fold holds the wanted number of pairs of the same person and as many of two people, in the file's order.
Pictures are numbered from 1 and lie at ROOT/NAME/NAME_0001.jpg (or .png, or another ending of pictures).
Source: Huang, Ramesh, Berg and Learned-Miller, "Labeled Faces in the Wild", 2007 (README, View 1 and View 2).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiface.arrays import Bools, Ints
from multiface.errors import DataSetError, about
from multiface.file_name import is_file_name
from multiface.images.endings import PICTURE_ENDINGS
from multiface.regular_file import read_regular_text

PAIRS_FILE = "pairs.txt"


@dataclass(frozen=True, slots=True, eq=False)
class LfwPairs:
    """The n pairs of a pairs file, in its order.

    people: names, in the order in which they first appear.
    pictures: (name, number) of every picture in use, each once, in the order of first appearance.
    left, right: int64 (n,), positions in `pictures`.
    issame: bool (n,).
    fold: int64 (n,), 0..folds-1, never falling.
    left_subject, right_subject: int64 (n,), positions in `people`; equal exactly where issame.
    """

    people: tuple[str, ...]
    pictures: tuple[tuple[str, int], ...]
    left: Ints
    right: Ints
    issame: Bools
    fold: Ints
    left_subject: Ints
    right_subject: Ints

    def __len__(self) -> int:
        return len(self.issame)

    @property
    def folds(self) -> int:
        """Number of folds."""
        return int(self.fold[-1]) + 1


@dataclass(frozen=True, slots=True)
class LfwFolder:
    """A folder with `pairs.txt` and every picture that it names.

    root: the folder. pairs: what the file says. paths: the picture files, in the order of `pairs.pictures`.
    """

    root: Path
    pairs: LfwPairs
    paths: tuple[Path, ...]

    @staticmethod
    def open(root: Path | str) -> "LfwFolder":
        """Reads ROOT/pairs.txt and finds its pictures; they are not decoded.

        Raises DataSetError if the file is missing or broken, or pictures are missing.
        """
        folder = Path(root)
        pairs = read_pairs(folder / PAIRS_FILE)
        found = [_find(folder, name, number) for name, number in pairs.pictures]
        missing = [picture for picture, path in zip(pairs.pictures, found, strict=True) if path is None]
        if missing:
            name, number = missing[0]
            raise DataSetError(
                f"{folder}: {len(missing)} of the {len(found)} pictures that {PAIRS_FILE} names are missing, "
                f"the first is {name}/{name}_{number:04d}.jpg (or .png)",
                path=folder,
                hint=f"unpack the pictures so that {PAIRS_FILE} lies beside the people's folders",
            )
        return LfwFolder(folder, pairs, tuple(path for path in found if path is not None))


def read_pairs(path: Path | str) -> LfwPairs:
    """Reads a pairs file (UTF-8; blank lines at the end do not matter).

    Raises DataSetError, with the file and the line, if it cannot be read, a line is not a pair, or the
    numbers of pairs are not those of the first line.
    """
    path = Path(path)
    try:
        lines = read_regular_text(path).removeprefix("\ufeff").rstrip().split("\n")
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read ({error.strerror or error})", path=path) from error
    except UnicodeDecodeError as error:
        raise DataSetError(
            f"{path}: is not UTF-8 text (byte {error.start}); is it a pairs file?", path=path
        ) from error
    folds, size = _header(path, lines[0] if lines else "")
    if len(lines) - 1 != 2 * folds * size:
        raise DataSetError(
            f"{path}: line 1 announces {folds} x {size} pairs of each kind, so {2 * folds * size} pairs, "
            f"but {len(lines) - 1} lines follow; the file is cut off or mixed up",
            path=path,
        )

    people: dict[str, int] = {}
    pictures: dict[tuple[str, int], int] = {}
    rows = np.empty((len(lines) - 1, 4), np.int64)  # left, right, left_subject, right_subject
    for row, line in enumerate(lines[1:]):
        with about(path):
            sides = _pair(f"{path}, line {row + 2}", line)
        rows[row, :2] = [pictures.setdefault(side, len(pictures)) for side in sides]
        rows[row, 2:] = [people.setdefault(name, len(people)) for name, _ in sides]

    issame = rows[:, 2] == rows[:, 3]
    for number, block in enumerate(issame.reshape(folds, 2 * size)):
        if int(block.sum()) != size:
            first = 2 + 2 * size * number
            raise DataSetError(
                f"{path}, lines {first} to {first + 2 * size - 1} (fold {number + 1}): wanted {size} pairs "
                f"of the same person and {size} of two people, got {int(block.sum())} and "
                f"{2 * size - int(block.sum())}",
                path=path,
            )
    left, right, left_subject, right_subject = (np.ascontiguousarray(column) for column in rows.T)
    return LfwPairs(
        people=tuple(people),
        pictures=tuple(pictures),
        left=left,
        right=right,
        issame=issame,
        fold=np.repeat(np.arange(folds), 2 * size),
        left_subject=left_subject,
        right_subject=right_subject,
    )


def _header(path: Path, line: str) -> tuple[int, int]:
    fields = line.split()
    if not (1 <= len(fields) <= 2 and all(map(_is_number, fields))):
        raise DataSetError(
            f'{path}, line 1: wanted the number of folds and of pairs, as in "10 300", got {line[:40]!r}',
            path=path,
        )
    numbers = [int(field) for field in fields]
    return (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _pair(where: str, line: str) -> tuple[tuple[str, int], tuple[str, int]]:
    fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
    match fields:
        case [name, i, j] if _is_number(i) and _is_number(j):
            left, right = (name, int(i)), (name, int(j))
            if left == right:
                raise DataSetError(f"{where}: compares picture {i} of {name} with itself", name=name)
        case [name, i, other, j] if _is_number(i) and _is_number(j):
            left, right = (name, int(i)), (other, int(j))
            if name == other:
                raise DataSetError(
                    f"{where}: is written as a pair of two people, but both are {name}", name=name
                )
        case _:
            raise DataSetError(f"{where}: wanted NAME i j, or NAME1 i NAME2 j, got {line[:80]!r}")
    for name, _ in (left, right):
        if not is_file_name(name):
            raise DataSetError(f"{where}: {name!r} cannot be the name of a person's folder", name=name)
    return left, right


def _is_number(field: str) -> bool:
    return field.isascii() and field.isdigit() and len(field) <= 9 and int(field) > 0


def _find(root: Path, name: str, number: int) -> Path | None:
    for ending in PICTURE_ENDINGS:
        path = root / name / f"{name}_{number:04d}{ending}"
        if path.is_file():
            return path
    return None
