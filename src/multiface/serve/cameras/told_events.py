"""The events of one camera as its webhook asks for them."""

import threading

from multiface.gallery.database import GalleryDatabase
from multiface.gallery.service import camera_events
from multiface.gallery.service.camera_events import CameraEvent


class News:
    """Wakes those who wait for events."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def tell(self) -> None:
        """There may be some."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Until that is told, at the longest for so long."""
        with self._changed:
            self._changed.wait(seconds)


class ToldEvents:
    """What `Webhook` needs of a store, of one camera."""

    def __init__(self, database: GalleryDatabase, camera: str, news: News) -> None:
        self._database = database
        self._camera = camera
        self._news = news

    def next_after(self, number: int) -> CameraEvent | None:
        """The camera's first event after this number, or None."""
        with self._database.reading() as connection:
            return next(iter(camera_events.events(connection, number, 1, self._camera)), None)

    def missing(self, after: int, number: int) -> int:
        """0: numbers between two of a camera's events are those of other cameras."""
        del after, number
        return 0

    def last(self) -> int:
        """The highest number so far."""
        with self._database.reading() as connection:
            return camera_events.last_number(connection)

    def delivered(self, target: str) -> int | None:
        """Up to which number a target was told; None for one that is not known."""
        with self._database.reading() as connection:
            return camera_events.told(connection, self._camera, target)

    def set_delivered(self, target: str, number: int) -> None:
        """A target was told up to this number; the camera's other targets are forgotten."""
        with self._database.writing() as connection:
            camera_events.forget_targets(connection, self._camera, target)
            camera_events.set_told(connection, self._camera, target, number)

    def wait(self, number: int, seconds: float) -> None:
        """Return when there may be an event after this number, at the latest after so many seconds."""
        if self.next_after(number) is None:
            self._news.wait(seconds)

    def wake(self) -> None:
        """Let all that wait return."""
        self._news.tell()
