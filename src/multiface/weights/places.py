"""The folders of the user that MultiFace writes to. No other file names them.

Every function that keeps files takes its folder as an argument; these are only the defaults. A user without a home
(no HOME, no entry in the passwd file, as in many containers) has none of them: what can do without a folder gets
`NOWHERE`, in which nothing is found and nothing can be made.
"""

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from multiface.errors import NotAvailable

APPLICATION = "multiface"
NOWHERE = Path(os.devnull) / "no-home"


def default_store_folder() -> Path:
    """Folder of pulled and imported weights (kept until removed). Not created here."""
    return _own(platformdirs.user_data_path) / "weights"


def default_cache_folder() -> Path:
    """Folder of networks whose batch or size was made free, and of vectors of people folders.

    It may be deleted at any time. Not created here.
    """
    return _own(platformdirs.user_cache_path)


def default_gallery_file() -> Path:
    """The user's own gallery, where no other is named. Not created here. Raises NotAvailable without a home."""
    return _at_home("gallery.sqlite", "--gallery")


def default_events_file() -> Path:
    """Where the events of cameras are kept, where no other file is named. Not created here.

    Raises NotAvailable without a home.
    """
    return _at_home("events.sqlite", "--events")


def default_errors_folder() -> Path:
    """Where the tracebacks of internal errors are kept for whoever mends them. Not created here."""
    return _own(platformdirs.user_state_path) / "errors"


def _own(kind: Callable[..., Path]) -> Path:
    try:
        folder = kind(APPLICATION, appauthor=False)
    except RuntimeError:  # platformdirs and pathlib find no home; older versions leave the ~ as it is
        return NOWHERE
    return folder if folder.is_absolute() else NOWHERE


def _at_home(name: str, option: str) -> Path:
    folder = _own(platformdirs.user_data_path)
    if folder == NOWHERE:
        raise NotAvailable(
            f"this user has no home folder for {name}", hint=f"set HOME, or name a file with {option}"
        )
    return folder / name
