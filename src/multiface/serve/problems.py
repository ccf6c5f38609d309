"""Errors as RFC 9457 problems: `application/problem+json`, typed by the error tree, with nothing of our insides."""

import re
from typing import Any

from starlette.responses import JSONResponse

from multiface.errors import (
    AmbiguousName,
    FingerprintMismatch,
    GalleryBusy,
    GalleryConflict,
    GalleryError,
    GalleryReadOnly,
    InputError,
    MultifaceError,
    NotAvailable,
    NotInGallery,
    PictureTooLarge,
    UsageError,
)

_STATUS: tuple[tuple[type[MultifaceError], int], ...] = (
    (NotInGallery, 404),
    (AmbiguousName, 409),
    (GalleryConflict, 409),
    (GalleryBusy, 503),
    (GalleryReadOnly, 403),
    (FingerprintMismatch, 409),
    (GalleryError, 500),
    (PictureTooLarge, 413),
    (InputError, 422),
    (UsageError, 422),
    (NotAvailable, 501),
)
_TITLES = {
    400: "The request cannot be read",
    401: "A key is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Not a method of this address",
    408: "Too slow",
    409: "It does not fit what is there",
    412: "It was changed meanwhile",
    413: "Too large",
    415: "Not a kind of content that is read here",
    421: "Not a name of this service",
    422: "It cannot be used",
    428: "If-Match is needed",
    429: "Too many requests",
    500: "The service failed",
    501: "Not available here",
    503: "Busy",
}


class Problem(Exception):
    """An answer that is an error. kind: the last part of the type, such as "too_many_pictures"."""

    def __init__(self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}


def problem_of(error: MultifaceError) -> Problem:
    """The problem that an error of ours is."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    headers = {"Retry-After": "2"} if status == 503 else {}
    return Problem(status, kind_of(error), str(error), headers)


def kind_of(error: MultifaceError) -> str:
    """The name of an error's class as types have it: SeveralFaces is `several_faces`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def problem_document(problem: Problem, request_id: str) -> dict[str, Any]:
    """The body of a problem."""
    return {
        "type": f"urn:multiface:{problem.kind}",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": sound(problem.detail),
        "request_id": request_id,
    }


def sound(text: str) -> str:
    """A text that can be sent: halves of surrogate pairs, which JSON of a request can hold, are question marks."""
    return text.encode("utf-8", "replace").decode()


def problem_response(problem: Problem, request_id: str) -> JSONResponse:
    """A problem as an answer."""
    return JSONResponse(
        problem_document(problem, request_id),
        problem.status,
        problem.headers,
        media_type="application/problem+json",
    )
