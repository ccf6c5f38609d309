"""HTTP itself: what no client may do to a service, and what its answers never hold."""

import socket
import threading
import time

import httpx
import pytest

from multiface import Gallery
from multiface.serve import ending_server
from tests.serve.conftest import Client

JSON = {"Content-Type": "application/json"}


def test_no_text_that_a_client_sends_is_a_fault_of_the_service(client: Client) -> None:
    admin = client("admin")
    for path in ("/v1/people?q=%00", "/v1/people?cursor=0:%00", "/v1/jobs/%00"):
        answer = admin.get(path)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:multiface:invalid"), path
    for body in (rb'{"name": "x", "scopes": ["\ud800"]}', rb'{"name": "x", "\ud800": 1}'):
        answer = admin.post("/v1/keys", content=body, headers=JSON)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_no_error_says_where_the_gallery_lies(client: Client, gallery: Gallery) -> None:
    admin = client("admin")
    for method, path in (
        ("POST", "/v1/changes/123456/undo"),
        ("DELETE", "/v1/keys/x"),
        ("DELETE", "/v1/strangers/5"),
    ):
        answer = admin.request(method, path)
        assert answer.status_code == 404 and str(gallery.path.parent) not in answer.text, answer.text


def test_a_wrong_method_is_told_the_right_ones(client: Client) -> None:
    assert client("admin").put("/v1/people").headers["allow"] == "GET, POST"
    assert client("admin").put("/livez").headers["allow"] == "GET"


def test_a_page_that_a_proxy_packed_is_not_sent_again(address: str) -> None:
    tag = httpx.get(f"{address}/").headers["etag"]
    for asked, status in ((tag, 304), (f"W/{tag}", 304), (f'"x", {tag}', 304), ('"x"', 200)):
        assert httpx.get(f"{address}/", headers={"If-None-Match": asked}).status_code == status


def test_methods_that_there_are_not_are_one_in_the_figures(client: Client) -> None:
    admin = client("admin")
    for number in range(20):
        assert admin.request(f"FOO{number}", "/livez").status_code == 405
    assert "FOO" not in admin.get("/metrics").text


def test_json_has_at_most_a_megabyte(address: str) -> None:
    """Twenty would stand still everybody else for seconds, whoever sends them."""
    answer = httpx.post(f"{address}/v1/session", content=b"[" + b"[]," * 400_000 + b"1]", headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:multiface:body_too_large")


def test_a_connection_without_a_request_is_closed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending_server, "HEADER_SECONDS", 1.0)
    host, _, port = address.removeprefix("http://").partition(":")
    silent, slow = (socket.create_connection((host, int(port)), timeout=10) for _ in range(2))
    with silent, slow:
        ended = threading.Event()

        def drip() -> None:
            try:
                while not ended.wait(0.2):
                    slow.send(b"G")
            except OSError:
                pass

        thread = threading.Thread(target=drip)
        thread.start()
        started = time.monotonic()
        assert silent.recv(1) == b"" and slow.recv(1) == b""
        assert time.monotonic() - started < 8
        ended.set()
        thread.join()
    assert httpx.get(f"{address}/livez").status_code == 200
