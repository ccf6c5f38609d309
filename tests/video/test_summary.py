"""The page, read by a parser: what it shows, that hostile text stays text, and that it asks for nothing."""

import base64
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import UsageError
from multiface.images import load_picture
from multiface.video.events.intervals import Interval
from multiface.video.events.summary import write_summary
from multiface.video.results import BestView

HOSTILE = "\"><script>alert(1)</script><img src=http://evil.example/x onerror=a()> & '\udcff"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags with their attributes, the text of each table cell, and whether tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            self.cells[-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def view(value: int, quality: float = 0.5) -> BestView:
    return BestView(np.full((300, 200, 3), value, np.uint8), quality, 61.25)


INTERVALS = (
    Interval(HOSTILE, None, 1, 0.0, 10.0),
    Interval("Anna", None, 2, 5.0, 45.0),
    Interval("Anna", None, 3, 80.0, 90.0),
    Interval(None, 7, 4, 20.0, 20.0),
    Interval(None, 7, 5, 30.0, 99.0),
    Interval(None, None, 6, 90.0, 120.0),
)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    path = tmp_path / "summary.html"
    views = {1: view(10), 2: view(50, 0.3), 3: view(90, 0.9), 5: view(200)}
    write_summary(path, title=f"clip {HOSTILE}", intervals=INTERVALS, best_views=views, begin=0.0, end=100.0)
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return Page(path.read_text("utf-8"))


def test_rows_are_people_by_time_then_the_unknown(page: Page) -> None:
    shown = HOSTILE.replace("\udcff", "\\udcff")
    rows = [page.cells[k : k + 4] for k in range(0, len(page.cells), 4)]
    assert [row[1] for row in rows] == ["Anna", shown, "stranger 7", "unknown (track 6)"]
    assert [row[2] for row in rows] == ["0:50.02 times", "0:10.0once", "1:09.02 times", "0:30.0once"]
    assert "0:05.0 to 0:45.0; 1:20.0 to 1:30.0" in rows[0][3]


def test_pictures_are_those_of_the_tracks_best_first(page: Page) -> None:
    pictures = page.named("img")
    assert [len(p["alt"] or "") > 0 for p in pictures] == [True] * 4
    means = []
    for picture in pictures:
        kind, data = (picture["src"] or "").split(",")
        assert kind == "data:image/jpeg;base64"
        image = load_picture(base64.b64decode(data))
        assert image.shape == (160, 107, 3)
        means.append(round(float(image.mean())))
    assert means == [90, 50, 10, 200]


def test_bars_lie_where_the_intervals_do(page: Page) -> None:
    bars = [a["style"] or "" for a in page.named("span")]
    found = [tuple(float(x) for x in re.findall(r"[\d.]+", bar)) for bar in bars]
    expected = [(5, 40), (80, 10), (0, 10), (20, None), (30, 69), (90, 30)]  # of 120 seconds
    for (left, width), (begin, seconds) in zip(found, expected, strict=True):
        assert left == pytest.approx(begin / 1.2, abs=0.001)
        assert width == (0.15 if seconds is None else pytest.approx(seconds / 1.2, abs=0.001))


def test_hostile_text_stays_text_and_nothing_is_loaded(page: Page) -> None:
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
    }
    allowed |= {"td", "img", "span", "div", "br", "small", "details", "summary"}
    assert {tag for tag, _ in page.tags} == allowed
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert set(attributes) <= {
            "lang",
            "charset",
            "http-equiv",
            "content",
            "name",
            "class",
            "title",
            "style",
            "alt",
            "src",
        }
        assert (attributes.get("src") or "data:").startswith("data:")
        assert "url(" not in (attributes.get("style") or "")
    policy = next(
        a["content"] for a in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_nobody_was_there(tmp_path: Path) -> None:
    write_summary(tmp_path / "s.html", title="", intervals=[], best_views={}, begin=0.0, end=0.0)
    assert Page((tmp_path / "s.html").read_text("utf-8")).cells == []
    write_summary(
        tmp_path / "s.html",
        title="",
        intervals=[Interval("A", None, 1, 0, 0)],
        best_views={},
        begin=0.0,
        end=0.0,
    )
    (bar,) = Page((tmp_path / "s.html").read_text("utf-8")).named("span")
    assert bar["style"] == "left:0.000%;width:0.150%"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_summary(tmp_path / "no" / "s.html", title="", intervals=[], best_views={}, begin=0.0, end=0.0)


def test_the_time_line_of_a_part_begins_where_the_part_does(tmp_path: Path) -> None:
    path = tmp_path / "part.html"
    interval = Interval("A", None, 1, 3615.0, 3630.0)
    write_summary(path, title="part", intervals=[interval], best_views={}, begin=3600.0, end=3660.0)
    page = path.read_text(encoding="utf-8")
    assert "left:25.000%;width:25.000%" in page
    assert "1:00.0 in all" in page
    assert "1:00:00.0 to 1:01:00.0" in page
