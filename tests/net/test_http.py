"""Requests against a real server: whose proxies they take, what is logged of them, where redirects may lead."""

import http.server
import logging
import threading
from collections.abc import Iterator

import httpx
import pytest

from multiface.net.http import Refused, asked, exchanged

PATIENCE = httpx.Timeout(5.0)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET; one of `/to/ADDRESS` with a redirect."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        to = self.path.partition("/to/")[2]
        self.send_response(302 if to else 200)
        self.send_header("Location" if to else "X-Nothing", to)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None: ...


class Server(http.server.ThreadingHTTPServer):
    seen: list[tuple[str, str | None]]

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as one:
        one.seen = []
        threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
        yield one
        one.shutdown()


def body(url: str, **options: bool) -> bytes:
    with asked(url, {}, PATIENCE, **options) as answer:
        return b"".join(answer.iter_raw())


def test_an_answer(server: Server) -> None:
    assert body(f"http://{server.place}/a?b=c#d") == b"ok"
    assert server.seen == [("/a?b=c", None)]


@pytest.mark.parametrize("form", ["http://{}", "{}"])
def test_a_proxy_is_used_where_it_is_asked_for(
    server: Server, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", form.format(server.place))
    assert body("http://elsewhere.invalid/x", proxies=True) == b"ok"
    assert server.seen == [("http://elsewhere.invalid/x", None)]
    with pytest.raises(httpx.ConnectError):
        body("http://elsewhere.invalid/x")
    monkeypatch.setenv("no_proxy", "elsewhere.invalid")
    with pytest.raises(httpx.ConnectError):
        body("http://elsewhere.invalid/x", proxies=True)


def test_a_proxy_that_cannot_be_used_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "gopher://127.0.0.1:1")
    with pytest.raises(Refused, match="the proxy that the environment names cannot be used"):
        body(f"http://{server.place}/", proxies=True)


def test_credentials_are_for_one_request(server: Server) -> None:
    assert body(f"http://us%3Aer:p%40ss@{server.place}/to/http://{server.place}/end") == b"ok"
    assert [path for path, _ in server.seen] == [f"/to/http://{server.place}/end", "/end"]
    assert server.seen[0][1] == "Basic dXM6ZXI6cEBzcw==" and server.seen[1][1] is None


@pytest.mark.parametrize(
    "to", ["ftp://secret@host/", "file:///secret", "javascript:secret", "mailto:secret@host"]
)
def test_redirects_lead_to_web_addresses_alone(server: Server, to: str) -> None:
    with pytest.raises((Refused, httpx.InvalidURL)) as caught:
        body(f"http://{server.place}/to/{to}")
    assert "secret" not in str(caught.value) and len(server.seen) == 1


def test_nothing_secret_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    url = f"http://user:hunter2@{server.place}/t0ken?key=k3y"
    with caplog.at_level(logging.DEBUG), exchanged("GET", url, {}, PATIENCE) as answer:
        assert answer.status_code == 200
    assert caplog.records and not any(secret in caplog.text for secret in ("hunter2", "t0ken", "k3y"))
