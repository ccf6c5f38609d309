"""A calibration from the embeddings of a labelled set.

Verification: all pairs of pictures of different people are impostor pairs, all pairs of one person genuine ones.
Identification: every picture is a probe, people count alike however many pictures they have, and the gallery is a
random draw of N of the other people with one picture each; the expected FPIR over all such draws is exact
(`metrics.open_set.false_positive_chances`). So the thresholds hold for one template a person; what more templates do is
measured in docs/person-scoring.md.

Similarities are counted in bins of 1/20,000, which is the resolution of the thresholds. Intervals: 95 %
percentiles over people drawn with replacement (Poh, Martin and Bengio's "subset" bootstrap: a pair counts as often
as both its people were drawn).
"""

import math

import numpy as np
import numpy.typing as npt

from multiface.decision.calibration import (
    RULE_OF_30,
    Calibration,
    GallerySizeRow,
    RateRow,
)
from multiface.errors import DataSetError
from multiface.metrics import false_positive_chances

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

BINS = 40_000
"""Over similarities from -1 to 1."""
COARSE = 2_000
"""Bins of the counts kept for each probe, over the part of the scale where impostors lie."""
RATES_A_DECADE = 5
BOOTSTRAPS = 400
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
    seed: int = 0,
) -> Calibration:
    """A calibration from unit embeddings (n, d) and the person (n,), any integers, of each.

    Raises DataSetError when there are fewer than 100 people, or no person with two pictures.
    """
    _, person = np.unique(people, return_inverse=True)
    count = int(person.max()) + 1 if len(person) else 0
    if count < 100 or len(person) == count:
        raise DataSetError(
            f"{set_name}: {count} people with {len(person)} pictures; a calibration needs 100 people or more, "
            f"some of them with several pictures"
        )
    impostor, genuine = _histograms(embeddings, person)
    rng = np.random.default_rng(seed)
    verify = _verify_rows(embeddings, person, impostor, rng)
    identify, margin = _identify_rows(embeddings, person, rng)
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


def _rates(events: float) -> list[float]:
    """Rates to measure, falling, down to where 30 errors are expected among so many events."""
    rates = [10 ** (-step / RATES_A_DECADE) for step in range(1, 8 * RATES_A_DECADE)]
    return [rate for rate in rates if rate * events >= RULE_OF_30]


def _verify_rows(
    embeddings: Floats, person: Ints, impostor: Ints, rng: np.random.Generator
) -> tuple[RateRow, ...]:
    above = np.cumsum(impostor[::-1])[::-1]
    pairs = int(above[0])
    first = np.searchsorted(-above, -np.array(_rates(pairs)) * pairs)
    thresholds = [_edge(int(index)) for index in first]
    weights = rng.multinomial(person.max() + 1, np.full(person.max() + 1, 1 / (person.max() + 1)), BOOTSTRAPS)
    pictures = np.bincount(person)
    everyone = weights @ pictures
    total = (everyone**2 - (weights**2) @ (pictures**2)) / 2
    left, right, values = _impostors_above(embeddings, person, thresholds[0])
    order = np.argsort(-values, kind="stable")
    left, right, values = left[order], right[order], values[order]
    ends = np.searchsorted(-values, -np.array(thresholds), side="right")
    shares = np.empty((BOOTSTRAPS, len(thresholds)))
    for draw, weight in enumerate(weights):
        running = np.concatenate([[0], np.cumsum(weight[left] * weight[right])])
        shares[draw] = running[ends] / total[draw]
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    return tuple(
        RateRow(_rounded(rate), threshold, _rounded(lowest), _rounded(highest))
        for rate, threshold, lowest, highest in zip(_rates(pairs), thresholds, low, high, strict=True)
    )


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


def _identify_rows(
    embeddings: Floats, person: Ints, rng: np.random.Generator
) -> tuple[tuple[GallerySizeRow, ...], float]:
    """Rows for the gallery sizes, and the margin to a runner-up."""
    _, first = np.unique(person, return_index=True)
    gallery = embeddings[first]
    others = len(first) - 1
    lowest, highest = _impostor_range(embeddings, person, gallery)
    step = (highest - lowest) / COARSE
    counts = np.empty((len(person), COARSE), np.int32)
    wrong_gaps: list[float] = []
    for start in range(0, len(person), 512):
        rows = slice(start, min(start + 512, len(person)))
        similarities = embeddings[rows] @ gallery.T
        mine = person[rows][:, None] == np.arange(len(first))[None]
        is_gallery = first[person[rows]] == np.arange(rows.start, rows.stop)
        genuine = similarities[mine]
        similarities[mine] = -np.inf
        gaps = similarities.max(axis=1) - genuine
        wrong_gaps.extend(gaps[(gaps > 0) & ~is_gallery].tolist())
        index = np.clip((similarities - lowest) / step, -1, COARSE - 1).astype(np.int64)
        flat = (index + 1) + (COARSE + 1) * np.arange(len(index))[:, None]
        binned = np.bincount(flat.ravel(), minlength=len(index) * (COARSE + 1)).reshape(len(index), -1)
        counts[rows] = np.cumsum(binned[:, :0:-1], axis=1)[:, ::-1]
    weights = 1.0 / np.bincount(person)[person]
    drawn = rng.multinomial(len(first), np.full(len(first), 1 / len(first)), BOOTSTRAPS)
    sizes = sorted({size for size in SIZES if size < others} | {others})
    rows_by_size = [
        GallerySizeRow(
            size, _fpir_rows(counts, others, size, weights, person, drawn, lowest, step)
        )
        for size in sizes
    ]
    margin = float(np.quantile(wrong_gaps, 0.5)) if wrong_gaps else 0.0
    return tuple(rows_by_size), _rounded(margin)


def _impostor_range(embeddings: Floats, person: Ints, gallery: Floats) -> tuple[float, float]:
    """The part of the scale that rates from 0.7 down need: from the median impostor to the highest one."""
    sample = embeddings[:: max(1, len(embeddings) // 500)] @ gallery.T
    highest = max(
        float(np.max(np.where(person[start : start + 512, None] == np.arange(len(gallery))[None], -1.0,
                              embeddings[start : start + 512] @ gallery.T)))
        for start in range(0, len(person), 512)
    )
    return float(np.median(sample)), highest + 1e-6


def _fpir_rows(
    counts: npt.NDArray[np.int32],
    others: int,
    size: int,
    weights: npt.NDArray[np.float64],
    person: Ints,
    drawn: Ints,
    lowest: float,
    step: float,
) -> tuple[RateRow, ...]:
    table = false_positive_chances(np.arange(others + 1), others, size)
    each = table[counts]
    order = np.argsort(person, kind="stable")
    starts = np.searchsorted(person[order], np.arange(int(person.max()) + 1))
    per_person = np.add.reduceat(each[order] * weights[order, None], starts, axis=0)
    fpir = per_person.mean(axis=0)
    wanted = [rate for rate in _rates(len(per_person)) if rate <= fpir[0]]
    found = [int(np.searchsorted(-fpir, -rate)) for rate in wanted]
    shares = drawn @ per_person[:, found] / drawn.sum(axis=1, keepdims=True)
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    return tuple(
        RateRow(_rounded(rate), _rounded(lowest + index * step), _rounded(a), _rounded(b))
        for rate, index, a, b in zip(wanted, found, low, high, strict=True)
    )


def _fnmr(genuine: Ints) -> tuple[tuple[float, float], ...]:
    """Similarity and the share of genuine pairs below it, at 200 quantiles."""
    below = np.concatenate([[0], np.cumsum(genuine)]) / genuine.sum()
    places = np.unique(np.searchsorted(below, np.linspace(0, 1, 201)))
    return tuple((_edge(int(place)), _rounded(below[place])) for place in places)


def _rounded(number: float) -> float:
    """Five significant digits: more would pretend."""
    if number == 0:
        return 0.0
    return round(float(number), 4 - math.floor(math.log10(abs(number))))
