"""Which files a place that is named for a set stands for: tar shards or Parquet files.

    train.tar, train-000000.tar            a file
    train-{000000..000012}.tar             WebDataset's range, both ends included
    FOLDER                                 all .tar or all .parquet files directly in it, by name

Where names in a folder begin with `train`, as those of WebDataset's and Hugging Face's splits do, only these are taken.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from multiface.errors import DataSetError
from multiface.images.path_text import path_text

_KINDS = (".tar", ".parquet")
_RANGE = re.compile(r"\{([0-9]+)\.\.([0-9]+)\}")
_MOST = 1_000_000
_COMPRESSED = re.compile(r"\.(tar\.[a-z0-9]+|tgz|tbz2?|txz)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shards:
    """kind: ".tar" or ".parquet". files: in order. left_out: of other splits."""

    kind: str
    files: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()


def find_shards(place: Path) -> Shards | None:
    """The shards that a path stands for; None where it stands for none, and may be another kind of set.

    Raises DataSetError for compressed tars, a range that is none, and a folder with tars and Parquet files.
    """
    if place.is_dir():
        return _in_folder(place)
    if _RANGE.search(place.name) and not place.exists():
        files = tuple(place.with_name(name) for name in _expanded(place.name))
    else:
        files = (place,)
    if _COMPRESSED.search(place.name):
        raise _compressed(place)
    kind = place.suffix.lower()
    return Shards(kind, files) if kind in _KINDS else None


def _in_folder(folder: Path) -> Shards | None:
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataSetError(
            f"{path_text(folder)}: cannot be read ({error.strerror})", path=folder, hint="check the path"
        ) from error
    if any(entry.is_dir() for entry in entries):
        return None  # a folder a person
    found = [entry for entry in entries if entry.suffix.lower() in _KINDS]
    if not found:
        compressed = [entry for entry in entries if _COMPRESSED.search(entry.name)]
        if compressed:
            raise _compressed(compressed[0])
        return None
    kinds = {entry.suffix.lower() for entry in found}
    if len(kinds) > 1:
        raise DataSetError(
            f"{path_text(folder)}: has .tar and .parquet files", path=folder, hint="name the ones to take"
        )
    chosen = [entry for entry in found if entry.name.lower().startswith("train")] or found
    return Shards(kinds.pop(), tuple(chosen), tuple(entry for entry in found if entry not in set(chosen)))


def _expanded(name: str) -> list[str]:
    """The names of a range, of the first one first where there are several."""
    found = _RANGE.search(name)
    if found is None:
        return [name]
    first, last = int(found[1]), int(found[2])
    if not 0 <= last - first < _MOST:
        raise DataSetError(
            f"{path_text(Path(name))}: the range from {first} to {last} is empty or too long: wanted the smaller "
            "number first",
            path=name,
        )
    digits = len(found[1])
    before, behind = name[: found.start()], name[found.end() :]
    return [
        f"{before}{number:0{digits}}{rest}" for number in range(first, last + 1) for rest in _expanded(behind)
    ]


def _compressed(place: Path) -> DataSetError:
    return DataSetError(
        f"{path_text(place)}: is a compressed tar, and pictures in it cannot be found without reading all before them",
        path=place,
        hint="unpack it to a plain .tar (pictures are compressed anyway)",
    )
