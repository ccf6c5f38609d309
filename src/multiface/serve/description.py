"""The description of the API for programs (OpenAPI 3.1): what FastAPI finds in the routes, and what it does not see.

Errors are RFC 9457 problems, keys go into the header Authorization, pictures are bodies or files of a form.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

Document = dict[str, Any]

_TEXT: Document = {"type": "string"}
_PROBLEM: Document = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457). `type` names its kind, `detail` says what to do.",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "request_id": _TEXT,
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"path": _TEXT, "message": _TEXT}},
        },
    },
}
_OTHERWISE: Document = {
    "description": "A problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_FILE: Document = {"type": "string", "format": "binary"}
_ONE_OR_MORE: Document = {
    "required": True,
    "content": {
        "image/*": {"schema": _FILE},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["pictures"],
                "properties": {"pictures": {"type": "array", "items": _FILE, "minItems": 1, "maxItems": 50}},
            }
        },
    },
}
_TWO: Document = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["pictures"],
                "properties": {"pictures": {"type": "array", "items": _FILE, "minItems": 2, "maxItems": 2}},
            }
        }
    },
}
_BODIES = {
    "/v1/identify": _ONE_OR_MORE,
    "/v1/detect": _ONE_OR_MORE,
    "/v1/embed": _ONE_OR_MORE,
    "/v1/search": _ONE_OR_MORE,
    "/v1/verify": _TWO,
    "/v1/people": _ONE_OR_MORE,
    "/v1/people/{person}/faces": _ONE_OR_MORE,
}
_OTHER_CONTENT = {
    "/v1/photos/{photo}/picture": "image/jpeg",
    "/v1/strangers/{stranger}/picture": "image/jpeg",
    "/v1/sprites/people": "image/jpeg",
    "/v1/sprites/faces": "image/jpeg",
    "/v1/sprites/templates": "image/jpeg",
    "/v1/backup/{name}": "application/x-tar",
    "/v1/people/{person}/export": "application/zip",
    "/v1/jobs/{job}/events": "text/event-stream",
    "/metrics": "text/plain",
}
_SCHEMAS: Mapping[str, Document] = {"text/event-stream": {}, "text/plain": _TEXT}
_OPEN = ("/livez", "/readyz")


def described_by(app: FastAPI) -> Callable[[], Document]:
    """What `app.openapi` is to be."""

    def describe() -> Document:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            components = document["components"]
            for ours_not in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(ours_not, None)
            components["schemas"]["Problem"] = _PROBLEM
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    _complete(path, method, operation)
            app.openapi_schema = document
        return app.openapi_schema

    return describe


def _complete(path: str, method: str, operation: Document) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for parameter in operation.get("parameters", ()):
        _never_null(parameter["schema"])
    responses["default"] = _OTHERWISE
    if path not in _OPEN:
        operation["security"] = [{"key": []}]
    if method == "post" and path in _BODIES:
        operation["requestBody"] = _BODIES[path]
    kind = _OTHER_CONTENT.get(path)
    if kind is not None:
        for status, response in responses.items():
            if status.startswith("2"):
                response["content"] = {kind: {"schema": _SCHEMAS.get(kind, _FILE)}}


def _never_null(schema: Document) -> None:
    """A parameter that may be left out is not null: there is no null in an address."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])
