"""Routes that change something: once for each `Idempotency-Key`, and written down in the audit log.

The answer to a write with such a key is kept for a day; the same request again gets the same answer and does nothing.
"""

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from multiface.errors import AmbiguousName, GalleryConflict, MultifaceError
from multiface.gallery import Gallery
from multiface.gallery.service import audit, kept_answers
from multiface.gallery.service.kept_answers import KeptAnswer
from multiface.serve.access import Access, Caller
from multiface.serve.problems import Problem, kind_of, problem_of, problem_response
from multiface.visible import log_of

_log = log_of(__name__)
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{10,70})')
_KEPT_HEADERS = ("content-type", "location", "etag")
_CUT_OFF = (
    "the service stopped while processing the request with this Idempotency-Key; check whether it was done, and if "
    "not, send it with another key"
)
_READS = frozenset(("GET", "HEAD", "OPTIONS"))

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def write_route(access: Access, gallery: Gallery) -> type[APIRoute]:
    """The class of the routes of a service; reads pass through it."""

    class WriteRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                if request.method in _READS or request.url.path in _QUESTIONS:
                    return await inner(request)
                caller = await access.caller(request)
                if access.read_only:
                    raise Problem(403, "read_only", "this service was started with --read-only")
                try:
                    answer = await _once(gallery, caller, request, inner)
                except (Problem, MultifaceError) as error:
                    status = (error if isinstance(error, Problem) else problem_of(error)).status
                    await run_in_threadpool(_note, gallery, caller, request, self.path, status)
                    if caller.groups and isinstance(error, GalleryConflict | AmbiguousName):
                        # The error's own words may be about people of other groups.
                        words = "it conflicts with what is known about somebody, perhaps in another group"
                        raise Problem(409, kind_of(error), words) from error
                    raise
                await run_in_threadpool(_note, gallery, caller, request, self.path, answer.status_code)
                return answer

            return handle

    return WriteRoute


_QUESTIONS = frozenset(f"/v1/{name}" for name in ("identify", "verify", "detect", "embed", "search"))
"""Sent with POST since they have a body; they change nothing."""

_SHOWN_ONCE = frozenset(("/v1/keys",))
"""Their answers hold a secret that is kept nowhere."""


async def _once(gallery: Gallery, caller: Caller, request: Request, inner: Handler) -> Response:
    """The answer of a handler, or the one that was kept. Raises Problem (400, 409)."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return await inner(request)
    if not _KEY.fullmatch(key):
        raise Problem(400, "bad_idempotency_key", "Idempotency-Key has 1 to 200 visible ASCII characters")
    digest = await _digest(request)
    known = await run_in_threadpool(_begun, gallery, caller.key, key, digest)
    if known is not None:
        if known.digest != digest:
            raise Problem(409, "idempotency_key_reused", "this Idempotency-Key was used for another request")
        if known.cut_off:
            raise Problem(409, "cut_off", _CUT_OFF)
        if known.status is None:
            raise Problem(
                409,
                "still_working",
                "the request with this Idempotency-Key is still being processed",
                {"Retry-After": "1"},
            )
        return Response(known.body, known.status, {**dict(known.headers), "Idempotent-Replayed": "true"})
    try:
        answer = await inner(request)
    except BaseException:
        await run_in_threadpool(_given_up, gallery, caller.key, key)
        raise
    kept = _to_keep(digest, request, answer)
    try:
        await run_in_threadpool(_answered, gallery, caller.key, key, kept)
    except MultifaceError as error:  # it was done all the same: who hears so does not ask again
        _log.warning("%s: the answer is not kept (%s)", request.state.request_id, kind_of(error))
    return answer


def _to_keep(digest: str, request: Request, answer: Response) -> KeptAnswer:
    """What is said when the same is asked again."""
    if request.url.path in _SHOWN_ONCE:
        words = "this was done, and the answer is shown only once; revoke the key and make another"
        answer = problem_response(Problem(409, "shown_once", words), request.state.request_id)
    headers = tuple((name, answer.headers[name]) for name in _KEPT_HEADERS if name in answer.headers)
    return KeptAnswer(digest, answer.status_code, headers, bytes(answer.body))


async def _digest(request: Request) -> str:
    """sha256 over method, address and body. The boundary between the files of a form may be another each time."""
    own = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    body = await request.body()
    own.update(body if boundary is None else body.replace(boundary[1].encode("latin-1"), b"boundary"))
    return own.hexdigest()


def _begun(gallery: Gallery, access_key: str, key: str, digest: str) -> KeptAnswer | None:
    with gallery.database.writing() as connection:
        return kept_answers.begun(connection, access_key, key, digest)


def _answered(gallery: Gallery, access_key: str, key: str, answer: KeptAnswer) -> None:
    with gallery.database.writing() as connection:
        kept_answers.answered(connection, access_key, key, answer)


def _given_up(gallery: Gallery, access_key: str, key: str) -> None:
    with gallery.database.writing() as connection:
        kept_answers.given_up(connection, access_key, key)


def _note(gallery: Gallery, caller: Caller, request: Request, route: str, status: int) -> None:
    """Write a request down. Where that cannot be, the log says so: what was done was done."""
    ids = {name: str(value)[:100] for name, value in request.path_params.items()}
    number = request.state.request_id
    try:
        with gallery.database.writing() as connection:
            audit.add_entry(connection, caller.key, number, request.method, route, status, ids)
    except MultifaceError as error:
        _log.warning("%s: not in the audit log (%s)", number, kind_of(error))
