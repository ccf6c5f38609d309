"""What a service forgets while it runs: everything whose time is over."""

from pathlib import Path

from multiface.gallery import Gallery, audit, jobs, kept_answers
from multiface.serve.job_kinds import forget_old_backups


def tidy(gallery: Gallery, backups: Path | None) -> None:
    """Forget it. backups: the folder of backups; None where there is none. Raises GalleryError."""
    with gallery.engine.database.writing() as connection:
        audit.forget_old(connection)
        kept_answers.forget_old(connection)
        jobs.forget_old(connection)
    gallery.forget_old_changes()
    gallery.strangers.forget_expired()
    if backups is not None:
        forget_old_backups(backups)
