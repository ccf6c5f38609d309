"""Who may do what: a key in the header Authorization, or the cookie of the page, with its scopes."""

import threading
import time
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from multiface.gallery import Gallery
from multiface.gallery.access_keys import AccessKey, found_key, found_session, touch_key
from multiface.serve.own_page import check_own_page, cookie_name, from_elsewhere
from multiface.serve.problems import Problem

_TOLD_EVERY = 60.0
"""Seconds after which the last use of a key is written down again."""


class Access:
    """The keys of a service. open_: nobody needs one (a service that only this machine can reach, and was told so).

    tls: clients come over TLS.
    """

    def __init__(
        self, gallery: Gallery, open_: bool = False, read_only: bool = False, tls: bool = False
    ) -> None:
        self._gallery = gallery
        self._open = open_
        self._read_only = read_only
        self._tls = tls
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def needs(self, scope: str) -> Callable[[Request], Awaitable[None]]:
        """A dependency of routes: the request has a key for this scope. Raises Problem (401, 403)."""

        async def check(request: Request) -> None:
            if self._read_only and scope.endswith(":write"):
                raise Problem(403, "read_only", "this service was started with --read-only")
            if self._open:
                if from_elsewhere(request, self._tls):
                    raise Problem(403, "not_our_page", "another site made your browser send this")
                return
            key = await run_in_threadpool(self._key, request)
            if key is None:
                raise Problem(
                    401, "no_key", "send a key: Authorization: Bearer mf_...", {"WWW-Authenticate": "Bearer"}
                )
            if scope not in key.scopes and "admin" not in key.scopes:
                raise Problem(403, "scope_missing", f"this needs a key with the scope {scope}")

        return check

    def _key(self, request: Request) -> AccessKey | None:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get(cookie_name(self._tls))
        if kind.lower() != "bearer" and cookie is None:
            return None
        with self._gallery.engine.database.reading() as connection:
            if kind.lower() == "bearer":
                key = found_key(connection, text.strip())
            else:
                key = found_session(connection, cookie or "")
                if key is not None:
                    check_own_page(request, self._tls)
        if key is not None and not self._read_only:
            now = time.monotonic()
            with self._lock:
                tell = now - self._told.get(key.id, -_TOLD_EVERY) >= _TOLD_EVERY
                if tell:
                    self._told[key.id] = now
            if tell:
                with self._gallery.engine.database.writing() as connection:
                    touch_key(connection, key.id)
        return key
