"""WCAG 2.2 AA as far as axe-core can tell, on every screen; 320 pixels wide, light and dark."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from multiface import Recognizer
from multiface.album import Album
from multiface.recognition.demo import PORTRAIT
from tests.album.test_scanning import save, stretched, with_a_beard
from tests.drawn_faces import drawn_face, group_of
from tests.serve.page.conftest import Open, Tab

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def album(recognizer: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    """Photos of known and unknown people."""
    folder = tmp_path_factory.mktemp("photos")
    save(folder / "1.jpg", group_of(drawn_face("ada", 5), drawn_face("cleo")), "2023:04:01 10:00:00")
    save(folder / "2.jpg", stretched("cleo"), "2023:04:03 10:00:00")
    save(folder / "3.jpg", with_a_beard("cleo"), "2024:01:03 10:00:00")
    album = Album(recognizer)
    album.scan([folder])
    yield album


def checked(tab: Tab, what: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    options = {"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]}
    found = axe.Axe().run(tab.page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], what
    wide = tab.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{what}: {wide} pixels too wide"
    words = tab.page.evaluate("document.body.innerText")
    assert "undefined" not in words and "[object" not in words and "NaN" not in words, what


def recognised(tab: Tab) -> None:
    page = tab.open("recognise")
    page.set_input_files("input[type=file]", [str(PORTRAIT)])
    page.wait_for_selector("article:not([aria-busy]) .face")


def person(tab: Tab) -> None:
    tab.open(f"person/{tab.gallery.people_page(1, part='script')[0].id}").wait_for_selector("dl.facts")
    tab.page.wait_for_load_state("networkidle")


def enrolling(tab: Tab) -> None:
    page = tab.open("enrol")
    page.get_by_label("Who is it?").fill("Ada")
    page.set_input_files("input[type=file]", [str(PORTRAIT)])
    page.wait_for_selector("section .lines li li")


def dialog(tab: Tab) -> None:
    tab.open("review").wait_for_selector("section h2:has-text('Unknown')")
    tab.page.keyboard.press("n")
    tab.page.keyboard.type("ad")
    tab.page.wait_for_selector("[role=option]")


def marking(tab: Tab) -> None:
    photo(tab)
    tab.page.get_by_role("button", name="Mark a missed face").click()


def photo(tab: Tab) -> None:
    tab.open("albums").locator(".photos a").first.click()
    tab.page.wait_for_selector(".face")


def cameras(tab: Tab) -> None:
    tab.open("cameras").wait_for_load_state("networkidle")


def new_key(tab: Tab) -> None:
    tab.open("settings").get_by_role("button", name="New key").click()


def opened(screen: str, selector: str) -> Callable[[Tab], None]:
    def go(tab: Tab) -> None:
        tab.open(screen).wait_for_selector(selector)
        tab.page.wait_for_load_state("networkidle")

    return go


SCREENS: dict[str, Callable[[Tab], Any]] = {
    "recognise": recognised,
    "people": opened("people", ".tile"),
    "person": person,
    "enrol": enrolling,
    "review": opened("review", "section h2"),
    "naming": dialog,
    "albums": opened("albums", ".photos img"),
    "photo": photo,
    "marking": marking,
    "cameras": cameras,
    "sure": opened("sure", ".chart"),
    "privacy": opened("privacy", ".lines"),
    "settings": opened("settings", "table"),
    "new key": new_key,
}


@pytest.mark.parametrize(("width", "dark"), [(320, False), (1280, True)], ids=["narrow", "dark"])
def test_every_screen(new_tab: Open, album: Album, width: int, dark: bool) -> None:
    del album
    tab = new_tab(width, dark)
    for name, go in SCREENS.items():
        go(tab)
        checked(tab, name)
        tab.page.keyboard.press("Escape")


def test_signing_in(new_tab: Open) -> None:
    tab = new_tab(320, signed=False)
    tab.open("")
    checked(tab, "sign-in")


def test_the_description(new_tab: Open) -> None:
    tab = new_tab(320)
    tab.page.goto(f"{tab.address}/docs")
    tab.page.wait_for_selector("details")
    checked(tab, "docs")


def test_the_screens_are_reached_by_keyboard(new_tab: Open) -> None:
    tab = new_tab(320)
    page = tab.open("recognise")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.locator("button.menu").focus()
    page.keyboard.press("Enter")
    assert page.locator("button.menu").get_attribute("aria-expanded") == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('People')")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert page.locator("#nav a[aria-current=page]").inner_text() == "People"
    assert not page.locator("#nav").is_visible()


def test_text_may_be_twice_as_large(new_tab: Open) -> None:
    """1280 pixels at 400 % are 320; here the letters alone grow."""
    tab = new_tab(1280)
    for name in ("recognise", "people", "settings"):
        page = tab.open(name)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name


def test_who_leaves_a_screen_early_breaks_nothing(tab: Tab, album: Album) -> None:
    """What was asked for is let go of; late answers change nothing on the next screen."""
    del album
    person = tab.gallery.people_page(1)[0].id
    screens = [
        "people",
        f"person/{person}",
        "enrol",
        "review",
        "albums",
        "photo/1",
        "sure",
        "privacy",
        "settings",
    ]
    for pause in (0, 5, 20, 60):
        for screen in screens:
            tab.page.evaluate(f"location.hash = '#/{screen}'")
            tab.page.wait_for_timeout(pause)
    tab.page.wait_for_selector("h1:has-text('Settings')")
    tab.page.wait_for_load_state("networkidle")
    assert tab.page.locator("h1").all_inner_texts() == ["Settings"]
