"""The metadata inside an ONNX file, read without parsing the network: opening weights stays quick.

An ONNX file is one protocol buffer message `ModelProto`; its field 14, `metadata_props`, repeats messages of
a key (field 1) and a value (field 2). All other fields are skipped by their length.
Source: onnx/onnx.proto of github.com/onnx/onnx; protobuf.dev/programming-guides/encoding.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from multiface.errors import WeightsError
from multiface.regular_file import open_regular

_METADATA_PROPS = 14
_FIXED = {1: 8, 5: 4}
_LARGEST_ENTRY = 1 << 20


def onnx_metadata(path: Path) -> dict[str, str]:
    """Keys and values of `metadata_props`. Raises WeightsError if the file is not an ONNX file."""
    size = path.stat().st_size
    found: dict[str, str] = {}
    try:
        with open_regular(path) as file:
            for number, length in _fields(file, size):
                if number == _METADATA_PROPS and length <= _LARGEST_ENTRY:
                    end = file.tell() + length
                    entry = {n: file.read(size_of) for n, size_of in _fields(file, end)}
                    found[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
                else:
                    file.seek(length, os.SEEK_CUR)
    except (ValueError, EOFError) as error:
        raise WeightsError(f"{path}: not an ONNX file, or a damaged one ({error})", path=path) from error
    return found


def _fields(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """(field number, bytes of its content that follow) up to `end`; the caller reads or skips the content."""
    while file.tell() < end:
        tag = _varint(file)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field number 0")
        if wire == 0:
            _varint(file)
            continue
        if wire == 2:
            length = _varint(file)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise ValueError(f"wire type {wire}")
        if file.tell() + length > end:
            raise EOFError("it ends too early")
        yield number, length


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends too early")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("a number is too long")
