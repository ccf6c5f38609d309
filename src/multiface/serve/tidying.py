"""What a service forgets while it runs: everything whose time is over. Long jobs and cameras do not hold it up."""

import threading
from datetime import timedelta
from pathlib import Path

from multiface.errors import MultifaceError
from multiface.gallery import Gallery
from multiface.gallery.service import audit, camera_events, camera_rows, jobs, kept_answers
from multiface.serve.job_kinds import forget_old_backups
from multiface.visible import log_of

_log = log_of(__name__)
EVERY_SECONDS = 3600.0
EVENTS_KEPT = timedelta(days=30)


class Tidying:
    """A thread that tidies up at the start and every hour. backups: the folder of backups; None where there is none."""

    def __init__(self, gallery: Gallery, backups: Path | None) -> None:
        self._gallery = gallery
        self._backups = backups
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="multiface tidying", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                _tidy(self._gallery, self._backups)
            except MultifaceError as error:  # the gallery cannot be reached: in an hour it may be
                _log.warning("finished work could not be tidied up yet: %s", type(error).__name__)
            self._closing.wait(EVERY_SECONDS)


def _tidy(gallery: Gallery, backups: Path | None) -> None:
    """Raises GalleryError."""
    database = gallery.database
    with database.writing() as connection:
        audit.forget_old(connection)
        kept_answers.forget_old(connection)
        jobs.forget_old(connection)
        events = camera_events.forget_events(connection, EVENTS_KEPT)
        for camera in camera_rows.cameras(connection):
            if camera.webhook is None:
                camera_events.forget_targets(connection, camera.id, None)
    gallery.forget_old_changes()
    gallery.strangers.forget_expired()
    if events:
        database.purge_log()
    if backups is not None:
        forget_old_backups(backups)
