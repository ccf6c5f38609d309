"""A real browser before a real server. A page that asks elsewhere, or complains, fails its test.

Needs Debian's Chromium and playwright's wheel, which brings no browser; skipped where one of them is missing.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from multiface import Gallery, Recognizer, RecognizerSettings
from multiface.gallery.service import access_keys
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import drawn_face
from tests.serve.conftest import encoded, serving

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
RIGHT_TO_LEFT = "עדה לבלייס"
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser without a window, with a camera that shows a test picture."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Debian's chromium")
    with (
        sync_api.sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", *CAMERA]
        ) as browser,
    ):
        yield browser


@dataclass(slots=True)
class Tab:
    """A page of the browser at a server. refusals: statuses of answers that a test provokes on purpose."""

    page: Any
    address: str
    gallery: Gallery
    refusals: set[int] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def open(self, screen: str) -> Any:
        """Go to a screen, such as "people"; its page."""
        self.page.goto(f"{self.address}/#/{screen}")
        self.page.wait_for_selector("h1")
        return self.page

    def notice(self, words: str) -> None:
        """Wait until something is told."""
        self.page.wait_for_selector(f".notice:has-text({words!r})")

    def leave_dialog(self) -> None:
        """With Escape, until it is gone: a busy browser takes none for a dialog that it has only just opened."""
        until = time.monotonic() + 20
        while self.page.locator("dialog").count():
            assert time.monotonic() < until, "the dialog stays"
            self.page.keyboard.press("Escape")
            self.page.wait_for_timeout(200)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """With a gallery of three, with names as people have them and as attackers would."""
    folder = tmp_path_factory.mktemp("page")
    with Recognizer(
        gallery=folder / "g.sqlite", create=True, settings=RecognizerSettings(threads=2, rate=0.01)
    ) as opened:
        for name, who in (("Ada", "ada"), (HOSTILE, "bob"), (RIGHT_TO_LEFT, "dora")):
            opened.enroll(name, [encoded(drawn_face(who, take)) for take in range(2)], True)
        yield opened


@pytest.fixture(scope="module")
def address(recognizer: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = ServeSettings(rate=0.01, backups=str(tmp_path_factory.mktemp("backups")), each_key=1000)
    with serving(recognizer, settings) as one:
        yield one


def link_of(gallery: Gallery) -> str:
    with gallery.database.writing() as connection:
        return access_keys.new_link(connection)


Open = Callable[..., Tab]


@pytest.fixture
def new_tab(chromium: Any, address: str, gallery: Gallery) -> Iterator[Open]:
    """`new_tab(width=..., dark=..., signed=...)`: a tab of its own, watched until the test ends."""
    tabs: list[Tab] = []

    def make(width: int = 1280, dark: bool = False, signed: bool = True, **more: Any) -> Tab:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="en-US",
            timezone_id="UTC",
            **more,
        )
        context.set_default_timeout(30_000)
        tab = Tab(context.new_page(), address, gallery)
        tabs.append(tab)
        _watch(tab)
        if signed:
            tab.page.goto(f"{address}/#link={link_of(gallery)}")
            tab.page.wait_for_selector("#screen h1")
        return tab

    yield make
    for tab in tabs:
        tab.page.context.close()
    assert [complaint for tab in tabs for complaint in tab.complaints] == []


@pytest.fixture
def tab(new_tab: Open) -> Tab:
    """Signed in by a link."""
    return new_tab()


def _watch(tab: Tab) -> None:
    page = tab.page
    page.add_init_script(
        "addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )

    def said(message: Any) -> None:
        refused = _REFUSED.search(message.text)
        if message.type in ("error", "warning") and not (refused and int(refused[1]) in tab.refusals):
            tab.complaints.append(f"{message.type}: {message.text} {message.location.get('url')}")

    def asked(request: Any) -> None:
        if not request.url.startswith((f"{tab.address}/", f"blob:{tab.address}/", "data:")):
            tab.complaints.append(f"asked elsewhere: {request.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: tab.complaints.append(f"error: {error}"))
    page.on("request", asked)
    page.on("dialog", lambda dialog: tab.complaints.append(f"dialog: {dialog.message}"))


def picture_file(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)
