"""What stands before every request: its name, the host it asks for, the size of its body, and its place in the log.

Host names other than ours are refused, so that a page of another site whose name was made to lead here (DNS rebinding)
gets nothing. There are no CORS headers, so browsers give no other site an answer. Bodies are counted as they come in,
each and all together. HEAD is answered like GET, without the body.
"""

import asyncio
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from multiface.serve.problems import Problem, problem_response
from multiface.serve.serve_settings import ServeSettings
from multiface.visible import log_of

_log = log_of(__name__)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Others are one in the figures: a client may call them as it likes."""
_ENDED = threading.Event()
_ENDED.set()
"""For HEAD: answers that would go on end at once."""
_PICTURES = ("image/", "multipart/form-data", "application/octet-stream")
_LARGEST_JSON = 1_000_000
_MOST_AT_ONCE = 32
"""So many of the largest bodies are held at the same time at most."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class Guard:
    """An ASGI application around another. seen: told of each answer: method, path, status and seconds."""

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, seen: Callable[[str, str, int, float], None]
    ) -> None:
        self._app = app
        self._settings = settings
        self._seen = seen
        self._ending = threading.Event()
        self._held = 0

    def end_streams(self) -> None:
        """Let answers that would go on end now, because the service does."""
        self._ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the start and end of the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        wanted = headers.get("x-request-id", "")
        request_id = wanted if _ID.fullmatch(wanted) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"], state["ending"] = request_id, self._ending
        asked = scope
        if scope["method"] == "HEAD":
            asked, state["ending"] = {**scope, "method": "GET"}, _ENDED
        start, status, began, count, whole = time.monotonic(), 500, False, 0, False
        largest = self._largest(headers)

        async def answer(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status, began = message["status"], True
                given = message.get("headers", [])
                said = {name for name, _ in given}
                own = [header for header in _HEADERS if header[0] not in said]
                message["headers"] = [*given, *own, (b"x-request-id", request_id.encode())]
            await send(message)

        async def counted() -> Message:
            nonlocal count, whole
            if whole:  # what comes now is the end of the connection, which may be far away
                return await receive()
            try:
                message = await asyncio.wait_for(
                    receive(), max(0.0, start + self._settings.body_seconds - time.monotonic())
                )
            except TimeoutError:
                raise _too_slow(self._settings.body_seconds) from None
            whole = not message.get("more_body", False)
            length = len(message.get("body", b""))
            count += length
            self._held += length
            if count > largest:
                raise _too_large(largest)
            if self._held > _MOST_AT_ONCE * self._settings.largest_body:
                raise _too_much()
            return message

        try:
            self._check(scope, headers, largest)
            await self._app(asked, counted, answer)
        except Problem as problem:
            if began:
                raise
            await problem_response(problem, request_id)(scope, receive, answer)
        finally:
            self._held -= count
            seconds = time.monotonic() - start
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._seen(method, _route(asked), status, seconds)
            if _log.isEnabledFor(logging.INFO):
                # The route and not the path: a path may name a person.
                _log.info("%s %s %s %d %.3f s", request_id, method, _route(asked), status, seconds)

    def _largest(self, headers: dict[str, str]) -> int:
        """Bytes of a body: JSON is read whole before anybody knows who sent it."""
        pictures = headers.get("content-type", "").lower().startswith(_PICTURES)
        return self._settings.largest_body if pictures else min(_LARGEST_JSON, self._settings.largest_body)

    def _check(self, scope: Scope, headers: dict[str, str], largest: int) -> None:
        host = re.sub(r":\d+$", "", headers.get("host", "")).lower()
        if host not in self._settings.allowed_hosts:
            raise Problem(
                421,
                "unknown_host",
                "the Host header is not a name of this service; `serve start --name` adds one",
            )
        if b"%00" in scope.get("raw_path", b"") + scope["query_string"]:
            # PostgreSQL takes none in texts, and nothing that is asked for has one.
            raise Problem(422, "invalid", "an address cannot hold NUL (%00)")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > largest:
            raise _too_large(largest)


def _too_large(largest: int) -> Problem:
    return Problem(413, "body_too_large", f"a request has at most {largest:,} bytes", {"Connection": "close"})


def _too_much() -> Problem:
    words = "too many large requests at once; try again in a moment"
    return Problem(503, "busy", words, {"Retry-After": "1", "Connection": "close"})


def _too_slow(seconds: float) -> Problem:
    words = f"the request took longer than {seconds:g} seconds to arrive"
    return Problem(408, "too_slow", words, {"Connection": "close"})


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    return getattr(route, "path", "other")
