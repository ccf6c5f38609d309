"""Webhooks against real servers: every stored event at least once, in order, whatever the server does.

The last test kills a real process that stores, announces and delivers events, again and again.
"""

import base64
import contextlib
import http.server
import itertools
import json
import logging
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from multiface.errors import UsageError
from multiface.net.post import webhook_address
from multiface.video.events.event_store import EventStore
from multiface.video.events.webhook import Webhook
from multiface.video.results import Event

EVENT = Event(1.5, "recognised", 2, "Zoë", 0.5, (1.0, 2.0, 3.0, 4.0), ("B", 0.25), 0.4)

Answer = Callable[[http.server.BaseHTTPRequestHandler, dict[str, Any]], bool]


@dataclass
class Receiver:
    """A web server and what it got. `answer` sends one answer; whether the event counts as received."""

    answer: Answer
    port: int = 0
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    server: http.server.ThreadingHTTPServer | None = None

    def start(self, tls: ssl.SSLContext | None = None) -> None:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests.append((self.path, dict(self.headers), body))
                receiver.received.append(body)
                # A client that was killed or gave up does not listen any more.
                with contextlib.suppress(OSError):
                    if not receiver.answer(self, body):
                        receiver.received.remove(body)

            def log_message(self, *_: Any) -> None: ...

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None: ...

        self.server = Server(("127.0.0.1", self.port), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def numbers(self) -> list[int]:
        return [body["number"] for body in self.received]


def status(code: int) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler, _: dict[str, Any]) -> bool:
        handler.send_response(code)
        handler.end_headers()
        return 200 <= code < 300

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Each once, the last for ever."""
    left = list(answers)
    return lambda handler, body: (left.pop(0) if len(left) > 1 else left[0])(handler, body)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver(status(200))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore(tmp_path / "events.db") as opened:
        yield opened


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_each_event_once_in_order_with_its_number(store: EventStore, receiver: Receiver) -> None:
    with Webhook(receiver.url, store) as webhook:
        added = [store.add("door", EVENT) for _ in range(20)]
        until(lambda: webhook.reached == 20)
    assert receiver.received == [json.loads(json.dumps(one.document())) for one in added]
    path, headers, _ = receiver.requests[0]
    assert path == "/hook" and headers["Content-Type"] == "application/json"
    assert headers["Host"] == f"127.0.0.1:{receiver.port}" and "Authorization" not in headers
    assert webhook.problem is None


def test_a_server_that_fails_is_asked_again_and_nothing_overtakes(
    store: EventStore, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = in_turn(status(204), status(500), status(404), status(200))
    with Webhook(receiver.url, store) as webhook, caplog.at_level(logging.INFO):
        for _ in range(5):
            store.add("s", EVENT)
        until(lambda: webhook.problem == "it answers 404")
        until(lambda: webhook.reached == 5)
        until(lambda: webhook.problem is None)
    assert receiver.numbers == [1, 2, 3, 4, 5]
    assert [body["number"] for _, _, body in receiver.requests] == [1, 2, 2, 2, 3, 4, 5]
    lines = [record.message for record in caplog.records]
    assert [line.split(": ", 1)[1].split(";")[0] for line in lines] == [
        "it answers 500",
        "it answers 404",
        "it takes events again",
    ]


@pytest.fixture(params=["silent", "drips"])
def hanging(request: pytest.FixtureRequest) -> Iterator[tuple[int, list[float]]]:
    """A server that takes connections and never answers, or one byte of a header at a time; times of connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()
    begun: list[float] = []

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.02):
                connection.sendall(b"x")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                begun.append(time.monotonic())
                if request.param == "drips":
                    threading.Thread(target=drip, args=(connection,), daemon=True).start()
                else:
                    kept.append(connection)

    kept: list[socket.socket] = []
    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], begun
    over.set()
    listener.close()
    for connection in kept:
        connection.close()


def test_a_server_that_hangs_has_a_limit(store: EventStore, hanging: tuple[int, list[float]]) -> None:
    port, begun = hanging
    with Webhook(f"http://127.0.0.1:{port}", store, answer_seconds=0.3) as webhook:
        store.add("s", EVENT)
        until(lambda: len(begun) >= 2)
        assert webhook.problem == "no answer within 0.3 seconds" and webhook.reached == 0
        assert 0.7 < begun[1] - begun[0] < 3  # the limit, and half a second of patience


def test_closing_takes_no_longer_than_three_seconds(
    store: EventStore, hanging: tuple[int, list[float]]
) -> None:
    port, begun = hanging
    webhook = Webhook(f"http://127.0.0.1:{port}", store)
    store.add("s", EVENT)
    until(lambda: begun)
    begin = time.monotonic()
    webhook.close()
    assert time.monotonic() - begin < 3.0
    assert not webhook._thread.is_alive() and store.last() == 1


def test_closing_delivers_what_waits(store: EventStore, receiver: Receiver) -> None:
    with Webhook(receiver.url, store):
        for _ in range(20):
            store.add("s", EVENT)
    assert receiver.numbers == list(range(1, 21))


def test_a_server_that_is_absent_for_a_while(store: EventStore, receiver: Receiver) -> None:
    receiver.stop()
    with Webhook(receiver.url, store) as webhook:
        store.add("s", EVENT)
        until(lambda: webhook.problem)
        assert webhook.problem == "it cannot be reached (Connection refused)"
        store.add("s", EVENT)
    assert webhook.reached == 0
    with Webhook(receiver.url, store) as webhook:  # the events stayed for the next run
        until(lambda: webhook.problem)
        receiver.start()
        until(lambda: webhook.reached == 2)
    assert receiver.numbers == [1, 2]


def test_redirects_are_not_followed(store: EventStore, receiver: Receiver) -> None:
    def elsewhere(handler: http.server.BaseHTTPRequestHandler, _: dict[str, Any]) -> bool:
        handler.send_response(307)
        handler.send_header("Location", "/elsewhere")
        handler.end_headers()
        return False

    receiver.answer = in_turn(elsewhere, status(200))
    with Webhook(receiver.url, store) as webhook:
        store.add("s", EVENT)
        until(lambda: webhook.problem)
        assert "a redirect, and these are not followed" in (webhook.problem or "")
        until(lambda: webhook.reached == 1)
    assert [path for path, _, _ in receiver.requests] == ["/hook", "/hook"]


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 999999 \r\n\r\n", b"\0" * 70_000]
)
def test_what_is_no_web_server(store: EventStore, answer: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}", store) as webhook:
        store.add("s", EVENT)
        until(lambda: webhook.problem)
        assert "it " in (webhook.problem or "") and webhook.reached == 0
    listener.close()


def test_credentials_are_sent_and_never_told(
    store: EventStore, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = in_turn(status(401), status(200))
    url = f"http://us%3Aer:pa%20ss%2Fw@127.0.0.1:{receiver.port}/t0ken/é?key=k3y#fragment"
    said = []
    with Webhook(url, store) as webhook, caplog.at_level(logging.DEBUG):
        store.add("s", EVENT)
        until(lambda: webhook.problem)
        said += [str(webhook.problem), webhook.name, repr(webhook._address)]
        until(lambda: webhook.reached == 1)
    path, headers, _ = receiver.requests[-1]
    assert path == "/t0ken/%C3%A9?key=k3y"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"us:er:pa ss/w"
    receiver.stop()
    with Webhook(url, store) as webhook, caplog.at_level(logging.DEBUG):
        store.add("s", EVENT)
        until(lambda: webhook.problem)
        said.append(str(webhook.problem))
    kept = b"".join(file.read_bytes() for file in store.path.parent.glob(f"{store.path.name}*"))
    text = " ".join([*said, caplog.text, kept.decode("latin-1"), *threading.enumerate().__repr__().split()])
    for secret in ("us:er", "us%3Aer", "pa ss", "pa%20ss", "t0ken", "k3y", headers["Authorization"]):
        assert secret not in text
    assert webhook.name == f"http://127.0.0.1:{receiver.port}" and webhook.name in caplog.text
    # With another password it is the same address, and goes on.
    assert webhook_address(url.replace("pa%20ss", "new")).digest == webhook_address(url).digest
    assert webhook_address(url.replace("k3y", "x")).digest != webhook_address(url).digest


@pytest.mark.parametrize(
    "url",
    [
        "secret",
        "secret@host/path",
        "ftp://user:secret@host",
        "file:///secret",
        "http://",
        "http:///secret",
        "http://user:secret@",
        "http://user:secret@host:99999",
        "http://user:secret@host:port",
        "http://[secret",
        "http://host/secret\r\nX-Evil: 1",
        "http://host/sec ret",
        "http://secret..host/",
        f"http://{'secret' * 20}.example/",
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(store: EventStore, url: str) -> None:
    with pytest.raises(UsageError, match="webhook: wanted an address such as") as caught:
        Webhook(url, store)
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None
    assert threading.active_count() == 1 or "webhook" not in {t.name for t in threading.enumerate()}


def test_addresses() -> None:
    plain = webhook_address("http://Host.example")
    assert (plain.shown, plain.port, plain.target) == ("http://host.example", 80, "/")
    six = webhook_address("https://[::1]:8443/a?b=c&d=%20")
    assert (six.shown, six.port, six.target) == ("https://[::1]:8443", 8443, "/a?b=c&d=%20")
    assert webhook_address("https://bücher.example").shown == "https://xn--bcher-kva.example"
    # The digest is written into stores: an address must keep it.
    assert six.digest == "d3fb8b18ea5ca0b96236f51660fe0cd8a33bd38933f88fc5d81b605c42ff5bdb"


def test_replay_by_number_and_where_a_new_address_begins(store: EventStore, receiver: Receiver) -> None:
    for _ in range(3):
        store.add("before", EVENT)
    with Webhook(receiver.url, store) as webhook:
        store.add("s", EVENT)
        until(lambda: webhook.reached == 4)
    assert receiver.numbers == [4]
    with Webhook(receiver.url, store, after=1) as webhook:
        until(lambda: webhook.reached == 4)
    assert receiver.numbers == [4, 2, 3, 4]
    with Webhook(receiver.url, store) as webhook:
        store.add("s", EVENT)
    assert receiver.numbers == [4, 2, 3, 4, 5]


def test_events_that_were_forgotten_are_missed_aloud(
    store: EventStore, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.stop()
    Webhook(receiver.url, store).close()
    for _ in range(3):
        store.add("s", EVENT)
    store.forget(timedelta(days=-1), most_waiting=0)
    store.add("s", EVENT)
    receiver.start()
    with Webhook(receiver.url, store), caplog.at_level(logging.INFO):
        until(lambda: receiver.numbers == [4])
    assert "3 events were forgotten before it took them" in caplog.text


def test_certificates_are_checked(store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver = Receiver(status(200))
    receiver.start(context)
    url = f"https://localhost:{receiver.port}/hook"
    with Webhook(url, store) as webhook:
        store.add("s", EVENT)
        until(lambda: webhook.problem)
        assert "its certificate is not trusted (self-signed certificate)" in (webhook.problem or "")
    assert receiver.received == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # OpenSSL's own way to trust it
    with Webhook(url, store) as webhook:
        until(lambda: webhook.reached == 1)
    assert receiver.numbers == [1]
    with Webhook(f"https://127.0.0.1:{receiver.port}/hook", store, after=0) as webhook:
        until(lambda: webhook.problem)
        assert "IP address mismatch" in (webhook.problem or "")
    receiver.stop()


ANNOUNCER = """
import json, os, random, sys, threading, time
from pathlib import Path
from multiface.video.events.event_store import EventStore
from multiface.video.results import Event
from multiface.video.events.webhook import Webhook

# It ends when the test does, however that ends.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(3)), daemon=True).start()
folder, url, more = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "more"
with EventStore(folder / "events.db") as store, Webhook(url, store, answer_seconds=0.4) as webhook:
    with open(folder / "events.jsonl", "ab", buffering=0) as lines:
        while more:
            kept = store.add("run", Event(time.time(), "appeared", 1, "A", 0.5, (0, 0, 1, 1)))
            lines.write(json.dumps(kept.document()).encode() + b"\\n")
            time.sleep(random.random() * 0.02)
    while webhook.reached < store.last():
        time.sleep(0.02)
"""
KILLS = 8


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
def test_kill_9_loses_nothing_that_was_announced(tmp_path: Path) -> None:
    """A process stores, announces (lines of a file) and delivers; it is killed at random moments, the server fails."""
    rng = random.Random(5)

    def moods(handler: http.server.BaseHTTPRequestHandler, _: dict[str, Any]) -> bool:
        mood = rng.random()
        if mood < 0.05:
            time.sleep(0.8)  # took it, but answers too late
        elif mood < 0.1:
            handler.close_connection = True  # took it, and the answer is lost
            handler.connection.shutdown(socket.SHUT_RDWR)
            return True
        elif mood < 0.2:
            return status(503)(handler, {})
        return status(200)(handler, {})

    receiver = Receiver(moods)
    receiver.start()
    lines = tmp_path / "events.jsonl"

    def announced() -> list[dict[str, Any]]:
        if not lines.exists():
            return []
        return [
            json.loads(line) for line in lines.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")
        ]

    def process(mode: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", ANNOUNCER, str(tmp_path), receiver.url, mode]
        return subprocess.Popen(command, stdin=subprocess.PIPE)

    for kill in range(KILLS):
        if kill in (3, 4):
            receiver.stop()  # absent for two lives
        wanted = len(announced()) + rng.randrange(1, 15)
        heard = len(receiver.requests) + (3 if receiver.server is not None else 0)
        with process("more") as running:
            while len(announced()) < wanted or len(receiver.requests) < heard:
                assert running.poll() is None
                time.sleep(0.005)
            time.sleep(rng.random() * 0.03)
            running.send_signal(signal.SIGKILL)
            assert running.wait() == -signal.SIGKILL
        if kill == 4:
            receiver.start()
    receiver.answer = status(200)
    with process("drain") as last:
        assert last.wait(60) == 0
    receiver.stop()

    with EventStore(tmp_path / "events.db") as store:
        stored = {one.number: json.loads(json.dumps(one.document())) for one in store.since(0)}
    told = announced()
    assert len(told) >= KILLS and list(stored) == list(range(1, len(stored) + 1))
    assert all(one == stored[one["number"]] for one in told)
    numbers = [one["number"] for one in told]
    assert numbers == sorted(set(numbers))
    assert set(receiver.numbers) == set(stored)
    assert all(body == stored[body["number"]] for body in receiver.received)
    # In order: each is the one before once more, or the next.
    assert all(after - before in (0, 1) for before, after in itertools.pairwise(receiver.numbers))
    assert len(receiver.numbers) > len(stored)  # the server's moods did bring some twice
