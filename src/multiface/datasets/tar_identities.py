"""WebDataset's tar shards as a training set with random access.

The files of a sample have one key, the name up to the first dot of the file's own name (folders before it count):
KEY.jpg, .jpeg, .png or .webp is the picture, KEY.cls its label (a number or a name), or KEY.json: a number, a name, or
an object whose `label` is one. Where both are there, .cls is taken. Other files are passed over, and so are names that
begin with a dot or have none. The files of a sample may stand anywhere in their shard; keys in different shards have
nothing to do with each other.

Opening reads all headers and labels, about 20 microseconds a picture; what is kept is 24 bytes a picture. Source: the
format's description in WebDataset 1.0, "The WebDataset Format".
"""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from multiface.arrays import Ints
from multiface.datasets.class_labels import ClassLabels
from multiface.datasets.identities import IdentitySet
from multiface.datasets.open_files import OpenFiles
from multiface.datasets.tar_members import Member, tar_members
from multiface.errors import DataSetError
from multiface.images.limits import picture_limits
from multiface.images.path_text import path_text
from multiface.json_text import parse_json

_PICTURES = frozenset(("jpg", "jpeg", "png", "webp"))
_LABEL_LIMIT = 1 << 20
_KEY = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)


def identities_from_tars(shards: Sequence[Path]) -> IdentitySet:
    """The set in these shards, in their order; pictures in the order in which they stand there.

    People are numbered in the order of the labels: numbers by size, names as text, without gaps. Raises DataSetError
    where a shard is compressed, damaged or cut off, a picture has no label, or a key has two pictures or two labels.
    """
    labels = ClassLabels()
    places = _Places()
    lonely = 0
    sizes = []
    for number, path in enumerate(shards):
        sizes.append(path.stat().st_size if path.exists() else 0)
        lonely += _add_shard(path, number, labels, places)
    classes, people = labels.classes()
    if not people:
        raise DataSetError(
            f"{shards[0]}: no picture is in {'it' if len(shards) == 1 else 'the shards'}; wanted KEY.jpg (.jpeg, .png, "
            ".webp) with KEY.cls or KEY.json",
            path=shards[0],
        )
    notes = (f"{shards[0].parent}: {lonely:,} labels without a picture are left out",) if lonely else ()
    files = OpenFiles(tuple(shards), tuple(sizes))
    return IdentitySet(classes, people, places.pictures(files), notes)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where pictures are: shard, offset and size of each."""

    shards: "array[int]" = field(default_factory=lambda: array("i"))
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("i"))

    def add(self, shard: int, member: Member) -> None:
        self.shards.append(shard)
        self.offsets.append(member.offset)
        self.sizes.append(member.size)

    def pictures(self, files: OpenFiles) -> "_TarPictures":
        return _TarPictures(
            files,
            np.frombuffer(self.shards, np.int32),
            np.frombuffer(self.offsets, np.int64),
            np.frombuffer(self.sizes, np.int32),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _TarPictures:
    """shards: int32 (n,), which of the files; offsets: int64 (n,), sizes: int32 (n,), of the picture's bytes there."""

    files: OpenFiles
    shards: npt.NDArray[np.int32]
    offsets: Ints
    sizes: npt.NDArray[np.int32]

    def read(self, i: int) -> bytes:
        return self.files.read(int(self.shards[i]), int(self.offsets[i]), int(self.sizes[i]))


@dataclass(slots=True)
class _Sample:
    """What was found of one key."""

    picture: Member | None = None
    cls: int | str | None = None
    json: int | str | None = None
    has_json: bool = False


def _add_shard(path: Path, number: int, labels: ClassLabels, places: _Places) -> int:
    """Adds the pictures of a shard; how many labels have none."""
    samples: dict[str, _Sample] = {}
    for member, content in tar_members(path):
        found = _KEY.fullmatch(member.name)
        if found is None:
            continue
        ending = found[2].lower()
        try:
            if ending in _PICTURES:
                _add_picture(samples.setdefault(found[1], _Sample()), member)
            elif ending in ("cls", "json"):
                _add_label(samples.setdefault(found[1], _Sample()), ending, content)
        except ValueError as error:
            raise _wrong(path, member.name, str(error)) from error
    lonely = 0
    for key, sample in samples.items():
        label = sample.json if sample.cls is None else sample.cls
        if sample.picture is None:
            lonely += label is not None
            continue
        try:
            if label is None:
                raise ValueError(f"has no label; wanted {key}.cls, or {key}.json with a `label`")
            labels.add(label)
        except ValueError as error:
            raise _wrong(path, sample.picture.name, str(error)) from error
        places.add(number, sample.picture)
    return lonely


def _add_picture(sample: _Sample, member: Member) -> None:
    if sample.picture is not None:
        raise ValueError("is the second picture of its key in this shard; wanted one for each key")
    limit = picture_limits().max_file
    if member.size > limit:
        raise ValueError(f"has {member.size:,} bytes; a picture has {limit:,} at most")
    sample.picture = member


def _add_label(sample: _Sample, ending: str, content: memoryview) -> None:
    if len(content) > _LABEL_LIMIT:
        raise ValueError(f"has {len(content):,} bytes; a label has {_LABEL_LIMIT:,} at most")
    if ending == "cls":
        if sample.cls is not None:
            raise ValueError("is the second .cls of its key in this shard; wanted one for each key")
        sample.cls = _cls(bytes(content))
    else:
        if sample.has_json:
            raise ValueError("is the second .json of its key in this shard; wanted one for each key")
        sample.has_json, sample.json = True, _json(bytes(content))


def _cls(content: bytes) -> int | str:
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise ValueError("is empty or not text; wanted the number or the name of a person")
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text


def _json(content: bytes) -> int | str | None:
    """The label; None where an object has none, since it may tell of other things."""
    try:
        value = parse_json(content)
    except ValueError as error:
        raise ValueError(f"is no JSON ({error})") from error
    if isinstance(value, dict):
        if "label" not in value:
            return None
        value = value["label"]
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError(f"has {str(value)[:60]!r} as its label; wanted a whole number or a name")
    return value


def _wrong(path: Path, member: str, what: str) -> DataSetError:
    return DataSetError(path_text(Path(f"{path}: {member} {what}")), path=path)
