"""From an error rate to a threshold, by what was measured on a named set.

A calibration belongs to one detector, one embedder (by fingerprint) and one choice of flips. It holds, for a row
of rates, the similarity at or above which that share of impostor comparisons lies (verification: false-match
rate, FMR), and the same for identification: the share of strangers for whom at least one of N people lies at or
above the threshold (false-positive identification rate, FPIR, ISO/IEC 19795-1), for a row of N.

Between measured rates and sizes thresholds are interpolated in log(rate) and log(N). A rate is `supported` when
the set holds at least 30 people's worth of errors at it (Doddington's rule of 30: with 30 errors the true rate is
within about 30 % of the observed one, with 90 % confidence); beyond that, and beyond the largest measured N, a
threshold is extrapolated and says so; more than a factor 100 beyond, it is refused.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multiface.errors import InputError, RateNotSupported, UsageError

RULE_OF_30 = 30
REFUSED_BEYOND = 100.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """A similarity to decide by and the rate behind it.

    rate: the rate asked for (FMR, or FPIR with `people` enrolled). interval: 95 % interval of the true rate at
    this threshold, by resampling the people of the set; None where extrapolated. source: the set and its size,
    in words.
    """

    similarity: float
    rate: float
    people: int
    interval: tuple[float, float] | None
    extrapolated: bool
    source: str


@dataclass(frozen=True, slots=True)
class RateRow:
    """One rate: threshold and the 95 % interval of the rate at this threshold."""

    rate: float
    threshold: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GallerySizeRow:
    """Identification with `people` enrolled: a row of rates, falling."""

    people: int
    rates: tuple[RateRow, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured for one detector, one embedder and one choice of flips.

    set_name, set_people, set_pictures, impostor_pairs, genuine_pairs: what it was measured on. made_by: the
    command. verify: falling rates. identify: rising sizes. similarities, fnmr: the share of genuine pairs below
    a similarity. margin: a best candidate nearer than this to the runner-up is not decided.
    """

    detector: str
    weights: str
    fingerprint: str
    flip: bool
    set_name: str
    set_people: int
    set_pictures: int
    impostor_pairs: int
    genuine_pairs: int
    made_by: str
    verify: tuple[RateRow, ...]
    identify: tuple[GallerySizeRow, ...]
    fnmr: tuple[tuple[float, float], ...]
    margin: float

    @property
    def source(self) -> str:
        """The set and its size, in words."""
        return (
            f"{self.set_name}: {self.set_people:,} people, {self.set_pictures:,} pictures, "
            f"{self.impostor_pairs:,} impostor pairs"
        )

    def threshold_for_verify(self, rate: float) -> Threshold:
        """The similarity at which this share of impostor pairs is accepted.

        rate: false-match rate, above 0 and below 1. Raises UsageError, RateNotSupported.
        """
        return self._threshold(self.verify, rate, 1, sizes_extrapolated=False)

    def threshold_for_identify(self, rate: float, people: int) -> Threshold:
        """The similarity at which this share of strangers is given some name.

        rate: false-positive identification rate for the whole gallery, above 0 and below 1. people: enrolled,
        at least 1. Raises UsageError, RateNotSupported.
        """
        if people < 1:
            raise UsageError(f"an identification threshold needs at least one person enrolled, not {people}")
        sizes = [row.people for row in self.identify]
        upper = min(max(1, int(np.searchsorted(sizes, people))), len(sizes) - 1)
        below, above = self.identify[upper - 1], self.identify[upper]
        weight = math.log(people / below.people) / math.log(above.people / below.people)
        first = self._threshold(below.rates, rate, people, sizes_extrapolated=people > sizes[-1])
        second = self._threshold(above.rates, rate, people, sizes_extrapolated=people > sizes[-1])
        nearer = second if weight > 0.5 else first
        return Threshold(
            similarity=min(1.0, first.similarity + weight * (second.similarity - first.similarity)),
            rate=rate,
            people=people,
            interval=nearer.interval,
            extrapolated=first.extrapolated or second.extrapolated,
            source=self.source,
        )

    def false_match_rate(self, similarity: float) -> float:
        """Share of impostor pairs at or above a similarity, never below what the set can show."""
        thresholds = [row.threshold for row in self.verify]
        logs = [math.log(row.rate) for row in self.verify]
        return math.exp(float(np.interp(similarity, thresholds, logs)))

    def false_non_match_rate(self, similarity: float) -> float:
        """Share of genuine pairs below a similarity."""
        known = np.array(self.fnmr)
        return float(np.interp(similarity, known[:, 0], known[:, 1]))

    def _threshold(
        self, rows: tuple[RateRow, ...], rate: float, people: int, *, sizes_extrapolated: bool
    ) -> Threshold:
        if not 0 < rate < 1:
            raise UsageError(f"an error rate lies between 0 and 1, not {rate}")
        last = rows[-1].rate
        if rate < last / REFUSED_BEYOND:
            raise RateNotSupported(
                f"a rate of {rate:g} is out of reach of this calibration ({self.source}): it was measured down "
                f"to {last:g}. Ask for {last:g} or more, or calibrate on a larger set"
            )
        logs = np.log([row.rate for row in rows])
        thresholds = np.array([row.threshold for row in rows])
        asked = math.log(rate)
        if rate >= last:
            similarity = float(np.interp(-asked, -logs, thresholds))
            nearest = rows[int(np.argmin(np.abs(logs - asked)))]
            interval = (nearest.low * rate / nearest.rate, min(1.0, nearest.high * rate / nearest.rate))
        else:
            slope = (thresholds[-1] - thresholds[-2]) / (logs[-1] - logs[-2])
            similarity = min(1.0, float(thresholds[-1] + slope * (asked - logs[-1])))
            interval = None
        outside = rate < last or sizes_extrapolated
        return Threshold(
            similarity, rate, people, None if outside else interval, extrapolated=outside, source=self.source
        )

    def to_json(self) -> str:
        """The calibration as a JSON document."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str, where: str) -> "Calibration":
        """Inverse of `to_json`; `where` names the file in errors. Raises InputError."""
        try:
            values: dict[str, Any] = json.loads(text)
            values["verify"] = tuple(RateRow(**row) for row in values["verify"])
            values["identify"] = tuple(
                GallerySizeRow(row["people"], tuple(RateRow(**rate) for rate in row["rates"]))
                for row in values["identify"]
            )
            values["fnmr"] = tuple((float(x), float(y)) for x, y in values["fnmr"])
            return Calibration(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{where}: not a calibration ({type(error).__name__}: {error}); "
                f"make it again with `multiface calibrate`"
            ) from error


def read_calibration(path: Path) -> Calibration:
    """A calibration from a file. Raises InputError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a calibration ({error})") from error
    return Calibration.from_json(text, str(path))
