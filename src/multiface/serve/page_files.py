"""The page for browsers: files of the package, read once, under an address that changes with their content."""

import gzip
import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from multiface.serve.problems import Problem

_KINDS = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "media-src blob:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FOR_EVER = "public, max-age=31536000, immutable"


def page_routes() -> APIRouter:
    """`/` and `/docs`, asked for anew each time, and what they load, under `/page/DIGEST/`, which never changes."""
    router = APIRouter(include_in_schema=False)
    found = dict(_files(files("multiface.serve").joinpath("page"), ""))
    digest = hashlib.sha256()
    for path, content in sorted(found.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    version = digest.hexdigest()[:16]
    tag = f'"{version}"'

    packed = {path: gzip.compress(content, mtime=0) for path, content in found.items()}

    def document(request: Request, path: str) -> Response:
        headers = {**_HEADERS, "ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):  # a proxy that packs makes it W/"..."
            # With all headers: browsers put those of this answer in the place of the ones they kept.
            return Response(status_code=304, headers=headers)
        content = found[path].replace(b"PAGE/", f"/page/{version}/".encode())
        return Response(content, 200, headers, "text/html; charset=utf-8")

    @router.get("/")
    def index(request: Request) -> Response:
        return document(request, "index.html")

    @router.get("/docs")
    def docs(request: Request) -> Response:
        return document(request, "docs.html")

    @router.get("/page/{wanted}/{path:path}")
    def file(request: Request, wanted: str, path: str) -> Response:
        if wanted != version or path not in found or path.endswith(".html"):
            raise Problem(404, "not_found", "the page has changed; load it again")
        kind = _KINDS[path.rpartition(".")[2]]
        headers = {"Cache-Control": _FOR_EVER, "Content-Security-Policy": _POLICY, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(packed[path], 200, headers, f"{kind}; charset=utf-8")
        return Response(found[path], 200, headers, f"{kind}; charset=utf-8")

    return router


def _files(folder: Traversable, before: str) -> list[tuple[str, bytes]]:
    """Path and content of each file of a kind that a page has."""
    found: list[tuple[str, bytes]] = []
    for one in folder.iterdir():
        if one.is_dir():
            found += _files(one, f"{before}{one.name}/")
        elif one.name.rpartition(".")[2] in _KINDS:
            found.append((before + one.name, one.read_bytes()))
    return found
