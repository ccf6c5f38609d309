"""Safetensors files that are written and read in pieces, so that nobody holds them whole.

Layout: the length of the header (8 bytes, little endian), the header (JSON, filled up with blanks to a multiple of 8
bytes: `__metadata__`, and of each tensor its type, shape and place), then the numbers, tensor behind tensor, row by
row. Tensors stand in the order that the library safetensors gives them: larger numbers first, then by name. Equal
content gives equal files, byte for byte those of the library where there is one entry of metadata.

Source: the format as documented at https://github.com/huggingface/safetensors.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from multiface.errors import WeightsError
from multiface.json_text import parse_json
from multiface.regular_file import open_regular

_TYPES = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ORDER = ("BOOL", "U8", "F16", "BF16", "I32", "F32", "F64", "I64")
"""Types in the library's order, the last one first in a file."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A tensor to be written. parts: its numbers in their order, contiguous, on the CPU; none where another process
    writes.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    parts: Iterable[Tensor]

    @staticmethod
    def of(name: str, tensor: Tensor) -> "Entry":
        """A whole tensor, wherever it is; copied when its turn comes."""
        return Entry(name, tensor.dtype, tuple(tensor.shape), _late(tensor))


def _late(tensor: Tensor) -> Iterable[Tensor]:
    yield tensor.detach().cpu().contiguous()


def in_file_order(entries: Iterable[Entry]) -> list[Entry]:
    """The entries as they stand in a file."""
    return sorted(entries, key=lambda one: (-_ORDER.index(_TYPES[one.dtype]), one.name))


def write_tensors(file: BinaryIO, entries: Sequence[Entry], metadata: Mapping[str, str]) -> None:
    """Writes entries, which must be `in_file_order`, taking their parts one by one. Raises OSError."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for entry in entries:
        start, end = end, end + math.prod(entry.shape) * entry.dtype.itemsize
        header[entry.name] = {
            "dtype": _TYPES[entry.dtype],
            "shape": list(entry.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for entry in entries:
        for part in entry.parts:
            file.write(part.reshape(-1).view(torch.uint8).numpy().data)


class TensorFile:
    """A safetensors file opened for reading in pieces. shapes: of all tensors; metadata: texts by name."""

    def __init__(self, path: Path) -> None:
        """Raises WeightsError where the file is missing, broken or something else."""
        try:
            open_regular(path).close()  # the library would wait at a pipe
            with safe_open(path, "pt") as checked:
                self.metadata: dict[str, str] = dict(checked.metadata() or {})
            self._file = open_regular(path)
            length = int.from_bytes(self._file.read(8), "little")
            header = parse_json(self._file.read(length))
        except FileNotFoundError as error:
            raise WeightsError(f"{path}: there is no such file", path=path) from error
        except (SafetensorError, OSError, ValueError) as error:
            raise _broken(path, error) from error
        header.pop("__metadata__", None)
        types = {name: dtype for dtype, name in _TYPES.items()}
        unknown = {one["dtype"] for one in header.values()} - set(types)
        if unknown:
            raise _broken(path, ValueError(f"numbers of type {min(unknown)}"))
        self._path = path
        self._places = {name: 8 + length + one["data_offsets"][0] for name, one in header.items()}
        self._types = {name: types[one["dtype"]] for name, one in header.items()}
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(one["shape"]) for name, one in header.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def dtype(self, name: str) -> torch.dtype:
        """The type of a tensor's numbers."""
        return self._types[name]

    def whole(self, name: str) -> Tensor:
        """A tensor, on the CPU. Raises WeightsError where it cannot be read."""
        shape = self.shapes[name]
        return self._numbers(name, 0, math.prod(shape)).view(shape)

    def rows(self, name: str, row: int, count: int) -> Tensor:
        """`count` rows of a tensor (..., d) from `row` on, counted through all leading axes: (count, d)."""
        size = self.shapes[name][-1]
        return self._numbers(name, row * size, count * size).view(count, size)

    def _numbers(self, name: str, start: int, count: int) -> Tensor:
        dtype = self._types[name]
        numbers = torch.empty(count, dtype=dtype)
        if not count:
            return numbers
        try:
            self._file.seek(self._places[name] + start * dtype.itemsize)
            buffer = numbers.view(torch.uint8).numpy().data
            read = self._file.readinto(buffer)
        except OSError as error:
            raise _broken(self._path, error) from error
        if read != len(buffer):
            raise _broken(self._path, ValueError("it was cut while it was read"))
        return numbers


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file, on the CPU, and its metadata. Raises WeightsError."""
    with TensorFile(path) as file:
        return {name: file.whole(name) for name in file.shapes}, file.metadata


def _broken(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"{path}: cannot be read ({error})",
        path=path,
        hint="delete a damaged checkpoint, and the run goes on from the one before",
    )
