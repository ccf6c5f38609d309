"""What the jobs of a service do: scan an album, write names and backups, test the gallery on itself."""

import secrets
import time
from contextlib import suppress
from pathlib import Path

from multiface.album import Album
from multiface.errors import NotAvailable, UsageError
from multiface.gallery import Gallery, export_people
from multiface.gallery.service.jobs import Facts, Job
from multiface.images.path_text import path_of_text
from multiface.progress import Progress
from multiface.recognition import Recognizer
from multiface.serve.jobs import Doing
from multiface.serve.people_alike import own_people_document

BACKUP_DAYS = 7
"""Backups older than this are removed, every hour and when the next is written."""
SUFFIX = ".mfgallery"


def doing(recognizer: Recognizer, gallery: Gallery, album: Album, backups: Path | None) -> Doing:
    """What does a job of any kind. backups: the folder of backups; None where there is none."""

    def do(job: Job, progress: Progress) -> Facts:
        match job.kind:
            case "album_scan":
                return _scan(album, str(job.asked["folder"]), progress)
            case "names_export":
                report = album.export_names(progress=progress)
                return {
                    "written": report.written,
                    "unchanged": report.unchanged,
                    "failed": len(report.failed),
                }
            case "backup":
                return _backup(gallery, backups, progress)
            case "own_people":
                return own_people_document(gallery, recognizer.calibration, recognizer.rate, progress)
        raise UsageError(f"{job.kind}: this version of MultiFace knows no such job")

    return do


def _scan(album: Album, folder: str, progress: Progress) -> Facts:
    report = album.scan([path_of_text(folder)], progress=progress)
    return {
        "searched": report.searched,
        "faces": report.faces,
        "known": report.known,
        "unchanged": report.unchanged,
        "vanished": len(report.vanished),
        "left_out": [{"file": one.path, "reason": one.reason} for one in report.left_out[:200]],
        "films_left_out": report.films_left_out,
    }


def _backup(gallery: Gallery, folder: Path | None, progress: Progress) -> Facts:
    if folder is None:
        raise NotAvailable("this service has no folder for backups", hint="start it with --backups FOLDER")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    forget_old_backups(folder)
    progress(0, 1)
    name = secrets.token_hex(16)
    # Over a connection of its own: the one that requests share would be the backup's until its end.
    with Gallery.open(gallery.location, gallery.origin) as own:
        manifest = export_people(own, folder / f"{name}{SUFFIX}")
    progress(1, 1)
    return {
        "download": f"/v1/backup/{name}",
        "people": manifest.people,
        "templates": manifest.templates,
        "days": BACKUP_DAYS,
    }


def forget_old_backups(folder: Path) -> None:
    """Remove the backups whose time is over."""
    for file in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # another process did it, or it is not ours to remove
            if file.stat().st_mtime < time.time() - 86_400 * BACKUP_DAYS:
                file.unlink()
