"""The files in a tar archive and where their bytes are, found by reading the headers alone.

A tar is a run of 512-byte blocks: a header, then the file's bytes, filled up with zeros to a whole block; a block of
zeros ends it. Python's `tarfile` takes five times as long for each member, and ends without a word at a header that is
damaged, so the headers are read here. Nothing is ever unpacked: names are only keys, and what is no regular file
(links, folders, devices) is passed over.

Sources: POSIX.1-2017, `pax` (ustar and pax headers); GNU tar manual, "Basic Tar Format" (long names, base-256 sizes).
"""

import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from multiface.errors import DataSetError
from multiface.regular_file import open_regular

BLOCK = 512
_ZEROS = bytes(BLOCK)
_REGULAR = frozenset(b"0\x007")
_WITHOUT_DATA = frozenset(b"123456")
"""Links, devices, folders and pipes: whatever size their headers give, no bytes follow."""
_EXTENDED_LIMIT = 1 << 20
"""A name or a pax header has at most this many bytes."""
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in a tar. offset, size: of its bytes in the archive."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _Extended:
    """What comes before a header and belongs to it: a long name, another size.

    sparse: the bytes do not lie in one piece.
    """

    name: str | None = None
    size: int | None = None
    sparse: bool = False


def tar_members(path: Path) -> Iterator[tuple[Member, memoryview]]:
    """Each regular file of an uncompressed tar in its order, and a view of its bytes, which holds until the next.

    Raises DataSetError where the file cannot be read, is compressed, or is damaged or cut off. The file must not be
    cut while it is read: that ends the process (a bus error).
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            _require_plain(path, file.read(8), size)
            with (
                mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as view,
            ):
                yield from _members(path, view)
    except OSError as error:
        raise DataSetError(
            f"{path}: cannot be read ({error.strerror})", path=path, hint="check the path"
        ) from error


def _members(path: Path, view: memoryview) -> Iterator[tuple[Member, memoryview]]:
    at, extended = 0, _Extended()
    while True:
        header = bytes(view[at : at + BLOCK])
        if header == _ZEROS:
            return
        if len(header) < BLOCK:
            raise _broken(path, at, "the archive ends without its mark: it is cut off")
        if not _is_header(header, _number(path, at, header[148:156])):
            raise _broken(path, at, "the checksum of a header is wrong: the archive is damaged, or not a tar")
        kind = header[156]
        stored = _number(path, at, header[124:136])
        length = stored if extended.size is None else extended.size
        start = at + BLOCK
        end = start if kind in _WITHOUT_DATA else start + length
        if end > len(view):
            raise _broken(path, at, f"a member of {length:,} bytes reaches beyond the end: it is cut off")
        if kind in b"LKxg":
            if length > _EXTENDED_LIMIT:
                raise _broken(path, at, f"a header of {length:,} bytes, wanted {_EXTENDED_LIMIT:,} at most")
            extended = _extended(path, at, kind, bytes(view[start:end]), extended)
        else:
            name = extended.name if extended.name is not None else _name(header)
            if kind in _REGULAR and not name.endswith("/") and not extended.sparse:
                with view[start:end] as content:
                    yield Member(name, start, length), content
            extended = _Extended()
        at = end + (-(end - start) % BLOCK)


def _extended(path: Path, at: int, kind: int, content: bytes, before: _Extended) -> _Extended:
    match chr(kind):
        case "L":
            return _Extended(_text(content.rstrip(b"\0")), before.size, before.sparse)
        case "x":
            records = _pax(path, at, content)
            name = _text(records[b"path"]) if b"path" in records else before.name
            size = before.size
            if b"size" in records:
                if not re.fullmatch(rb"[0-9]{1,18}", records[b"size"]):
                    raise _broken(path, at, f"a pax header gives the size {records[b'size'][:30]!r}")
                size = int(records[b"size"])
            return _Extended(name, size, any(key.startswith(b"GNU.sparse") for key in records))
        case _:  # a long link, or what holds for all members: of no interest here
            return before


def _pax(path: Path, at: int, content: bytes) -> dict[bytes, bytes]:
    """Records `LENGTH KEY=VALUE` and a line end, the length counting the whole record."""
    records = dict[bytes, bytes]()
    place = 0
    while place < len(content) and content[place] != 0:
        found = re.compile(rb"([0-9]{1,7}) ([^=]+)=").match(content, place)
        end = place + int(found[1]) if found else 0
        if found is None or not found.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise _broken(path, at, "a pax header is damaged")
        records[found[2]] = content[found.end() : end - 1]
        place = end
    return records


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _is_header(header: bytes, checksum: int) -> bool:
    """Whether this is the sum of the header's bytes, blanks in the place of the sum; old writers took signed bytes."""
    found = sum(header) - sum(header[148:156]) + 8 * 32
    return found == checksum or checksum == found - 256 * sum(
        byte > 127 for byte in header[:148] + header[156:]
    )


def _number(path: Path, at: int, field: bytes) -> int:
    """Octal digits, or, behind a byte 0x80, the number itself."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    if not re.fullmatch(rb"[0-7]*", digits):
        raise _broken(path, at, f"a header has {field!r} for a number: the archive is damaged, or not a tar")
    return int(digits or b"0", 8)


def _require_plain(path: Path, head: bytes, size: int) -> None:
    for start, name in _COMPRESSED.items():
        if head.startswith(start):
            raise DataSetError(
                f"{path}: is compressed ({name}), and pictures in it cannot be found without reading all before "
                "them",
                path=path,
                hint="unpack it to a plain .tar (pictures are compressed anyway)",
            )
    if size < BLOCK:
        raise DataSetError(
            f"{path}: has {size} bytes, too few for a tar", path=path, hint="fetch or write it again"
        )


def _broken(path: Path, at: int, what: str) -> DataSetError:
    return DataSetError(f"{path}: at byte {at:,}: {what}", path=path, hint="fetch or write it again")
