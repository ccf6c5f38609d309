"""Networks made from files that stay where they are, kept in a cache folder: those whose batch or size was made free.

Layout: `FOLDER/NAME/KEY/ROLE.onnx` and `stamp.json`, where KEY stands for the builder's version and the place
of the source files, so that two installations that share a cache do not undo each other's work. The stamp
holds size, mtime and sha256 of every source, and the sha256 of every built file. The stamp is written last: a
folder without one is not used.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multiface.atomic_write import write_whole
from multiface.errors import NotAvailable
from multiface.json_text import document_of, parse_json, record_from
from multiface.regular_file import read_regular
from multiface.visible import log_of
from multiface.weights.hashing import sha256_of

SETTING = "cache"
"""The setting that moves the cache, as error messages name it."""

STAMP = "stamp.json"

log = log_of(__name__)


@dataclass(frozen=True, slots=True)
class _Source:
    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Stamp:
    version: str
    sources: tuple[_Source, ...]
    outputs: Mapping[str, str]
    """role -> sha256 of `ROLE.onnx`."""


def built(
    folder: Path, name: str, sources: Sequence[Path], version: str, build: Callable[[], Mapping[str, bytes]]
) -> Mapping[str, Path]:
    """The built files, by role; built now unless the cache has them.

    folder: the cache folder; made if it is missing.
    name: of the network, a plain file name.
    sources: the files that `build` reads. The files are built anew when the content of one changes.
    version: of the builder. The files are built anew when it changes.
    build: returns ONNX files as bytes, by role; a role is a plain file name.

    A damaged cached file (its sha256 is not that of the stamp) is built anew. Processes may build at once;
    each writes whole files. Raises NotAvailable when a file must be built and the folder cannot be written,
    OSError when a source cannot be read, and whatever `build` raises.
    """
    places = [source.resolve() for source in sources]
    place = _place(folder, name, places, version)
    old = _read_stamp(place)
    if old is not None:
        now = _sources_now(places, old.sources)
        if _same_content(now, old.sources) and _outputs_whole(place, old.outputs):
            if now != old.sources:
                _refresh(place, _Stamp(version, now, old.outputs))
            return _paths(place, old.outputs)
        log.info("building %s anew: its source changed or a cached file is damaged", name)
    else:
        now = _sources_now(places, ())
    contents = build()
    stamp = _Stamp(
        version, now, {role: hashlib.sha256(content).hexdigest() for role, content in contents.items()}
    )
    try:
        place.mkdir(parents=True, exist_ok=True)
        for role, content in contents.items():
            write_whole(_file(place, role), content)
        write_whole(place / STAMP, json.dumps(document_of(stamp), indent=1).encode())
        _sweep(place, stamp)
    except OSError as error:
        raise NotAvailable(
            f"{name}: the built network cannot be kept in {folder} ({error.strerror or error})",
            path=folder,
            name=name,
            hint=f"make that folder writable, or set `{SETTING}` to a folder that is",
        ) from error
    return _paths(place, stamp.outputs)


def _place(folder: Path, name: str, sources: Sequence[Path], version: str) -> Path:
    key = hashlib.sha256("\n".join([version, *map(str, sources)]).encode()).hexdigest()[:16]
    return folder / name / key


def _file(place: Path, role: str) -> Path:
    return place / f"{role}.onnx"


def _paths(place: Path, outputs: Mapping[str, str]) -> Mapping[str, Path]:
    return {role: _file(place, role) for role in outputs}


def _sources_now(places: Sequence[Path], known: Sequence[_Source]) -> tuple[_Source, ...]:
    """The sources as they are; one whose size and mtime are as known is not read again."""
    by_path = {source.path: source for source in known}
    now = []
    for place in places:
        status = place.stat()
        before = by_path.get(str(place))
        if before is not None and (before.size, before.mtime_ns) == (status.st_size, status.st_mtime_ns):
            now.append(before)
        else:
            now.append(_Source(str(place), status.st_size, status.st_mtime_ns, sha256_of(place)))
    return tuple(now)


def _same_content(a: Sequence[_Source], b: Sequence[_Source]) -> bool:
    return [source.sha256 for source in a] == [source.sha256 for source in b]


def _outputs_whole(place: Path, outputs: Mapping[str, str]) -> bool:
    try:
        return all(sha256_of(_file(place, role)) == sha256 for role, sha256 in outputs.items())
    except OSError:
        return False


def _read_stamp(place: Path) -> _Stamp | None:
    """None where there is none or it is not readable: then everything is built anew."""
    try:
        return record_from(parse_json(read_regular(place / STAMP)), _Stamp)
    except (OSError, ValueError):
        return None


def _refresh(place: Path, stamp: _Stamp) -> None:
    """Note new times of unchanged sources; without it they would only be read again next time."""
    try:
        write_whole(place / STAMP, json.dumps(document_of(stamp), indent=1).encode())
    except OSError as error:
        log.debug("the stamp in %s cannot be written: %s", place, error)


def _sweep(place: Path, stamp: _Stamp) -> None:
    """Delete what earlier versions of the builder, or installations that are gone, left beside `place`."""
    mine = [source.path for source in stamp.sources]
    for other in place.parent.iterdir():
        old = _read_stamp(other) if other != place else None
        if old is None:
            continue
        theirs = [source.path for source in old.sources]
        if theirs == mine or not all(Path(path).exists() for path in theirs):
            shutil.rmtree(other, ignore_errors=True)
