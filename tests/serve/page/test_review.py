"""Albums, their photos, and the review of unknown people, which a keyboard alone can do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface import Recognizer, RecognizerSettings
from multiface.album import Album
from multiface.recognition.demo import PORTRAIT
from tests.album.test_scanning import save, stretched, with_a_beard
from tests.drawn_faces import drawn_face, group_of
from tests.serve.conftest import encoded
from tests.serve.page.conftest import Tab


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of Ada, Bob and of Cleo, who is not known; Eileen is in one."""
    folder = tmp_path_factory.mktemp("photos")
    save(folder / "1.jpg", group_of(drawn_face("ada", 5), drawn_face("bob", 4)), "2023:04:01 10:00:00")
    save(folder / "2.jpg", group_of(drawn_face("ada", 6), drawn_face("cleo")), "2023:04:03 10:00:00")
    save(folder / "3.jpg", stretched("cleo"), "2024:01:03 10:00:00")
    save(folder / "4.jpg", with_a_beard("cleo"), "2024:06:03 10:00:00")
    save(folder / "5.jpg", np.asarray(PIL.Image.open(PORTRAIT).convert("RGB")), "2025:06:05 10:00:00")
    return folder


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """It knows Ada and Bob."""
    file = tmp_path_factory.mktemp("review") / "g.sqlite"
    with Recognizer(gallery=file, create=True, settings=RecognizerSettings(threads=2, rate=0.001)) as opened:
        for name in ("ada", "bob"):
            opened.enroll(name.title(), [encoded(drawn_face(name, take)) for take in range(2)], True)
        yield opened


@pytest.fixture
def scanned(recognizer: Recognizer, folder: Path) -> Iterator[Album]:
    """The album, as it is after a scan; what a test did is undone."""
    album = Album(recognizer)
    album.scan([folder])
    gallery = recognizer.gallery
    assert gallery is not None
    before = gallery.changes(most=1)[0].id
    yield album
    for one in gallery.changes(most=100):
        if one.id > before and one.can_be_undone:
            gallery.undo(one.id)


def test_a_folder_is_added_and_searched(tab: Tab, folder: Path) -> None:
    page = tab.open("albums")
    page.get_by_role("button", name="Add a folder").click()
    page.get_by_label("Folder on the service").fill(str(folder))
    page.keyboard.press("Enter")
    tab.notice("The photos were scanned.")
    page.wait_for_selector(".photos img")
    assert page.locator("#screen h2").all_inner_texts()[2:] == [
        "April 2023",
        "January 2024",
        "June 2024",
        "June 2025",
    ]

    def chosen(name: str) -> None:
        page.get_by_label("Who is in it?").fill(name)
        page.get_by_role("option", name=name).click()

    chosen("Ada")
    page.wait_for_selector("text=2 photos")
    page.get_by_label("only them").check()
    page.wait_for_selector("text=No photo matches.")
    page.get_by_label("all of them").check()
    chosen("Bob")
    page.wait_for_selector("text=1 photo")
    assert page.locator(".photos img").get_attribute("alt") == "Photo of Apr 1, 2023: Ada, Bob"
    page.get_by_label("any of them").check()
    page.wait_for_selector("text=2 photos")
    page.get_by_label("To", exact=True).fill("2023-04-02")
    page.wait_for_selector("text=1 photo")


def test_a_missed_face_is_drawn_with_keys(tab: Tab, scanned: Album) -> None:
    (hit,) = scanned.find(since="2025-01-01")
    page = tab.open(f"photo/{hit.picture}")
    page.get_by_role("button", name="Mark a missed face").click()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "+", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("combobox").fill("Somebody")
    page.get_by_role("option", name="Somebody").click()
    page.get_by_role("button", name="Save").click()
    tab.notice("Named Somebody.")
    page.wait_for_selector(".face .who:has-text('Somebody')")
    (now,) = scanned.find(since="2025-01-01")
    (drawn,) = [face for face in now.faces if face.by_hand]
    middle = (drawn.box[0] + drawn.box[2]) / 2, (drawn.box[1] + drawn.box[3]) / 2
    assert middle[0] < hit.width / 2 and middle[1] < hit.height / 2
    page.locator(".notice").get_by_role("button", name="Undo").click()
    tab.notice("Undone.")


def test_a_face_is_corrected(tab: Tab, scanned: Album) -> None:
    (hit,) = scanned.find("Bob")
    page = tab.open(f"photo/{hit.picture}")
    row = page.locator(".face:has-text('Bob')")
    row.get_by_role("button", name="Not this person").click()
    tab.notice("Noted: not this person.")
    assert scanned.find("Bob") == ()
    page.wait_for_selector(".face:has-text('unknown')")
    page.locator(".face:has-text('unknown')").get_by_role("button", name="Ignore").click()
    tab.notice("Ignored.")
    page.wait_for_selector("text=1 ignored")


def test_review_by_keyboard_alone(tab: Tab, scanned: Album) -> None:
    page = tab.open("review")
    page.wait_for_selector("section h2:has-text('Unknown')")
    key = page.keyboard.press

    key("n")
    page.keyboard.type("Cleo")
    page.wait_for_selector("[role=option]:has-text('new person')")
    key("ArrowDown")
    key("Enter")
    key("Enter")
    tab.notice("Named Cleo.")
    page.wait_for_selector("text=No unknown people are left.")
    assert len(scanned.find("Cleo")) == 3
    key("u")
    tab.notice("Undone.")
    page.wait_for_selector("section h2:has-text('Unknown')")
    assert [len(one.faces) for one in scanned.groups()] == [3]

    key("i")
    tab.notice("Ignored.")
    page.wait_for_selector("text=No unknown people are left.")
    key("u")
    page.wait_for_selector("section h2:has-text('Unknown')")

    # A face is taken out: Tab leads from the heading to the first face, space chooses it.
    page.locator("section h2").focus()
    key("Tab")
    assert page.evaluate("document.activeElement.className") == "pick"
    key("Space")
    key("s")
    tab.notice("Taken out")
    page.wait_for_selector("text=Seen 2 times")
    assert sorted(len(one.faces) for one in scanned.groups()) == [1, 2]

    key("m")
    page.wait_for_selector("dialog")
    key("Enter")
    tab.notice("The two unknown people were merged.")
    assert [len(one.faces) for one in scanned.groups()] == [3]

    key("?")
    page.wait_for_selector("dialog:has-text('take the chosen faces out')")
    page.get_by_label("Use these keys").uncheck()
    tab.leave_dialog()
    key("n")
    assert page.locator("dialog").count() == 0
    key("?")
    page.get_by_label("Use these keys").check()


def test_the_nearest_person_is_or_is_not(tab: Tab, scanned: Album) -> None:
    (group,) = scanned.groups()
    assert group.near is not None
    page = tab.open("review")
    page.wait_for_selector(f"text=Closest is {group.near.person.name}")
    page.keyboard.press("b")
    tab.notice(f"Named {group.near.person.name}.")
    page.keyboard.press("u")
    tab.notice("Undone.")
    page.wait_for_selector(f"text=Closest is {group.near.person.name}")
    page.keyboard.press("x")
    tab.notice("Noted: not this person.")
    assert scanned.groups()[0].near != group.near


def test_all_strangers_of_a_photo_are_ignored(tab: Tab, scanned: Album, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    save(folder / "both.jpg", group_of(stretched("cleo"), drawn_face("dora")), "2026:01:01 10:00:00")
    scanned.scan([folder])
    (hit,) = scanned.find(since="2026-01-01")
    page = tab.open(f"photo/{hit.picture}")
    page.get_by_role("button", name="Ignore all who are unknown").click()
    tab.notice("Ignored.")
    page.wait_for_selector("text=2 ignored")
    page.locator(".notice").get_by_role("button", name="Undo").click()
    tab.notice("Undone.")
    scanned.forget(folder)


def test_single_faces(tab: Tab, scanned: Album) -> None:
    page = tab.open("review")
    page.get_by_role("button", name="Single faces").click()
    page.wait_for_selector("#screen .tile")
    assert page.locator(".tile").count() == len(scanned.single_faces()) == 1
    page.get_by_role("button", name="Name").click()
    page.get_by_role("combobox").fill("Eileen")
    page.get_by_role("option", name="Eileen").click()
    page.get_by_role("button", name="Save").click()
    tab.notice("Named Eileen.")
    page.wait_for_selector("text=No single faces are left.")
    assert len(scanned.find("Eileen")) == 1
