"""A calibration from the embeddings of a labelled set.

Verification: all pairs of pictures of different people are impostor pairs, all pairs of one person genuine
ones. Identification: every picture is a probe, people count alike however many pictures they have, and the
gallery is a random draw of N of the other people with one picture each; the expected FPIR over all such draws
is exact (`metrics.open_set.false_positive_chances`). So the thresholds hold for one template a person; what
more templates do is measured in docs/person-scoring.md.

Similarities are counted in bins of 1/20,000 for verification, and for identification in 2,000 bins over the
part of the scale in question; this is the resolution of the thresholds. Intervals: 95 % percentiles over
people drawn with replacement (Poh, Martin and Bengio's "subset" bootstrap: a pair counts as often as both its
people were drawn). A person drawn counts both as the stranger who searches and as the one who is found:
without the second, intervals for FPIR held the true rate in only 63 to 85 % of synthetic sets.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats, Ints
from multiface.decision.calibration import (
    RULE_OF_30,
    Calibration,
    GallerySizeRow,
    RateRow,
)
from multiface.decision.looking_alike import alike_rates
from multiface.decision.quality_limits import QualityLimits
from multiface.decision.rounding import rounded
from multiface.errors import DataSetError, UsageError
from multiface.metrics import false_positive_chances

BINS = 40_000
"""Over similarities from -1 to 1."""
COARSE = 2_000
"""Bins of the counts kept for each probe, over the part of the scale where impostors lie."""
RATES_A_DECADE = 5
"""Of identification."""
CURVE_A_DECADE = 10
"""Rates of the false-match and false-non-match curves, by the distance to 0 and by that to 1."""
EXACT_TO = 0.1
"""Up to this false-match rate intervals count every pair of drawn people, above to first order."""
FPIR_FROM = 1
"""The first rate, in steps: 0.63, for 100 people cannot show less than 0.3."""
SPREAD_RATE = 1e-3
SPREAD_GROUPS = 4
BOOTSTRAPS = 200
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def fit_calibration(
    embeddings: Floats,
    people: Ints,
    *,
    detector: str,
    weights: str,
    fingerprint: str,
    flip: bool,
    set_name: str,
    made_by: str,
    chooser: Floats | None = None,
    chooser_name: str | None = None,
    limits: QualityLimits | None = None,
    seed: int = 0,
) -> Calibration:
    """A calibration from unit embeddings (n, d) and the person (n,), any integers, of each.

    chooser: unit embeddings (n, e) of the same pictures by another network, `chooser_name`; they choose who
    resembles whom. None: the calibration does not say how often people who resemble each other are confused. limits:
    what a picture must show, which this function does not measure.

    Raises DataSetError when there are fewer than 100 people, or no person with two pictures; UsageError for a
    chooser of other pictures or without a name.
    """
    if (chooser is None) != (chooser_name is None) or (chooser is not None and len(chooser) != len(people)):
        raise UsageError("chooser: wanted an embedding for each picture and the name of its network")
    _, person = np.unique(people, return_inverse=True)
    count = int(person.max()) + 1 if len(person) else 0
    if count < 100 or len(person) == count:
        raise DataSetError(
            f"{set_name}: {count} people with {len(person)} pictures; a calibration needs 100 people or "
            f"more, some of them with several pictures",
            name=set_name,
        )
    impostor, genuine = _histograms(embeddings, person)
    rng = np.random.default_rng(seed)
    verify = _verify_rows(embeddings, person, impostor, rng)
    identify, margin = _identify_rows(embeddings, person, rng)
    spread_rise = _spread_rise(embeddings, person, rng)
    alike = None
    if chooser is not None and chooser_name is not None:
        alike = alike_rates(embeddings, person, chooser, chooser_name, rng)
    return Calibration(
        detector=detector,
        weights=weights,
        fingerprint=fingerprint,
        flip=flip,
        set_name=set_name,
        set_people=count,
        set_pictures=len(person),
        impostor_pairs=int(impostor.sum()),
        genuine_pairs=int(genuine.sum()),
        made_by=made_by,
        verify=verify,
        identify=identify,
        fnmr=_fnmr(genuine),
        margin=margin,
        spread_rise=spread_rise,
        alike=alike,
        limits=limits,
    )


def refuse_small(set_name: str, people: Ints) -> None:
    """Raise DataSetError for a set that cannot support the rates of the defaults.

    people: (n,), who is shown in each picture. A false-match rate of 1e-3 needs 30,000 pairs of different people.
    A false-positive identification rate of 1 % is extrapolated by the FMR, which was tried with 100 people.
    """
    pictures = np.unique(people, return_counts=True)[1]
    count, total = len(pictures), int(pictures.sum())
    pairs = (total**2 - int((pictures**2).sum())) // 2
    wanted = round(RULE_OF_30 / SPREAD_RATE)
    if count >= 100 and total > count and pairs >= wanted:
        return
    raise DataSetError(
        f"{set_name}: {count} people with {total} pictures; a calibration needs 100 people or more, some of "
        f"them with several pictures, and {wanted:,} pairs of pictures of different people (here {pairs:,}) "
        f"to support a false-match rate of 0.001; about 250 pictures do",
        name=set_name,
    )


def _bins(similarities: Floats) -> npt.NDArray[np.intp]:
    return np.clip(((similarities + 1) * (BINS / 2)).astype(np.intp), 0, BINS - 1)


def _edge(index: int) -> float:
    """The lowest similarity of a bin."""
    return index / (BINS / 2) - 1


def _histograms(embeddings: Floats, person: Ints) -> tuple[Ints, Ints]:
    """Counts of impostor and genuine pairs (each pair once) in bins of similarity."""
    impostor, genuine = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    for start in range(0, len(person), 512):
        rows = np.arange(start, min(start + 512, len(person)))
        similarities = embeddings[rows] @ embeddings[start:].T
        later = np.arange(start, len(person))[None] > rows[:, None]
        same = person[rows][:, None] == person[start:][None]
        impostor += np.bincount(_bins(similarities[later & ~same]), minlength=BINS)
        genuine += np.bincount(_bins(similarities[later & same]), minlength=BINS)
    return impostor, genuine


def _rates(events: float, first: int) -> list[float]:
    """Rates to measure, falling from 10^(-first / 5) to where 30 errors are expected among so many events."""
    rates = [10 ** (-step / RATES_A_DECADE) for step in range(first, 8 * RATES_A_DECADE)]
    return [rate for rate in rates if rate * events >= RULE_OF_30]


def _curve(events: Ints) -> list[tuple[float, float]]:
    """Similarity and the share of the events (a histogram) at or above it, falling.

    From where 30 events lie below down to where 30 are left; shares are those counted at the edge of a bin.
    """
    above = np.cumsum(events[::-1])[::-1]
    total = int(above[0]) if len(above) else 0
    steps = 10 ** (-np.arange(1, 10 * CURVE_A_DECADE) / CURVE_A_DECADE)
    wanted = np.concatenate([1 - steps[::-1], np.linspace(0.9, 0.1, 81), steps])
    counts = np.unique(np.clip(wanted * total, RULE_OF_30, total - RULE_OF_30))
    # The last bin with at least so many at or above it; and no more than all less 30.
    places = np.unique(np.searchsorted(-above, -counts, side="right") - 1)
    places = places[(above[places] >= RULE_OF_30) & (above[places] <= total - RULE_OF_30)]
    shares, first = np.unique(above[places], return_index=True)
    return [(_edge(int(places[k])), float(share / total)) for share, k in zip(shares, first, strict=True)][
        ::-1
    ]


def _verify_rows(
    embeddings: Floats, person: Ints, impostor: Ints, rng: np.random.Generator
) -> tuple[RateRow, ...]:
    thresholds, rates = np.array(_curve(impostor)).T
    count = int(person.max()) + 1
    weights = rng.multinomial(count, np.full(count, 1 / count), BOOTSTRAPS)
    pictures = np.bincount(person)
    everyone = weights @ pictures
    total = (everyone**2 - (weights**2) @ (pictures**2)) / 2
    shares = np.empty((BOOTSTRAPS, len(thresholds)))
    exact = rates <= EXACT_TO
    own = _impostors_of(embeddings, person, thresholds[~exact])
    with_others = pictures * (len(person) - pictures)
    shares[:, ~exact] = (rates[~exact] * impostor.sum() + (weights - 1) @ own) / (
        impostor.sum() + (weights - 1) @ with_others
    )[:, None]
    left, right, values = _impostors_above(embeddings, person, thresholds[exact][0])
    order = np.argsort(-values, kind="stable")
    left, right, values = left[order], right[order], values[order]
    ends = np.searchsorted(-values, -thresholds[exact], side="right")
    for draw, weight in enumerate(weights):
        running = np.concatenate([[0], np.cumsum(weight[left] * weight[right])])
        shares[draw, exact] = running[ends] / total[draw]
    low, high = np.clip(np.quantile(shares, [0.025, 0.975], axis=0), 0.0, 1.0)
    return tuple(
        RateRow(_share(rate), float(threshold), _share(lowest), _share(highest))
        for rate, threshold, lowest, highest in zip(rates, thresholds, low, high, strict=True)
    )


def _impostors_of(
    embeddings: Floats, person: Ints, thresholds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(people, levels): the impostor pairs of each person at or above rising thresholds."""
    levels = len(thresholds)
    counts = np.zeros((int(person.max()) + 1, levels + 1))
    for start in range(0, len(person), 512):
        rows = slice(start, min(start + 512, len(person)))
        similarities = embeddings[rows] @ embeddings.T
        similarities[person[rows][:, None] == person[None]] = -np.inf
        level = np.searchsorted(thresholds, similarities.ravel(), side="right")
        flat = level + (levels + 1) * np.repeat(np.arange(len(similarities)), similarities.shape[1])
        found = np.bincount(flat, minlength=len(similarities) * (levels + 1)).reshape(len(similarities), -1)
        np.add.at(counts, person[rows], found)
    reached: npt.NDArray[np.float64] = np.cumsum(counts[:, :0:-1], axis=1)[:, ::-1]
    return reached


def _impostors_above(
    embeddings: Floats, person: Ints, threshold: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Floats]:
    """Impostor pairs at or above a threshold: the two people and the similarity."""
    lefts, rights, values = [], [], []
    for start in range(0, len(person), 512):
        rows = np.arange(start, min(start + 512, len(person)))
        similarities = embeddings[rows] @ embeddings[start:].T
        wanted = (
            (similarities >= threshold)
            & (np.arange(start, len(person))[None] > rows[:, None])
            & (person[rows][:, None] != person[start:][None])
        )
        row, column = np.nonzero(wanted)
        lefts.append(person[rows[row]].astype(np.int32))
        rights.append(person[start + column].astype(np.int32))
        values.append(similarities[row, column])
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(values)


@dataclass(frozen=True, slots=True, eq=False)
class _Searches:
    """Every picture searched among one picture of every other person.

    gallery: (m, d), the first picture of each person. weights: (n,), 1 over the number of pictures of the
    person.
    """

    embeddings: Floats
    person: Ints
    gallery: Floats
    weights: npt.NDArray[np.float64]

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Pictures, and their similarities (rows, m) to everybody; -inf to themselves."""
        for start in range(0, len(self.person), 512):
            rows = slice(start, min(start + 512, len(self.person)))
            similarities = self.embeddings[rows] @ self.gallery.T
            similarities[self.person[rows][:, None] == np.arange(len(self.gallery))[None]] = -np.inf
            yield rows, similarities

    def people_means(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m, k) means over each person's pictures of values (n, k)."""
        order = np.argsort(self.person, kind="stable")
        starts = np.searchsorted(self.person[order], np.arange(len(self.gallery)))
        return np.add.reduceat((values * self.weights[:, None])[order], starts, axis=0)


def _identify_rows(
    embeddings: Floats, person: Ints, rng: np.random.Generator
) -> tuple[tuple[GallerySizeRow, ...], float]:
    """Rows for the gallery sizes, and the margin to a runner-up."""
    _, first = np.unique(person, return_index=True)
    others = len(first) - 1
    searches = _Searches(embeddings, person, embeddings[first], 1.0 / np.bincount(person)[person])
    lowest, highest = _impostor_range(searches)
    step = (highest - lowest) / COARSE
    counts = np.empty((len(person), COARSE), np.int32)
    wrong_gaps: list[float] = []
    for rows, similarities in searches.blocks():
        genuine = (embeddings[rows] * searches.gallery[person[rows]]).sum(axis=1)
        is_gallery = first[person[rows]] == np.arange(rows.start, rows.stop)
        gaps = similarities.max(axis=1) - genuine
        wrong_gaps.extend(gaps[(gaps > 0) & ~is_gallery].tolist())
        index = np.clip(np.floor((similarities - lowest) / step), -1, COARSE - 1).astype(np.int64)
        flat = (index + 1) + (COARSE + 1) * np.arange(len(index))[:, None]
        binned = np.bincount(flat.ravel(), minlength=len(index) * (COARSE + 1)).reshape(len(index), -1)
        counts[rows] = np.cumsum(binned[:, :0:-1], axis=1)[:, ::-1]
    drawn = rng.multinomial(len(first), np.full(len(first), 1 / len(first)), BOOTSTRAPS)
    sizes = sorted({size for size in SIZES if size < others} | {others})
    rows_by_size = tuple(
        GallerySizeRow(size, _fpir_rows(searches, counts, size, drawn, lowest, step)) for size in sizes
    )
    margin = float(np.quantile(wrong_gaps, 0.5)) if wrong_gaps else 0.0
    return rows_by_size, rounded(margin)


def _impostor_range(searches: _Searches) -> tuple[float, float]:
    """The part of the scale that rates from 0.63 down need, also with one person enrolled: of the impostor
    similarities a fifth lies below it and none above."""
    sample = searches.embeddings[:: max(1, len(searches.embeddings) // 500)] @ searches.gallery.T
    highest = max(float(similarities.max()) for _, similarities in searches.blocks())
    return float(np.quantile(sample, 0.2)), highest + 1e-6


def _fpir_rows(
    searches: _Searches,
    counts: npt.NDArray[np.int32],
    size: int,
    drawn: Ints,
    lowest: float,
    step: float,
) -> tuple[RateRow, ...]:
    """The row of rates for one gallery size.

    Where people are drawn with replacement, each counts as a stranger who searches and as one who is found;
    the second part is taken to first order, by how much the chance of each probe changes with one candidate
    more.
    """
    others = len(searches.gallery) - 1
    table = false_positive_chances(np.arange(others + 1), others, size)
    fpir = searches.weights @ table[counts] / len(searches.gallery)
    wanted = [rate for rate in _rates(len(searches.gallery), FPIR_FROM) if rate <= fpir[0]]
    found = [int(np.searchsorted(-fpir, -rate)) for rate in wanted]
    as_probe = searches.people_means(table[counts[:, found]])
    change = np.gradient(table)[counts[:, found]] * searches.weights[:, None]
    as_found = np.zeros_like(as_probe)
    for rows, similarities in searches.blocks():
        for level, index in enumerate(found):
            as_found[:, level] += change[rows, level] @ (similarities >= lowest + index * step)
    shares = fpir[found] + (drawn - 1) @ (as_probe + as_found) / len(searches.gallery)
    low, high = np.clip(np.quantile(shares, [0.025, 0.975], axis=0), 0.0, 1.0)
    return tuple(
        RateRow(rounded(rate), rounded(lowest + index * step), rounded(a), rounded(b))
        for rate, index, a, b in zip(wanted, found, low, high, strict=True)
    )


def _spread_rise(embeddings: Floats, person: Ints, rng: np.random.Generator) -> float:
    """How much the threshold for a false-match rate of 1e-3 rises per unit of spread of a person's templates.

    Groups of people with k templates and of like spread: the threshold against their mean vectors less the
    one against one template of each, fitted by least squares through the origin.
    """
    _, first = np.unique(person, return_index=True)
    order = np.argsort(person, kind="stable")
    pictures = np.split(order, np.cumsum(np.bincount(person))[:-1])
    points: list[tuple[float, float]] = []
    for count in (2, 3, 4, 5, 8):
        owners = np.array([p for p, own in enumerate(pictures) if len(own) >= count])
        if len(owners) * len(first) * SPREAD_RATE < RULE_OF_30 * SPREAD_GROUPS:
            break
        chosen = np.stack([rng.permutation(pictures[p])[:count] for p in owners])
        means = embeddings[chosen].mean(axis=1)
        lengths = np.linalg.norm(means, axis=1)
        strangers = first[None] != first[owners][:, None]
        for group in np.array_split(np.argsort(lengths), SPREAD_GROUPS):
            several = (means[group] / lengths[group, None]) @ embeddings[first].T
            single = embeddings[chosen[group, 0]] @ embeddings[first].T
            other = strangers[group]
            rise = np.quantile(several[other], 1 - SPREAD_RATE) - np.quantile(single[other], 1 - SPREAD_RATE)
            points.append((float(1 - lengths[group].mean()), float(rise)))
    if not points:
        return 0.0
    spread, rises = np.array(points).T
    return rounded(max(0.0, float(spread @ rises / (spread @ spread))))


def _fnmr(genuine: Ints) -> tuple[tuple[float, float], ...]:
    """Similarity and the share of genuine pairs below it, from 30 pairs below to 30 at or above."""
    return tuple((similarity, _share(1 - above)) for similarity, above in _curve(genuine))


def _share(share: float) -> float:
    """A share 0..1 with five digits, those near 1 by their distance to it."""
    return rounded(share) if share <= 0.5 else 1 - rounded(1 - share)
