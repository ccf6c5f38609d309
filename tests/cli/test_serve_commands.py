"""`serve start` as a process of its own, and `serve keys`."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.drawn_faces import drawn_face, save_people
from tests.serve.conftest import encoded

Call = Callable[..., Any]


def test_the_whole_way(
    call: Call,
    start: Callable[..., "subprocess.Popen[str]"],
    first_line: Callable[["subprocess.Popen[str]"], str],
    tmp_path: Path,
) -> None:
    """Gallery, key, server, a face named; Ctrl-C ends it with 0."""
    gallery = ("--gallery", tmp_path / "g.sqlite")
    assert call("facebank", save_people(tmp_path / "people", {"ada": 2, "bob": 2}), *gallery).code == 0
    made = call("serve", "keys", "new", "door", "--scope", "recognise", *gallery, "--json").document()
    assert made["scopes"] == ["recognise"] and made["key"].startswith(f"mf_{made['id']}_")
    process = start("serve", "start", "--port", "0", *gallery)
    address = first_line(process).split()[0]
    assert address.startswith("http://127.0.0.1:") and address.endswith("/v1")
    assert process.stdout is not None
    page, _, link = process.stdout.readline().split()[0].partition("#link=")
    assert f"{page}v1" == address
    signed = httpx.post(
        f"{address}/session", json={"link": link}, headers={"Origin": page.rstrip("/"), "X-MultiFace": "page"}
    )
    assert signed.status_code == 201
    # Another link, without another start.
    other, _, link = (
        call("serve", "link", "--address", page, *gallery, "--json").document()["page"].partition("#link=")
    )
    session = {"json": {"link": link}, "headers": {"Origin": page.rstrip("/"), "X-MultiFace": "page"}}
    assert other == page and httpx.post(f"{address}/session", **session).status_code == 201
    again = httpx.post(f"{address}/session", **session)
    assert again.status_code == 401 and "multiface serve link" in again.json()["detail"]
    headers = {"Authorization": f"Bearer {made['key']}", "Content-Type": "image/jpeg"}
    answer = httpx.post(
        f"{address}/identify", content=encoded(drawn_face("ada", 4)), headers=headers, timeout=60
    )
    assert answer.json()["pictures"][0]["faces"][0]["name"] == "ada"

    listed = call("serve", "keys", "list", *gallery, "--json").document()["keys"]
    assert [(one["name"], one["used"] is None) for one in listed] == [("door", False)]
    assert call("serve", "keys", "revoke", made["id"], *gallery).code == 0
    again = httpx.post(f"{address}/identify", content=b"", headers=headers)
    assert again.status_code == 401
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 130), err
    assert "Traceback" not in err and made["key"] not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "in the open"),
        (("--host", "0.0.0.0", "--behind-proxy", "--no-keys"), "keys are needed"),
        (("--tls-cert", "x.pem"), "belong together"),
    ],
)
def test_nothing_open_by_accident(call: Call, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = call("serve", "start", *arguments, "--gallery", tmp_path / "g.sqlite")
    assert done.code == 2 and words in done.err


def test_a_link_leads_to_an_address(call: Call, tmp_path: Path) -> None:
    gallery = ("--gallery", tmp_path / "g.sqlite")
    assert call("serve", "link", *gallery).code == 3
    assert call("facebank", save_people(tmp_path / "people", {"ada": 2, "bob": 2}), *gallery).code == 0
    assert call("serve", "link", *gallery).out.startswith("http://127.0.0.1:8410/#link=")
    done = call("serve", "link", "--address", "faces.example", *gallery)
    assert done.code == 2 and "https://faces.example/" in done.err


def test_keys_that_cannot_be(call: Call, tmp_path: Path) -> None:
    gallery = ("--gallery", tmp_path / "g.sqlite")
    assert call("serve", "keys", "new", "x", *gallery).code == 3  # no gallery
    assert call("facebank", save_people(tmp_path / "people", {"ada": 1}), *gallery).code == 0
    assert call("serve", "keys", "new", "x", "--scope", "all", *gallery).code == 2
    assert call("serve", "keys", "new", "x", "--days", "0", *gallery).code == 2
    assert call("serve", "keys", "revoke", "nothing", *gallery).code == 3
