"""Pictures dropped, pasted, chosen, and from a camera; what is said of each face; "this is ..."."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiface.recognition.demo import PORTRAIT
from tests.drawn_faces import drawn_face, group_of
from tests.serve.conftest import encoded
from tests.serve.page.conftest import HOSTILE, RIGHT_TO_LEFT, Tab, picture_file

_FILE = """
    const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "given.jpg", { type: "image/jpeg" }));
"""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[str]:
    """Ada, a hostile name and one from right to left."""
    picture = group_of(drawn_face("ada", 5), drawn_face("bob", 4), drawn_face("dora", 3))
    yield picture_file(tmp_path, "group.jpg", encoded(picture))


def test_names_boxes_and_reasons(tab: Tab, group: str) -> None:
    page = tab.open("recognise")
    page.set_input_files("input[type=file]", [group])
    page.wait_for_selector("article:not([aria-busy]) .face")
    names = page.locator("article .who").all_inner_texts()
    assert sorted(names) == sorted(["Ada", HOSTILE, RIGHT_TO_LEFT])
    assert "3 faces, 3 known." in page.locator("article").inner_text()
    assert page.locator("article .box").count() == 3
    box = page.locator("article .box").first.bounding_box()
    frame = page.locator("article .picture").bounding_box()
    assert frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    assert "which about 1 in 100 strangers reach" in page.locator("article").inner_text()
    assert page.locator("article .who bdi").count() == 3
    assert page.evaluate("document.images.length") < 8 and page.locator("article script").count() == 0


def test_dropped_and_pasted(tab: Tab) -> None:
    page = tab.open("recognise")
    content = base64.b64encode(encoded(drawn_face("ada", 5))).decode()
    page.evaluate(
        f"(content) => {{ {_FILE} for (const kind of ['dragenter', 'dragover', 'drop']) "
        "document.querySelector('main').dispatchEvent(new DragEvent(kind, "
        "{ dataTransfer: transfer, bubbles: true, cancelable: true })) }",
        content,
    )
    page.wait_for_selector("article:not([aria-busy]) .face")
    page.evaluate(
        f"(content) => {{ {_FILE} document.body.dispatchEvent(new ClipboardEvent('paste', "
        "{ clipboardData: transfer, bubbles: true, cancelable: true })) }",
        content,
    )
    page.wait_for_selector("article:nth-of-type(2) .face")
    page.wait_for_selector("article:nth-of-type(1):not([aria-busy]) .face")
    assert page.locator("article .who").all_inner_texts() == ["Ada", "Ada"]


def test_a_file_that_is_no_picture(tab: Tab, tmp_path: Path) -> None:
    tab.refusals.add(422)
    page = tab.open("recognise")
    page.set_input_files("input[type=file]", [picture_file(tmp_path, "a.jpg", b"no picture")])
    page.wait_for_selector("article [role=alert]")
    assert page.locator("article [role=alert]").inner_text().strip()


def test_this_is(tab: Tab) -> None:
    """A stranger gets a name, is known then, and after undo is unknown again."""
    page = tab.open("recognise")
    page.set_input_files("input[type=file]", [str(PORTRAIT)])
    page.get_by_role("button", name="This is …").click()
    field = page.get_by_role("combobox")
    field.fill("Eileen")
    page.get_by_role("option", name="Eileen").click()
    page.get_by_role("button", name="Save").click()
    tab.notice("The face was added to Eileen")
    page.set_input_files("input[type=file]", [str(PORTRAIT)])
    page.wait_for_selector("article:first-child .who:has-text('Eileen')")
    page.locator(".notice").get_by_role("button", name="Undo").click()
    tab.notice("Undone.")
    page.set_input_files("input[type=file]", [str(PORTRAIT)])
    page.wait_for_selector("article:nth-child(1):not([aria-busy]) .who:has-text('unknown')")


def test_the_camera_is_on_only_while_it_is_shown(tab: Tab) -> None:
    page = tab.open("recognise")
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector("text=No face in sight")
    page.get_by_role("button", name="Take a picture").click()
    page.wait_for_selector("article:has-text('No face was found')")
    page.evaluate("window.kept = document.querySelector('video').srcObject.getTracks()[0]")
    assert page.evaluate("kept.readyState") == "live"
    tab.open("people")
    page.wait_for_selector(".tile")
    assert page.evaluate("kept.readyState") == "ended"
