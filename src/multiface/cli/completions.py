"""What the shell completes: values of options that have names. Called by the completion scripts, so it must be quick.

Each function takes what was typed so far and gives (value, help) pairs; files are completed by the shell itself.
"""

from pathlib import Path

from multiface.cli.settings import Settings
from multiface.errors import MultifaceError


def detectors(typed: str) -> list[tuple[str, str]]:
    """Detectors of the catalogue, with their licences."""
    return _of_catalogue("detector", typed)


def embedders(typed: str) -> list[tuple[str, str]]:
    """Embedders of the catalogue, with their licences, then those that the user imported."""
    return _of_catalogue("embedder", typed) + [
        (name, "your own") for name in _own_names() if name.startswith(typed)
    ]


def weights(typed: str) -> list[tuple[str, str]]:
    """Embedders and detectors."""
    return embedders(typed) + detectors(typed)


def engines(typed: str) -> list[tuple[str, str]]:
    """Engines that a network can run on, installed or not."""
    from multiface.weights.session import ENGINES

    return [(name, "") for name in ENGINES if name.startswith(typed)]


def _of_catalogue(kind: str, typed: str) -> list[tuple[str, str]]:
    from multiface.weights.catalogue import CATALOGUE

    return [
        (entry.name, entry.licence)
        for entry in CATALOGUE
        if entry.kind == kind and entry.name.startswith(typed)
    ]


def _own_names() -> list[str]:
    """Names of the store that the catalogue does not have; none where settings or store cannot be read."""
    from multiface.weights.catalogue import CATALOGUE
    from multiface.weights.places import default_store_folder
    from multiface.weights.record import ENTRY

    try:
        store = Path(Settings.here(tell=False).text("store", None, str(default_store_folder())))
        names = {path.parent.name for path in store.glob(f"[!.]*/{ENTRY}")}
    except (MultifaceError, OSError):
        return []
    return sorted(names - {entry.name for entry in CATALOGUE})
