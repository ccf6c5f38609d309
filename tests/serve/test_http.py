"""HTTP itself: what no client may do to a service, and what its answers never hold."""

import socket
import threading
import time
from contextlib import ExitStack, suppress

import httpx
import pytest

from multiface import Gallery, Recognizer
from multiface.serve import ending_server, guard
from multiface.serve.serve_settings import ServeSettings
from tests.serve.conftest import Client, key_for, serving

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
    assert client("admin").put("/v1/people").headers["allow"] == "GET, HEAD, POST"
    assert client("admin").put("/livez").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/livez", "/openapi.json", "/v1/people", "/v1/jobs?limit=5"])
def test_head_is_answered_like_get_without_the_body(client: Client, path: str) -> None:
    admin = client("admin")
    got, asked = admin.get(path), admin.head(path)
    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("content-type", "content-length", "etag"):
        assert asked.headers.get(name) == got.headers.get(name)
    assert client("recognise").head("/v1/people").status_code == 403


def test_head_of_a_stream_ends(client: Client) -> None:
    answer = client("admin").head("/v1/events/stream", timeout=10)
    assert (answer.status_code, answer.headers["content-type"][:17]) == (200, "text/event-stream")


def test_bodies_are_bounded_all_together(
    recognizer: Recognizer, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three who send 60 kB each and do not go on; 150 kB are taken in all. When they have left there is room again."""
    monkeypatch.setattr(guard, "_MOST_AT_ONCE", 2)
    settings, key = ServeSettings(rate=0.001, largest_body=75_000), key_for(gallery, "recognise")
    with serving(recognizer, settings) as address, ExitStack() as stack:
        host, _, port = address.removeprefix("http://").partition(":")
        answers = []
        for _ in range(3):
            slow = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
            slow.sendall(
                f"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
                "Content-Type: image/jpeg\r\nContent-Length: 70000\r\n\r\n".encode()
                + bytes(60_000)
            )
            slow.settimeout(1.0)
            with suppress(TimeoutError):
                answers.append(slow.recv(1000))
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 503"]
        assert b"Retry-After" in answers[0] or b"retry-after" in answers[0]
        stack.close()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "image/jpeg"}
        until = time.monotonic() + 10
        while (
            answer := httpx.post(f"{address}/v1/detect", content=bytes(70_000), headers=headers)
        ).status_code == 503:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert answer.status_code == 422


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
