"""The folders of the user that MultiFace writes to. No other file names them.

Every function that keeps files takes its folder as an argument; these are only the defaults.
"""

from pathlib import Path

import platformdirs

APPLICATION = "multiface"


def default_store_folder() -> Path:
    """Folder of pulled and imported weights (kept until removed). Not created here."""
    return platformdirs.user_data_path(APPLICATION, appauthor=False) / "weights"


def default_cache_folder() -> Path:
    """Folder of networks whose batch or size was made free, and of vectors of people folders.

    It may be deleted at any time. Not created here.
    """
    return platformdirs.user_cache_path(APPLICATION, appauthor=False)


def default_gallery_file() -> Path:
    """The user's own gallery, where no other is named. Not created here."""
    return platformdirs.user_data_path(APPLICATION, appauthor=False) / "gallery.sqlite"


def default_events_file() -> Path:
    """Where the events of cameras are kept, where no other file is named. Not created here."""
    return platformdirs.user_data_path(APPLICATION, appauthor=False) / "events.sqlite"


def default_errors_folder() -> Path:
    """Where the tracebacks of internal errors are kept for whoever mends them. Not created here."""
    return platformdirs.user_state_path(APPLICATION, appauthor=False) / "errors"
