"""From an error rate to a threshold, by what was measured on a named set.

A calibration belongs to one detector, one embedder (by fingerprint) and one choice of flips. It holds, for a
row of rates, the similarity at or above which that share of impostor comparisons lies (verification:
false-match rate, FMR), and the same for identification: the share of strangers for whom at least one of N
people lies at or above the threshold (false-positive identification rate, FPIR, ISO/IEC 19795-1), for a row
of N.

Between measured rates and sizes thresholds are interpolated in log(rate) and log(N). A rate is measured when
the set holds at least 30 errors at it, and 30 comparisons that are none (Doddington's rule of 30: with 30
errors the true rate is within about 30 % of the observed one, with 90 % confidence). A similarity beyond the
measured ones has no rate: the answer is a `Rate` with a bound. A threshold for a smaller rate, or for more
people than were measured, is extrapolated and says so; more than a factor 100 beyond, it is refused. A larger
rate than those measured is refused.

An FPIR below those measured is extrapolated by the FMR: with independent comparisons the FPIR is
1 - (1 - FMR)^N, and a set has far more pairs than people. Measured with 100, 300 and 1,000 of LFW's people,
for 5 people enrolled up to all of them: asked for 1 %, these thresholds gave 0.5 to 1.3 % on the whole set.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from multiface.decision.quality_limits import QualityLimits
from multiface.errors import InputError, RateNotSupported, UsageError, about
from multiface.json_text import document_of, parse_json, record_from
from multiface.plain_number import plain_number
from multiface.regular_file import read_given_text

SCHEMA = 2
"""Of the JSON documents. 1 had no such number, no curve above a rate of 0.1 and no `alike`."""
RULE_OF_30 = 30
REFUSED_BEYOND = 100.0


@dataclass(frozen=True, slots=True)
class Rate:
    """An error rate, 0..1, as far as it was measured.

    bound: "measured", or, beyond the measured range, whether the rate is at most or at least `value`.
    """

    value: float
    bound: Literal["measured", "at most", "at least"]

    def __str__(self) -> str:
        # Two digits, of the distance to 1 where the rate is near it: 0.9998 is not 1.
        digits = 2 if self.value < 0.9 else max(2, 1 - math.floor(math.log10(max(1 - self.value, 1e-9))))
        number = f"{self.value:.{digits}g}"
        return number if self.bound == "measured" else f"{self.bound} {number}"

    def document(self, name: str) -> dict[str, float | str]:
        """The rate as two JSON fields, NAME and NAME_bound."""
        return {name: self.value, f"{name}_bound": self.bound}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A similarity to decide by and the rate behind it.

    rate: the rate asked for (FMR, or FPIR with `people` enrolled). interval: 95 % interval of the true rate
    at this threshold, by resampling the people of the set; None where extrapolated. source: the set and its
    size, in words. calibrated: the similarity that holds the rate among people at large, where `similarity` is that
    for one gallery (`decision.own_rate`) and the interval is the calibrated one's; None where `similarity` is it.
    """

    similarity: float
    rate: float
    people: int
    interval: tuple[float, float] | None
    extrapolated: bool
    source: str
    calibrated: float | None = None

    @property
    def at_large(self) -> float:
        """The similarity that holds the rate among people at large."""
        return self.similarity if self.calibrated is None else self.calibrated


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
class Alike:
    """The false-match rate among people who resemble each other.

    Each person is paired with the one whose mean vector is nearest by another network, `chosen_by`, so that
    the choice does not favour or punish the network that is measured. pairs: of people, each counted once and
    all alike; the share of a pair is the mean over its pairs of pictures. rates: falling.
    """

    chosen_by: str
    pairs: int
    rates: tuple[RateRow, ...]

    def false_match_rate(self, similarity: float) -> Rate:
        """Share of these pairs at or above a similarity."""
        return _rate_at(self.rates, similarity)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured for one detector, one embedder and one choice of flips.

    set_name, set_people, set_pictures, impostor_pairs, genuine_pairs: what it was measured on. made_by: the
    command. verify: falling rates over the whole measured range. identify: rising sizes. fnmr: similarity and
    the share of genuine pairs below it, rising; empty where the set has too few. margin: a best candidate
    nearer than this to the runner-up is not decided. alike: None where no other network chose. limits: what a picture
    must show for these rates; None where that was not measured.
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
    alike: Alike | None = None
    limits: QualityLimits | None = None

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
        self._check(rate, self.verify[-1].rate, self.verify[0].rate)
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
        self._check(rate, measured, min(row.rates[0].rate for row in self.identify))
        if people > REFUSED_BEYOND * sizes[-1]:
            raise RateNotSupported(
                f"{people:,} people enrolled are out of reach of this calibration ({self.source}): it was "
                f"measured with up to {sizes[-1]:,}",
                hint="calibrate on a larger set, or rank people without a decision (Gallery.search)",
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

    def false_match_rate(self, similarity: float) -> Rate:
        """Share of impostor pairs at or above a similarity."""
        return _rate_at(self.verify, similarity)

    def false_match_rate_alike(self, similarity: float) -> Rate | None:
        """The same among people who resemble each other; None where it is not known."""
        return None if self.alike is None else self.alike.false_match_rate(similarity)

    def false_non_match_rate(self, similarity: float) -> Rate:
        """Share of genuine pairs below a similarity."""
        if not self.fnmr:
            return Rate(1.0, "at most")
        known = np.array(self.fnmr)
        if similarity < known[0, 0]:
            return Rate(float(known[0, 1]), "at most")
        if similarity > known[-1, 0]:
            return Rate(float(known[-1, 1]), "at least")
        return Rate(float(np.interp(similarity, known[:, 0], known[:, 1])), "measured")

    def similarity_missed(self, share: float) -> float | None:
        """The similarity below which this share of genuine pairs lies, or the nearest one that was measured.

        None where the set has too few genuine pairs.
        """
        if not self.fnmr:
            return None
        known = np.array(self.fnmr)
        return float(np.interp(share, known[:, 1], known[:, 0]))

    def _check(self, rate: float, lowest: float, highest: float) -> None:
        if not 0 < plain_number(rate, "an error rate") < 1:
            raise UsageError(f"an error rate lies between 0 and 1, not {rate}")
        if rate > highest:
            raise RateNotSupported(
                f"a rate of {rate:g} is out of reach of this calibration ({self.source}): it was measured "
                f"up to {highest:g}",
                hint=f"ask for {highest:g} or less",
            )
        if rate < lowest / REFUSED_BEYOND:
            raise RateNotSupported(
                f"a rate of {rate:g} is out of reach of this calibration ({self.source}): it was measured "
                f"down to {lowest:g}",
                hint=f"ask for {lowest / REFUSED_BEYOND:g} or more, or calibrate on a larger set",
            )

    def _verify_tail(self, rate: float) -> float:
        """Threshold for an FMR below those measured: on a line in log(rate), through the last row and the last
        of at least 1.5 times its rate."""
        last = self.verify[-1]
        before = next((row for row in reversed(self.verify) if row.rate >= 1.5 * last.rate), self.verify[0])
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
        return json.dumps({"schema": SCHEMA, **document_of(self)}, indent=1)

    @staticmethod
    def from_json(text: str, where: str) -> "Calibration":
        """Inverse of `to_json`; `where` names the file in errors. Raises InputError."""
        try:
            values = parse_json(text)
            schema = values.pop("schema", 1) if isinstance(values, dict) else None
            if schema != SCHEMA:
                raise ValueError(f"format {schema}, this version reads {SCHEMA}")
            calibration = record_from(values, Calibration)
            if min(len(calibration.verify), len(calibration.identify)) < 2:
                raise ValueError("fewer than two rates or gallery sizes")
            if not all(row.rates for row in calibration.identify):
                raise ValueError("a gallery size without rates")
            if calibration.alike is not None and not calibration.alike.rates:
                raise ValueError("alike without rates")
            return calibration
        except ValueError as error:
            raise InputError(
                f"{where}: not a calibration ({type(error).__name__}: {error})",
                hint="make it again with `multiface calibrate`",
            ) from error


def read_calibration(path: Path) -> Calibration:
    """A calibration from a file. Raises InputError."""
    try:
        text = read_given_text(path)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path with a null character
        raise InputError(f"{path}: cannot be read as a calibration ({error})", path=path) from error
    with about(path):
        return Calibration.from_json(text, str(path))


def _rate_at(rows: tuple[RateRow, ...], similarity: float) -> Rate:
    """The rate of a similarity by falling rows."""
    if similarity < rows[0].threshold:
        return Rate(rows[0].rate, "at least")
    if similarity > rows[-1].threshold:
        return Rate(rows[-1].rate, "at most")
    logs = np.interp(similarity, [row.threshold for row in rows], np.log([row.rate for row in rows]))
    # exp(log(x)) can miss x by a step and leave the measured range.
    return Rate(min(max(math.exp(float(logs)), rows[-1].rate), rows[0].rate), "measured")


def _interpolated(rows: tuple[RateRow, ...], rate: float) -> tuple[float, tuple[float, float]]:
    """Threshold and interval at a rate among those measured; for one beyond, those of the nearest row."""
    rate = min(max(rate, rows[-1].rate), rows[0].rate)
    logs = np.log([row.rate for row in rows])
    threshold = float(np.interp(-math.log(rate), -logs, [row.threshold for row in rows]))
    nearest = rows[int(np.argmin(np.abs(logs - math.log(rate))))]
    share = rate / nearest.rate
    return threshold, (nearest.low * share, min(1.0, nearest.high * share))
