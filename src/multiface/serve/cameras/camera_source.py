"""What a camera may be: a webcam's number, or an address whose host may be asked; its password is kept apart."""

import re
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import quote, unquote

from multiface.errors import UsageError
from multiface.net.address import checked_address, scheme_of, shown_address

_WEBCAM = re.compile(r"[0-9]{1,3}|/dev/video[0-9]+|/dev/v4l/[\w./:-]+")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:([^/?#@]*)@)?([^/?#@]*)([/?#][^@]*)?")
_LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class CameraSource:
    """address: without a password; a webcam's number or device. password: of the user whom the address names."""

    address: str = field(repr=False)
    password: str | None = field(repr=False)

    @property
    def opened(self) -> str:
        """As a source is opened: with the password in it."""
        if self.password is None:
            return self.address
        scheme, user, host, path = _parts(self.address)
        return f"{scheme}{user}:{quote(self.password, safe='')}@{host}{path}"

    @property
    def shown(self) -> str:
        """Fit for answers and logs."""
        return self.address if _is_webcam(self.address) else shown_address(self.address)


def camera_source(text: str, password: str | None) -> CameraSource:
    """Read what somebody gave. A password may also stand in the address. Raises UsageError, without repeating it."""
    text = text.strip()
    if _is_webcam(text):
        if password:
            raise UsageError("a webcam has no password")
        return CameraSource(text, None)
    if scheme_of(text) is None:
        raise UsageError(
            "a camera is a webcam's number (0) or an address such as rtsp://USER@HOST/PATH, and this is neither"
        )
    checked_address(text)
    scheme, user, host, path = _parts(text)
    user, colon, inside = user.partition(":")
    given = password or (unquote(inside) if colon else None) or None
    if given is not None and not given.isprintable():
        raise UsageError("the password holds a character that cannot be printed")
    if given is not None and not user:
        raise UsageError("a password is for an address that names a user, such as rtsp://USER@HOST/PATH")
    return CameraSource(f"{scheme}{user + '@' if user else ''}{host}{path}", given)


def require_allowed(source: CameraSource, hosts: tuple[str, ...]) -> None:
    """Raises UsageError unless a camera may be there.

    hosts: names, addresses and networks (10.0.0.0/8); none for everywhere. A name that is not in the list is looked up,
    and each of its addresses has to be in one of the networks. A webcam is at "localhost".
    """
    if not hosts:
        return
    host = _LOCAL if _is_webcam(source.address) else host_of(source.address)
    if host in {one.lower() for one in hosts}:
        return
    networks = [network for network in map(_network, hosts) if network is not None]
    addresses = _addresses(host)
    if addresses and all(any(ip_address(one) in network for network in networks) for one in addresses):
        return
    raise UsageError(
        f"{source.shown}: this service accepts no cameras at that host; whoever starts it says which (--camera-host)"
    )


def check_hosts(hosts: tuple[str, ...]) -> None:
    """Raises UsageError for what is neither the name of a host nor a network."""
    for one in hosts:
        if _network(one) is None and not re.fullmatch(r"[A-Za-z0-9._-]+", one):
            raise UsageError(
                f"{one}: a camera's host is a name, an address or a network such as 192.168.1.0/24"
            )


def host_of(address: str) -> str:
    """The host of an address, in small letters, without brackets and port."""
    place = _parts(address)[2]
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d*)?|([^:\[\]]+)(?::\d*)?", place)
    if found is None:
        raise UsageError("the address names no host that can be read")
    return (found[1] or found[2]).lower()


def _is_webcam(text: str) -> bool:
    return _WEBCAM.fullmatch(text) is not None


def _parts(address: str) -> tuple[str, str, str, str]:
    """Scheme with "://", user, host with port, and the rest. FFmpeg reads the host up to the first of /, ? and #."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise UsageError(
            "the address has a / ? # or @ where none may stand",
            hint="write those of a password or path as %2F, %3F, %23, %40",
        )
    return found[1], found[2] or "", found[3], found[4] or ""


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(one[4][0]).partition("%")[0] for one in found})
