"""Who is shown in the pictures of a verification pack: a text file beside it, `lfw.people` for `lfw.bin`.

One line a picture, in the pack's order: the person's name, or any sign for the person. Packs themselves do not say who
is shown, so their pairs would have to be taken as independent.
"""

from pathlib import Path

import numpy as np

from multiface.arrays import Bools, Ints
from multiface.datasets.side_file import side_lines
from multiface.errors import DataSetError

ENDING = ".people"


def pack_people(pack: Path, issame: Bools) -> Ints | None:
    """The number of the person in each of the 2P pictures, int64 (2P,); None where there is no file beside the pack.

    Raises DataSetError where the file cannot be read, has another number of lines, or contradicts `issame` (P,).
    """
    path = pack.with_suffix(ENDING)
    lines = side_lines(path)
    if lines is None:
        return None
    if len(lines) != 2 * len(issame) or not all(lines):
        raise DataSetError(
            f"{path}: wanted {2 * len(issame)} lines, one with a name for each picture of the pack, found {len(lines)}"
            f"{'' if all(lines) else ', some of them empty'}",
            path=path,
        )
    people = np.unique(lines, return_inverse=True)[1].astype(np.int64)
    wrong = np.flatnonzero((people[::2] == people[1::2]) != issame)
    if len(wrong):
        raise DataSetError(
            f"{path}: {len(wrong)} pairs, the first of them number {wrong[0]} (from 0), have the same name where the "
            "pack says two people, or the other way round: the file belongs to another pack",
            path=path,
        )
    return people
