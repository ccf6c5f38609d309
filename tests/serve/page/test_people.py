"""People: the grid, search, a person, enrolment with hints, merging, removing."""

import zipfile
from pathlib import Path

from tests.drawn_faces import drawn_face, group_of
from tests.serve.conftest import encoded
from tests.serve.page.conftest import HOSTILE, RIGHT_TO_LEFT, Tab, picture_file


def test_the_grid_and_search(tab: Tab) -> None:
    page = tab.open("people")
    page.wait_for_selector(".tile")
    assert page.locator(".tile .name").all_inner_texts() == [HOSTILE, "Ada", RIGHT_TO_LEFT]
    page.wait_for_selector(".crop[style*=blob]")
    asked = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert len([one for one in asked if "/v1/sprites/people" in one]) == 1
    page.get_by_label("Search by name").press_sequentially("ad")
    page.wait_for_selector("text=1 shown.")
    assert page.locator(".tile .name").all_inner_texts() == ["Ada"]
    page.get_by_label("Search by name").fill("nobody at all")
    page.wait_for_selector("text=Nobody is called nobody at all")
    page.get_by_role("link", name="Enrol this name").click()
    page.wait_for_selector("h1:has-text('Enrol')")
    assert page.get_by_label("Who is it?").input_value() == "nobody at all"


def test_a_name_that_looks_like_markup_stays_a_name(tab: Tab) -> None:
    page = tab.open("people")
    page.locator(".tile").first.click()
    page.wait_for_selector("h1 bdi")
    assert page.locator("h1").inner_text() == HOSTILE and page.title().startswith(HOSTILE)
    assert page.locator("main script").count() == 0 and page.locator("main img[src=x]").count() == 0


def test_enrolment_says_what_is_wrong_before_anything_is_kept(tab: Tab, tmp_path: Path) -> None:
    page = tab.open("enrol")
    field = page.get_by_label("Who is it?")
    field.fill("Cleo")
    page.get_by_role("option", name="Cleo").click()
    files = [
        picture_file(tmp_path, "good.jpg", encoded(drawn_face("cleo", 1))),
        picture_file(tmp_path, "known.jpg", encoded(drawn_face("ada", 7))),
        picture_file(tmp_path, "two.jpg", encoded(group_of(drawn_face("cleo", 2), drawn_face("bob", 7)))),
        picture_file(tmp_path, "none.png", encoded(drawn_face("cleo")[:20, :20], "PNG")),
    ]
    page.set_input_files("input[type=file]", files)
    page.wait_for_selector("li:has-text('none.png') >> text=No face was found")
    rows = dict(zip(("good", "known", "two", "none"), page.locator("section .lines > li").all(), strict=True))
    assert "Good." in rows["good"].inner_text()
    assert "This is recognised as Ada" in rows["known"].inner_text()
    assert "2 faces" in rows["two"].inner_text()
    assert [row.get_by_role("checkbox").is_checked() for row in rows.values()] == [True, True, True, False]
    rows["known"].get_by_role("checkbox").uncheck()
    rows["two"].get_by_role("checkbox").uncheck()
    assert not [one for one in tab.gallery.people_page(10) if one.name == "Cleo"]
    page.get_by_role("button", name="Save these pictures").click()
    tab.notice("1 picture of Cleo saved")
    (cleo,) = [one for one in tab.gallery.people_page(10) if one.name == "Cleo"]
    assert cleo.templates == 1

    page.goto(f"{tab.address}/#/enrol?person={cleo.id}")
    page.wait_for_selector("h1:has-text('Add pictures')")
    page.set_input_files("input[type=file]", files[1])
    page.wait_for_selector("text=This is recognised as Ada")
    tab.gallery.remove(cleo.id)


def test_the_camera_says_what_to_do_better(tab: Tab) -> None:
    page = tab.open("enrol")
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector("text=No face was found.")


def test_a_person_is_edited_merged_and_removed(tab: Tab) -> None:
    first = tab.gallery.people_page(1, part="ada")[0]
    page = tab.open(f"person/{first.id}")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Groups").fill("staff, night")
    page.get_by_label("Note").fill("<b>likes numbers</b>")
    page.get_by_role("button", name="Save").click()
    tab.notice("Saved.")
    page.wait_for_selector(".tag:has-text('night')")
    assert page.locator("text=<b>likes numbers</b>").count() == 1

    with page.expect_download() as loading:
        page.get_by_role("button", name="Export").click()
    assert zipfile.is_zipfile(loading.value.path())

    page.get_by_role("button", name="Merge").click()
    page.get_by_label("The other person").fill("script")
    page.get_by_role("option").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    tab.notice("The two people were merged.")
    assert tab.gallery.person(first.id).templates == 4
    page.locator(".notice:has-text('were merged')").get_by_role("button", name="Undo").click()
    tab.notice("Undone.")
    assert tab.gallery.person(first.id).templates == 2

    other = tab.gallery.people_page(1, part="script")[0]
    tab.open(f"person/{other.id}")
    page.get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    assert "Vectors of faces: 2" in dialog.inner_text()
    dialog.get_by_role("button", name="Remove for good").click()  # nothing: it was not said to be sure
    assert tab.gallery.person(other.id).templates == 2
    dialog.get_by_label("I am sure").check()
    dialog.get_by_role("button", name="Remove for good").click()
    tab.notice("The person was removed.")
    assert [one.name for one in tab.gallery.people_page(10)] == ["Ada", RIGHT_TO_LEFT]
