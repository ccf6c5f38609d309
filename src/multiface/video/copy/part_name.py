"""The name under which a recording grows: held by one process at a time, and exchanged for the final one at the end."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from multiface.atomic_write import sync_folder
from multiface.errors import UsageError
from multiface.file_lock import lock
from multiface.visible import log_of

logger = log_of(__name__)


class PartName:
    """`part`, new, empty and locked. What a killed process left there is kept under a name of its own.

    Raises UsageError where another process records into it, OSError where it cannot be made.
    """

    def __init__(self, part: Path) -> None:
        self._part = part
        if part.exists():
            with _locked(os.open(part, os.O_RDWR), part):
                _keep_older(part)
        self._lock = _locked(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), part)
        if sys.platform == "win32":
            self._lock.close()  # an open file cannot be renamed there

    def exchange(self, target: Path) -> Path:
        """Give the file its final name: `target`, or a free one beside it where that is there already.

        Nothing is replaced. Raises OSError, and then the part still has its name.
        """
        given, number = target, 1
        while not self._moved(given):
            number += 1
            given = target.with_name(f"{target.stem}-{number}{target.suffix}")
        sync_folder(given.parent)
        self._lock.close()
        return given

    def remove(self) -> None:
        """Delete the part."""
        self._part.unlink(missing_ok=True)
        self._lock.close()

    def release(self) -> None:
        """Leave the part where it is."""
        self._lock.close()

    def _moved(self, to: Path) -> bool:
        try:
            os.link(self._part, to)
        except FileExistsError:
            return False
        except OSError:  # a file system without second names
            try:
                os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            except FileExistsError:
                return False
            self._part.replace(to)
        else:
            self._part.unlink()
        return True


def _locked(handle: int, part: Path) -> BinaryIO:
    file = os.fdopen(handle, "r+b")
    ours = lock(file)
    if ours and sys.platform != "win32":
        # Between opening and locking it another process can have moved it away.
        ours = part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat())
    if not ours:
        file.close()
        raise UsageError(
            f"{part.name}: another process is recording into it", path=part, hint="take another name"
        )
    return file


def _keep_older(part: Path) -> None:
    if not part.stat().st_size:
        part.unlink()
        return
    stem = part.stem.removesuffix(".part")
    number = 1
    while (kept := part.with_name(f"{stem}.cut-{number}{part.suffix}")).exists():
        number += 1
    part.rename(kept)
    logger.warning("%s: an older recording that was cut short is kept as %s", part.name, kept.name)
