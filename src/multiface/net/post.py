"""One HTTP request that hands a document to a webhook, with one time limit for all of it.

A limit for each operation alone would never end with a server that sends a byte now and then, so a timer ends the
connection. Looking up the host's name has the limits of the system, and each of the host's addresses may take the whole
time to connect. Redirects are not followed: they would carry names to an address that nobody gave. Addresses may
hold credentials, in front of the host or in path and query; nothing but scheme, host and port is ever put into words.
"""

import contextlib
import hashlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from multiface.errors import UsageError
from multiface.net.http import exchanged

_PATH = "/%:@!$&'()*+,;=~-._"
_PORTS = {"http": 80, "https": 443}
_LISTEN_SECONDS = 1.0
_LISTEN_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """Where events go.

    shown: scheme, host and port, fit for logs. port: to connect to. target: path and query of the request line.
    url: all of it, with user and password.
    """

    shown: str
    port: int
    target: str = field(repr=False)
    url: str = field(repr=False)

    @property
    def digest(self) -> str:
        """Names the address in a store without telling it; user and password may change."""
        return hashlib.sha256(f"{self.shown} {self.port} {self.target}".encode()).hexdigest()


def webhook_address(url: str) -> WebhookAddress:
    """Read an address such as https://user:password@host:8443/path. Raises UsageError, which does not repeat it."""
    wanted = "wanted an address such as https://host/path"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # The reason quotes the address, and may quote a password.
        raise UsageError(f"webhook: {wanted}, got what cannot be read as one") from None
    if parts.scheme not in _PORTS:
        # "host:80/path" has the scheme "host"; "secret@host" could be anything, so nothing is repeated.
        raise UsageError(f"webhook: {wanted}, got none that begins with http:// or https://")
    if not host or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise UsageError(
            f"webhook: {wanted}, got one without a host, or with spaces or control characters in it"
        )
    try:
        ascii_host = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise UsageError(f"webhook: {wanted}, got one without a valid host name") from None
    query = f"?{quote(parts.query, safe=_PATH + '?')}" if parts.query else ""
    target = quote(parts.path, safe=_PATH) + query if parts.path else "/" + query
    place = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    if port is not None:
        place += f":{port}"
    user, at, _ = parts.netloc.rpartition("@")
    return WebhookAddress(
        shown=f"{parts.scheme}://{place}",
        port=_PORTS[parts.scheme] if port is None else port,
        target=target,
        url=f"{parts.scheme}://{quote(user, safe=':%')}{at}{place}{target}",
    )


class Post:
    """One attempt. `cancel` may come from another thread, before, while and after it runs."""

    def __init__(self, address: WebhookAddress, body: bytes) -> None:
        self._address = address
        self._body = body
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End it."""
        with self._lock:
            self._cancelled = True
            self._cut()

    def send(self, seconds: float) -> str | None:
        """Send the body as JSON: None when the server took it (2xx), else what went wrong, in words."""
        limit = threading.Timer(seconds, self.cancel)
        limit.daemon = True
        limit.start()
        try:
            status = self._exchange(httpx.Timeout(seconds))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            if self._cancelled or isinstance(error, httpx.TimeoutException):
                return f"no answer within {seconds:g} seconds"
            return _in_words(error)
        finally:
            limit.cancel()
            if self._socket is not None:
                self._socket.close()
        if 200 <= status < 300:
            return None
        if 300 <= status < 400:
            return (
                f"it answers {status}, a redirect, and these are not followed; give the address it leads to"
            )
        return f"it answers {status}"

    def _exchange(self, patience: httpx.Timeout) -> int:
        headers = {"Content-Type": "application/json"}
        with exchanged(
            "POST", self._address.url, headers, patience, content=self._body, trace=self._connected
        ) as response:
            # What it says beside the status is of no use, but a server may mind if nobody listens.
            enough = threading.Timer(_LISTEN_SECONDS, self._cut)
            enough.start()
            with contextlib.suppress(httpx.HTTPError):
                next(response.iter_raw(_LISTEN_BYTES), b"")
            enough.cancel()
            return response.status_code

    def _connected(self, step: str, what: dict[str, Any]) -> None:
        """Keep a second handle on the connection: it ends the connection, whatever TLS makes of the first."""
        if step == "connection.connect_tcp.complete":
            with self._lock:
                self._socket = what["return_value"].get_extra_info("socket").dup()
                if self._cancelled:
                    self._cut()

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it has ended already
                self._socket.shutdown(socket.SHUT_RDWR)


def _in_words(error: BaseException) -> str:
    """Why it failed, without anything of the address."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, socket.gaierror):
            return "its host is not found"
        if isinstance(cause, OSError) and cause.strerror:
            return f"it cannot be reached ({cause.strerror})"
    return f"it does not answer like a web server ({type(error).__name__})"
