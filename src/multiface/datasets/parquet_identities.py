"""Parquet files in the layout of Hugging Face `datasets` as a training set.

A Parquet file can only be read a row group at a time, and `datasets` writes groups of up to 100 MB. The last groups
that were read are kept, up to 256 MB in each process; a set of that size is read once. In a larger one each picture in
random order costs the reading of its group, so `train` packs Parquet files into record files first, in file order.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multiface.arrays import Ints
from multiface.datasets.class_labels import ClassLabels
from multiface.datasets.identities import IdentitySet
from multiface.datasets.parquet_file import (
    Location,
    file_of,
    group_bytes,
    location_text,
    open_parquet,
    parquet_errors,
    read_pictures,
)
from multiface.errors import DataSetError
from multiface.json_text import parse_json

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

KEPT = 256 << 20
"""Bytes of row groups that a process keeps; one group is always kept."""
_OPEN = 16


def identities_from_parquet(files: Sequence[Path]) -> IdentitySet:
    """The set in these files, in their order, row by row.

    label: whole numbers from 0 on (those of a ClassLabel within its names) or text; people are numbered in the order of
    the numbers, or of the names as text, without gaps. Raises DataSetError for other columns and damaged files,
    ExtraMissing where pyarrow is not installed.
    """
    labels = ClassLabels()
    for path in files:
        with parquet_errors(path):
            _add_labels(open_parquet(path), path, labels)
    classes, people = labels.classes()
    if not people:
        raise DataSetError(f"{location_text(files[0])}: holds no picture", path=file_of(files[0]))
    return IdentitySet(classes, people, row_groups(files))


def row_groups(files: Sequence[Location]) -> "ParquetPictures":
    """The pictures of all rows of these files, which may have no labels. Raises as `open_parquet` does."""
    rows: list[int] = []
    groups: list[tuple[int, int]] = []
    for number, path in enumerate(files):
        metadata = open_parquet(path).metadata
        for group in range(metadata.num_row_groups):
            rows.append(metadata.row_group(group).num_rows)
            groups.append((number, group))
    starts = np.concatenate(([0], np.cumsum(rows, dtype=np.int64)))
    return ParquetPictures(tuple(files), tuple(groups), starts)


class ParquetPictures:
    """The pictures of row groups; group k has pictures starts[k]..starts[k + 1]-1.

    Threads may share one. Forked processes and those that get a pickled one open the files anew.
    """

    def __init__(
        self, files: tuple[Location, ...], groups: tuple[tuple[int, int], ...], starts: Ints
    ) -> None:
        self._files = files
        self._groups = groups
        self._starts = starts
        self._open: OrderedDict[int, ParquetFile] = OrderedDict()
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["ParquetPictures"], tuple[object, ...]]:
        return ParquetPictures, (self._files, self._groups, self._starts)

    def read(self, i: int) -> bytes:
        """The file of picture i. Raises DataSetError where it cannot be read, or only its path stands there."""
        group = int(np.searchsorted(self._starts, i, side="right")) - 1
        row = i - int(self._starts[group])
        with self._lock:
            content = self._group(group)[row].as_py()
        if not content:
            path, number = self._files[self._groups[group][0]], self._groups[group][1]
            raise DataSetError(
                f"{location_text(path)}: row {row} of group {number} has no bytes in `image`; a path alone is not "
                f"followed",
                path=file_of(path),
            )
        picture: bytes = content
        return picture

    def _group(self, place: int) -> Any:
        kept = self._kept.get(place)
        if kept is not None:
            self._kept.move_to_end(place)
            return kept
        number, group = self._groups[place]
        with parquet_errors(self._files[number]):
            file = self._file(number)
            room = KEPT - group_bytes(file, group)
            while self._kept and sum(one.nbytes for one in self._kept.values()) > room:
                self._kept.popitem(last=False)
            pictures = self._kept[place] = read_pictures(file, group)
        if len(pictures) != self._starts[place + 1] - self._starts[place]:
            raise DataSetError(
                f"{location_text(self._files[number])}: has changed since the set was opened",
                path=file_of(self._files[number]),
                hint="start again",
            )
        return pictures

    def _file(self, number: int) -> "ParquetFile":
        file = self._open.get(number)
        if file is None:
            if len(self._open) >= _OPEN:
                self._open.popitem(last=False)[1].close()
            file = self._open[number] = open_parquet(self._files[number])
        self._open.move_to_end(number)
        return file


def _add_labels(file: "ParquetFile", path: Path, labels: ClassLabels) -> None:
    from pyarrow import types

    schema = file.schema_arrow
    kind = schema.field("label").type if "label" in schema.names else None
    if kind is not None and types.is_dictionary(kind):
        kind = kind.value_type
    if kind is None or not (types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)):
        found = "there is none" if kind is None else f"it is of {str(kind)[:60]}"
        raise DataSetError(
            f"{location_text(path)}: wanted a column `label` of whole numbers or names; {found}. The columns are "
            f"{', '.join(schema.names)}",
            path=file_of(path),
        )
    named = _class_names(schema.metadata)
    row = 0
    for batch in file.iter_batches(columns=["label"], use_threads=False):
        for label in batch.column("label").to_pylist():
            try:
                if label is None:
                    raise ValueError("has no label")
                if isinstance(label, int) and named is not None and label >= named:
                    raise ValueError(f"has the label {label}, but its ClassLabel has {named} names")
                labels.add(label)
            except ValueError as error:
                raise DataSetError(f"{location_text(path)}: row {row} {error}", path=file_of(path)) from error
            row += 1


def _class_names(metadata: dict[bytes, bytes] | None) -> int | None:
    """How many names the ClassLabel of `label` has; None where there is none."""
    try:
        names = parse_json((metadata or {})[b"huggingface"])["info"]["features"]["label"]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return len(names) if isinstance(names, list) else None
