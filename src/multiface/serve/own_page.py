"""Whether a request of a browser comes from the service's own page, or from a page of another site (CSRF)."""

from starlette.requests import Request

from multiface.serve.problems import Problem

PAGE_HEADER = "x-multiface"
"""`X-MultiFace: page`: a form of another site cannot send it, and a script only after asking, which is refused."""
_READS = ("GET", "HEAD")


def cookie_name(tls: bool) -> str:
    """Of a session's cookie. Under TLS no other host and no plain connection can set it."""
    return "__Host-multiface" if tls else "multiface"


def from_elsewhere(request: Request, tls: bool) -> bool:
    """Whether the browser says that another site made it send this. What is no browser says nothing."""
    origin = request.headers.get("origin")
    if origin is not None:
        # The header Host was compared with our names before this; see guard.py.
        return origin.lower() != f"{'https' if tls else 'http'}://{request.headers.get('host', '').lower()}"
    return request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def check_own_page(request: Request, tls: bool) -> None:
    """A cookie counts for our own page alone; what changes something must say that it is from there.

    Raises Problem (403).
    """
    refused = from_elsewhere(request, tls)
    if request.method not in _READS:
        refused |= "origin" not in request.headers or request.headers.get(PAGE_HEADER) != "page"
    if refused:
        raise Problem(
            403, "not_our_page", "a cookie is only for the page of this service; programs send a key"
        )
