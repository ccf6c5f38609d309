"""Error rates, curves and intervals: arrays in, numbers out.

NumPy only. Nothing here knows a model, reads a file or prints. Scores are similarities (higher = more alike)
and a pair is accepted at `score >= threshold`; only `folds` follows its protocol's squared distances.

- `folds`: the ten-fold accuracy that the field reports for verification sets
- `curves`: ROC and DET points, FMR, FNMR, TAR at FAR, EER, AUC
- `intervals`: Wilson, and intervals that respect that pairs share people
- `paired`: the difference of two rates on the same pairs, over people and runs
- `open_set`: CMC, FPIR and FNIR of a gallery, and the expected FPIR over random galleries
"""

from multiface.metrics.curves import (
    ErrorRates,
    Roc,
    TarAtFar,
    area_under_roc,
    equal_error_rate,
    error_rates,
    roc,
    tar_at_far,
    threshold_at_far,
)
from multiface.metrics.folds import (
    FoldAccuracy,
    fold_accuracy,
    fold_index,
    squared_distances,
)
from multiface.metrics.intervals import (
    Interval,
    rate_interval,
    rate_replicates,
    tar_at_far_intervals,
    tar_at_far_replicates,
    wilson,
)
from multiface.metrics.open_set import (
    OpenSetRates,
    OpenSetScores,
    cmc,
    expected_fpir,
    false_positive_chances,
    open_set_rates,
    open_set_scores,
)
from multiface.metrics.paired import PairedDifference, difference_of_replicates, paired_difference

__all__ = [
    "ErrorRates",
    "FoldAccuracy",
    "Interval",
    "OpenSetRates",
    "OpenSetScores",
    "PairedDifference",
    "Roc",
    "TarAtFar",
    "area_under_roc",
    "cmc",
    "difference_of_replicates",
    "equal_error_rate",
    "error_rates",
    "expected_fpir",
    "false_positive_chances",
    "fold_accuracy",
    "fold_index",
    "open_set_rates",
    "open_set_scores",
    "paired_difference",
    "rate_interval",
    "rate_replicates",
    "roc",
    "squared_distances",
    "tar_at_far",
    "tar_at_far_intervals",
    "tar_at_far_replicates",
    "threshold_at_far",
    "wilson",
]
