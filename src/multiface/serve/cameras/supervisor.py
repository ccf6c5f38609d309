"""Runs the cameras of a gallery: one process each, started again after a while when it ends, and their webhooks.

Of all services on one gallery one does so, which holds the lease; its processes write events only while it does. What
is wanted stands in the gallery, so that it does not matter which service was asked, and so does what became of it. A
thread of its own looks at it twice a second, over a connection of its own.
"""

import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from multiface.errors import GalleryError, MultifaceError, NotAvailable, UsageError
from multiface.gallery import Gallery
from multiface.gallery.service import camera_rows
from multiface.gallery.service.camera_rows import Camera, Lease
from multiface.recognition import Recognizer
from multiface.serve.cameras.camera_order import CameraOrder
from multiface.serve.cameras.camera_source import CameraSource, require_allowed
from multiface.serve.cameras.running_camera import RunningCamera, stop_all
from multiface.serve.cameras.told_events import News, ToldEvents
from multiface.video.events.webhook import Webhook
from multiface.visible import log_of

LOOK_SECONDS = 0.5
BEAT_SECONDS = 3.0
TAKE_OVER_SECONDS = 12.0
"""How long the lease of another service has to stand still before it is taken."""
FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
HEALTHY_SECONDS = 60.0
"""After so long without trouble the next failure is followed by the first delay again."""
CLOSE_SECONDS = 6.0

_log = log_of(__name__)


@dataclass(slots=True, eq=False)
class _Kept:
    """A camera in this service's hands. due: when it may be started again. why: the last failure, logged: of those
    that the log has. said: the state that was written down.
    """

    camera: Camera
    running: RunningCamera | None = None
    delay: float = FIRST_DELAY
    due: float = 0.0
    why: str | None = None
    logged: str | None = None
    said: tuple[str, str | None] | None = None
    webhook: Webhook | None = None
    webhook_url: str | None = None


class Supervisor:
    """Begins with `start`, ends with `close`; both once."""

    def __init__(self, recognizer: Recognizer, hosts: tuple[str, ...]) -> None:
        """recognizer: with a gallery, in which the cameras are. hosts: see `camera_source.require_allowed`."""
        assert recognizer.gallery is not None
        self._location = recognizer.gallery.location
        self._origin = recognizer.origin
        self._description: dict[str, object] | None = None
        self._not_described: str | None = None
        try:
            self._description = recognizer.described()
        except NotAvailable as error:
            self._not_described = str(error)
        self._hosts = hosts
        self._owner = secrets.token_hex(8)
        self._kept: dict[str, _Kept] = {}
        self._news = News()
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._beaten = 0.0
        self._others: tuple[Lease, float] | None = None
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once: something else is wanted."""
        self._awake.set()

    def close(self) -> None:
        """Stop all cameras and let another service run them."""
        self._closing.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    @property
    def processes(self) -> dict[str, int]:
        """The process of each camera that this service runs, by the camera's id."""
        return {number: one.running.pid for number, one in list(self._kept.items()) if one.running}

    def _run(self) -> None:
        gallery: Gallery | None = None
        try:
            while not self._closing.is_set():
                try:
                    if gallery is None:
                        gallery = Gallery.open(self._location, self._origin)
                    self._look(gallery)
                    self._say_problem(None)
                except MultifaceError as error:
                    self._say_problem(str(error))
                self._awake.wait(LOOK_SECONDS)
                self._awake.clear()
        except BaseException:
            _log.exception("the cameras are no longer supervised")
            raise
        finally:
            self._let_go()
            if gallery is not None:
                with suppress(GalleryError), gallery.database.writing() as connection:
                    camera_rows.release_lease(connection, self._owner)
                gallery.close()

    def _say_problem(self, problem: str | None) -> None:
        if problem is not None and problem != self._problem:
            _log.warning("cameras: %s; running cameras continue", problem)
        self._problem = problem

    def _look(self, gallery: Gallery) -> None:
        """Make what runs be what is wanted."""
        with gallery.database.reading() as connection:
            wanted = {one.id: one for one in camera_rows.cameras(connection)}
            lease = camera_rows.lease(connection)
        if not self._leads(gallery, bool(wanted), lease):
            self._let_go()
            return
        self._drop(wanted)
        for camera in wanted.values():
            kept = self._kept.setdefault(camera.id, _Kept(camera))
            kept.camera = camera
            state, detail = self._state(kept)
            if kept.said != (state, detail):
                with gallery.database.writing() as connection:
                    camera_rows.set_state(connection, camera.id, state, detail)
                kept.said = (state, detail)
            self._tell(gallery, kept)

    def _leads(self, gallery: Gallery, any_wanted: bool, lease: Lease | None) -> bool:
        """Whether this service is the one; takes the lease, and counts it up."""
        now, stale = time.monotonic(), None
        mine = lease is not None and lease.owner == self._owner
        if not any_wanted:
            if mine:
                with gallery.database.writing() as connection:
                    camera_rows.release_lease(connection, self._owner)
            return False
        if mine and now - self._beaten < BEAT_SECONDS:
            return True
        if lease is not None and not mine:
            if self._others is None or self._others[0] != lease:
                self._others = (lease, now)
            if now - self._others[1] < TAKE_OVER_SECONDS:
                return False
            stale = lease
        with gallery.database.writing() as connection:
            taken = camera_rows.take_lease(connection, self._owner, stale)
        self._beaten = now if taken else self._beaten
        return taken

    def _drop(self, wanted: dict[str, Camera]) -> None:
        """Stop what is not wanted any more, or otherwise."""
        ending = []
        for number, kept in list(self._kept.items()):
            camera = wanted.get(number)
            if camera is None or _told_of(camera) != _told_of(kept.camera):
                if kept.running is not None:
                    ending.append(kept.running)
                    kept.running = None
                kept.delay, kept.due, kept.why = FIRST_DELAY, 0.0, None
            if camera is None:
                if kept.webhook is not None:
                    _close_aside(kept.webhook)
                del self._kept[number]
        stop_all(ending)

    def _state(self, kept: _Kept) -> tuple[str, str | None]:
        """Start, or see how it is; the state and why."""
        camera, now = kept.camera, time.monotonic()
        if camera.paused:
            return "stopped", "paused"
        if self._description is None:
            return "stopped", self._not_described
        if kept.running is None:
            if now < kept.due:
                return "waiting", f"{kept.why}; it is tried again"
            source = CameraSource(camera.source, camera.password)
            try:
                require_allowed(source, self._hosts)
                order = CameraOrder(
                    self._description,
                    camera.id,
                    source.opened,
                    camera.keep_strangers,
                    camera.unknown_alert,
                    self._owner,
                )
                kept.running = RunningCamera(order, self._news.tell)
            except (UsageError, OSError) as error:
                return self._failed(kept, str(error))
            return "starting", kept.why
        condition = kept.running.condition()
        if condition.ended is not None:
            stop_all([kept.running])
            kept.running = None
            return self._failed(kept, condition.ended)
        if condition.trouble is not None:
            return "waiting", _hidden(condition.trouble, camera)
        if not condition.running:
            return "starting", kept.why
        if kept.running.healthy_for > HEALTHY_SECONDS:
            kept.delay = FIRST_DELAY
        kept.why = kept.logged = None
        return "running", None

    def _failed(self, kept: _Kept, why: str) -> tuple[str, str]:
        before, kept.why = kept.logged, _hidden(why, kept.camera)
        kept.due = time.monotonic() + kept.delay
        kept.delay = min(2 * kept.delay, LONGEST_DELAY)
        if kept.why != before:  # told once, not at each attempt
            _log.warning("camera %s: %s", kept.camera.id, kept.why)
            kept.logged = kept.why
        return "waiting", f"{kept.why}; it is tried again"

    def _tell(self, gallery: Gallery, kept: _Kept) -> None:
        """The webhook of a camera: opened, changed, closed; and whether it takes events."""
        camera = kept.camera
        if kept.webhook is not None and kept.webhook_url != camera.webhook:
            _close_aside(kept.webhook)
            kept.webhook = None
        if camera.webhook is None:
            problem = None
        else:
            if kept.webhook is None:
                store = ToldEvents(gallery.database, camera.id, self._news)
                kept.webhook, kept.webhook_url = Webhook(camera.webhook, store), camera.webhook
            problem = kept.webhook.problem
        if problem != camera.webhook_problem:
            with gallery.database.writing() as connection:
                camera_rows.set_webhook_problem(connection, camera.id, problem)

    def _let_go(self) -> None:
        """Stop everything."""
        kept, self._kept = self._kept, {}
        closing = [_close_aside(one.webhook) for one in kept.values() if one.webhook is not None]
        stop_all(one.running for one in kept.values() if one.running is not None)
        for thread in closing:
            thread.join(4)


def _told_of(camera: Camera) -> tuple[object, ...]:
    """What a camera's process was told; it is started anew where that changes."""
    return camera.source, camera.password, camera.keep_strangers, camera.unknown_alert, camera.paused


def _hidden(text: str, camera: Camera) -> str:
    """Words without the password, whoever chose them."""
    return text.replace(camera.password, "...") if camera.password else text


def _close_aside(webhook: Webhook) -> threading.Thread:
    """Close a webhook, which may take seconds, in a thread."""
    thread = threading.Thread(target=webhook.close, name="closing a webhook", daemon=True)
    thread.start()
    return thread
