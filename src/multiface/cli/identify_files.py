"""The files that `identify` writes beside its answer: annotated copies, a table (CSV), a results page.

The table (RFC 4180, UTF-8) has the columns `COLUMNS`, a row for each face. A picture without a face, or that could not
be used, has one row with an empty `face` and the reason, so that every picture is in it. Units: boxes in pixels of the
upright picture, similarities as cosines. No cell is a formula to a spreadsheet (`table_cell`).
"""

import csv
import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from multiface.atomic_write import whole_file
from multiface.cli.paths import annotated_copies, refuse_inputs, require_file, require_page
from multiface.errors import UsageError
from multiface.images import load_picture, save_picture
from multiface.recognition import Identification, annotated
from multiface.recognition.result_page import ResultPage, page_files
from multiface.visible import table_cell

COLUMNS = (
    "path",
    "face",
    "name",
    "similarity",
    "threshold",
    "rate",
    "nearest",
    "runner_up",
    "runner_up_similarity",
    "reason",
    "too_poor",
    "x0",
    "y0",
    "x1",
    "y1",
    "score",
)


class IdentifyFiles:
    """What is asked for, settled before any work: raises UsageError for what cannot be written or would replace a
    picture that is read. Table and page are there whole or not at all, readable by their owner only.

    out, table, page: None for what is not asked for. people: the folder of people, in which nothing may be written.
    """

    def __init__(
        self,
        pictures: Sequence[Path],
        out: Path | None,
        table: Path | None,
        page: Path | None,
        people: str | None,
    ) -> None:
        self._copy_of = annotated_copies(out, pictures, people)
        self._pictures, self._out, self._table_file, self._page_file = pictures, out, table, page
        self._rows: BinaryIO | None = None
        self._page: ResultPage | None = None
        self._stack = ExitStack()
        pages = () if page is None else page_files(page, len(pictures))
        if table is not None:
            require_file("--csv", table, ".csv")
            _refuse_among("--csv", table, people)
        for one in pages:
            require_page(one)
            _refuse_among("--page", one, people)
        refuse_inputs([file for file in (table, *pages) if file is not None], pictures)

    def opened(self, caveat: str | None) -> "IdentifyFiles":
        """These files, to be entered as a context. caveat: said on the page."""
        if self._page_file is not None:
            self._page = self._stack.enter_context(ResultPage(self._page_file, self._pictures, caveat))
        if self._table_file is not None:
            self._rows = self._stack.enter_context(whole_file(self._table_file, private=True))
            self._rows.write(_csv_row(COLUMNS))
        return self

    @property
    def written(self) -> tuple[str, ...]:
        """What was written and where, in words."""
        named = (("annotated", self._out), ("table", self._table_file), ("page", self._page_file))
        return tuple(f"{what}: {file}" for what, file in named if file is not None)

    def __enter__(self) -> "IdentifyFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, path: Path, result: Identification, document: dict[str, Any]) -> None:
        """One picture, which is read again where it is to be shown. document: its `identification_document`.

        Raises PictureError where that fails.
        """
        if self._copy_of is not None or self._page is not None:
            image = load_picture(path)
            if self._copy_of is not None:
                save_picture(annotated(image, result), self._copy_of(path))
            if self._page is not None:
                self._page.add(path, image, result)
        self._write(
            [_row(document["path"], number, face) for number, face in enumerate(document["faces"], 1)]
            or [{"path": document["path"], "reason": "no face"}]
        )

    def add_failed(self, path: Path, why: str) -> None:
        """One picture that could not be used."""
        if self._page is not None:
            self._page.add_failed(path, why)
        self._write([{"path": str(path), "reason": why}])

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        if self._rows is not None:
            for row in rows:
                self._rows.write(_csv_row([row.get(column) for column in COLUMNS]))


def _row(path: str, number: int, face: dict[str, Any]) -> dict[str, Any]:
    best, runner_up = face["best"] or {}, face["runner_up"] or {}
    return {
        "path": path,
        "face": number,
        "name": face["name"],
        "similarity": face["similarity"],
        "threshold": face["threshold"],
        "rate": face.get("rate"),
        "nearest": best.get("name"),
        "runner_up": runner_up.get("name"),
        "runner_up_similarity": runner_up.get("similarity"),
        "reason": face["reason"],
        "too_poor": face["too_poor"],
        **dict(zip(("x0", "y0", "x1", "y1"), face["box"], strict=True)),
        "score": face["score"],
    }


def _csv_row(cells: Sequence[Any]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow([table_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue().encode()


def _refuse_among(option: str, file: Path, people: str | None) -> None:
    if people is not None and file.resolve().is_relative_to(Path(people).resolve()):
        raise UsageError(
            f"{option} {file}: lies in the folder of people {people}", hint="write somewhere else", path=file
        )
