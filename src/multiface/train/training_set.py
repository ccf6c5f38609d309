"""The folders of a recipe as one training set: record files, shards and folders of a folder a person, joined."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from multiface.datasets.identities import IdentitySet, join
from multiface.datasets.opening import open_identities
from multiface.errors import DataSetError, UsageError
from multiface.visible import log_of

_log = log_of(__name__)


def open_training_set(folders: Sequence[str]) -> IdentitySet:
    """All pictures of these folders; each folder's people are numbered behind those before.

    A folder that is given twice counts once; that is told in the set's notes.

    Raises UsageError where there is no folder, DataSetError where one is broken or all are of one person.
    People with a single picture are taken, and counted in the log.
    """
    if not folders:
        raise UsageError(
            "nothing to learn from", hint="give --data FOLDER, or folders = [...] under [data] in the recipe"
        )
    once, twice = each_once(folders)
    joined = join([open_identities(Path(folder)) for folder in once])
    joined = replace(joined, notes=(*twice, *joined.notes))
    if joined.classes < 2:
        raise DataSetError(f"{', '.join(folders)}: all pictures are of one person; wanted two people or more")
    single = int((np.bincount(joined.labels, minlength=joined.classes) == 1).sum())
    if single:
        _log.info("%d of %d people have a single picture", single, joined.classes)
    return joined


def check_labels(pictures: IdentitySet) -> None:
    """Raises DataSetError where a label is not within 0..classes-1. Done once: the head does not look any more."""
    low, high = int(pictures.labels.min()), int(pictures.labels.max())
    if low < 0 or high >= pictures.classes:
        raise DataSetError(
            f"the training set says that it has {pictures.classes} people, but has labels from {low} to {high}; they "
            f"must be within 0..{pictures.classes - 1}"
        )


def each_once(folders: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The folders without those that are one of the earlier ones, and a line about each of these."""
    once: dict[Path, str] = {}
    twice: list[str] = []
    for folder in folders:
        place = Path(folder).resolve()
        if place in once:
            twice.append(f"{folder}: given twice, counted once")
        else:
            once[place] = folder
    return tuple(once.values()), tuple(twice)
