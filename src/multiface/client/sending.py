"""How a call is sent: the request as httpx has it, how long to wait before the next try, when to give up.

Addresses hold names of people, and httpx's own client writes whole addresses to its log: so it is used below that.
"""

import secrets
from dataclasses import dataclass
from typing import Any

import httpx

from multiface.client.call import Answer, Call
from multiface.client.problems import error_of
from multiface.errors import ServiceFailed, UsageError
from multiface.net.http import is_web_address
from multiface.version import __version__

TRIES = 5
_BUSY = (429, 503)
_LONGEST_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """A service. address: such as `http://127.0.0.1:8410`. seconds: to wait for each step of an answer."""

    address: str
    key: str | None
    seconds: float

    def __post_init__(self) -> None:
        if not is_web_address(self.address):
            raise UsageError(f"{self.address!r}: a service has an address such as http://127.0.0.1:8410")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and self.key):
            raise UsageError("a key is a text such as mf_..., without spaces and line breaks")

    def __repr__(self) -> str:
        return f"Place({self.address!r})"


def request_of(place: Place, call: Call[Any]) -> httpx.Request:
    """The request; each try of a write is this same request, with the same Idempotency-Key. Raises UsageError."""
    headers = {"User-Agent": f"multiface/{__version__}", **call.headers}
    if place.key is not None:
        headers["Authorization"] = f"Bearer {place.key}"
    if call.writes:
        headers["Idempotency-Key"] = secrets.token_hex(16)
    try:
        request = _made(place, call, headers)
    except ValueError as error:  # half of a surrogate pair, a number that is none
        raise UsageError(
            f"{call.method} {call.path}: JSON and addresses cannot hold what was given ({error})"
        ) from error
    request.read()
    return request


def _made(place: Place, call: Call[Any], headers: dict[str, str]) -> httpx.Request:
    return httpx.Request(
        call.method,
        place.address.rstrip("/") + call.path,
        params=list(call.parameters),
        headers=headers,
        json=None if call.body is None else dict(call.body),
        files=[("pictures", (f"{k}", content)) for k, content in enumerate(call.pictures, 1)] or None,
        extensions={"timeout": httpx.Timeout(place.seconds).as_dict()},
    )


def answer_of(call: Call[Answer], response: httpx.Response) -> Answer:
    """What the service answers, its body read. Raises the error that it tells."""
    if response.status_code >= 400:
        raise error_of(response)
    try:
        return call.read(response.content if call.raw else response.json())
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceFailed(
            f"the service's answer to {call.method} {call.path.split('?')[0]} cannot be read "
            f"({type(error).__name__}): is it a MultiFace service of this version?",
            response.status_code,
            "unreadable",
        ) from error


def wait_before_next(response: httpx.Response | None, tries: int) -> float | None:
    """Seconds until the next try; None where the answer counts, or it has been tried often enough.

    response: None where none came. tries: made so far.
    """
    if tries >= TRIES or not (response is None or _is_busy(response)):
        return None
    asked = "" if response is None else str(response.headers.get("retry-after", ""))
    return min(float(asked) if asked.isdecimal() else 0.2 * 2.0**tries, _LONGEST_WAIT)


def no_answer(place: Place, error: httpx.HTTPError) -> ServiceFailed:
    """The error for a service that does not answer."""
    return ServiceFailed(
        f"{place.address}: the service does not answer ({type(error).__name__})",
        hint="`multiface serve start` starts one",
    )


def _is_busy(response: httpx.Response) -> bool:
    if response.status_code in _BUSY:
        return True
    return response.status_code == 409 and "still_working" in response.text
