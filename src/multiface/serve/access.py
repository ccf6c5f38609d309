"""Who may do what: a key in the header Authorization, or the page's cookie, with its scopes and groups of people."""

import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from multiface.errors import GalleryBusy, GalleryError
from multiface.gallery import Gallery
from multiface.gallery.service.access_keys import AccessKey, found_key, found_session, touch_key
from multiface.serve.own_page import check_own_page, cookie_name, from_elsewhere
from multiface.serve.problems import Problem
from multiface.serve.request_rate import RequestRate

_TOLD_EVERY = 60.0
"""Seconds after which the last use of a key is written down again."""
_LOOKED_UP_EVERY = 2.0
"""Seconds after which the key of a stream is looked up again: so long a revoked key goes on at most."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. key: the id of the key; "" where nobody needs one. groups: of people; none for everybody."""

    key: str
    scopes: frozenset[str]
    groups: tuple[str, ...] = ()

    def may(self, scope: str) -> bool:
        """Whether the key is for this."""
        return scope in self.scopes or "admin" in self.scopes

    def groups_among(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """The groups that a question is about: those wanted, or all that the key is for. Raises Problem (403)."""
        asked = tuple(wanted)
        if self.groups and not set(asked) <= set(self.groups):
            raise Problem(403, "group_refused", "this key is for other groups of people")
        return asked or self.groups

    def sees(self, groups: Iterable[str]) -> bool:
        """Whether somebody who is in these groups is among the key's people."""
        return not self.groups or not set(self.groups).isdisjoint(groups)


class Access:
    """The keys of a service. open_: nobody needs one (a service that only this machine can reach, and was told so).

    tls: clients come over TLS.
    """

    def __init__(
        self,
        gallery: Gallery,
        rate: RequestRate,
        open_: bool = False,
        read_only: bool = False,
        tls: bool = False,
    ) -> None:
        self._gallery = gallery
        self._rate = rate
        self._open = open_
        self.read_only = read_only
        self._tls = tls
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def needs(self, scope: str, *, by_group: bool = False) -> Callable[[Request], Awaitable[Caller]]:
        """A dependency of routes: the request has a key for this scope. Raises Problem (401, 403, 429).

        by_group: the route itself sees to it that a key for groups of people reaches nobody else; others refuse such
        keys.
        """

        async def check(request: Request) -> Caller:
            caller = await self.caller(request)
            if not caller.may(scope):
                raise Problem(403, "scope_missing", f"this needs a key with the scope {scope}")
            if caller.groups and not by_group:
                raise Problem(
                    403, "everybody", "a key for groups of people cannot do this: it concerns everybody"
                )
            return caller

        return check

    async def caller(self, request: Request) -> Caller:
        """Who sent a request. Raises Problem (401, 429)."""
        known = getattr(request.state, "caller", None)
        if isinstance(known, Caller):
            return known
        caller = await self._found(request)
        self._rate.take(caller.key)
        request.state.caller = caller
        return caller

    async def still_holds(self, request: Request) -> bool:
        """Whether to go on answering a request: the service does, and its key, looked up every few seconds, holds."""
        if request.state.ending.is_set():
            return False
        now = time.monotonic()
        if now - getattr(request.state, "looked_up", -_LOOKED_UP_EVERY) < _LOOKED_UP_EVERY:
            return True
        request.state.looked_up = now
        try:
            await self._found(request)
        except Problem:
            return False
        except GalleryBusy:
            request.state.looked_up = now - _LOOKED_UP_EVERY  # away for a moment; asked again
        return True

    async def _found(self, request: Request) -> Caller:
        if self._open:
            if from_elsewhere(request, self._tls):
                raise Problem(403, "not_our_page", "this request comes from another site")
            return Caller("", frozenset(("admin",)))
        key = await run_in_threadpool(self._key, request)
        if key is None:
            raise Problem(
                401, "no_key", "send a key: Authorization: Bearer mf_...", {"WWW-Authenticate": "Bearer"}
            )
        return Caller(key.id, frozenset(key.scopes), key.groups)

    def _key(self, request: Request) -> AccessKey | None:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get(cookie_name(self._tls))
        if kind.lower() != "bearer" and cookie is None:
            return None
        with self._gallery.database.reading() as connection:
            if kind.lower() == "bearer":
                key = found_key(connection, text.strip())
            else:
                key = found_session(connection, cookie or "")
                if key is not None:
                    check_own_page(request, self._tls)
        if key is not None and not self.read_only:
            now = time.monotonic()
            with self._lock:
                tell = now - self._told.get(key.id, -_TOLD_EVERY) >= _TOLD_EVERY
                if tell:
                    self._told[key.id] = now
            if tell:
                # A disk that is full takes no last use, and is no reason to answer nothing.
                with suppress(GalleryError), self._gallery.database.writing() as connection:
                    touch_key(connection, key.id)
        return key
