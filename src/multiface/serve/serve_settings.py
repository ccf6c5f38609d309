"""What can be chosen of a service, as one value."""

from dataclasses import dataclass
from ipaddress import ip_address

from multiface.errors import UsageError
from multiface.recognition import IDENTIFY_RATE

MOST_PICTURES = 50
"""In one request."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How a service listens, decides and limits itself.

    host: the address to listen on. hosts: names by which clients may call it, besides those of this machine's loopback.
    rate: of `identify`. largest_body: bytes of a request. body_seconds: in which it comes in. largest_picture: bytes
    that decoding one picture may take (50 megapixels of JPEG). at_once: requests worked on at the same time. waiting:
    requests that wait for that; more are refused with 503. each_key: requests a second that a key may send. backups:
    the folder for backups. read_only: nothing is changed. tls: clients come over TLS, ours or that of a proxy in front.
    keys: False where nobody needs a key, only on an address that nobody else can reach.

    Raises UsageError.
    """

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    rate: float = IDENTIFY_RATE
    largest_body: int = 20_000_000
    body_seconds: float = 60.0
    largest_picture: int = 400_000_000
    at_once: int = 2
    waiting: int = 32
    each_key: float = 50.0
    backups: str | None = None
    read_only: bool = False
    keys: bool = True
    tls: bool = False

    def __post_init__(self) -> None:
        if min(self.largest_body, self.largest_picture, self.at_once, self.each_key) < 1 or self.waiting < 0:
            raise UsageError("limits of a service are 1 or more")
        if not self.keys and not self.is_loopback:
            raise UsageError(f"{self.host}: others can reach this address, so keys are needed")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """What the header Host may say, without the port: others are a page of another site that was rebound to us."""
        own = {"localhost", "127.0.0.1", "[::1]", self.host.lower()}
        return frozenset(own | {host.lower() for host in self.hosts})
