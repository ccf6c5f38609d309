"""Portraits in a folder a person, as for measuring: which picture shows whom."""

from dataclasses import dataclass
from pathlib import Path

from multiface.errors import DataSetError
from multiface.images import list_pictures


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture and the number of the person it shows, from 0 in the order of the folders' names."""

    path: Path
    person: int


def portraits_by_person(folder: Path) -> tuple[Portrait, ...]:
    """All pictures below FOLDER/NAME/, by name and path. Raises DataSetError where there are none."""
    if not folder.is_dir():
        raise DataSetError(
            f"{folder}: is not a folder; wanted a folder with a folder of pictures for each person",
            path=folder,
        )
    inside = [path for path in list_pictures(folder).pictures if path.parent != folder]
    if not inside:
        raise DataSetError(
            f"{folder}: no pictures in folders of people; wanted {folder}/NAME/PICTURE", path=folder
        )
    names = sorted({path.relative_to(folder).parts[0] for path in inside})
    number = {name: k for k, name in enumerate(names)}
    return tuple(Portrait(path, number[path.relative_to(folder).parts[0]]) for path in inside)
