"""Error rates of groups of people at one threshold, where a file says who belongs to which.

One threshold for all, the one of the whole set at a FAR: a system has one, and what differs between groups is then FMR
and FNMR (Grother, Ngan and Hanaoka, "Face Recognition Vendor Test, part 3: demographic effects", NISTIR 8280). Pairs
count for a group where both pictures are of it. The file is `lfw.groups` beside `lfw.bin`, or `pairs.groups` beside
`pairs.txt`: two lines a pair, in the order of the pairs, any word for the group, `-` for none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiface.arrays import Bools, Doubles
from multiface.datasets.side_file import side_lines
from multiface.errors import DataSetError
from multiface.evaluate.comparison import people_of
from multiface.evaluate.protocol import PairSet
from multiface.metrics.curves import threshold_at_far
from multiface.metrics.intervals import Interval, rate_interval

ENDING = ".groups"
NONE = "-"


@dataclass(frozen=True, slots=True)
class GroupRates:
    """One group at the threshold of the set. genuine, impostor: pairs. fnmr, fmr: 0..1, None without such pairs."""

    group: str
    genuine: int
    impostor: int
    fnmr: float | None
    fnmr_interval: Interval | None
    fmr: float | None
    fmr_interval: Interval | None

    def cells(self) -> tuple[str, ...]:
        """As a row of a table, in per cent."""
        return (
            self.group,
            f"{self.genuine:,}",
            _cell(self.fnmr, self.fnmr_interval),
            f"{self.impostor:,}",
            _cell(self.fmr, self.fmr_interval),
        )


def read_groups(path: Path, pairs: int) -> tuple[tuple[str, str], ...] | None:
    """The groups of the two pictures of each pair; None where there is no such file.

    Raises DataSetError where it cannot be read or has not two lines a pair.
    """
    lines = side_lines(path)
    if lines is None:
        return None
    if len(lines) != 2 * pairs or not all(lines):
        raise DataSetError(
            f"{path}: wanted {2 * pairs} lines with a word each, found {len(lines)}", path=path
        )
    return tuple(zip(lines[::2], lines[1::2], strict=True))


def by_group(
    pairs: PairSet, scores: Doubles, groups: Sequence[tuple[str, str]], far: float, replicates: int = 1000
) -> tuple[GroupRates, ...]:
    """The rates of each group, in the order of their names, at the set's threshold for this FAR."""
    refused = scores < threshold_at_far(scores[~pairs.issame], far)
    found = []
    for group in sorted({one for both in groups for one in both} - {NONE}):
        mine = np.array([both == (group, group) for both in groups])
        genuine, impostor = mine & pairs.issame, mine & ~pairs.issame
        found.append(
            GroupRates(
                group,
                int(genuine.sum()),
                int(impostor.sum()),
                *_rate(refused, genuine, pairs, replicates),
                *_rate(~refused, impostor, pairs, replicates),
            )
        )
    return tuple(found)


def _rate(
    outcomes: Bools, of: Bools, pairs: PairSet, replicates: int
) -> tuple[float, Interval] | tuple[None, None]:
    if not of.any():
        return None, None
    left, right = people_of(pairs)
    return float(outcomes[of].mean()), rate_interval(outcomes[of], left[of], right[of], replicates=replicates)


def _cell(rate: float | None, interval: Interval | None) -> str:
    if rate is None or interval is None:
        return ""
    return f"{100 * rate:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
