"""The files that `video` writes, settled before any work is done: none of them takes the place of one that is read."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from multiface.cli.gallery_place import gallery_of, people_folder_of
from multiface.cli.paths import refuse_inputs, require_folder
from multiface.cli.settings import Settings
from multiface.errors import UsageError
from multiface.html_page import is_page
from multiface.json_text import parse_json
from multiface.regular_file import open_regular


@dataclass(frozen=True, slots=True)
class VideoTargets:
    """The annotated copy, the file of events, the intervals and the page; None for what is not asked for."""

    out: Path | None
    events: Path | None
    intervals: Path | None
    summary: Path | None

    def given(self) -> tuple[tuple[str, Path], ...]:
        """Those that are asked for, with their options."""
        named = (
            ("--out", self.out),
            ("--events", self.events),
            ("--intervals", self.intervals),
            ("--summary", self.summary),
        )
        return tuple((option, path) for option, path in named if path is not None)


def files_read(
    settings: Settings,
    file: str,
    people: str | None,
    gallery: str | None,
    update: Path | None,
    weights: str | None,
) -> tuple[Path, ...]:
    """Files and folders that are read: of the source, of the people, of the gallery, and weights that are a file."""
    from multiface.gallery.connection import gallery_path, is_postgres

    read = [Path(file)]
    folder = people_folder_of(settings, people, gallery)
    if folder is not None:
        read.append(Path(folder))
    elif not is_postgres(gallery_of(settings, gallery)):
        place = gallery_path(gallery_of(settings, gallery))
        read += [place.with_name(place.name + ending) for ending in ("", "-wal", "-shm")]
    if update is not None:
        read.append(update)
    if weights is not None:
        read.append(Path(weights))
    return tuple(read)


def check_targets(targets: VideoTargets, read: tuple[Path, ...]) -> None:
    """Raises UsageError for what cannot be written, or would be written over what is read."""
    given = targets.given()
    for option, path in given:
        require_folder(path, option)
        if path.is_dir():
            raise UsageError(f"{option} {path}: is a folder, wanted the name of a file", path=path)
        for one in read:
            if one.is_dir() and path.resolve().is_relative_to(one.resolve()):
                raise UsageError(
                    f"{option} {path}: lies in {one}, which is read", hint="write somewhere else", path=path
                )
        if not path.exists() or path.is_file():
            _check_writable(option, path)
    refuse_inputs([path for _, path in given], read)
    if len({path.resolve() for _, path in given}) < len(given):
        raise UsageError("two of the files to be written have one name", hint="give each its own")
    if targets.out is not None and targets.out.suffix.lower() not in (".mp4", ".mov", ".mkv"):
        raise UsageError(f"--out {targets.out}: a video is written as .mp4, .mov or .mkv", path=targets.out)
    if targets.intervals is not None and targets.intervals.suffix.lower() not in (".json", ".csv"):
        raise UsageError(
            f"--intervals {targets.intervals}: the ending must be .json or .csv", path=targets.intervals
        )
    events, page = targets.events, targets.summary
    if events is not None and events.is_file() and not _holds_events(events):
        raise UsageError(
            f"--events {events}: exists already and holds no events", hint="choose another name", path=events
        )
    if page is not None and page.is_file() and not is_page(page):
        raise UsageError(
            f"--summary {page}: exists already and is not a page", hint="choose another name", path=page
        )


def _check_writable(option: str, path: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be written ({error.strerror})", path=path) from error
    if path.exists() and not os.access(path, os.W_OK):
        raise UsageError(f"{option} {path}: no permission to write it", path=path)


def _holds_events(path: Path) -> bool:
    """Whether a file is one of events, or empty, so that it may be written anew."""
    with open_regular(path) as file:
        line = file.readline(1 << 16)
    try:
        return not line or "event" in parse_json(line)
    except (ValueError, TypeError):
        return False
