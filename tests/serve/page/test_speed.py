"""Quick with 50,000 people: first paint, the People page with its pictures, search as one types."""

from collections.abc import Iterator

import pytest

from multiface import Recognizer, RecognizerSettings
from tests.drawn_faces import drawn_face
from tests.serve.conftest import encoded
from tests.serve.page.conftest import Tab

PEOPLE = 50_000
_MANY = """
    WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < ?)
    INSERT INTO person (public_id, name, created)
    SELECT printf('p_%016d', k), printf('%s %s %05d', substr('AnnaBertCleoDoraEmilFinnGretHans', k % 8 * 4 + 1, 4),
        substr('MeyerSmithJonesGarciDuboiKowalRossi', k % 7 * 5 + 1, 5), k), '2026-01-01T00:00:00+00:00' FROM n
"""
_TEMPLATES = """
    INSERT INTO template (person_id, vector, source_digest, source, width, height, x0, y0, x1, y1, score, detector,
        quarter_turns, faces_in_picture, added)
    SELECT person.id, t.vector, printf('%064x', person.id), t.source, t.width, t.height, t.x0, t.y0, t.x1, t.y1,
        t.score, t.detector, t.quarter_turns, t.faces_in_picture, t.added
    FROM person JOIN (SELECT * FROM template LIMIT 1) t WHERE person.public_id LIKE 'p_0%'
"""
_CROPS = """
    INSERT INTO crop (template_id, picture, aligned)
    SELECT template.id, c.picture, c.aligned FROM template JOIN (SELECT * FROM crop LIMIT 1) c
    WHERE template.id NOT IN (SELECT template_id FROM crop)
"""
_FRAME = """
    const frame = (began) => new Promise((done, failed) => {
        if (performance.now() - began > 5000) failed(new Error("nothing came"));
        requestAnimationFrame(done);
    });
"""
_PAGE = f"""
async () => {{{_FRAME}
    location.hash = "#/privacy";
    await new Promise((done) => setTimeout(done, 400));
    const began = performance.now();
    location.hash = "#/people";
    while (document.querySelectorAll("#screen .tile .crop[style*=blob]").length < 60)
        await frame(began);
    return performance.now() - began;
}}
"""
_SEARCH = f"""
async (letters) => {{{_FRAME}
    const field = document.getElementById("search");
    const times = [];
    for (let k = 1; k <= letters.length; k++) {{
        const before = document.querySelector(".tile");
        const began = performance.now();
        field.value = letters.slice(0, k);
        field.dispatchEvent(new Event("input", {{ bubbles: true }}));
        while (document.querySelector(".tile") === before) await frame(began);
        times.push(performance.now() - began);
    }}
    return times;
}}
"""


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """With many people, each with a picture."""
    file = tmp_path_factory.mktemp("many") / "g.sqlite"
    with Recognizer(gallery=file, create=True, settings=RecognizerSettings(threads=2, rate=0.01)) as opened:
        opened.enroll("Zoe", [encoded(drawn_face("ada"))], True)
        assert opened.gallery is not None
        with opened.gallery.database.writing() as connection:
            connection.execute(_MANY, (PEOPLE,))
            connection.execute(_TEMPLATES)
            connection.execute(_CROPS)
        yield opened


def test_fifty_thousand_people(tab: Tab) -> None:
    """The best of several, for each letter too: the machine does other things beside it."""
    page = tab.open("people")
    page.wait_for_selector(".tile")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    times = [page.evaluate(_PAGE) for _ in range(5)]
    assert min(times) < 300, times
    assert len([one for one in asked if "/v1/sprites/" in one]) == len(times)
    for letters in ("cleo", "rossi", "0421", "zoe", "meyer 00"):
        best = [1000.0] * len(letters)
        for _ in range(20):
            best = [min(pair) for pair in zip(best, page.evaluate(_SEARCH, letters), strict=True)]
            if max(best) < 100:
                break
        assert max(best) < 100, (letters, best)
    assert page.locator(".tile").count() > 1


def test_first_paint(tab: Tab) -> None:
    page = tab.page
    times = []
    for _ in range(3):
        page.goto(f"{tab.address}/")
        page.wait_for_selector("#screen h1")
        times.append(
            page.evaluate(
                "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()"
            )
        )
    assert min(times) < 1000, times
