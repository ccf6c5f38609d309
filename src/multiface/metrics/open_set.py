"""Identification against a gallery whose people may not include the probe.

Convention: similarities (higher = more alike), (p probes, g templates); a candidate is returned at
`score >= threshold`. A person's score is the best of their templates. A probe is mated if its person is in
the gallery. Ties count against the system: a stranger who scores the same as the mate ranks before the mate.

FPIR: share of the non-mated probes for which somebody is returned. FNIR: share of the mated probes whose
person is not the first candidate or does not reach the threshold. CMC: share of the mated probes whose
person is among the first r, whatever the threshold. Source: ISO/IEC 19795-1; Grother, Ngan and Hanaoka,
"Face Recognition Vendor Test, part 2: identification", NISTIR 8271.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles, Ints
from multiface.errors import InputError, UsageError


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetScores:
    """What a search of each probe came to; all rates are read from this.

    mated: bool (p,), whether the probe's person is in the gallery.
    mate: float64 (p,), the score of the probe's own person; -inf where not mated.
    other: float64 (p,), the best score of anybody else; -inf in a gallery of that one person.
    rank: int64 (p,), the place of the probe's own person, 1 = first; 0 where not mated.
    """

    mated: npt.NDArray[np.bool_]
    mate: Doubles
    other: Doubles
    rank: Ints


@dataclass(frozen=True, slots=True)
class OpenSetRates:
    """Rates at one threshold with the numbers of probes behind them; NaN where there are no such probes."""

    threshold: float
    fpir: float
    fnir: float
    non_mated: int
    mated: int


def open_set_scores(
    similarities: npt.ArrayLike, probe_people: npt.ArrayLike, gallery_people: npt.ArrayLike
) -> OpenSetScores:
    """Searches every probe in the gallery.

    similarities: (p, g), finite. probe_people: (p,) int; gallery_people: (g,) int, several templates of one
    person allowed. Raises InputError where shapes do not agree, the gallery is empty or a score not finite.
    """
    scores = np.asarray(similarities, np.float64)
    probes, gallery = np.asarray(probe_people), np.asarray(gallery_people)
    if scores.shape != (probes.size, gallery.size) or gallery.size == 0:
        raise InputError(
            f"search: similarities {scores.shape} do not fit {probes.size} probes, {gallery.size} templates"
        )
    if not np.isfinite(scores).all():
        raise InputError("search: similarities hold numbers that are not finite")
    people, column = np.unique(gallery, return_inverse=True)
    order = np.argsort(column, kind="stable")
    starts = np.searchsorted(column[order], np.arange(len(people)))
    best = np.maximum.reduceat(scores[:, order], starts, axis=1)  # (p, people)

    own = probes[:, None] == people[None, :]
    mated = own.any(axis=1)
    mate = np.where(own, best, -np.inf).max(axis=1)
    others = np.where(own, -np.inf, best)
    before = (others >= mate[:, None]).sum(axis=1)
    return OpenSetScores(
        mated=mated, mate=mate, other=others.max(axis=1), rank=np.where(mated, before + 1, 0).astype(np.int64)
    )


def open_set_rates(scores: OpenSetScores, threshold: float) -> OpenSetRates:
    """FPIR and FNIR (first place) at a threshold."""
    missed = (scores.rank != 1) | (scores.mate < threshold)
    mated = int(scores.mated.sum())
    non_mated = len(scores.mated) - mated
    return OpenSetRates(
        threshold=float(threshold),
        fpir=float((scores.other[~scores.mated] >= threshold).mean()) if non_mated else float("nan"),
        fnir=float(missed[scores.mated].mean()) if mated else float("nan"),
        non_mated=non_mated,
        mated=mated,
    )


def cmc(scores: OpenSetScores, ranks: int) -> Doubles:
    """Share of the mated probes whose person is among the first 1, 2, ... `ranks`: float64 (ranks,), rising.

    Raises UsageError for ranks < 1, InputError without mated probes.
    """
    if ranks < 1:
        raise UsageError(f"ranks: wanted at least 1, got {ranks}")
    found = scores.rank[scores.mated]
    if len(found) == 0:
        raise InputError("CMC: wanted probes whose person is in the gallery, got none")
    return np.asarray((found[:, None] <= np.arange(1, ranks + 1)).mean(axis=0))


def false_positive_chances(strangers_above: npt.ArrayLike, strangers: int, gallery_size: int) -> Doubles:
    """For each probe the share of all galleries of N out of M strangers that return somebody: float64 (p,).

    strangers_above: (p,) int 0..M, for each probe the number k of the M strangers whose score against it is
    >= threshold. strangers: M, the same for all probes. gallery_size: N, 1..M. A gallery of N gives no false
    positive if it holds none of the k: chance C(M - k, N) / C(M, N) (hypergeometric). The logarithm of that
    quotient is the sum over j < k of log(1 - N / (M - j)), which keeps small rates exact.

    Raises UsageError for an N or M that cannot be, InputError for counts outside 0..M or no probes.
    """
    m, n = strangers, gallery_size
    if not 1 <= n <= m:
        raise UsageError(f"gallery of {n}: wanted 1 to {m}, the number of strangers to choose from")
    k = np.asarray(strangers_above)
    if k.ndim != 1 or len(k) == 0 or not np.issubdtype(k.dtype, np.integer) or k.min() < 0 or k.max() > m:
        raise InputError(f"strangers above the threshold: wanted whole numbers 0..{m}, one for each probe")
    # With k > M - N strangers above it every gallery holds one of them.
    logs = np.cumsum(np.log1p(-n / (m - np.arange(min(int(k.max()), m - n)))))
    none_of_them = np.concatenate([[0.0], logs])
    chance = -np.expm1(none_of_them[np.minimum(k, m - n)])
    return np.where(k > m - n, 1.0, chance)


def expected_fpir(strangers_above: npt.ArrayLike, strangers: int, gallery_size: int) -> float:
    """The FPIR to expect over all random galleries of N out of M strangers, exactly, without drawing any.

    The mean of `false_positive_chances` over the probes, whose arguments and errors these are; take that
    function where probes shall not count alike.
    """
    return float(false_positive_chances(strangers_above, strangers, gallery_size).mean())
