"""What `album find` answers beside its lines: documents, a table (CSV), a page, a folder of links or copies."""

import csv
import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from multiface.atomic_write import write_whole
from multiface.cli.paths import require_file, require_folder, require_page
from multiface.errors import UsageError
from multiface.visible import table_cell

if TYPE_CHECKING:
    from multiface.album import Hit

COLUMNS = (
    "path",
    "taken",
    "film",
    "face",
    "name",
    "person",
    "stranger",
    "x0",
    "y0",
    "x1",
    "y1",
    "begins",
    "ends",
)


class AnswerFiles:
    """The files that are asked for, settled before any work. Raises UsageError for what cannot be written."""

    def __init__(
        self, table: Path | None, page: Path | None, links: Path | None, copies: Path | None
    ) -> None:
        if links is not None and copies is not None:
            raise UsageError("give --links or --copies, not both")
        self._table, self._page, self._links, self._copies = table, page, links, copies
        if table is not None:
            require_file("--csv", table, ".csv")
        if page is not None:
            require_page(page)
        for option, folder in (("--links", links), ("--copies", copies)):
            if folder is not None:
                require_folder(folder, option)
                if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
                    raise UsageError(
                        f"{option} {folder}: is there already", hint="name a new folder", path=folder
                    )

    @property
    def written(self) -> tuple[str, ...]:
        """What was written and where, in words."""
        named = (
            ("table", self._table),
            ("page", self._page),
            ("links", self._links),
            ("copies", self._copies),
        )
        return tuple(f"{what}: {path}" for what, path in named if path is not None)

    def write(self, title: str, hits: "Sequence[Hit]", people: Sequence[str]) -> list[str]:
        """Write them; the files that were to be linked or copied and are not there any more.

        people: names or ids that were asked for. Raises UsageError.
        """
        if self._table is not None:
            _write("--csv", self._table, _table(hits))
        if self._page is not None:
            from multiface.album.pages import hits_page

            wanted = frozenset(
                face.person
                for hit in hits
                for face in hit.faces
                if face.person is not None and (face.person in people or face.name in people)
            )
            write_page(self._page, hits_page(title, hits, wanted))
        folder = self._links or self._copies
        if folder is not None:
            return _fill(folder, hits, link=self._links is not None)
        return []


def when(hit: "Hit", people: Sequence[str], unknown: bool) -> str:
    """In a film, at which times those who were asked for are seen."""
    times = [
        f"{face.seconds[0]:.0f}-{face.seconds[1]:.0f} s"
        for face in hit.faces
        if face.seconds is not None
        and (
            face.name in people
            or face.person in people
            or (face.name is None and unknown)
            or not (people or unknown)
        )
    ]
    return f"  ({', '.join(times)})" if times else ""


def question(people: Sequence[str], without: Sequence[str], only: bool, unknown: bool) -> str:
    """What was asked, in words."""
    words = " and ".join(people) or "Photos"
    if only:
        words = f"only {words}"
    if without:
        words += f" without {' and '.join(without)}"
    return words + (" with somebody unknown" if unknown else "")


def write_page(page: Path, content: bytes) -> None:
    """Write a page, readable by its owner only. Raises UsageError."""
    _write("--page", page, content)


def _write(option: str, file: Path, content: bytes) -> None:
    try:
        write_whole(file, content, private=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"{option} {file}: cannot be written ({error})", path=file) from error


def _table(hits: "Sequence[Hit]") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for hit in hits:
        for path in hit.paths:
            for face in hit.faces:
                begins, ends = face.seconds or ("", "")
                who = [table_cell(face.name or ""), face.person or "", face.stranger or ""]
                place = [table_cell(path), hit.taken, int(hit.film), face.id]
                writer.writerow([*place, *who, *(f"{side:.1f}" for side in face.box), begins, ends])
    return text.getvalue().encode()


def _fill(folder: Path, hits: "Sequence[Hit]", link: bool) -> list[str]:
    """One file for each photo or film, numbered in the order of the answer; those that are not there any more."""
    from multiface.images.path_text import path_of_text

    gone = list[str]()
    option = "--links" if link else "--copies"
    try:
        folder.mkdir(exist_ok=True)
        for number, hit in enumerate(hits, 1):
            places = [path_of_text(path) for path in hit.paths]
            source = next((path for path in places if os.path.lexists(path)), None)
            if source is None:  # since the last scan
                gone.append(hit.paths[0])
                continue
            target = folder / f"{number:05}-{source.name}"
            if link:
                target.symlink_to(source)
            else:
                shutil.copy2(source, target)
    except OSError as error:
        raise UsageError(f"{option} {folder}: cannot be filled ({error})", path=folder) from error
    return gone
