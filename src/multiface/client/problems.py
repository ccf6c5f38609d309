"""An answer that is an error, as the error of this package that it is."""

from typing import Any

import httpx

from multiface import errors
from multiface.errors import MultifaceError, ServiceFailed

_TREE = {
    "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_"): kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, MultifaceError) and kind is not ServiceFailed
}


def error_of(response: httpx.Response) -> MultifaceError:
    """The error that an answer from 400 on tells of; its body has been read."""
    document: Any = None
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            document = response.json()
        except ValueError:
            document = None
    if not isinstance(document, dict):
        return ServiceFailed(
            f"the service answers {response.status_code} without saying why: is it a MultiFace service?",
            response.status_code,
            "no_problem",
        )
    kind = str(document.get("type", "")).rpartition(":")[2]
    detail = str(document.get("detail", document.get("title", "")))
    known = _TREE.get(kind)
    if known is not None:
        return known(detail)
    return ServiceFailed(detail, response.status_code, kind, document.get("request_id"))
