"""What becomes of an error that leaves a route: a problem that tells nothing of our insides."""

from collections.abc import Iterable, Sequence

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route

from multiface.errors import MultifaceError
from multiface.serve.problems import Problem, problem_document, problem_of, problem_response, sound
from multiface.visible import log_of

_log = log_of(__name__)


def answer_errors(app: FastAPI, place: str, routers: Sequence[APIRouter]) -> None:
    """Let every error of an application be answered. place: the gallery, as messages begin. routers: its routes."""

    @app.exception_handler(MultifaceError)
    async def ours(request: Request, error: MultifaceError) -> JSONResponse:
        problem = problem_of(error)
        # Messages begin with the gallery, which is a path of the server.
        problem.detail = problem.detail.replace(f"{place}: ", "").replace(place, "the gallery")
        return problem_response(problem, request.state.request_id)

    @app.exception_handler(Problem)
    async def told(request: Request, problem: Problem) -> JSONResponse:
        return problem_response(problem, request.state.request_id)

    @app.exception_handler(HTTPException)
    async def theirs(request: Request, error: HTTPException) -> JSONResponse:
        kind = {404: "not_found", 405: "wrong_method"}.get(error.status_code, "bad_request")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            routes = [*app.routes, *(route for router in routers for route in router.routes)]
            headers["Allow"] = ", ".join(sorted(_methods(routes, request)))
        return problem_response(
            Problem(error.status_code, kind, str(error.detail), headers), request.state.request_id
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problem = Problem(422, "invalid", "; ".join(str(one["msg"]) for one in error.errors()))
        document = problem_document(problem, request.state.request_id)
        document["errors"] = [
            {"path": sound("/".join(map(str, one["loc"]))), "message": sound(str(one["msg"]))}
            for one in error.errors()
        ]
        return JSONResponse(document, 422, media_type="application/problem+json")

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=499)  # nobody reads it; the log says that the client went

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s: %s", request.state.request_id, type(error).__name__, exc_info=error)
        problem = Problem(500, "internal", "the service failed; its log has the reason under this request_id")
        return problem_response(problem, request.state.request_id)


def _methods(routes: Iterable[BaseRoute], request: Request) -> set[str]:
    """All methods of an address: Starlette names those of one of its routes. Whatever is read answers HEAD, too."""
    found = {
        method
        for route in routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return found | {"HEAD"} if "GET" in found else found
