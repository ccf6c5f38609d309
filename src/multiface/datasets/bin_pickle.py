"""Reads the pickles that `.bin` packs are, without running anything that they ask for.

A pickle is a program for a small stack machine. This is that machine with just the instructions that innocent
packs of Python 2 and 3, protocols 0 to 5, are made of: bytes, text, whole numbers, booleans, lists, tuples. A
name in a pickle never becomes an object of Python: seven names stand for fixed readings that are written out
here (bytes as Latin-1 text, and arrays, types and numbers of NumPy, only bytes and booleans); any other name
ends the reading. Python's `str` of Python 2 comes back as bytes. Memory stays within a small multiple of the
file's size, whatever lengths the pickle claims.

Source: Python's `pickletools.py` (each instruction's meaning), NumPy's `ndarray.__reduce__`.
"""

import math
import re
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.errors import DataSetError

STEP_LIMIT = 2_000_000
"""Most instructions of a pickle, since each may take 100 bytes; a pack of 10,000 pictures has some 30,000."""

_ENCODE, _RECONSTRUCT, _FROM_BUFFER, _SCALAR, _NDARRAY, _DTYPE = (
    "bytes as text",
    "empty array",
    "array of a buffer",
    "number",
    "ndarray",
    "dtype",
)
_NAMES = {
    ("_codecs", "encode"): _ENCODE,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DTYPE,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
}
_DTYPES: dict[str, np.dtype[np.generic]] = {"u1": np.dtype(np.uint8), "b1": np.dtype(np.bool_)}
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[\\'\"nrt])")
_ESCAPED_TEXT = re.compile(rb"(?:[^\\]|\\(?:x[0-9a-fA-F]{2}|[\\'\"nrt]))*", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass(slots=True, eq=False)
class PickledArray:
    """An array of a pickle: uint8 or bool, read-only; None until the pickle has told its contents."""

    values: npt.NDArray[np.generic] | None = None


@dataclass(frozen=True, slots=True)
class _Name:
    """One of the admitted names."""

    meaning: str


@dataclass(frozen=True, slots=True)
class _Type:
    """A NumPy type of one byte."""

    dtype: np.dtype[np.generic]


def read_pickle(data: bytes, name: str) -> object:
    """The value of a pickle: bytes, str, int, bool, None, PickledArray, and lists and tuples of these.

    name: how errors call it. Raises DataSetError where the pickle holds anything else, is broken or cut off;
    nothing of it has been run then either.
    """
    machine = _Machine(data, name)
    try:
        return machine.run()
    except (LookupError, ValueError, struct.error) as error:
        raise DataSetError(
            f"{name}: not an intact pack, its pickle breaks at byte {machine.at} ({error})",
            hint="fetch it again",
        ) from error


class _Machine:
    """The stack machine. `at` is the place of the next byte to be read."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name, self.at = data, name, 0
        self.stack: list[object] = []
        self.marked: list[list[object]] = []
        self.memo: dict[int, object] = {}
        self.encoded = 0

    def run(self) -> object:
        for _ in range(STEP_LIMIT):
            code = self.take(1)
            if code == b".":  # STOP
                if self.marked or len(self.stack) != 1:
                    raise ValueError("it does not end with one value")
                return self.stack[0]
            self.step(code)
        raise self.refused(f"it has more than {STEP_LIMIT} instructions")

    def step(self, code: bytes) -> None:
        match code:
            case b"\x80":  # PROTO
                version = self.number(1)
                if version > 5:
                    raise self.refused(f"pickle protocol {version} is not known")
            case b"\x95":  # FRAME; the length is of use to streams only
                self.take(8)
            case b"N":
                self.stack.append(None)
            case b"\x88":  # NEWTRUE
                self.stack.append(True)
            case b"\x89":  # NEWFALSE
                self.stack.append(False)
            case b"I":  # INT, or a boolean of protocols 0 and 1
                line = self.line()
                self.stack.append(line == b"01" if line in (b"00", b"01") else _decimal(line))
            case b"K":  # BININT1
                self.stack.append(self.number(1))
            case b"M":  # BININT2
                self.stack.append(self.number(2))
            case b"J":  # BININT
                self.stack.append(int.from_bytes(self.take(4), "little", signed=True))
            case b"\x8a":  # LONG1
                self.stack.append(int.from_bytes(self.take(self.number(1)), "little", signed=True))
            case b"S":  # STRING
                self.stack.append(_unquoted(self.line()))
            case b"U" | b"C":  # SHORT_BINSTRING, SHORT_BINBYTES
                self.stack.append(self.take(self.number(1)))
            case b"T" | b"B":  # BINSTRING, BINBYTES
                self.stack.append(self.take(self.number(4)))
            case b"\x8e" | b"\x96":  # BINBYTES8, BYTEARRAY8
                self.stack.append(self.take(self.number(8)))
            case b"\x8c":  # SHORT_BINUNICODE
                self.stack.append(self.text(self.number(1)))
            case b"X":  # BINUNICODE
                self.stack.append(self.text(self.number(4)))
            case b"\x8d":  # BINUNICODE8
                self.stack.append(self.text(self.number(8)))
            case b"(":  # MARK
                self.marked.append(self.stack)
                self.stack = []
            case b"]":  # EMPTY_LIST
                self.stack.append([])
            case b"l":  # LIST
                items = self.since_mark()
                self.stack.append(items)
            case b"a":  # APPEND
                item = self.stack.pop()
                self.top_list().append(item)
            case b"e":  # APPENDS
                items = self.since_mark()
                self.top_list().extend(items)
            case b")":  # EMPTY_TUPLE
                self.stack.append(())
            case b"\x85" | b"\x86" | b"\x87":  # TUPLE1, TUPLE2, TUPLE3
                length = code[0] - 0x84
                if len(self.stack) < length:
                    raise ValueError("a tuple of more values than there are")
                self.stack[-length:] = [tuple(self.stack[-length:])]
            case b"t":  # TUPLE
                items = self.since_mark()
                self.stack.append(tuple(items))
            case b"p":  # PUT
                self.memo[_decimal(self.line())] = self.stack[-1]
            case b"q":  # BINPUT
                self.memo[self.number(1)] = self.stack[-1]
            case b"r":  # LONG_BINPUT
                self.memo[self.number(4)] = self.stack[-1]
            case b"\x94":  # MEMOIZE
                self.memo[len(self.memo)] = self.stack[-1]
            case b"g":  # GET
                self.stack.append(self.memo[_decimal(self.line())])
            case b"h":  # BINGET
                self.stack.append(self.memo[self.number(1)])
            case b"j":  # LONG_BINGET
                self.stack.append(self.memo[self.number(4)])
            case b"c":  # GLOBAL
                module, name = self.line(), self.line()
                self.stack.append(self.named(module.decode("ascii"), name.decode("ascii")))
            case b"\x93":  # STACK_GLOBAL
                name_, module_ = self.stack.pop(), self.stack.pop()
                self.stack.append(self.named(module_, name_))
            case b"R":  # REDUCE
                arguments = self.stack.pop()
                self.stack.append(self.made(self.stack.pop(), arguments))
            case b"b":  # BUILD
                state = self.stack.pop()
                self.fill(self.stack[-1], state)
            case _:
                raise self.refused(f"instruction {code!r} at byte {self.at - 1} has no place in a pack")

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise ValueError(f"wanted {length} bytes, {len(self.data) - self.at} are left")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def text(self, length: int) -> str:
        return self.take(length).decode("utf-8", "surrogatepass")

    def line(self) -> bytes:
        line = self.take(self.data.index(b"\n", self.at) + 1 - self.at)
        return line[:-1]

    def since_mark(self) -> list[object]:
        items = self.stack
        self.stack = self.marked.pop()
        return items

    def top_list(self) -> list[object]:
        top = self.stack[-1]
        if not isinstance(top, list):
            raise ValueError("something is appended to something that is not a list")
        return top

    def named(self, module: object, name: object) -> _Name:
        meaning = _NAMES.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
        if meaning is None:
            raise self.refused(f"it asks for {f'{module}.{name}'[:80]!r}, which no pack needs")
        return _Name(meaning)

    def made(self, name: object, arguments: object) -> object:
        """What an admitted name means with these arguments."""
        match (name.meaning if isinstance(name, _Name) else None), arguments:
            case "bytes as text", (str() as text, "latin1" | "latin-1"):
                # Each text may be made into bytes once: no more comes out than the file holds.
                self.encoded += len(text)
                if self.encoded > len(self.data):
                    raise self.refused("it makes more bytes than it holds")
                return text.encode("latin-1")
            case "dtype", (("u1" | "b1") as code, *_):
                return _Type(_DTYPES[code])
            case "dtype", ((b"u1" | b"b1") as code, *_):
                return _Type(_DTYPES[code.decode()])
            case "empty array", (_Name("ndarray"), (0,), "b" | b"b"):
                return PickledArray()
            case "array of a buffer", (bytes() as buffer, _Type(dtype), tuple() as shape, "C" | "F" as order):
                return PickledArray(self.array(buffer, dtype, shape, order == "F"))
            case "number", (_Type(dtype), bytes() as byte) if len(byte) == 1:
                return bool(byte[0]) if dtype == np.bool_ else byte[0]
        raise self.refused(f"a call before byte {self.at} has no place in a pack")

    def fill(self, target: object, state: object) -> None:
        """The second half of an array or type: its contents."""
        match target, state:
            case _Type(), (_, _, None, None, None, *_):
                return
            case PickledArray(None), (
                1,
                tuple() as shape,
                _Type(dtype),
                bool() as fortran,
                bytes() as buffer,
            ):
                target.values = self.array(buffer, dtype, shape, fortran)
                return
        raise self.refused(f"what is set before byte {self.at} has no place in a pack")

    def array(
        self,
        buffer: bytes,
        dtype: np.dtype[np.generic],
        shape: tuple[object, ...],
        fortran: bool,
    ) -> npt.NDArray[np.generic]:
        sides = [side for side in shape if type(side) is int and 0 <= side <= len(buffer)]
        if not 1 <= len(shape) <= 3 or len(sides) != len(shape) or math.prod(sides) != len(buffer):
            raise self.refused(f"an array of {len(buffer)} bytes has shape {str(shape)[:60]}")
        flat = np.frombuffer(buffer, dtype)
        return flat.reshape(sides, order="F" if fortran else "C")

    def refused(self, why: str) -> DataSetError:
        return DataSetError(f"{self.name}: refused, {why}", hint="fetch the pack from a source you trust")


def _decimal(line: bytes) -> int:
    if not re.fullmatch(rb"-?[0-9]{1,18}", line):
        raise ValueError(f"{line[:30]!r} is not a whole number")
    return int(line)


def _unquoted(line: bytes) -> bytes:
    """The bytes that Python 2's repr of a string stands for."""
    inside = line[1:-1]
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise ValueError("a string without quotes")
    if not _ESCAPED_TEXT.fullmatch(inside):
        raise ValueError("a string with an escape that Python does not write")
    return _ESCAPE.sub(_unescaped, inside)


def _unescaped(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return bytes([int(escape[1:], 16)]) if len(escape) == 3 else _LETTERS.get(escape, escape)
