"""Results as HTML pages: complete, bounded, self-contained, with hostile names as text. No reference data is needed."""

import re
import shutil
import tracemalloc
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from multiface import Identification, Recognizer, RecognizerSettings, load_picture
from multiface.errors import UsageError
from multiface.images import Image
from multiface.recognition import result_page
from multiface.recognition.demo import PORTRAIT, changed_copy
from multiface.recognition.result_page import ResultPage, page_files

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e"


class Read(HTMLParser):
    """Tags, attributes and text of a page; every tag is closed in its order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for one, attributes in self.tags if one == tag]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Image, Identification, Identification]:
    """A picture; its answer with the person known; its answer with nobody like that enrolled."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "Eileen").mkdir()
    shutil.copy(PORTRAIT, folder / "Eileen" / "1.png")
    picture = changed_copy(load_picture(PORTRAIT))
    with Recognizer(people=folder, settings=RecognizerSettings(cache=folder / "cache")) as recognizer:
        known = recognizer.identify(picture)
    (face,) = known.faces
    assert face.name == "Eileen"
    decision = replace(face.decision, name=None, reason=type(face.decision.reason).BELOW_THRESHOLD)
    return picture, known, replace(known, faces=(replace(face, decision=decision),))


def named(result: Identification, name: str) -> Identification:
    """The same answer with another name."""
    (face,) = result.faces
    assert face.decision.best is not None
    best = replace(face.decision.best, name=name)
    return replace(result, faces=(replace(face, decision=replace(face.decision, name=name, best=best)),))


def test_a_page_shows_pictures_boxes_names_and_reasons(
    found: tuple[Image, Identification, Identification], tmp_path: Path
) -> None:
    picture, known, unknown = found
    pictures = [tmp_path / "a" / "1.png", tmp_path / "b" / "1.png", tmp_path / "b" / "broken.png"]
    with ResultPage(tmp_path / "page.html", pictures, "a caveat") as page:
        page.add(pictures[0], picture, known)
        page.add(pictures[1], picture, unknown)
        page.add_failed(pictures[2], f"{pictures[2]}: cannot be decoded")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    read = Read(text)
    assert "Faces: 2; named: 1; unknown: 1." in read.text and "a caveat" in read.text
    assert "at most 1 % of strangers are given a name among 1 person" in read.text
    assert "Eileen" in read.text and "below threshold; similarity" in read.text
    assert "a/1.png" in read.text and "b/1.png" in read.text and str(tmp_path) not in text
    assert "cannot be decoded" in read.text
    assert [one["alt"] for one in read.all("img")] == ["Eileen", "unknown"]
    boxes = [one for one in read.all("div") if "box" in str(one.get("class")).split()]
    x0, y0, x1, y1 = known.faces[0].box
    for box in boxes:
        left, top, width, height = map(float, re.findall(r":(-?[\d.]+)%", str(box["style"])))
        assert (left, top) == pytest.approx((100 * x0 / known.width, 100 * y0 / known.height), abs=0.01)
        assert (width, height) == pytest.approx(
            (100 * (x1 - x0) / known.width, 100 * (y1 - y0) / known.height), abs=0.01
        )
    assert ["unknown" in str(box["class"]) for box in boxes] == [False, True]
    assert (tmp_path / "page.html").stat().st_mode & 0o077 == 0


def test_names_and_paths_are_text_and_nothing_comes_from_elsewhere(
    found: tuple[Image, Identification, Identification], tmp_path: Path
) -> None:
    picture, known, _ = found
    path = tmp_path / f"{HOSTILE.replace('/', '')}.png"
    with ResultPage(tmp_path / "page.html", [path, path], HOSTILE) as page:
        page.add(path, picture, named(known, HOSTILE))
        page.add_failed(path, HOSTILE)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    read = Read(text)
    assert not {"script", "iframe", "object", "link", "form", "svg"} & {tag for tag, _ in read.tags}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert not re.search(r"https?:|url\(|@import", text)
    for tag, attributes in read.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        assert str(attributes.get("src", "data:")).startswith("data:image/jpeg;base64,") or tag != "img"
        assert str(attributes.get("href", "#")).startswith("#")
    assert "<script>alert(1)</script>" in read.text  # as words


def test_pages_are_written_as_they_fill(
    found: tuple[Image, Identification, Identification], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_page, "PER_PAGE", 3)
    picture, known, _ = found
    file = tmp_path / "who is.html"
    pictures = [tmp_path / f"{k}.png" for k in range(7)]
    files = page_files(file, len(pictures))
    assert [one.name for one in files] == ["who is.html", "who is-2.html", "who is-3.html"]
    with ResultPage(file, pictures) as page:
        for number, path in enumerate(pictures, 1):
            page.add(path, picture, known)
            assert sum(one.exists() for one in files) == number // 3
    texts = [one.read_text(encoding="utf-8") for one in files]
    assert [text.count("<article") for text in texts] == [3, 3, 1]
    assert "Who is in 4 to 6 of 7 pictures" in texts[1]
    assert [one["href"] for one in Read(texts[1]).all("a") if str(one["href"])[0] == "."] == [
        "./who%20is.html",
        "./who%20is-3.html",
    ]
    assert [len(page_files(file, count)) for count in (0, 1, 3, 4, 6, 7)] == [1, 1, 1, 2, 2, 3]


def test_memory_does_not_grow_with_the_pictures(
    found: tuple[Image, Identification, Identification], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_page, "PER_PAGE", 20)
    noise = np.random.default_rng(1).integers(0, 255, (480, 480, 3), np.uint8)  # JPEG cannot make it small
    peaks = []
    for count in (40, 200):
        pictures = [tmp_path / f"{k}.png" for k in range(count)]
        tracemalloc.start()
        with ResultPage(tmp_path / "page.html", pictures) as page:
            for path in pictures:
                page.add(path, noise, found[1])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_after_an_error_nothing_half_is_there(
    found: tuple[Image, Identification, Identification], tmp_path: Path
) -> None:
    picture, known, _ = found
    file = tmp_path / "page.html"
    with pytest.raises(RuntimeError), ResultPage(file, [file, file]) as page:
        page.add(tmp_path / "1.png", picture, known)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="cannot be written"), ResultPage(tmp_path / "no" / "p.html", []):
        pass
