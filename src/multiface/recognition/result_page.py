"""Results of `identify` as HTML pages: each picture with its boxes, each face with its name or the reason for none.

A page stands alone and holds at most `PER_PAGE` pictures, so that memory stays bounded, here and in the browser.
Further pages lie beside the first, NAME-2.html, NAME-3.html, ..., and link to each other.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from multiface.atomic_write import write_whole
from multiface.errors import UsageError
from multiface.html_page import jpeg_uri, page, text
from multiface.images import Image
from multiface.images.jpeg import jpeg_bytes
from multiface.images.path_text import path_text
from multiface.recognition.results import Identification, IdentifiedFace
from multiface.recognition.wording import comparison, reason, threshold_words

PER_PAGE = 250
_FEW = 12
"""Up to this many pictures are shown larger."""
_LARGE, _SMALL = 1000, 480
"""Longest side in pixels of the pictures on the page."""

_STYLE = """
main { align-items: start; display: grid; margin-top: 1em; gap: 1em;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22em), 1fr)); }
main.few { grid-template-columns: repeat(auto-fit, minmax(min(100%, 34em), 1fr)); }
article { border: 1px solid #8886; border-radius: 6px; max-width: 62em; min-width: 0; overflow: hidden; }
article:target { outline: 3px solid #2a7de1; }
.photo { background: #8882; display: flex; justify-content: center; }
.photo > div { overflow: hidden; position: relative; }
img { display: block; height: auto; max-height: 90vh; max-width: 100%; }
.box { border: 2px solid #1db954; box-shadow: 0 0 0 1px #000a; box-sizing: border-box; position: absolute; }
.box b { background: #1db954; color: #000; font-size: 12px; left: -2px; line-height: 1.3; max-width: 14em;
  overflow: hidden; padding: 0 4px; position: absolute; text-overflow: ellipsis; top: 100%; white-space: nowrap; }
.box.high b { bottom: 100%; top: auto; }
.box.right b { left: auto; right: -2px; }
.box.unknown { border: 2px dashed #ffb000; }
.box.unknown b { background: #ffb000; }
h2 { font-size: 1em; font-weight: normal; margin: .5em .7em 0; overflow-wrap: anywhere; }
article p, article ol { margin: .4em .7em .7em; }
ol { list-style: none; padding: 0; }
li { margin-top: .3em; overflow-wrap: anywhere; unicode-bidi: isolate; }
li small { display: block; }
nav a, details a { display: inline-block; margin: 0 .6em .3em 0; overflow-wrap: anywhere; }
"""


class ResultPage:
    """The pages of one run, written one by one as they fill; a page is there whole or not at all.

    file: the first page. pictures: all that will be added, in their order. caveat: said on each page.
    """

    def __init__(self, file: Path, pictures: Sequence[Path], caveat: str | None = None) -> None:
        self._files = page_files(file, len(pictures))
        self._count = len(pictures)
        self._top = _common_folder(pictures)
        self._side = _LARGE if len(pictures) <= _FEW else _SMALL
        self._caveat = caveat
        self._written = 0
        self._articles: list[str] = []
        self._seen: dict[str | None, list[int]] = {}
        self._threshold = ""

    def __enter__(self) -> "ResultPage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and (self._articles or not self._written):
            self._write()

    def add(self, path: Path, image: Image, result: Identification) -> None:
        """A picture that was read. image: its pixels, (h, w, 3) uint8 RGB, upright. Raises UsageError."""
        names = ", ".join(face.name or "unknown" for face in result.faces) or "no face"
        boxes = "".join(_box(number, face, result) for number, face in enumerate(result.faces, 1))
        lines = "".join(_line(number, face) for number, face in enumerate(result.faces, 1))
        height, width = image.shape[:2]
        uri = jpeg_uri(jpeg_bytes(image, self._side))
        for face in result.faces:
            self._seen.setdefault(face.name, []).append(self._number)
            if face.decision.threshold is not None:
                self._threshold = threshold_words(face.decision.threshold)
        self._append(
            path,
            f'<div class="photo"><div><img alt="{text(names)}" width="{width}" height="{height}" src="{uri}">'
            f"{boxes}</div></div>",
            f"<ol>{lines}</ol>" if lines else "<p>no face was found</p>",
        )

    def add_failed(self, path: Path, why: str) -> None:
        """A picture that could not be used. Raises UsageError."""
        self._append(path, "", f"<p>{text(why.removeprefix(f'{path}: '))}</p>")

    @property
    def _number(self) -> int:
        """Of the picture that comes next, from 1 on each page."""
        return len(self._articles) + 1

    def _append(self, path: Path, above: str, below: str) -> None:
        whole = path.absolute()
        shown = text(path_text(whole.relative_to(self._top) if self._top is not None else path))
        self._articles.append(f'<article id="p{self._number}">{above}<h2>{shown}</h2>{below}</article>\n')
        if len(self._articles) == PER_PAGE:
            self._write()

    def _write(self) -> None:
        first = self._written * PER_PAGE
        last = first + len(self._articles)
        which = "" if len(self._files) == 1 else f"{first + 1:,} to {last:,} of "
        faces = sum(map(len, self._seen.values()))
        unknown = len(self._seen.get(None, ()))
        facts = [f"Faces: {faces:,}; named: {faces - unknown:,}; unknown: {unknown:,}."]
        if self._threshold:
            facts.append(f"A face is named at or above a threshold: {self._threshold}.")
        if self._caveat:
            facts.append(self._caveat)
        said = "".join(f"<p>{text(fact)}</p>\n" for fact in facts)
        few = ' class="few"' if self._side == _LARGE else ""
        body = f"{said}{self._links()}{self._people()}<main{few}>\n{''.join(self._articles)}</main>\n"
        file = self._files[self._written]
        title = f"Who is in {which}{self._count:,} picture{'' if self._count == 1 else 's'}"
        try:
            write_whole(file, page(title, _STYLE, body), private=True)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path_text(file)}: cannot be written ({error})", path=file) from error
        self._written += 1
        self._articles.clear()
        self._seen.clear()

    def _links(self) -> str:
        if len(self._files) == 1:
            return ""
        places = "".join(
            f"<b>page {number}</b> " if number == self._written + 1 else _link(file, f"page {number}")
            for number, file in enumerate(self._files, 1)
        )
        return f"<nav>{places}</nav>\n"

    def _people(self) -> str:
        """Each name with links to its pictures, the most frequent first."""
        named = sorted(
            ((name, where) for name, where in self._seen.items() if name is not None),
            key=lambda one: (-len(one[1]), one[0]),
        )
        rows = "".join(
            f"<details><summary>{text(name)} ({len(where):,})</summary>"
            + "".join(f'<a href="#p{number}">{number}</a>' for number in where)
            + "</details>\n"
            for name, where in named
        )
        return f"<details><summary>{len(named):,} people</summary>\n{rows}</details>\n" if named else ""


def page_files(file: Path, pictures: int) -> tuple[Path, ...]:
    """The files of the pages for this many pictures, the first being `file`."""
    further = range(2, (pictures - 1) // PER_PAGE + 2)
    return (file, *(file.with_stem(f"{file.stem}-{number}") for number in further))


def _link(file: Path, words: str) -> str:
    from urllib.parse import quote

    return f'<a href="{text("./" + quote(os.fsencode(file.name)))}">{words}</a>'


def _box(number: int, face: IdentifiedFace, result: Identification) -> str:
    """A box over the picture, in percent of it, so that it scales along."""
    x0, y0, x1, y1 = face.box
    left, width = 100 * x0 / result.width, 100 * (x1 - x0) / result.width
    top, height = 100 * y0 / result.height, 100 * (y1 - y0) / result.height
    kind = ("" if face.name else " unknown") + (" high" if top + height > 92 else "")
    kind += " right" if left > 66 else ""
    name = f" {text(face.name or 'unknown')}" if len(result.faces) <= 6 else ""
    return (
        f'<div class="box{kind}" style="left:{left:.2f}%;top:{top:.2f}%;width:{width:.2f}%;height:{height:.2f}%">'
        f"<b>{number}{name}</b></div>"
    )


def _line(number: int, face: IdentifiedFace) -> str:
    decision = face.decision
    why = "" if decision.name else f"{reason(decision)}; "
    words = f"{why}{comparison(decision)}".rstrip("; ")
    return f"<li>{number} <b>{text(decision.name or 'unknown')}</b><small>{text(words)}</small></li>"


def _common_folder(pictures: Sequence[Path]) -> Path | None:
    """The folder that all pictures share, which is not shown; None where they share none (drives of Windows)."""
    try:
        return Path(os.path.commonpath([path.absolute().parent for path in pictures]))
    except ValueError:
        return None
