"""Error rates and curves from genuine and impostor scores.

Convention: a score is a similarity (higher = more alike) and a pair is accepted at `score >= threshold`.
FMR (false match rate, also FAR or FPR) is the share of impostor scores that are accepted, FNMR (false
non-match rate) the share of genuine scores that are not, TAR = 1 - FNMR. Rates are 0..1. Terms as in
ISO/IEC 19795-1. All scores are taken as float64; every function raises InputError when a kind of pair is
empty or a score is not a finite number.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles
from multiface.errors import InputError, UsageError


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """Every operating point of a set, from "accept nothing" to "accept everything".

    thresholds: float64 (k,), descending: +inf, then every distinct score.
    fmr, fnmr: float64 (k,), at these thresholds; fmr rises from 0 to 1, fnmr falls from 1 to 0.

    (fmr, tar) is the ROC; (fmr, fnmr) are the points of the DET plot (whose axes are usually drawn on a
    normal-deviate scale).
    """

    thresholds: Doubles
    fmr: Doubles
    fnmr: Doubles

    @property
    def tar(self) -> Doubles:
        """True accept rate, float64 (k,)."""
        return 1.0 - self.fnmr


@dataclass(frozen=True, slots=True)
class TarAtFar:
    """True accept rate at a wanted false accept rate.

    far: the rate that was asked for. threshold: see `threshold_at_far`. fmr: what the threshold gives on the
    impostors, <= far. tar: share of the genuine scores that are accepted.
    """

    far: float
    threshold: float
    fmr: float
    tar: float


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """FMR and FNMR at one threshold."""

    threshold: float
    fmr: float
    fnmr: float


def roc(genuine: npt.ArrayLike, impostor: npt.ArrayLike) -> Roc:
    """All operating points of (g,) genuine and (i,) impostor scores."""
    g, i = _ascending(genuine, "genuine"), _ascending(impostor, "impostor")
    scores = np.unique(np.concatenate([g, i]))[::-1]
    thresholds = np.concatenate([[np.inf], scores])
    return Roc(
        thresholds=thresholds,
        fmr=(len(i) - np.searchsorted(i, thresholds, side="left")) / len(i),
        fnmr=np.searchsorted(g, thresholds, side="left") / len(g),
    )


def error_rates(genuine: npt.ArrayLike, impostor: npt.ArrayLike, threshold: float) -> ErrorRates:
    """FMR and FNMR of (g,) genuine and (i,) impostor scores at a threshold."""
    g, i = _ascending(genuine, "genuine"), _ascending(impostor, "impostor")
    return ErrorRates(
        threshold=float(threshold),
        fmr=float(np.mean(i >= threshold)),
        fnmr=float(np.mean(g < threshold)),
    )


def threshold_at_far(impostor: npt.ArrayLike, far: float) -> float:
    """The smallest float64 threshold at which the share of impostor scores >= threshold is <= far.

    It lies one float64 step above the highest impostor score that has to be refused, so that this score and
    its equals are refused together; -inf where nothing has to be refused (far = 1). impostor: (i,) scores.
    far: 0..1, else UsageError. With fewer than 1 / far impostors all of them are refused, and the answer
    says little about the rate: see the counts before quoting it.
    """
    i = _ascending(impostor, "impostor")
    if not 0.0 <= far <= 1.0:
        raise UsageError(f"far: wanted a rate between 0 and 1, got {far}")
    # Share of impostors accepted if the threshold were this very score; falls along the ascending scores.
    share = (len(i) - np.searchsorted(i, i, side="left")) / len(i)
    refused = int(np.count_nonzero(share > far))
    return float(np.nextafter(i[refused - 1], np.inf)) if refused else float("-inf")


def tar_at_far(genuine: npt.ArrayLike, impostor: npt.ArrayLike, far: float) -> TarAtFar:
    """TAR of (g,) genuine scores at the `threshold_at_far` of (i,) impostor scores; far as there."""
    g, i = _ascending(genuine, "genuine"), _ascending(impostor, "impostor")
    threshold = threshold_at_far(i, far)
    return TarAtFar(
        far=float(far),
        threshold=threshold,
        fmr=float(np.mean(i >= threshold)),
        tar=float(np.mean(g >= threshold)),
    )


def equal_error_rate(genuine: npt.ArrayLike, impostor: npt.ArrayLike) -> float:
    """EER, 0..1: where the straight lines between neighbouring (fmr, fnmr) points cross fmr = fnmr.

    On a tie between genuine and impostor scores this lies between the two points that can be had.
    """
    curve = roc(genuine, impostor)
    gap = curve.fmr - curve.fnmr  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    part = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(curve.fmr[after - 1] + part * (curve.fmr[after] - curve.fmr[after - 1]))


def area_under_roc(genuine: npt.ArrayLike, impostor: npt.ArrayLike) -> float:
    """AUC, 0..1: the chance that a genuine score beats an impostor score, a tie counting one half.

    This is the Mann-Whitney statistic over (g * i), equal to the area under the ROC's straight lines.
    """
    g, i = _ascending(genuine, "genuine"), _ascending(impostor, "impostor")
    below, upto = np.searchsorted(i, g, side="left"), np.searchsorted(i, g, side="right")
    return float((below + upto).mean() / (2 * len(i)))


def _ascending(scores: npt.ArrayLike, kind: str) -> Doubles:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise InputError(f"{kind} scores: wanted one row of at least one score, got shape {values.shape}")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise InputError(f"{kind} scores: {bad} of {len(values)} are not finite numbers")
    return np.sort(values)
