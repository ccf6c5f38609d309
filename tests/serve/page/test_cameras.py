"""The screen of cameras: one is added, seen live, paused and removed."""

from tests.serve.cameras import FilmServer, camera_processes, until
from tests.serve.page.conftest import Tab


def test_a_camera_from_beginning_to_end(tab: Tab, film_server: FilmServer) -> None:
    page = tab.open("cameras")
    page.get_by_role("button", name="Add a camera").click()
    page.get_by_label("Name").fill("door")
    page.get_by_label("Address").fill(film_server.address)
    page.get_by_label("Keep unknown people").fill("2")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=unknown people kept for 2 days")
    page.get_by_label("Tell me about unknown people").check()
    page.wait_for_selector(".state.running:has-text('live')")
    page.wait_for_selector("h3:has-text('door') + .state.running")
    page.wait_for_selector("ol li:has-text('left door')")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector("text=paused")
    until(lambda: not camera_processes(), 3)
    page.get_by_role("button", name="Resume").click()
    page.wait_for_selector("h3:has-text('door') + .state.running")
    page.get_by_role("button", name="Remove").click()
    page.locator("dialog").get_by_role("button", name="Remove").click()
    page.wait_for_selector("text=No camera yet.")
    until(lambda: not camera_processes(), 3)
