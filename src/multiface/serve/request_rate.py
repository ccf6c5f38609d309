"""How many requests a key may send: a bucket of tokens for each, filled at a steady rate."""

import math
import threading
import time
from collections.abc import Callable

from multiface.serve.problems import Problem

_MOST = 10_000
"""Keys that are remembered; above that, those whose bucket is full are forgotten."""


class RequestRate:
    """each_second: requests a key may send on average; it may send twice as many at once."""

    def __init__(self, each_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = each_second
        self._size = max(1.0, 2 * each_second)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """One request of a key. Raises Problem (429), with when to come again."""
        now = self._clock()
        with self._lock:
            left, since = self._left.get(key, (self._size, now))
            left = min(self._size, left + (now - since) * self._rate)
            if left < 1.0:
                wait = math.ceil((1.0 - left) / self._rate)
                raise Problem(
                    429, "too_many_requests", "this key sends too many requests", {"Retry-After": str(wait)}
                )
            self._left[key] = (left - 1.0, now)
            if len(self._left) > _MOST:
                self._left = {
                    one: (own, at)
                    for one, (own, at) in self._left.items()
                    if own + (now - at) * self._rate < self._size
                }
