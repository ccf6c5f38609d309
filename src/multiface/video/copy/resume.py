"""What an unfinished annotated copy leaves behind, and whether a new run can go on with it.

Beside the copy `TARGET` lies the folder `TARGET.part` (for the owner alone) with

    run.json        what the run was made from and with (`RunKey`) and the shape of its pictures
    000001.mp4 ...  closed stretches of the picture
    000001.json     what the stretch holds, and the events up to its end; written last: what has it is finished
    000002.state    the engine's state after the last finished stretch
    complete        all pictures are there; only the joining is left
    lock            held by the process that writes

A process that is killed leaves at worst a stretch without its .json, which is thrown away.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from multiface.atomic_write import write_whole
from multiface.errors import InputError, UsageError
from multiface.file_lock import opened_alone
from multiface.json_text import document_of, parse_json, record_from
from multiface.regular_file import open_regular, read_regular
from multiface.version import __version__
from multiface.video.copy.segments import Shape, Written
from multiface.video.results import Event
from multiface.video.sources.pyav import av

_FORMAT = 2
_HASHED = 1 << 20
_SUFFIXES = {".mp4", ".json", ".state", ".part"}

Settings = tuple[tuple[str, str], ...]
"""What a setting is called, as the user knows it, and its value as text."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """What must be equal for a run to go on where another stopped.

    size, modified_ns, start: of the source: bytes, time of the last change, SHA-256 of its first MiB. begin, duration:
    seconds. settings: all that changes what is found and drawn. gallery: its revision, as text.
    writer: versions of MultiFace and of what encodes.
    """

    size: int
    modified_ns: int
    start: str
    begin: float
    duration: float | None
    settings: Settings
    gallery: str
    writer: str


def run_key(source: Path, begin: float, duration: float | None, settings: Settings, gallery: str) -> RunKey:
    """The key of a run over the file `source`. Raises InputError for a file that cannot be read."""
    try:
        with open_regular(source) as file:
            start = hashlib.sha256(file.read(_HASHED)).hexdigest()
            status = os.fstat(file.fileno())
    except OSError as error:
        raise InputError(f"{source.name}: cannot be read ({error.strerror})", path=source) from error
    return RunKey(status.st_size, status.st_mtime_ns, start, begin, duration, settings, gallery, _writer())


@dataclass(frozen=True, slots=True)
class Resumable:
    """A run that can be taken up again.

    frames: pictures that are finished. next_number: of the frame that comes next. pts, time_base, time: of the last
    finished frame, as in `Frame`. events: all up to there. state: the engine's; None exactly where complete.
    complete: no frame is missing, only the joining.
    """

    frames: int
    next_number: int
    pts: int
    time_base: Fraction
    time: float
    events: tuple[Event, ...]
    state: bytes | None
    complete: bool


@dataclass(frozen=True, slots=True)
class StartsAnew:
    """There is nothing to go on with. reason: why what lies there cannot be used; None where nothing does."""

    reason: str | None


def work_left(target: Path, key: RunKey) -> Resumable | StartsAnew:
    """Whether an unfinished run for the copy `target` can be taken up. Raises UsageError for a folder of others."""
    folder = part_folder(target)
    if not folder.exists():
        return StartsAnew(None)
    _refuse_others(folder)
    try:
        run = _Run.read(folder)
    except (OSError, ValueError):
        return StartsAnew("the unfinished run there is broken or of another version of MultiFace")
    for names, what in (
        (("size", "modified_ns", "start"), "the source has changed"),
        (("begin", "duration"), "another part of the source is asked for"),
        (("settings",), f"other settings are asked for: {_others(run.key.settings, key.settings)}"),
        (("gallery",), "the gallery has changed"),
        (("writer",), "MultiFace or its video encoder is of another version"),
    ):
        if any(getattr(run.key, name) != getattr(key, name) for name in names):
            return StartsAnew(f"there is an unfinished run, but {what}")
    finished = finished_stretches(folder)
    if not finished:
        return StartsAnew("the earlier run did not reach its first checkpoint")
    complete = (folder / "complete").exists()
    last = finished[-1]
    state = None
    if not complete:
        try:
            state = read_regular(folder / f"{len(finished):06}.state")
        except OSError:
            return StartsAnew("the unfinished run there has lost its state")
    return Resumable(
        sum(one.written.frames for one in finished),
        last.number + 1,
        last.pts,
        run.shape.time_base,
        last.time,
        tuple(event for one in finished for event in one.events),
        state,
        complete,
    )


def _others(before: Settings, now: Settings) -> str:
    """The names of the settings that differ."""
    old, new = dict(before), dict(now)
    return ", ".join(name for name in {**old, **new} if old.get(name) != new.get(name))


def part_folder(target: Path) -> Path:
    """Where the unfinished copy lies."""
    return target.with_name(target.name + ".part")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A finished stretch. number, pts, time: of its last frame. start: seconds of the container's clock at time 0."""

    written: Written
    number: int
    pts: int
    time: float
    start: Fraction
    events: tuple[Event, ...]


def finished_stretches(folder: Path) -> list[Stretch]:
    """Those from the first on that are whole."""
    found: list[Stretch] = []
    while (stretch := _stretch(folder, len(found) + 1)) is not None:
        found.append(stretch)
    return found


def _stretch(folder: Path, index: int) -> Stretch | None:
    try:
        stretch = record_from(parse_json(read_regular(folder / f"{index:06}.json")), Stretch)
        whole = stretch_path(folder, index).stat().st_size == stretch.written.size
    except (OSError, ValueError):
        return None
    return stretch if whole else None


def stretch_path(folder: Path, index: int) -> Path:
    """The pictures of the stretch, counted from 1."""
    return folder / f"{index:06}.mp4"


@dataclass(frozen=True, slots=True)
class _Run:
    format: int
    key: RunKey
    shape: Shape

    @classmethod
    def read(cls, folder: Path) -> "_Run":
        run = record_from(parse_json(read_regular(folder / "run.json")), cls)
        if run.format != _FORMAT:
            raise ValueError("another format")
        return run


class PartFolder:
    """The folder of the copy that is being written, locked for this process alone."""

    def __init__(self, target: Path, resume: Resumable | None) -> None:
        """Make it, or take up what `resume` says is there. Raises UsageError where that cannot be."""
        self.path = part_folder(target)
        self.stretches: list[Stretch] = []
        self.shape: Shape | None = None
        if self.path.exists():
            _refuse_others(self.path)
        self.path.mkdir(mode=0o700, exist_ok=True)
        file = opened_alone(self.path / "lock")
        if file is None:
            raise UsageError(f"{target.name}: another process is writing it now", path=target)
        self._lock = file
        try:
            if resume is not None:
                self.stretches = finished_stretches(self.path)
                if sum(one.written.frames for one in self.stretches) != resume.frames:
                    raise UsageError(
                        f"{target.name}: the unfinished run was changed by another process",
                        path=target,
                        hint="run again",
                    )
                self.shape = _Run.read(self.path).shape
            kept = {
                f"{index:06}{end}" for index in range(1, len(self.stretches) + 1) for end in (".mp4", ".json")
            }
            if self.stretches:
                kept |= {"run.json", "complete", f"{len(self.stretches):06}.state"}
            for entry in list(self.path.iterdir()):
                if entry.name not in kept | {"lock"}:
                    entry.unlink()
        except BaseException:
            self._lock.close()
            raise

    def begin(self, key: RunKey | None, shape: Shape) -> None:
        """Note what the run is made from; without a key it can never be taken up again."""
        self.shape = shape
        if key is None:
            return
        document = document_of(_Run(_FORMAT, key, shape))
        write_whole(self.path / "run.json", json.dumps(document).encode(), private=True)

    def add(self, stretch: Stretch, state: bytes | None) -> None:
        """Note that the next stretch, whose pictures are written, is finished. state: None at the very end."""
        index = len(self.stretches) + 1
        if state is not None:
            write_whole(self.path / f"{index:06}.state", state, private=True)
        document = json.dumps(document_of(stretch)).encode()
        write_whole(self.path / f"{index:06}.json", document, private=True)
        self.stretches.append(stretch)
        (self.path / f"{index - 1:06}.state").unlink(missing_ok=True)

    def complete(self) -> None:
        """Note that all pictures are there."""
        write_whole(self.path / "complete", b"", private=True)

    def close(self, remove: bool) -> None:
        """Let go of it; remove: with all that is in it."""
        if remove:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _refuse_others(folder: Path) -> None:
    """A folder or file of that name that holds anything but our own files is not touched."""
    ours = folder.is_dir() and not folder.is_symlink()
    if not ours or any(not _is_ours(entry) for entry in folder.iterdir()):
        raise UsageError(
            f"{folder.name}: is where unfinished work would be kept, and is not from MultiFace",
            path=folder,
            hint="move it away",
        )


def _is_ours(entry: Path) -> bool:
    if entry.name in {"run.json", "complete", "lock"} or entry.stem == "joined":
        return entry.is_file()
    stem = entry.name.removesuffix(entry.suffix)
    numbered = stem.isdecimal() or (stem.startswith(".") and entry.suffix == ".part")
    return entry.is_file() and numbered and entry.suffix in _SUFFIXES


def _writer() -> str:
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"multiface {__version__}, av {av.__version__}, libavcodec {codec}"
