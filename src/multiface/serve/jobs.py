"""Long work of a service: one job at a time in each process, taken from the gallery, resumed after a crash."""

import os
import secrets
import socket
import threading
from collections.abc import Callable

from multiface.errors import MultifaceError
from multiface.gallery import Gallery
from multiface.gallery.service import jobs
from multiface.gallery.service.jobs import Facts, Job
from multiface.progress import Progress
from multiface.serve.problems import kind_of
from multiface.visible import log_of

_log = log_of(__name__)
_BEAT = 3.0
"""Seconds between two signs of life, well below `jobs.SILENT`."""
_LOOK = 1.0
"""Seconds after which a process without work looks for some that another one was asked for."""


class _Stopped(Exception):
    """A job was cancelled, or the service ends."""


Doing = Callable[[Job, Progress], Facts]
"""Does a job, telling how far it is; its result. What tells it may raise, which ends the job."""


class Jobs:
    """do: does a job of any kind. Until it is started it takes orders for others only. Close it."""

    def __init__(self, gallery: Gallery, do: Doing) -> None:
        self._gallery = gallery
        self._do = do
        self._owner = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
        self._new = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="multiface jobs", daemon=True)

    def start(self) -> None:
        """Take jobs from now on."""
        self._thread.start()

    def ask(self, kind: str, asked: Facts) -> Job:
        """A new job."""
        with self._gallery.database.writing() as connection:
            job = jobs.ask(connection, kind, asked)
        self._new.set()
        return job

    def close(self) -> None:
        """Stop; a job that is worked on goes on when the service is started again."""
        self._closing.set()
        self._new.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                job = self._next()
                if job is not None:
                    self._run(job)
                    continue
            except MultifaceError as error:  # the gallery cannot be reached: it may be again
                _log.warning("jobs: %s", type(error).__name__)
            self._new.wait(_LOOK)
            self._new.clear()

    def _next(self) -> Job | None:
        with self._gallery.database.reading() as connection:
            if not jobs.are_left(connection):
                return None
        with self._gallery.database.writing() as connection:
            return jobs.next_one(connection, self._owner)

    def _run(self, job: Job) -> None:
        run = _Run(self._gallery, job, self._owner, self._closing)
        try:
            result = self._do(job, run.progress)
        except _Stopped:
            self._stopped(job)
        except MultifaceError as error:
            _log.warning("job %s (%s): %s", job.id, job.kind, kind_of(error))
            run.end("failed", problem={"type": f"urn:multiface:{kind_of(error)}", "detail": str(error)})
        except Exception as error:
            _log.error("job %s (%s): %s", job.id, job.kind, type(error).__name__, exc_info=error)
            detail = f"the service failed; its log has the reason under {job.id}"
            run.end("failed", problem={"type": "urn:multiface:internal", "detail": detail})
        else:
            run.end("done", result=result)
        finally:
            run.close()

    def _stopped(self, job: Job) -> None:
        with self._gallery.database.writing() as connection:
            now = jobs.found(connection, job.id)
            if now is not None and now.cancelled:
                jobs.end(connection, job.id, self._owner, "cancelled")
            else:
                jobs.let_go(connection, job.id, self._owner)


class _Run:
    """A job that is worked on: it says every few seconds that it is, and hears whether it shall go on."""

    def __init__(self, gallery: Gallery, job: Job, owner: str, closing: threading.Event) -> None:
        self._gallery, self._job, self._owner, self._closing = gallery, job, owner, closing
        self._done, self._total = job.done, job.total
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="multiface job", daemon=True)
        self._thread.start()

    def progress(self, done: int, total: int | None) -> None:
        """How far it is. Raises _Stopped where it shall not go on."""
        self._done, self._total = done, total
        if self._stop.is_set() or self._closing.is_set():
            raise _Stopped

    def end(self, state: str, result: Facts | None = None, problem: Facts | None = None) -> None:
        """Write down how it ended."""
        with self._gallery.database.writing() as connection:
            jobs.beat(connection, self._job.id, self._owner, self._done, self._total)
            jobs.end(connection, self._job.id, self._owner, state, result, problem)

    def close(self) -> None:
        """No more signs of life."""
        self._ended.set()
        self._thread.join(10)

    def _beat(self) -> None:
        told: tuple[int, int | None] | None = None
        quiet = 0.0
        while not self._ended.wait(_LOOK):
            now = (self._done, self._total)
            quiet += _LOOK
            if now == told and quiet < _BEAT:
                continue
            told, quiet = now, 0.0
            try:
                with self._gallery.database.writing() as connection:
                    go_on = jobs.beat(connection, self._job.id, self._owner, *now)
            except MultifaceError as error:
                _log.warning("job %s: %s", self._job.id, type(error).__name__)
                continue
            if not go_on:
                self._stop.set()
