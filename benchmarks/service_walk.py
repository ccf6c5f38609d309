"""The way of a new user, from the installation to a named face on the page, with the time of each step.

    python benchmarks/service_walk.py [--gallery postgresql://...] [--workers 4] [--picture docs/service-page.png]

In a fresh virtual environment and home folder: `pip install '.[serve]'`, `multiface serve start`, the printed link in
Chromium, three drawn pictures of Ada enrolled on the page, and a picture of her and a stranger recognised. With
--workers a program asks twelve times on connections of its own, a second after she was enrolled: every process has to
know her. Times are seconds from the start. Needs playwright and /usr/bin/chromium.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.drawn_faces import drawn_face, group_of

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gallery", help="a database without a gallery (default: the user's own file)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="where to write the last picture of the page")
    asked = parser.parse_args()
    began = time.monotonic()

    def done(step: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {step}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for take in range(3):
            Image.fromarray(drawn_face("ada", take)).save(place / f"ada{take}.jpg", quality=95)
        party = place / "party.jpg"
        Image.fromarray(group_of(drawn_face("ada", 7), drawn_face("cleo", 3))).save(party, quality=95)
        venv.create(place / "venv", with_pip=True)
        extras = "serve,postgres" if asked.gallery else "serve"
        pip = [place / "venv/bin/pip", "install", "--quiet", f"{ROOT}[{extras}]"]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        done(f"pip install '.[{extras}]'")
        (place / "home").mkdir()
        more = ["--gallery", asked.gallery] if asked.gallery else []
        service = subprocess.Popen(
            [place / "venv/bin/multiface", "serve", "start", "--port", "0", "--workers", str(asked.workers), *more],
            env=os.environ | {"HOME": str(place / "home")},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert service.stdout is not None
            service.stdout.readline()
            link = service.stdout.readline().split()[0]
            address = link.partition("#")[0]
            while True:
                try:
                    httpx.get(f"{address}livez")
                    break
                except httpx.HTTPError:
                    time.sleep(0.05)
            done("multiface serve start: the link is printed, and answered")
            browse(link, place, party, asked.picture, done)
            if asked.workers > 1:
                every_worker_knows(place, address, asked.gallery, party)
                done(f"asked twelve times, {asked.workers} workers: known each time")
        finally:
            service.terminate()
            service.wait(60)


def browse(link: str, place: Path, party: Path, picture: Path | None, done: object) -> None:
    """On the page."""
    assert callable(done)
    address = link.partition("#")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1100, "height": 620}).new_page()
        page.goto(link)
        page.wait_for_selector("nav")
        done("signed in")
        page.goto(f"{address}#/enrol")
        page.wait_for_selector("input[type=file]", state="attached")
        page.get_by_role("combobox").or_(page.get_by_role("textbox")).first.fill("Ada")
        page.set_input_files("input[type=file]", [str(place / f"ada{take}.jpg") for take in range(3)])
        page.locator("input[type=checkbox]:checked").nth(2).wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Save these").click()
        page.get_by_text("pictures of Ada saved").wait_for()
        done("three pictures of Ada enrolled")
        page.goto(f"{address}#/recognise")
        page.wait_for_selector("input[type=file]", state="attached")
        page.set_input_files("input[type=file]", str(party))
        page.get_by_text("2 faces, 1 known.").wait_for()
        done("she is named in another picture, and the stranger is not")
        if picture is not None:
            page.wait_for_timeout(700)
            page.screenshot(path=str(picture))
        browser.close()


def every_worker_knows(place: Path, address: str, gallery: str | None, party: Path) -> None:
    """Ask on connections of their own, a second after the enrolment."""
    more = ["--gallery", gallery] if gallery else []
    made = subprocess.run(
        [place / "venv/bin/multiface", "serve", "keys", "new", "walk", *more],
        env=os.environ | {"HOME": str(place / "home")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    time.sleep(1.0)
    headers = {"Authorization": f"Bearer {made.stdout.strip()}", "Content-Type": "image/jpeg"}
    for _ in range(12):
        answer = httpx.post(f"{address}v1/identify", content=party.read_bytes(), headers=headers, timeout=60)
        names = [face["name"] for face in answer.json()["pictures"][0]["faces"]]
        if sorted(names, key=str) != ["Ada", None]:
            raise SystemExit(f"a worker answers {names}")


if __name__ == "__main__":
    main()
