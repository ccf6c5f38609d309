"""Sessions of the page: begun with a link that is good once or with a key, kept in a cookie hidden from scripts."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from multiface.gallery import Gallery
from multiface.gallery.service import access_keys, audit
from multiface.gallery.service.access_keys import SCOPES, SESSION_HOURS, AccessKey
from multiface.gallery.sql import Connection
from multiface.serve.own_page import check_own_page, cookie_name
from multiface.serve.problems import Problem
from multiface.serve.request_body import RequestBody

Document = dict[str, Any]


class SignIn(RequestBody):
    """One of both."""

    link: str | None = Field(None, max_length=200)
    key: str | None = Field(None, max_length=200)


def session_routes(gallery: Gallery, *, open_: bool, tls: bool) -> APIRouter:
    """The routes. They are the page's own, so the description for programs leaves them out.

    open_: nobody needs a key. tls: clients come over TLS.
    """
    router = APIRouter(prefix="/v1", include_in_schema=False)
    database, cookie = gallery.database, cookie_name(tls)

    @router.post("/session", status_code=201)
    def begin(wanted: SignIn, request: Request) -> Response:
        """Sign in. A link is used up by it, whoever comes first."""
        check_own_page(request, tls)
        # Who has neither holds nobody up: nothing is locked for writing before one of them is found.
        with database.reading() as connection:
            link = None if wanted.link is None else access_keys.found_link(connection, wanted.link)
            key = None if wanted.key is None else access_keys.found_key(connection, wanted.key)
        made = None
        if link is not None or key is not None:
            with database.writing() as connection:
                if key is not None:
                    access_keys.touch_key(connection, key.id)
                    made = access_keys.new_session(connection, key)
                elif link is not None and access_keys.use_link(connection, link):
                    made = access_keys.new_session(connection, None)
                if made is not None:
                    note(connection, request, "link" if key is None else key.id, 201, made[0].id)
        if made is None:
            raise Problem(
                401,
                "not_signed_in",
                "this link was used already or is older than ten minutes; make another with `multiface serve link` on "
                "the server, or sign in with a key"
                if wanted.link is not None
                else "there is no such key, or it has expired or been revoked",
            )
        session, text = made
        answer = JSONResponse(_session(session), 201)
        answer.set_cookie(
            cookie, text, max_age=SESSION_HOURS * 3600, path="/", secure=tls, httponly=True, samesite="strict"
        )
        return answer

    @router.get("/session")
    def session(request: Request) -> Document:
        """Who is signed in; for nothing, if nobody is: a page that asks this first has made no error."""
        if open_:
            return {"name": None, "scopes": list(SCOPES), "expires": None}
        check_own_page(request, tls)
        found = _found(request)
        return {"name": None, "scopes": [], "expires": None} if found is None else _session(found)

    @router.delete("/session")
    def end(request: Request) -> Response:
        """Sign out."""
        check_own_page(request, tls)
        found = _found(request)
        if found is None:
            raise Problem(401, "not_signed_in", "nobody is signed in")
        with database.writing() as connection:
            access_keys.end_session(connection, found.id)
            note(connection, request, found.id, 200, found.id)
        answer = JSONResponse({"ended": True})
        answer.delete_cookie(cookie, path="/", secure=tls, httponly=True, samesite="strict")
        return answer

    def note(connection: Connection, request: Request, who: str, status: int, one: str) -> None:
        """In the audit log, where later changes have the session's id."""
        number, ids = request.state.request_id, {"session": one}
        audit.add_entry(connection, who, number, request.method, "/v1/session", status, ids)

    def _found(request: Request) -> AccessKey | None:
        with database.reading() as connection:
            return access_keys.found_session(connection, request.cookies.get(cookie, ""))

    return router


def _session(one: AccessKey) -> Document:
    return {"name": one.name, "scopes": list(one.scopes), "expires": one.expires}
