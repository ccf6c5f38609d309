"""A webhook: each stored event is handed to an HTTP address at least once, in order, with its number.

A thread of its own sends one event at a time (POST, JSON as in `NumberedEvent.document`). An answer of 2xx
within the time limit counts as taken, and is written into the store; anything else is tried again for ever, after
0.5, 1, 2, ... at most 30 seconds. A process that dies between the two sends the last event once more: who receives them
tells by the number. What was stored while nothing ran is sent when the webhook is opened again. The store is a file of
events (`event_store`), or holds those of one camera of a service.
"""

import json
import threading
import time
from types import TracebackType
from typing import Any, Protocol

from multiface.errors import InputError
from multiface.net.post import Post, webhook_address
from multiface.visible import log_of

ANSWER_SECONDS = 10.0
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
CLOSE_SECONDS = 2.5
_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 0.5

_log = log_of(__name__)


class NumberedEvent(Protocol):
    """An event that is kept."""

    @property
    def number(self) -> int:
        """1 or more; a later event has a higher one."""

    def document(self) -> dict[str, Any]:
        """What is sent."""


class Deliverable(Protocol):
    """Events in the order of their numbers, and how far each target was told. Methods raise InputError."""

    def next_after(self, number: int) -> NumberedEvent | None:
        """The first event after this number, or None."""

    def missing(self, after: int, number: int) -> int:
        """How many events between two numbers were forgotten, where `number` is the first that is kept."""

    def last(self) -> int:
        """The highest number given so far; 0 for none."""

    def delivered(self, target: str) -> int | None:
        """The number up to which a target has been told; None for a target that is not known."""

    def set_delivered(self, target: str, number: int) -> None:
        """A target has been told up to this number."""

    def wait(self, number: int, seconds: float) -> None:
        """Return when there is an event after this number, at the latest after so many seconds."""

    def wake(self) -> None:
        """Let all that wait return."""


class Webhook:
    """Delivers the events of a store. Close it before the store, or use `with`."""

    def __init__(
        self,
        url: str,
        store: Deliverable,
        *,
        after: int | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Begin to deliver to `url` (http or https).

        after: deliver again what has a higher number than this. None: go on where this address has got to; an address
        that the store does not know yet is told what is stored from now on. answer_seconds: how long a server may take
        for an answer, from the first connection on.

        Raises UsageError for what is no such address, without repeating it; InputError as the store does.
        """
        self._address = webhook_address(url)
        self._store = store
        self._answer_seconds = answer_seconds
        self._problem: str | None = None
        self._closing = threading.Event()
        self._end = float("inf")
        self._post: Post | None = None
        reached = store.delivered(self._address.digest) if after is None else after
        # Written down before anything is stored, so that a process killed at once has begun here, too.
        self._reached = store.last() if reached is None else reached
        store.set_delivered(self._address.digest, self._reached)
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Scheme, host and port: fit to be shown."""
        return self._address.shown

    @property
    def problem(self) -> str | None:
        """Why the last attempt failed, in words; None where all is well."""
        return self._problem

    @property
    def reached(self) -> int:
        """The number of the last event that was taken."""
        return self._reached

    def close(self) -> None:
        """Deliver what is waiting if that succeeds within 2.5 seconds, then end; the rest stays in the store."""
        self._end = time.monotonic() + CLOSE_SECONDS
        self._closing.set()
        self._store.wake()
        self._thread.join(CLOSE_SECONDS)
        post = self._post
        if post is not None:
            post.cancel()
        self._thread.join(
            _GRACE_SECONDS
        )  # longer only while a host's name is looked up; the thread dies with us

    def __enter__(self) -> "Webhook":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        delay = FIRST_DELAY
        while time.monotonic() < self._end:
            try:
                event = self._store.next_after(self._reached)
                if event is None:
                    if self._closing.is_set():
                        return
                    self._store.wait(self._reached, _LOOK_SECONDS)
                    continue
                problem = self._deliver(event)
            except InputError as error:  # the store: a full disk, or closed before the webhook
                problem = str(error)
            self._say(problem)
            if problem is None:
                delay = FIRST_DELAY
            elif self._closing.is_set():
                return
            else:
                self._closing.wait(delay)
                delay = min(2 * delay, LONGEST_DELAY)

    def _deliver(self, event: NumberedEvent) -> str | None:
        """Hand one event over; what went wrong, in words."""
        missing = self._store.missing(self._reached, event.number)
        if missing:
            _log.warning("webhook %s: %d events were forgotten before it took them", self.name, missing)
        self._post = Post(self._address, json.dumps(event.document(), allow_nan=False).encode())
        seconds = min(self._answer_seconds, max(0.01, self._end - time.monotonic()))
        problem = self._post.send(seconds)
        if problem is None:
            self._store.set_delivered(self._address.digest, event.number)
            self._reached = event.number
        return problem

    def _say(self, problem: str | None) -> None:
        """Log a problem once, and its end."""
        if problem != self._problem:
            if problem is None:
                _log.warning("webhook %s: it takes events again", self.name)
            else:
                _log.warning("webhook %s: %s; events stay stored and are sent again", self.name, problem)
            self._problem = problem
