"""Downloads against real servers on loopback that lie, truncate, stall, redirect, vanish and come back."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from multiface.errors import DownloadFailed, UsageError, WeightsMissing
from multiface.weights.catalogue import FileEntry, find
from multiface.weights.fetch import Limits, fetch, file_urls, find_in_folder

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Limits(connect=1.0, stall=0.3, slowest=100, tries=3, pause=0.01, redirects=3)


@dataclass
class Exchange:
    """One request as a server got it."""

    path: str
    headers: dict[str, str]
    connection: socket.socket

    def send(self, status: str, body: bytes = b"", **headers: str) -> None:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields.setdefault("Content-Length", str(len(body)))
        lines = [f"HTTP/1.1 {status}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    @property
    def first(self) -> int:
        """First byte of the range that was asked; 0 if none was."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


@dataclass
class Server:
    """Answers each request with `answer`; notes every exchange."""

    answer: Callable[[Exchange], None]
    exchanges: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> "Server":
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/file.onnx"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._exchange, args=(connection,), daemon=True).start()

    def _exchange(self, connection: socket.socket) -> None:
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            head, *lines = request.decode().split("\r\n")
            headers = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines if line)}
            exchange = Exchange(head.split(" ")[1], headers, connection)
            self.exchanges.append(exchange)
            with contextlib.suppress(OSError):
                self.answer(exchange)


def whole(exchange: Exchange) -> None:
    exchange.send("200 OK", CONTENT)


def ranged(exchange: Exchange, content: bytes = CONTENT, etag: str = '"v1"') -> None:
    """A good server: honours Range, and If-Range with the right ETag."""
    if "range" in exchange.headers and exchange.headers.get("if-range", etag) == etag:
        span = f"bytes {exchange.first}-{len(content) - 1}/{len(content)}"
        exchange.send("206 Partial Content", content[exchange.first :], Content_Range=span, ETag=etag)
    else:
        exchange.send("200 OK", content, ETag=etag)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """A target; at the end there is either the whole file there, or nothing."""
    target = tmp_path / "new" / "file.onnx"
    yield target
    assert not target.exists() or target.read_bytes() == CONTENT


def beside(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_good_server(target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with Server(whole) as server:
        fetch([server.url], target, SHA256.upper(), len(CONTENT), lambda *now: seen.append(now), QUICK)
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert len(server.exchanges) == 1, "a file that is there is not fetched again"
    assert beside(target) == ["file.onnx"]
    assert seen[0] == (0, len(CONTENT)) and seen[-1] == (len(CONTENT), len(CONTENT))
    assert [now for now, _ in seen] == sorted(now for now, _ in seen)


def test_size_and_length_unknown(target: Path) -> None:
    with Server(lambda exchange: exchange.send("200 OK", CONTENT, Content_Length="")) as server:
        fetch([server.url], target, SHA256, None, None, QUICK)
    assert target.read_bytes() == CONTENT


def test_wrong_content_is_deleted_and_named(target: Path) -> None:
    wrong = CONTENT[:-1] + b"!"
    with (
        Server(lambda exchange: exchange.send("200 OK", wrong)) as server,
        pytest.raises(DownloadFailed) as error,
    ):
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    message = str(error.value)
    assert SHA256 in message and hashlib.sha256(wrong).hexdigest() in message
    assert "deleted" in message and "file.onnx" in message and server.url in message
    assert beside(target) == []
    assert len(server.exchanges) == 1, "the same wrong file would come again"


@pytest.mark.parametrize("lower", [False, True])
def test_wrong_content_does_not_replace_what_is_there(tmp_path: Path, lower: bool) -> None:
    """lower: whether the hash of what is there is below the one that is wanted."""
    target = tmp_path / "file.onnx"
    files = (b"an older file %d" % number for number in range(100))
    older = next(one for one in files if (hashlib.sha256(one).hexdigest() < SHA256) == lower)
    target.write_bytes(older)
    with Server(lambda exchange: exchange.send("200 OK", b"x" * 10)) as server, pytest.raises(DownloadFailed):
        fetch([server.url], target, SHA256, None, None, QUICK)
    assert target.read_bytes() == older
    with Server(whole) as server:
        fetch([server.url], target, SHA256, None, None, QUICK)
    assert target.read_bytes() == CONTENT


def test_truncated_then_resumed(target: Path) -> None:
    """Each connection breaks after 200 kB; the bytes served over all tries are those of one file."""
    served: list[int] = []

    def answer(exchange: Exchange) -> None:
        rest = CONTENT[exchange.first :]
        headers = {"ETag": '"v1"', "Content_Length": str(len(rest))}
        if exchange.first:
            headers["Content_Range"] = f"bytes {exchange.first}-{len(CONTENT) - 1}/{len(CONTENT)}"
        served.append(len(rest[:200_000]))
        exchange.send("206 Partial Content" if exchange.first else "200 OK", rest[:200_000], **headers)

    with Server(answer) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert sum(served) == len(CONTENT) and len(served) == 3
    assert [exchange.headers.get("if-range") for exchange in server.exchanges] == [None, '"v1"', '"v1"']


def test_resumed_by_a_later_call(target: Path) -> None:
    """The server vanishes in the middle; a later call, after it came back, asks only for the rest."""
    half = len(CONTENT) // 2
    with (
        Server(
            lambda e: e.send("200 OK", CONTENT[:half], ETag='"v1"', Content_Length=str(len(CONTENT)))
        ) as server,
        pytest.raises(DownloadFailed, match=f"{half} bytes are kept"),
    ):
        fetch([server.url], target, SHA256, len(CONTENT), None, Limits(tries=1, pause=0.0))
    assert beside(target) == ["file.onnx.part", "file.onnx.part.json"]
    with pytest.raises(DownloadFailed, match="bytes are kept"):
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    with Server(ranged) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert [exchange.first for exchange in server.exchanges] == [half]
    assert beside(target) == ["file.onnx"]


def test_a_part_of_another_file_is_not_used(target: Path) -> None:
    with (
        Server(lambda e: e.send("200 OK", b"other", Content_Length="99")) as server,
        pytest.raises(DownloadFailed),
    ):
        fetch([server.url], target, "0" * 64, None, None, QUICK)
    with Server(ranged) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert "range" not in server.exchanges[0].headers


def test_the_file_changed_between_tries(target: Path) -> None:
    """If-Range: the server answers with the whole new file, which replaces the old half."""
    old = b"old" * 1000

    def answer(exchange: Exchange) -> None:
        if len(server.exchanges) == 1:
            exchange.send("200 OK", old, ETag='"v0"', Content_Length=str(len(CONTENT)))
        else:
            ranged(exchange)

    with Server(answer) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert server.exchanges[1].headers["if-range"] == '"v0"'
    assert target.read_bytes() == CONTENT


def test_a_part_that_does_not_fit_is_fetched_anew(target: Path) -> None:
    """Without a validator two versions may get mixed; the sha256 tells, and all of it is fetched again."""

    def answer(exchange: Exchange) -> None:
        if len(server.exchanges) == 1:
            exchange.send("200 OK", b"old" * 1000, Content_Length=str(len(CONTENT)))
        else:
            ranged(exchange)

    with Server(answer) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert [exchange.first for exchange in server.exchanges] == [0, 3000, 0]


@pytest.mark.parametrize("answer", ["416", "other range", "later range", "ignored"])
def test_odd_answers_to_a_range(target: Path, answer: str) -> None:
    target.parent.mkdir()

    def odd(exchange: Exchange) -> None:
        if not exchange.first:
            part = CONTENT if len(server.exchanges) > 1 else CONTENT[:1000]
            exchange.send("200 OK", part, Content_Length=str(len(CONTENT)))
        elif answer == "416":
            exchange.send("416 Range Not Satisfiable")
        elif answer == "other range":
            exchange.send("206 Partial Content", CONTENT[5:], Content_Range=f"bytes 5-{len(CONTENT) - 1}/*")
        elif answer == "later range":
            span = f"bytes {exchange.first + 5}-{len(CONTENT) - 1}/*"
            exchange.send("206 Partial Content", CONTENT[exchange.first + 5 :], Content_Range=span)
        else:
            exchange.send("200 OK", CONTENT)

    with Server(odd) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert target.read_bytes() == CONTENT


def test_too_long(target: Path) -> None:
    """A server that announces the right length, or none, and sends without end is cut off."""
    sent = 0

    def endless(exchange: Exchange) -> None:
        nonlocal sent
        exchange.send("200 OK", CONTENT, Content_Length="")
        while True:
            exchange.connection.sendall(b"x" * 65536)
            sent += 65536

    with (
        Server(endless) as server,
        pytest.raises(DownloadFailed, match=f"more than the {len(CONTENT)} bytes"),
    ):
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    limits = Limits(largest=100_000, pause=0.0)
    with Server(endless) as server, pytest.raises(DownloadFailed, match="more than the 100000 bytes"):
        fetch([server.url], target, SHA256, None, None, limits)
    time.sleep(0.1)
    assert sent < 64 << 20
    assert beside(target) == []


def test_a_byte_too_many_in_a_later_piece(target: Path) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send("200 OK", b"abc", Content_Length="")
        time.sleep(0.1)
        exchange.connection.sendall(b"def")

    with Server(answer) as server, pytest.raises(DownloadFailed, match="more than the 5 bytes"):
        fetch([server.url], target, SHA256, 5, None, QUICK)
    assert beside(target) == []


def test_two_gigabytes_are_the_most_where_nothing_is_known(target: Path) -> None:
    announced = str(2 * 1024**3 + 1)
    with (
        Server(lambda exchange: exchange.send("200 OK", Content_Length=announced)) as server,
        pytest.raises(DownloadFailed, match=f"announces {announced} bytes, over the limit of 2147483648"),
    ):
        fetch([server.url], target, SHA256)


def test_announced_length_is_wrong(target: Path) -> None:
    with (
        Server(whole) as server,
        pytest.raises(DownloadFailed, match="announces 512000 bytes, the file has 7"),
    ):
        fetch([server.url], target, SHA256, 7, None, QUICK)
    with Server(whole) as server, pytest.raises(DownloadFailed, match="over the limit of 9"):
        fetch([server.url], target, SHA256, None, None, Limits(largest=9))
    with Server(whole) as server:
        fetch([server.url], target, SHA256, None, None, Limits(largest=len(CONTENT)))


def test_truncated_without_announced_length(target: Path) -> None:
    with (
        Server(lambda e: e.send("200 OK", CONTENT[e.first : e.first + 9], Content_Length="")) as server,
        pytest.raises(DownloadFailed, match="ended after 9 of 512000 bytes") as error,
    ):
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert "tried 3 times" in str(error.value)


def test_stalls(target: Path) -> None:
    def stall(exchange: Exchange) -> None:
        exchange.send("200 OK", CONTENT[:5], Content_Length=str(len(CONTENT)))
        time.sleep(2)

    begin = time.monotonic()
    with Server(stall) as server, pytest.raises(DownloadFailed, match=r"(?i)timed? ?out"):
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert time.monotonic() - begin < 1.9


def test_trickles(target: Path) -> None:
    """A server that keeps the line alive with a byte now and then counts as stalled too."""

    def trickle(exchange: Exchange) -> None:
        exchange.send("200 OK", b"", Content_Length=str(len(CONTENT)))
        for value in CONTENT[:40]:
            exchange.connection.sendall(bytes([value]))
            time.sleep(0.05)

    limits = Limits(stall=0.3, slowest=100, tries=1)
    with Server(trickle) as server, pytest.raises(DownloadFailed, match=r"too slow \([1-9]"):
        fetch([server.url], target, SHA256, len(CONTENT), None, limits)


def test_trickles_after_a_good_beginning(target: Path) -> None:
    def tire(exchange: Exchange) -> None:
        exchange.send("200 OK", CONTENT[:2000], Content_Length=str(len(CONTENT)))
        for value in CONTENT[2000:2040]:
            exchange.connection.sendall(bytes([value]))
            time.sleep(0.05)

    limits = Limits(stall=0.3, slowest=100, tries=1)
    with Server(tire) as server, pytest.raises(DownloadFailed, match=r"too slow \([1-9]\d? bytes"):
        fetch([server.url], target, SHA256, len(CONTENT), None, limits)


def test_slow_but_steady(target: Path) -> None:
    """A file that takes many times the span over which the speed is measured."""

    def steady(exchange: Exchange) -> None:
        exchange.send("200 OK", b"", Content_Length=str(len(CONTENT)))
        for start in range(0, len(CONTENT), len(CONTENT) // 10):
            exchange.connection.sendall(CONTENT[start : start + len(CONTENT) // 10])
            time.sleep(0.05)

    with Server(steady) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, Limits(stall=0.1, slowest=100, tries=1))
    assert target.read_bytes() == CONTENT


def test_redirects(target: Path) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.path == "/end":
            whole(exchange)
        else:
            exchange.send("302 Found", Location={"/file.onnx": "/a", "/a": "/b", "/b": "/end"}[exchange.path])

    with Server(answer) as server:
        fetch([server.url], target, SHA256, None, None, QUICK)
        assert len(server.exchanges) == 4
        target.unlink()
        with pytest.raises(DownloadFailed, match="redirected more than 2 times"):
            fetch([server.url], target, SHA256, None, None, Limits(redirects=2))


@pytest.mark.parametrize(
    "to", ["/file.onnx", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "http://["]
)
def test_bad_redirects(target: Path, to: str) -> None:
    with Server(lambda e: e.send("301 Moved", Location=to)) as server, pytest.raises(DownloadFailed):
        fetch([server.url], target, SHA256, None, None, QUICK)
    assert beside(target) == []


@pytest.mark.parametrize(
    ("status", "tries"), [("404 Not Found", 1), ("403 Forbidden", 1), ("500 Oops", 3), ("429 Too Many", 3)]
)
def test_error_statuses(target: Path, status: str, tries: int) -> None:
    with (
        Server(lambda e: e.send(status, b"<html>")) as server,
        pytest.raises(DownloadFailed, match=status[:3]),
    ):
        fetch([server.url], target, SHA256, None, None, QUICK)
    assert len(server.exchanges) == tries
    assert beside(target) == []


def test_recovers_from_errors(target: Path) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.exchanges) < 3:
            exchange.send("503 Busy")
        else:
            whole(exchange)

    with Server(answer) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)


def test_web_page_instead_of_the_file(target: Path) -> None:
    page = {"Content_Type": "text/html; charset=utf-8"}
    with (
        Server(lambda e: e.send("200 OK", b"<html>log in", **page)) as server,
        pytest.raises(DownloadFailed, match="web page"),
    ):
        fetch([server.url], target, SHA256, None, None, QUICK)


def test_encoded_body_is_refused(target: Path) -> None:
    with (
        Server(lambda e: e.send("200 OK", CONTENT, Content_Encoding="gzip")) as server,
        pytest.raises(DownloadFailed, match="gzip"),
    ):
        fetch([server.url], target, SHA256, None, None, QUICK)
    assert server.exchanges[0].headers["accept-encoding"] == "identity"


def test_no_http_at_all(target: Path) -> None:
    with (
        Server(lambda e: e.connection.sendall(b"SSH-2.0-hello\r\n\r\n")) as server,
        pytest.raises(DownloadFailed),
    ):
        fetch([server.url], target, SHA256, None, None, QUICK)


def test_mirrors_are_tried_in_order_and_share_the_part(target: Path) -> None:
    gone = socket.create_server(("127.0.0.1", 0))
    nobody = f"http://127.0.0.1:{gone.getsockname()[1]}/x"
    gone.close()
    half = CONTENT[:1000]
    with (
        Server(lambda e: e.send("404 Not Found")) as none,
        Server(lambda e: e.send("200 OK", half, ETag='"a"', Content_Length=str(len(CONTENT)))) as breaking,
        Server(ranged) as good,
        Server(whole) as unused,
    ):
        urls = [nobody, none.url, breaking.url, good.url, unused.url]
        fetch(urls, target, SHA256, len(CONTENT), None, Limits(tries=1))
    assert [e.first for e in good.exchanges] == [1000] and not unused.exchanges
    assert "if-range" not in good.exchanges[0].headers, "another server's ETag means nothing to it"


@pytest.mark.parametrize("turned", [False, True])
def test_an_etag_goes_to_the_address_it_came_from_alone(target: Path, turned: bool) -> None:
    """Whichever of the two addresses has the larger hash."""
    with (
        Server(
            lambda e: e.send("200 OK", CONTENT[:9], ETag='"a"', Content_Length=str(len(CONTENT)))
        ) as breaking,
        Server(ranged) as good,
    ):
        # Ports differ from run to run: of a hundred addresses each, the outermost ones.
        first, second = (
            outermost(
                (f"{server.url}?{number}" for number in range(100)),
                key=lambda url: hashlib.sha256(url.encode()).digest(),
            )
            for server, outermost in ((breaking, max if turned else min), (good, min if turned else max))
        )
        fetch([first, second], target, SHA256, len(CONTENT), None, Limits(tries=1))
    assert [e.headers.get("if-range") for e in good.exchanges] == [None]


def test_all_failures_are_told(target: Path) -> None:
    with (
        Server(lambda e: e.send("404 Not Found")) as a,
        Server(lambda e: e.send("410 Gone")) as b,
        pytest.raises(DownloadFailed) as error,
    ):
        fetch([a.url, b.url], target, SHA256, None, None, QUICK)
    assert f"{a.url}: the server answers 404" in str(error.value) and "410" in str(error.value)


@pytest.mark.parametrize("url", ["ftp://a/b", "file:///etc/passwd", "a/b", "http://"])
def test_addresses_that_cannot_be_meant(target: Path, url: str) -> None:
    with pytest.raises(UsageError):
        fetch([url], target, SHA256)
    with pytest.raises(UsageError, match="64 hex"):
        fetch([], target, "")


def test_https_is_not_left_for_http(target: Path, tmp_path: Path) -> None:
    """A TLS server that redirects to http. Its certificate is made here and trusted through SSL_CERT_FILE."""
    import ssl

    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    made = subprocess.run(
        command.split(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("needs the program openssl to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(65536)
            Exchange("", {}, connection).send("302 Found", Location=plain.url)

    thread = threading.Thread(target=serve, daemon=True)
    with Server(whole) as plain, pytest.MonkeyPatch.context() as patch:
        thread.start()
        patch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        with pytest.raises(DownloadFailed, match="not encrypted"):
            fetch([f"https://127.0.0.1:{listener.getsockname()[1]}/x"], target, SHA256, None, None, QUICK)
    assert not plain.exchanges
    thread.join()
    listener.close()


SCRIPT = """
import sys
from pathlib import Path
from multiface.weights.fetch import fetch
fetch([sys.argv[1]], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
"""


def test_killed_in_the_middle(target: Path) -> None:
    """A killed process leaves no final name, and the next call uses what it had received."""
    half = len(CONTENT) // 2

    def slow(exchange: Exchange) -> None:
        exchange.send("200 OK", CONTENT[:half], ETag='"v1"', Content_Length=str(len(CONTENT)))
        time.sleep(5)

    with Server(slow) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, server.url, str(target), SHA256, str(len(CONTENT))]
        )
        part = target.with_name("file.onnx.part")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 100_000):
            time.sleep(0.02)
        with pytest.raises(DownloadFailed, match="another process"):
            fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not target.exists()
    there = part.stat().st_size
    assert 100_000 < there <= half
    with Server(ranged) as server:
        fetch([server.url], target, SHA256, len(CONTENT), None, QUICK)
    assert [exchange.first for exchange in server.exchanges] == [there]


def test_part_that_was_whole_needs_no_server(target: Path) -> None:
    target.parent.mkdir()
    target.with_name("file.onnx.part").write_bytes(CONTENT)
    target.with_name("file.onnx.part.json").write_text(
        f'{{"sha256": "{SHA256}", "source": "", "validator": null}}'
    )
    fetch([], target, SHA256)
    assert beside(target) == ["file.onnx"]


def test_disk_full(tmp_path: Path) -> None:
    """A process that may write 100 kB only gets a message that says so, not a trace, and no final file."""
    script = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n" + SCRIPT
    with Server(ranged) as server:
        arguments = [server.url, str(tmp_path / "file.onnx"), SHA256, str(len(CONTENT))]
        run = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
        )
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("multiface.errors.DownloadFailed: file.onnx cannot be written") and "room" in last
    assert not (tmp_path / "file.onnx").exists()
    assert (tmp_path / "file.onnx.part").stat().st_size == 100_000


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadFailed, match="cannot be written"):
        fetch(["http://127.0.0.1:1/x"], tmp_path / "file" / "x.onnx", SHA256)


def entry(content: bytes, size: bool = True) -> FileEntry:
    return FileEntry("wanted.onnx", hashlib.sha256(content).hexdigest(), len(content) if size else None, ())


def test_find_in_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "renamed.bin").write_bytes(CONTENT)
    (tmp_path / "same_size.onnx").write_bytes(b"x" * len(CONTENT))
    (tmp_path / "small.onnx").write_bytes(b"y")
    for sized in (True, False):
        found = find_in_folder(tmp_path, [entry(CONTENT, sized), entry(b"y", sized)])
        assert found == (tmp_path / "deep" / "renamed.bin", tmp_path / "small.onnx")
    assert find_in_folder(tmp_path / "small.onnx", [entry(b"y")]) == (tmp_path / "small.onnx",)


def test_find_in_folder_reads_only_files_of_the_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    (tmp_path / "a").write_bytes(b"a")
    assert find_in_folder(tmp_path, [entry(b"a")]) == (tmp_path / "a",)


def test_find_in_folder_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wanted.onnx").write_bytes(b"half")
    (tmp_path / "other.onnx").write_bytes(b"another")
    with pytest.raises(WeightsMissing, match="has that name but other content") as error:
        find_in_folder(tmp_path, [entry(CONTENT)])
    assert SHA256 in str(error.value) and "4 bytes" in str(error.value)
    assert "other.onnx" not in str(error.value)
    with pytest.raises(WeightsMissing, match="no such folder"):
        find_in_folder(tmp_path / "none", [entry(CONTENT)])
    with pytest.raises(WeightsMissing, match="sha256 is not known"):
        find_in_folder(tmp_path, [FileEntry("wanted.onnx", None, 4, ())])


def test_file_urls() -> None:
    yunet, packed = find("yunet_n"), find("sface")
    assert file_urls(yunet, yunet.files[0], None) == yunet.files[0].urls
    assert file_urls(yunet, yunet.files[0], "http://mirror/x/") == (
        "http://mirror/x/" + yunet.files[0].filename,
    )
    with pytest.raises(WeightsMissing, match=r"pull sface --from FOLDER"):
        file_urls(packed, packed.files[0], None)


def test_secrets_of_an_address_are_not_shown_nor_written(target: Path) -> None:
    with (
        Server(lambda e: e.send("200 OK", CONTENT[:9], Content_Length=str(len(CONTENT)))) as server,
        pytest.raises(DownloadFailed) as error,
    ):
        url = server.url.replace("127", "user:hunter2@127") + "?token=hunter3"
        fetch([url], target, SHA256, len(CONTENT), None, QUICK)
    assert (
        server.exchanges[0].path.endswith("?token=hunter3") and "authorization" in server.exchanges[0].headers
    )
    written = target.with_name("file.onnx.part.json").read_text()
    assert "hunter" not in str(error.value) + written and "/file.onnx" in str(error.value)
