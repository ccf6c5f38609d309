"""One HTTP request that hands a document to a webhook, with one time limit for all of it.

Python's `http.client` over a socket of our own, whose every operation gets the time that is left: a limit for each
alone would never end with a server that sends a byte now and then. Only looking up the host's name has the limits of
the system. Redirects are not followed: they would carry names to an address that nobody gave. Addresses may hold
credentials, in front of the host or in path and query; nothing but scheme, host and port is ever put into words.
"""

import base64
import contextlib
import hashlib
import http.client
import io
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from multiface.errors import UsageError
from multiface.version import __version__

_PATH = "/%:@!$&'()*+,;=~-._"
_PORTS = {"http": 80, "https": 443}
_LISTEN_SECONDS = 1.0
_LISTEN_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """Where events go.

    shown: scheme, host and port, fit for logs. host, port: to connect to. target: path and query of the request line.
    authorization: value of that header, from user and password; None without. secure: whether by TLS.
    """

    shown: str
    host: str
    port: int
    target: str = field(repr=False)
    authorization: str | None = field(repr=False)
    secure: bool

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
        raise UsageError(f"webhook: {wanted}, got one whose host is no name of a host") from None
    authorization = None
    if parts.username is not None or parts.password is not None:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    query = f"?{quote(parts.query, safe=_PATH + '?')}" if parts.query else ""
    shown_host = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    return WebhookAddress(
        shown=f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}",
        host=ascii_host,
        port=_PORTS[parts.scheme] if port is None else port,
        target=quote(parts.path, safe=_PATH) + query if parts.path else "/" + query,
        authorization=authorization,
        secure=parts.scheme == "https",
    )


class Post:
    """One attempt. `cancel` may come from another thread, before, while and after it runs."""

    def __init__(self, address: WebhookAddress, body: bytes) -> None:
        self._address = address
        self._body = body
        self._deadline = float("inf")
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End it."""
        with self._lock:
            self._cancelled = True
            if self._socket is not None:
                # Of the plain socket also under TLS: the reading thread still uses what a TLS socket would drop.
                with contextlib.suppress(OSError):  # not connected yet, or no longer
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def send(self, seconds: float) -> str | None:
        """Send the body as JSON: None when the server took it (2xx), else what went wrong, in words."""
        self._deadline = time.monotonic() + seconds
        try:
            status = self._exchange()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._cancelled or isinstance(error, TimeoutError):
                return f"no answer within {seconds:g} seconds"
            return _in_words(error)
        finally:
            self._close()
        if 200 <= status < 300:
            return None
        if 300 <= status < 400:
            return (
                f"it answers {status}, a redirect, and these are not followed; give the address it leads to"
            )
        return f"it answers {status}"

    def left(self) -> float:
        """Seconds left, above 0. Raises TimeoutError when there are none, or it was cancelled."""
        left = self._deadline - time.monotonic()
        if left <= 0 or self._cancelled:
            raise TimeoutError
        return left

    def _exchange(self) -> int:
        connected = self._connected()
        connection = http.client.HTTPConnection(self._address.host, self._address.port)
        connection.sock = _LimitedSocket(connected, self)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"multiface/{__version__}",
            "Connection": "close",
        }
        if self._address.authorization is not None:
            headers["Authorization"] = self._address.authorization
        connection.request("POST", self._address.target, self._body, headers)
        with connection.getresponse() as response:
            # What it says beside the status is of no use, but a server may mind if nobody listens.
            self._deadline = min(self._deadline, time.monotonic() + _LISTEN_SECONDS)
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                response.read(_LISTEN_BYTES)
            return response.status

    def _connected(self) -> socket.socket:
        problem: OSError | None = None
        places = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, place in places:
            plain = socket.socket(family, kind, protocol)
            self._hold(plain)
            try:
                plain.connect(place)
            except OSError as error:
                problem = error
                self._close()
                continue
            if not self._address.secure:
                return plain
            context = ssl.create_default_context()
            secured = context.wrap_socket(
                plain, server_hostname=self._address.host, do_handshake_on_connect=False
            )
            self._hold(secured)
            secured.do_handshake()
            return secured
        raise problem or OSError("the host has no address")

    def _hold(self, new: socket.socket) -> None:
        """From now on this is the socket that `cancel` ends."""
        with self._lock:
            self._socket = new
        new.settimeout(self.left())

    def _close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class _LimitedSocket:
    """As much of a socket as `http.client` uses, with the time that its `Post` has left for each operation."""

    def __init__(self, connected: socket.socket, post: Post) -> None:
        self._connected = connected
        self._post = post

    def sendall(self, data: bytes) -> None:
        self._connected.settimeout(self._post.left())
        self._connected.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_LimitedReader(self._connected, self._post))

    def close(self) -> None:
        """The `Post` closes it."""


class _LimitedReader(io.RawIOBase):
    """What a socket receives, likewise."""

    def __init__(self, connected: socket.socket, post: Post) -> None:
        self._connected = connected
        self._post = post

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connected.settimeout(self._post.left())
        return self._connected.recv_into(buffer)


def _in_words(error: Exception) -> str:
    """Why it failed, without anything of the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its host is not found"
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be reached ({error.strerror})"
    return f"it does not answer as a web server does ({type(error).__name__})"
