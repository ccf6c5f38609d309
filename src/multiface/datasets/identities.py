"""Training sets: pictures of people, each with the number of its person.

Sets come from record files (`train.rec`, `train.idx`, `property`) or from a folder a person; several are
joined by shifting the later ones' classes. Pictures are handed out as the files they are (JPEG, PNG, ...),
bytes that `multiface.images` decodes to RGB.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from multiface.arrays import Ints
from multiface.datasets.record_identities import record_identities
from multiface.datasets.recordio import RecordFile
from multiface.errors import DataSetError, UsageError
from multiface.images.endings import PICTURE_ENDINGS, named_like_picture
from multiface.images.listing import is_folder, visible_files
from multiface.images.path_text import path_text
from multiface.regular_file import read_regular


class Pictures(Protocol):
    """Where the pictures of a set are. Must work in worker processes, forked or spawned."""

    def read(self, i: int) -> bytes:
        """The file of picture i, 0 <= i < n. Raises DataSetError where it cannot be read."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class IdentitySet:
    """n pictures of `classes` people.

    labels: int64 (n,), the person in each picture, 0..classes-1; each occurs. notes: what was left out, in words.
    """

    labels: Ints
    classes: int
    pictures: Pictures
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, i: int) -> bytes:
        """The file of picture i (JPEG, PNG, ...), 0 <= i < n. Raises DataSetError where it cannot be read."""
        if not 0 <= i < len(self.labels):
            raise UsageError(f"picture {i} is not within 0..{len(self.labels) - 1}")
        return self.pictures.read(i)


def identities_from_records(folder: Path) -> IdentitySet:
    """The set in a folder with `train.rec`, and perhaps `train.idx` (else the records are scanned) and
    `property` (`classes,height,width`; checked where it is there).

    Classes are numbered in the order of the records' labels, without gaps. Raises DataSetError where the
    files are broken or contradict one another.
    """
    idx = folder / "train.idx"
    file = RecordFile.open(folder / "train.rec", idx if idx.exists() else None)
    identities = record_identities(file)
    property_ = folder / "property"
    if property_.exists():
        stated = _stated_classes(property_)
        if stated <= identities.originals[-1]:
            raise DataSetError(
                f"{property_}: tells of {stated} people, but the records have labels up to "
                f"{identities.originals[-1]}: the file belongs to another set",
                path=property_,
                hint="correct or delete it",
            )
    return IdentitySet(identities.labels, len(identities.originals), _RecordPictures(file, identities.keys))


def identities_from_folders(root: Path) -> IdentitySet:
    """The set in a folder that has a folder a person, each with that person's pictures, also in folders below it.

    People are numbered in the order of their folders' names as text ("10" before "2"), pictures in the order
    of their names. Files that are no pictures by their ending (sets are large: none is opened to look), people
    without a picture and names that begin with a dot are left out; all but the last are told in `notes`.
    Raises DataSetError where no person has a picture.
    """
    try:
        with os.scandir(root) as entries:
            names = sorted(
                (entry.name, is_folder(root / entry.name)) for entry in entries if entry.name[0] != "."
            )
    except OSError as error:
        raise DataSetError(
            f"{root}: cannot be read ({error.strerror})", path=root, hint="check the path"
        ) from error
    people: list[str] = []
    joined = bytearray()
    ends: list[Ints] = []
    counts: list[int] = []
    empty: list[str] = []
    left_out = [root / name for name, has_files in names if not has_files]
    for person in (name for name, has_files in names if has_files):
        pictures = _picture_names(root / person, left_out)
        if not pictures:
            empty.append(person)
            continue
        people.append(person)
        ends.append(len(joined) + np.cumsum([len(name) for name in pictures], dtype=np.int64))
        counts.append(len(pictures))
        joined += b"".join(pictures)
    if not people:
        raise DataSetError(
            f"{root}: wanted a folder per person with pictures in it, found {len(empty)} folders without; "
            f"pictures end in {' '.join(PICTURE_ENDINGS)}",
            path=root,
        )
    labels = np.repeat(np.arange(len(people), dtype=np.int64), counts)
    name_ends = np.concatenate(([0], *ends)).astype(np.int64)
    return IdentitySet(
        labels,
        len(people),
        _FolderPictures(root, tuple(people), labels, bytes(joined), name_ends),
        _left_out(root, left_out, empty),
    )


def join(sets: Sequence[IdentitySet]) -> IdentitySet:
    """All pictures of several sets, in their order; each set's people are numbered behind those before.

    People who are in two sets count as two. Raises UsageError where there is no set.
    """
    if not sets:
        raise UsageError("wanted one or more sets to join, got none")
    shifts = np.cumsum([0] + [one.classes for one in sets])
    labels = np.concatenate([one.labels + shift for one, shift in zip(sets, shifts[:-1], strict=True)])
    starts = np.cumsum([0] + [len(one) for one in sets])
    notes = tuple(note for one in sets for note in one.notes)
    return IdentitySet(labels, int(shifts[-1]), _JoinedPictures(tuple(sets), starts), notes)


@dataclass(frozen=True, slots=True, eq=False)
class _RecordPictures:
    file: RecordFile
    keys: Ints

    def read(self, i: int) -> bytes:
        key = int(self.keys[i])
        payload = self.file.read(key).payload
        if not payload:
            raise DataSetError(
                f"{self.file.path}: record {key} should be a picture, but holds no bytes", path=self.file.path
            )
        return payload


@dataclass(frozen=True, slots=True, eq=False)
class _FolderPictures:
    """Names below the person's folder stand in one string, so that millions of them are no Python objects: name i is
    names[ends[i]:ends[i + 1]]."""

    root: Path
    people: tuple[str, ...]
    labels: Ints
    names: bytes
    ends: Ints

    def read(self, i: int) -> bytes:
        name = os.fsdecode(self.names[int(self.ends[i]) : int(self.ends[i + 1])])
        path = self.root / self.people[int(self.labels[i])] / name
        try:
            return read_regular(path)
        except OSError as error:
            raise DataSetError(
                f"{path_text(path)}: cannot be read ({error.strerror}), though it was there when the set was "
                "opened",
                path=path,
                hint="open the set again",
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _JoinedPictures:
    """Set k has the pictures starts[k]..starts[k + 1]-1."""

    sets: tuple[IdentitySet, ...]
    starts: Ints

    def read(self, i: int) -> bytes:
        k = int(np.searchsorted(self.starts, i, side="right")) - 1
        return self.sets[k].read(i - int(self.starts[k]))


def _picture_names(person: Path, left_out: list[Path]) -> list[bytes]:
    """The pictures' paths below a person's folder, in order; other files are added to `left_out`."""
    start = len(os.fsencode(person)) + 1
    names = []
    for path, regular in visible_files(person):
        if regular and named_like_picture(path):
            names.append(os.fsencode(path)[start:])
        else:
            left_out.append(path)
    return sorted(names)


def _left_out(root: Path, files: Sequence[Path], empty: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if files:
        notes.append(
            f"{root}: {len(files):,} files are left out, such as {path_text(files[0].relative_to(root))}: each lies "
            "in no person's folder, or does not end like a picture"
        )
    if empty:
        notes.append(
            f"{root}: {len(empty):,} folders hold no picture (such as {path_text(empty[0])}); these people are left out"
        )
    return tuple(notes)


def _stated_classes(path: Path) -> int:
    try:
        numbers = [int(part) for part in read_regular(path).split(b",")]
    except (OSError, ValueError):
        numbers = []
    if len(numbers) != 3 or min(numbers) < 1:
        raise DataSetError(
            f"{path}: wanted one line `classes,height,width` of whole numbers above 0",
            path=path,
            hint="correct or delete it",
        )
    return numbers[0]
