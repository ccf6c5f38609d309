"""Signing in and out, as a browser does."""

from multiface.gallery.service import access_keys
from tests.serve.conftest import key_for
from tests.serve.page.conftest import Open, Tab, link_of


def test_a_link_signs_in_and_is_gone_from_the_address(new_tab: Open) -> None:
    tab = new_tab(signed=False)
    page = tab.page
    link = link_of(tab.gallery)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url + str(request.headers)))
    page.goto(f"{tab.address}/#link={link}")
    page.wait_for_selector("h1:has-text('Recognise')")
    assert link not in page.url and not any(link in one for one in asked)
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "multiface"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""

    other = new_tab(signed=False)
    other.refusals.add(401)
    other.page.goto(f"{tab.address}/#link={link}")
    other.page.wait_for_selector("text=his link was used already")


def test_a_key_signs_in_and_shows_what_it_is_for(new_tab: Open) -> None:
    tab = new_tab(signed=False)
    page = tab.page
    page.goto(tab.address)
    page.wait_for_selector("h1:has-text('Sign in')")
    assert page.title().startswith("Sign in ")
    tab.refusals.add(401)
    page.get_by_label("Or a key").fill("mf_wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]:has-text('There is no such key')")
    text = key_for(tab.gallery, "recognise")
    page.get_by_label("Or a key").fill(text)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#nav a")
    assert page.locator("#nav a").all_inner_texts() == ["Recognise", "Settings"]
    # A screen that the key is not for leads to one that it is for.
    tab.open("people")
    page.wait_for_selector("h1:has-text('Recognise')")

    with tab.gallery.database.writing() as connection:
        access_keys.revoke_key(connection, text.split("_")[1], "here")
    page.set_input_files(
        "input[type=file]", {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.wait_for_selector("h1:has-text('Sign in')")
    page.wait_for_selector("text=Your session has ended")


def test_signing_out(tab: Tab) -> None:
    page = tab.open("settings")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("h1:has-text('Sign in')")
    page.reload()
    page.wait_for_selector("h1:has-text('Sign in')")
    assert not [one for one in page.context.cookies() if one["name"] == "multiface"]
