"""From an error rate to a threshold, by what was measured on a named set.

A calibration belongs to one detector, one embedder (by fingerprint) and one choice of flips. It holds, for a
row of rates, the similarity at or above which that share of impostor comparisons lies (verification:
false-match rate, FMR), and the same for identification: the share of strangers for whom at least one of N
people lies at or above the threshold (false-positive identification rate, FPIR, ISO/IEC 19795-1), for a row
of N.

Between measured rates and sizes thresholds are interpolated in log(rate) and log(N). A rate is `supported`
when the set holds at least 30 people's worth of errors at it (Doddington's rule of 30: with 30 errors the
true rate is within about 30 % of the observed one, with 90 % confidence); beyond that, and beyond the largest
measured N, a threshold is extrapolated and says so; more than a factor 100 beyond, it is refused.

An FPIR below those measured is extrapolated by the FMR: with independent comparisons the FPIR is
1 - (1 - FMR)^N, and a set has far more pairs than people. Measured with 100, 300 and 1,000 of LFW's people,
for 5 people enrolled up to all of them: asked for 1 %, these thresholds gave 0.5 to 1.3 % on the whole set.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from multiface.errors import InputError, RateNotSupported, UsageError

RULE_OF_30 = 30
REFUSED_BEYOND = 100.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """A similarity to decide by and the rate behind it.

    rate: the rate asked for (FMR, or FPIR with `people` enrolled). interval: 95 % interval of the true rate
    at this threshold, by resampling the people of the set; None where extrapolated. source: the set and its
    size, in words.
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
    command. verify: falling rates. identify: rising sizes. similarities, fnmr: the share of genuine pairs
    below a similarity. margin: a best candidate nearer than this to the runner-up is not decided.
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
    spread_rise: float = 0.0

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
        self._check(rate, self.verify[-1].rate)
        last = self.verify[-1].rate
        if rate < last:
            return Threshold(self._verify_tail(rate), rate, 1, None, extrapolated=True, source=self.source)
        similarity, interval = _interpolated(self.verify, rate)
        return Threshold(similarity, rate, 1, interval, extrapolated=False, source=self.source)

    def threshold_for_identify(self, rate: float, people: int) -> Threshold:
        """The similarity at which this share of strangers is given some name.

        rate: false-positive identification rate for the whole gallery, above 0 and below 1. people: enrolled,
        at least 1. Raises UsageError, RateNotSupported.
        """
        if people < 1:
            raise UsageError(f"an identification threshold needs at least one person enrolled, not {people}")
        sizes = [row.people for row in self.identify]
        measured = max(row.rates[-1].rate for row in self.identify)
        self._check(rate, measured)
        if people > REFUSED_BEYOND * sizes[-1]:
            raise RateNotSupported(
                f"{people:,} people enrolled are out of reach of this calibration ({self.source}): it was "
                f"measured with up to {sizes[-1]:,}. Calibrate on a larger set"
            )
        upper = min(max(1, int(np.searchsorted(sizes, people))), len(sizes) - 1)
        below, above = self.identify[upper - 1], self.identify[upper]
        weight = math.log(people / below.people) / math.log(above.people / below.people)
        first, second = (self._identify_at(row, rate) for row in (below, above))
        outside = rate < measured or people > sizes[-1]
        interval = _interpolated((above if weight > 0.5 else below).rates, rate)[1]
        return Threshold(
            similarity=min(1.0, first + weight * (second - first)),
            rate=rate,
            people=people,
            interval=None if outside else interval,
            extrapolated=outside,
            source=self.source,
        )

    def rise(self, spread: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What is added to an identification threshold for people with several templates.

        spread: (people,), 1 minus the length of the mean of a person's unit templates, 0 for one template.
        The mean is scaled to unit length before it is compared, which lifts the similarity of strangers to it
        too; on the set the threshold that holds a false-match rate of 1e-3 rose in proportion to the spread.
        """
        return (self.spread_rise * spread).astype(np.float32)

    def false_match_rate(self, similarity: float) -> float:
        """Share of impostor pairs at or above a similarity, never below what the set can show."""
        thresholds = [-1.0, *(row.threshold for row in self.verify)]
        logs = [0.0, *(math.log(row.rate) for row in self.verify)]
        return math.exp(float(np.interp(similarity, thresholds, logs)))

    def false_non_match_rate(self, similarity: float) -> float:
        """Share of genuine pairs below a similarity."""
        known = np.array(self.fnmr)
        return float(np.interp(similarity, known[:, 0], known[:, 1]))

    def _check(self, rate: float, measured: float) -> None:
        if not 0 < rate < 1:
            raise UsageError(f"an error rate lies between 0 and 1, not {rate}")
        if rate < measured / REFUSED_BEYOND:
            raise RateNotSupported(
                f"a rate of {rate:g} is out of reach of this calibration ({self.source}): it was measured "
                f"down to {measured:g}. Ask for {measured / REFUSED_BEYOND:g} or more, or calibrate on a "
                f"larger set"
            )

    def _verify_tail(self, rate: float) -> float:
        """Threshold for an FMR below those measured: on the line through the last two, in log(rate)."""
        before, last = self.verify[-2:]
        slope = (last.threshold - before.threshold) / math.log(last.rate / before.rate)
        return min(1.0, last.threshold + slope * math.log(rate / last.rate))

    def _identify_at(self, row: GallerySizeRow, rate: float) -> float:
        """Threshold for one measured gallery size, at a measured rate or below."""
        if rate >= row.rates[-1].rate:
            return _interpolated(row.rates, rate)[0]
        fmr = -math.expm1(math.log1p(-rate) / row.people)
        seen = fmr >= self.verify[-1].rate
        return max(
            row.rates[-1].threshold, _interpolated(self.verify, fmr)[0] if seen else self._verify_tail(fmr)
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
            if min(len(values["verify"]), len(values["identify"])) < 2:
                raise ValueError("fewer than two rates or gallery sizes")
            if not all(row.rates for row in values["identify"]):
                raise ValueError("a gallery size without rates")
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


def _interpolated(rows: tuple[RateRow, ...], rate: float) -> tuple[float, tuple[float, float]]:
    """Threshold and interval at a rate among those measured, or nearest to them."""
    rate = min(max(rate, rows[-1].rate), rows[0].rate)
    logs = np.log([row.rate for row in rows])
    threshold = float(np.interp(-math.log(rate), -logs, [row.threshold for row in rows]))
    nearest = rows[int(np.argmin(np.abs(logs - math.log(rate))))]
    share = rate / nearest.rate
    return threshold, (nearest.low * share, min(1.0, nearest.high * share))
