"""Work with pictures, bounded: so many requests at the same time, so many that wait, and 503 at once for the rest."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from multiface.serve.problems import Problem

Result = TypeVar("Result")


class Work:
    """at_once: requests worked on. waiting: requests that wait."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, "multiface serve")
        self._most = at_once + waiting
        self._now = 0
        self.refused = 0
        """How many requests were refused so far."""

    @property
    def now(self) -> int:
        """Requests worked on and waiting."""
        return self._now

    def check(self) -> None:
        """Raises Problem (503) where too many wait: before a body is read that would only be thrown away."""
        if self._now >= self._most:
            self.refused += 1
            raise Problem(
                503, "busy", "too many pictures are waiting; try again in a moment", {"Retry-After": "1"}
            )

    async def run(self, job: Callable[[], Result]) -> Result:
        """The result of a job in a thread. Raises Problem (503) where too many wait, and what the job raises."""
        self.check()
        self._now += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, job)
        finally:
            self._now -= 1

    def close(self) -> None:
        """Let go of the threads; what is worked on is finished."""
        self._pool.shutdown(wait=True, cancel_futures=True)
