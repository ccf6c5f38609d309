"""HTTP, wherever MultiFace asks a server for something: whom it trusts, how long it waits, where it lets itself be led.

A request goes to http and https addresses alone. Credentials in an address become a header of that one request, so
they follow no redirect, and an https address is never left for http. Trusted are the certificates of the system and
those of certifi, or of SSL_CERT_FILE in their place. httpx is used below its client, which would log whole addresses.

RFC 9110 (redirects), RFC 7617 (credentials). Times in seconds.
"""

import base64
import functools
import os
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from multiface.net.address import shown_address
from multiface.version import __version__

REDIRECTS = 5
"""Longest chain of redirects."""


class Refused(Exception):
    """This address will not deliver: trying it again does not help. The text says why, without secrets."""


def is_web_address(url: str) -> bool:
    """Whether it is an http or https address that names a host."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


@contextmanager
def exchanged(
    method: str,
    url: str,
    headers: Mapping[str, str],
    patience: httpx.Timeout,
    content: bytes | None = None,
    proxies: bool = False,
    trace: Callable[[str, dict[str, Any]], None] | None = None,
) -> Iterator[httpx.Response]:
    """The answer to one request, its body not read yet.

    patience: for each operation. proxies: go through those that the environment names. trace: told of each step, as
    httpx's extension of that name is.

    Raises httpx.HTTPError, httpx.InvalidURL, and Refused for a proxy that cannot be used.
    """
    address = httpx.URL(url)
    known = urllib.request.getproxies() if proxies and not urllib.request.proxy_bypass(address.host) else {}
    proxy = known.get(address.scheme, known.get("all"))
    request = httpx.Request(
        method,
        address.copy_with(userinfo=b"", fragment=None),
        headers={
            "User-Agent": f"multiface/{__version__}",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **_credentials(address),
            **headers,
        },
        content=content,
        extensions={"timeout": patience.as_dict(), **({} if trace is None else {"trace": trace})},
    )
    # A context without certificates trusts nobody; reading them takes a while.
    trusted = (
        _trusted(_certificates()) if address.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    try:
        transport = httpx.HTTPTransport(
            trusted, proxy=f"http://{proxy}" if proxy and "://" not in proxy else proxy
        )
    except (ImportError, ValueError) as error:
        raise Refused(f"the proxy that the environment names cannot be used ({error})") from None
    with transport:
        response = transport.handle_request(request)
        response.request = request
        try:
            yield response
        finally:
            response.close()


@contextmanager
def asked(
    url: str,
    headers: Mapping[str, str],
    patience: httpx.Timeout,
    redirects: int = REDIRECTS,
    proxies: bool = False,
) -> Iterator[httpx.Response]:
    """The answer at the end of the redirects, its body not read yet. Raises as `exchanged`; Refused for a redirect
    that may not be followed."""
    place = url
    for _ in range(redirects + 1):
        with exchanged("GET", place, headers, patience, proxies=proxies) as response:
            if not response.has_redirect_location:
                yield response
                return
            to = str(httpx.URL(place).join(response.headers["Location"]))
        if not is_web_address(to):
            raise Refused(f"redirected to {to.partition(':')[0]}:..., which is not an http or https address")
        if httpx.URL(place).scheme == "https" and httpx.URL(to).scheme != "https":
            raise Refused(f"redirected from https to {shown_address(to)}, which is not encrypted")
        place = to
    raise Refused(f"redirected more than {redirects} times, last to {shown_address(place)}")


def _certificates() -> tuple[str | None, ...]:
    """Where the environment says that they are."""
    return tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))


@functools.cache
def _trusted(_certificates: tuple[str | None, ...]) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context


def _credentials(address: httpx.URL) -> dict[str, str]:
    if not address.userinfo:
        return {}
    pair = f"{address.username}:{address.password}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii")}
