"""A service that runs: in this process, or in several that answer on one socket."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import uvicorn

from multiface.errors import NotAvailable, UsageError
from multiface.recognition import Recognizer
from multiface.serve.app import make_app
from multiface.serve.ending_server import EndingServer
from multiface.serve.serve_settings import ServeSettings
from multiface.visible import log_of

_log = log_of(__name__)
GRACE = 10
"""Seconds that requests have to be answered when the service ends; streams never would be."""
_SHORT = 10.0
"""A worker that lives for less does not start well."""
_MOST_SHORT = 3


@dataclass(frozen=True, slots=True)
class Service:
    """What a process needs in order to answer. It can be pickled as far as its recogniser can.

    certificate, private_key: PEM files for TLS; both or neither.
    """

    recognizer: Recognizer
    settings: ServeSettings
    certificate: Path | None = None
    private_key: Path | None = None

    def server(self) -> uvicorn.Server:
        """The server, which does not run yet."""
        app = make_app(self.recognizer, self.settings)
        config = self._config(app)
        config.load()
        return EndingServer(config, app)

    def check(self) -> None:
        """Raises UsageError for a certificate that cannot be used."""
        try:
            self._config(None).load()
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--tls-cert {self.certificate}, --tls-key {self.private_key}: cannot be used ({error})"
            ) from error

    def _config(self, app: Any) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="on",
            timeout_keep_alive=10,
            timeout_graceful_shutdown=GRACE,
            limit_concurrency=256,
            ssl_certfile=None if self.certificate is None else str(self.certificate),
            ssl_keyfile=None if self.private_key is None else str(self.private_key),
            proxy_headers=False,
        )


def listening(host: str, port: int) -> socket.socket:
    """A socket on which a service can answer. Raises NotAvailable where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(2048)
    except (OSError, OverflowError) as error:
        made.close()
        raise NotAvailable(
            f"--host {host} --port {port}: cannot listen there ({error}); --port 0 takes any free port"
        ) from error
    made.set_inheritable(True)
    return made


class Workers:
    """So many processes that answer on one socket; one that dies is replaced."""

    def __init__(self, service: Service, sock: socket.socket, count: int) -> None:
        self._service, self._sock, self._count = service, sock, count
        self._context = multiprocessing.get_context("spawn")
        self._stopping = threading.Event()
        self._short = 0

    def stop(self) -> None:
        """Let all of them end; `run` returns then."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`. Raises NotAvailable if they do not start."""
        running = {self._started(): time.monotonic() for _ in range(self._count)}
        try:
            while not self._stopping.is_set():
                ended = multiprocessing.connection.wait([one.sentinel for one in running], timeout=0.5)
                for one in [one for one in running if one.sentinel in ended]:
                    if self._stopping.is_set():
                        return
                    self._count_short(time.monotonic() - running.pop(one), one.exitcode)
                    running[self._started()] = time.monotonic()
        finally:
            _end(list(running))

    def _started(self) -> BaseProcess:
        process = self._context.Process(
            target=_work, args=(self._service, self._sock, os.getpid()), name="multiface worker", daemon=False
        )
        process.start()
        return process

    def _count_short(self, lived: float, code: int | None) -> None:
        _log.warning("a worker ended after %.0f s with code %s; another one is started", lived, code)
        self._short = self._short + 1 if lived < _SHORT else 0
        if self._short >= _MOST_SHORT * self._count:
            raise NotAvailable("the workers end as soon as they are started; the messages above say why")


def _end(running: list[BaseProcess]) -> None:
    for one in running:
        one.terminate()
    until = time.monotonic() + GRACE + 5
    for one in running:
        one.join(max(0.1, until - time.monotonic()))
        if one.is_alive():
            one.kill()
            one.join()


def _work(service: Service, sock: socket.socket, parent: int) -> None:
    """What a worker does."""
    # Ctrl-C in a terminal reaches all processes: the parent says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = service.server()
    threading.Thread(target=_end_with, args=(server, parent), daemon=True).start()
    # uvicorn's own handlers: SIGTERM ends it, and so would the Ctrl-C of the terminal.
    server.run(sockets=[sock])


def _end_with(server: uvicorn.Server, parent: int) -> None:
    """End when the parent is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(1.0)
    server.should_exit = True
