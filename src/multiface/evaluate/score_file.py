"""The score of every pair as a CSV file, for other programs: `pair,left,right,same,score`.

pair counts from 0; left and right are the numbers of the pictures; same is 1 or 0; score is the cosine,
with all digits of a float64. No names are written.
"""

import csv
import io
from pathlib import Path

import numpy as np

from multiface.arrays import Doubles
from multiface.atomic_write import write_whole
from multiface.errors import DataSetError, InputError
from multiface.evaluate.protocol import PairSet
from multiface.regular_file import read_regular_text

HEAD = ["pair", "left", "right", "same", "score"]


def write_scores(path: Path, pairs: PairSet, scores: Doubles) -> None:
    """Writes the scores, float64 (n,), of the pairs of a set. Raises InputError where that cannot be done."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(HEAD)
    rows = zip(pairs.left.tolist(), pairs.right.tolist(), pairs.issame.tolist(), scores.tolist(), strict=True)
    for number, (left, right, same, score) in enumerate(rows):
        table.writerow([number, left, right, int(same), repr(score)])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, file.getvalue().encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})", path=path) from error


def read_scores(path: Path, pairs: PairSet) -> Doubles:
    """The scores of a file that `write_scores` wrote. Raises DataSetError where it is of other pairs or broken."""
    try:
        rows = list(csv.reader(io.StringIO(read_regular_text(path))))
        if rows[0] != HEAD:
            raise ValueError("other heads")
        table = np.array(rows[1:], np.float64).reshape(-1, len(HEAD))
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise DataSetError(f"{path}: is not a file of scores ({error})", path=path) from error
    stored = table[:, 1:4].T
    here = np.stack([pairs.left, pairs.right, pairs.issame])
    if stored.shape != here.shape or not np.array_equal(stored, here):
        raise DataSetError(f"{path}: holds scores of other pairs than those of {pairs.name}", path=path)
    scores: Doubles = np.ascontiguousarray(table[:, 4])
    return scores
