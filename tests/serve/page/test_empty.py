"""Before anybody is enrolled: every screen says what to do, and nothing complains."""

from collections.abc import Iterator

import pytest

from multiface import Recognizer, RecognizerSettings
from tests.serve.page.conftest import Tab

SCREENS = {
    "people": "Nobody is enrolled yet",
    "review": "No unknown people are left",
    "albums": "There is no folder yet",
    "sure": "Nobody is enrolled yet",
    "privacy": "Nothing in the last 30 days",
    "settings": "No keys yet",
}


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """Of an empty gallery."""
    file = tmp_path_factory.mktemp("empty") / "g.sqlite"
    with Recognizer(gallery=file, create=True, settings=RecognizerSettings(threads=2, rate=0.01)) as opened:
        yield opened


def test_every_screen_of_an_empty_gallery(tab: Tab) -> None:
    for screen, words in SCREENS.items():
        tab.open(screen).wait_for_selector(f"text={words}")
        assert "undefined" not in tab.page.evaluate("document.body.innerText"), screen


def test_a_key_is_made_shown_once_and_revoked(tab: Tab) -> None:
    page = tab.open("settings")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("What it is for").fill("door")
    page.get_by_role("button", name="Make the key").click()
    assert page.get_by_label("Key", exact=True).input_value().startswith("mf_")
    page.get_by_role("button", name="I have saved it").click()
    page.get_by_role("button", name="Revoke door").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    page.wait_for_selector("text=revoked")
    assert "mf_" not in page.locator("main").inner_text()


def test_a_backup_is_made(tab: Tab) -> None:
    page = tab.open("settings")
    page.get_by_role("button", name="Make a backup").click()
    with page.expect_download() as loading:
        page.get_by_role("link", name="Download").click()
    assert loading.value.suggested_filename == "people.mfgallery"


def test_a_service_that_does_not_answer(tab: Tab) -> None:
    page = tab.open("people")
    page.wait_for_selector("text=Nobody is enrolled yet")
    page.context.set_offline(True)
    page.get_by_label("Search by name").fill("x")
    page.wait_for_selector("[role=alert]:has-text('The service does not answer')")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("text=Nobody is called x")
    assert tab.complaints and all("ERR_INTERNET_DISCONNECTED" in one for one in tab.complaints)
    tab.complaints.clear()
