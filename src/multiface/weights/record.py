"""What the store writes down of one name: `entry.json`, and the check of the files beside it.

`stamp.json` holds size and mtime of each file at its last full check: while they are unchanged a file is not
hashed again. Units: sizes in bytes, times in nanoseconds, sha256 in lower-case hex.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiface.atomic_write import write_whole
from multiface.errors import UsageError, WeightsError
from multiface.file_name import is_file_name
from multiface.json_text import document_of, parse_json, record_from
from multiface.regular_file import read_regular
from multiface.visible import log_of
from multiface.weights.catalogue import Family, Kind
from multiface.weights.hashing import checked_sha256, sha256_of
from multiface.weights.spec import InputSpec

ENTRY = "entry.json"
STAMP = "stamp.json"

log = log_of(__name__)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """role, name in the folder, sha256 of the file there, sha256 of the file as it was published."""

    role: str
    filename: str
    sha256: str
    published_sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """The content of `entry.json`. proof: how the batch was freed; None where the file is as published."""

    name: str
    kind: Kind
    licence: str
    commercial: bool | None
    origin: str
    family: Family | None
    files: tuple[StoredFile, ...]
    spec: InputSpec | None
    fingerprint: str | None
    proof: Mapping[str, Any] | None


def read_record(store: Path, name: str) -> Record:
    """The record of a name in a store. Raises WeightsError if it is not readable or contradicts itself."""
    path = store / name / ENTRY
    try:
        record = record_from(parse_json(read_regular(path)), Record)
        if record.name != name or not record.files:
            raise ValueError("not an entry of this name")
        for file in record.files:
            checked_sha256(file.sha256)
            if not is_file_name(file.filename):
                raise ValueError(f"{file.filename!r} is not a plain file name")
    except (OSError, ValueError, WeightsError, UsageError) as error:
        raise WeightsError(
            f"{path}: not readable ({error})",
            path=path,
            name=name,
            hint=f"run `multiface weights remove {name}` and get {name} again",
        ) from error
    return record


def checked_files(store: Path, record: Record) -> dict[str, Path]:
    """The files of a record by role; their content is as recorded, or WeightsError is raised."""
    folder = store / record.name
    try:
        stamp: Any = parse_json(read_regular(folder / STAMP))
    except (OSError, ValueError):
        stamp = {}
    now: dict[str, list[int]] = {}
    for file in record.files:
        path = folder / file.filename
        again = f"get it again: `multiface weights pull {record.name}`, or remove and import it"
        try:
            status = path.stat()
            now[file.filename] = [status.st_size, status.st_mtime_ns]
            if isinstance(stamp, dict) and stamp.get(file.filename) == now[file.filename]:
                continue
            got = sha256_of(path)
        except OSError as error:
            raise WeightsError(
                f"{path}: cannot be read ({error.strerror or error})", path=path, name=record.name, hint=again
            ) from error
        if got != file.sha256:
            raise WeightsError(
                f"{path}: damaged or changed; wanted sha256 {file.sha256}, got {got}",
                path=path,
                name=record.name,
                hint=again,
            )
    if now != stamp:
        try:
            write_whole(folder / STAMP, json.dumps(now).encode())
        except OSError as error:
            log.debug("the stamp of %s cannot be written: %s", record.name, error)
    return {file.role: folder / file.filename for file in record.files}


def stored_file(role: str, filename: str, content: bytes, published: str | None = None) -> StoredFile:
    """What is noted of a file with this content; `published` is its sha256 before its batch was freed."""
    sha256 = hashlib.sha256(content).hexdigest()
    return StoredFile(role, filename, sha256, published or sha256)


def identity(record: Record) -> tuple[object, ...]:
    """What makes two records the same weights; the bytes may differ by how the batch was freed."""
    files = tuple((file.role, file.published_sha256) for file in record.files)
    return record.kind, record.fingerprint, files


def write_record(folder: Path, record: Record, contents: Mapping[str, bytes]) -> None:
    """Write the files, by role, and then the record into a name's folder. Raises OSError."""
    for file in record.files:
        write_whole(folder / file.filename, contents[file.role])
    write_whole(folder / ENTRY, json.dumps(document_of(record), indent=1).encode())
