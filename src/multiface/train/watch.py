"""Watches over the processes of a run, so that all end within seconds when one of them fails.

A thread of each process looks at the store where they met. A process that fails puts its error there; one that gives no
sign of life any more, or never comes, is put down as failed by the first one. Whoever then cannot leave by itself,
because it waits in a collective for the one that is gone, is ended from that thread.
"""

import os
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta

from torch.distributed import Store  # type: ignore[attr-defined]

from multiface.errors import InputError, MultifaceError
from multiface.train.launchers import Launch
from multiface.visible import visible

FIND = timedelta(minutes=10)
"""So long a process looks for the meeting point."""
LOOK = 0.5
"""Seconds between two looks at the store."""
SILENT = 60.0
"""Seconds without a sign of life after which a process counts as lost."""
GRACE = 5.0
"""Seconds that the others have to end by themselves after one failed."""
FAILED = 3
"""Exit code of a process that ends because another one did."""


class Watch:
    """Looks at the store every LOOK seconds, in a thread with a connection of its own, until `end`."""

    def __init__(self, launch: Launch, store: Store) -> None:
        self._launch = launch
        self._store = store
        self._failure: str | None = None
        self._known = threading.Event()
        self._leaving = threading.Event()
        self._thread = threading.Thread(
            target=self._look,
            args=(store.clone(),),  # type: ignore[attr-defined]
            name="watch over processes",
            daemon=True,
        )
        self._thread.start()

    def raise_failure(self) -> None:
        """Raises InputError if another process has failed."""
        if self._failure is not None:
            raise InputError(self._failure)

    def failure_soon(self) -> str | None:
        """What another process said when it failed; waited for a moment, since its connections end first."""
        self._known.wait(4 * LOOK)
        return self._failure

    def tell(self, error: BaseException) -> None:
        """Puts down why this process ends, unless another one did before."""
        if self._failure is not None:
            return
        reason = str(error)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            reason = "it was stopped"
        elif not isinstance(error, MultifaceError):
            reason = f"{type(error).__name__}: {error}"
        with suppress(RuntimeError):  # the store is gone: so are the others
            self._store.compare_set("failed", "", f"process {self._launch.rank} failed: {reason}")

    def end(self, well: bool) -> None:
        """Leaves; whoever keeps the store stays until the others need it no more."""
        self._leaving.set()
        self._thread.join(GRACE)
        keeper = self._launch.rank == 0 and not self._launch.hosted
        with suppress(RuntimeError):
            self._store.set(f"done {self._launch.rank}", "")
            everybody = [f"done {rank}" for rank in range(self._launch.processes)]
            until = time.monotonic() + (SILENT if well else GRACE)
            while keeper and time.monotonic() < until and not self._store.check(everybody):
                time.sleep(0.05)

    def _look(self, store: Store) -> None:
        seen: list[tuple[int, float]] = [(0, time.monotonic())] * self._launch.processes
        lost = "the first process is gone, and with it the meeting point; see its own messages"
        while not self._leaving.wait(LOOK):
            try:
                store.add(f"alive {self._launch.rank}", 1)
                if self._launch.rank == 0:
                    self._miss(store, seen)
                if store.check(["failed"]):
                    lost = store.get("failed").decode()
                    store.set(f"done {self._launch.rank}", "")
                    break
            except RuntimeError:
                break
        else:
            return
        self._failure = lost
        self._known.set()
        if not self._leaving.wait(GRACE):
            # The main thread waits in a collective that will not end.
            sys.stderr.write(f"error: {visible(lost)}\n")
            sys.stderr.flush()
            os._exit(FAILED)

    def _miss(self, store: Store, seen: list[tuple[int, float]]) -> None:
        """Puts a process that gives no sign of life any more, or never came, down as failed."""
        now = time.monotonic()
        for rank in range(1, self._launch.processes):
            count = store.add(f"alive {rank}", 0)
            silent = now - seen[rank][1]
            if count != seen[rank][0]:
                seen[rank] = (count, now)
            elif not count and silent > FIND.total_seconds():
                store.compare_set(
                    "failed",
                    "",
                    f"process {rank} of {self._launch.processes} did not come within {FIND.total_seconds():g} s: was "
                    "it started, with the same MASTER_ADDR and MASTER_PORT?",
                )
            elif count and silent > SILENT:
                store.compare_set(
                    "failed",
                    "",
                    f"process {rank} failed: it has given no sign of life for {SILENT:g} s; was it killed, or "
                    "its machine out of memory?",
                )
