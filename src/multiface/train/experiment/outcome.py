"""What the runs of an experiment came to: each arm's means, and its differences to another arm.

A difference is paired: run by run (same levels, same seed) and pair by pair of the pack; its interval knows of people
and runs (`metrics.paired`). Measures: the accuracy of the ten folds, and the TAR at `FAR`, each run at its own
threshold, which is found anew in each replicate of the people.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiface.arrays import Bools, Doubles, Ints
from multiface.evaluate.comparison import people_of
from multiface.evaluate.protocol import PairSet
from multiface.metrics.curves import area_under_roc, threshold_at_far
from multiface.metrics.folds import fold_accuracy, squared_distances
from multiface.metrics.intervals import tar_at_far_replicates
from multiface.metrics.paired import PairedDifference, difference_of_replicates, paired_difference
from multiface.train.experiment.one_run import RunResult, loss_curve, read_result, read_scores
from multiface.train.experiment.plan import TUNING, Choice, Experiment, Run

FAR = 0.01
MEASURES = ("accuracy", f"TAR at FAR {FAR:g}")
REPLICATES = 200
EVERYWHERE = "all"
"""Instead of a level: all levels together."""


@dataclass(frozen=True, slots=True)
class ArmOutcome:
    """An arm on a set, over its judged runs. choice: what tuning chose. at_edge: which of rate, margin and scale is the
    smallest or largest that was tried, so a better one may lie beyond. accuracy, area, tar: means over runs, 0..1.
    spread: standard deviation of the accuracy over the seeds at the same levels; None with one seed.
    """

    arm: str
    set: str
    choice: Choice
    at_edge: tuple[str, ...]
    runs: int
    diverged: int
    accuracy: float
    spread: float | None
    area: float
    tar: float


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm less the one it is compared with, in the runs where both learned. where: "all", or "LEVEL=VALUE"."""

    arm: str
    set: str
    measure: str
    where: str
    result: PairedDifference


@dataclass(frozen=True, slots=True, eq=False)
class _Outcomes:
    """Of one run on one set. right: per pair, whether it was decided rightly. accepted: per genuine pair, whether it
    was. tar_replicates: (REPLICATES,), the TAR in each replicate of the people.
    """

    right: Bools
    accepted: Bools
    tar_replicates: Doubles
    accuracy: float
    area: float


Found = Mapping[tuple[str, int], _Outcomes]
"""By the name of the run and the number of the set."""


def outcomes_of(
    out: Path, results: Mapping[str, RunResult], sets: Sequence[PairSet]
) -> dict[tuple[str, int], _Outcomes]:
    """Of all judged runs that learned."""
    found = {}
    for name, result in results.items():
        if not result.diverged:
            for number, scores in enumerate(read_scores(out / name)):
                found[name, number] = _outcomes(scores, sets[number])
    return found


def arm_outcomes(
    experiment: Experiment,
    chosen: Mapping[str, Choice],
    results: Mapping[str, RunResult],
    found: Found,
    sets: Sequence[PairSet],
    out: Path,
) -> tuple[ArmOutcome, ...]:
    """Each arm on each set; arms without a run that learned are left out. out: where the tuning runs lie, also those of
    grids that were tried before.
    """
    made = []
    tuned = [result.run for result in _tuning_results(experiment, out)]
    for number, pairs in enumerate(sets):
        for arm in experiment.arms:
            runs = [result.run for result in results.values() if result.run.arm == arm.name]
            learned = [run for run in runs if (run.name, number) in found]
            if learned:
                mine = [found[run.name, number] for run in learned]
                made.append(
                    ArmOutcome(
                        arm.name,
                        pairs.name,
                        chosen[arm.name],
                        _edges([run.choice for run in tuned if run.arm == arm.name], chosen[arm.name]),
                        len(learned),
                        len(runs) - len(learned),
                        float(np.mean([one.accuracy for one in mine])),
                        _spread(learned, [one.accuracy for one in mine]),
                        float(np.mean([one.area for one in mine])),
                        float(np.mean([one.accepted.mean() for one in mine])),
                    )
                )
    return tuple(made)


def differences(
    experiment: Experiment,
    results: Mapping[str, RunResult],
    found: Found,
    sets: Sequence[PairSet],
    against: str,
) -> Iterator[Difference]:
    """Every arm against one, on each set, by each measure, at all levels together and at each alone."""
    runs = [result.run for result in results.values()]
    partner = {(run.levels, run.seed): run.name for run in runs if run.arm == against}
    places = [
        EVERYWHERE,
        *(f"{name}={value}" for name, values in experiment.levels for value in values if len(values) > 1),
    ]
    for number, pairs in enumerate(sets):
        left, right = people_of(pairs)
        for arm in (arm.name for arm in experiment.arms if arm.name != against):
            for where in places:
                both = [
                    (found[run.name, number], found[partner[run.levels, run.seed], number])
                    for run in runs
                    if run.arm == arm
                    and (where == EVERYWHERE or where in [f"{name}={value}" for name, value in run.levels])
                    and (run.name, number) in found
                    and (partner.get((run.levels, run.seed), ""), number) in found
                ]
                if not both:
                    continue
                rows = [np.stack([one[side].right for one in both]) for side in range(2)]
                result = paired_difference(rows[0], rows[1], left, right, replicates=REPLICATES)
                yield Difference(arm, pairs.name, MEASURES[0], where, result)
                yield Difference(
                    arm, pairs.name, MEASURES[1], where, _tar_difference(both, left, right, pairs.issame)
                )


def mean_curves(
    results: Mapping[str, RunResult], experiment: Experiment
) -> dict[str, tuple[tuple[float, float], ...]]:
    """For each arm the accuracy on the tuning people over the epochs, as the mean of its judged runs."""
    return _means(
        {name: result.curve for name, result in results.items() if result.curve}, results, experiment
    )


def mean_losses(
    out: Path, results: Mapping[str, RunResult], experiment: Experiment
) -> dict[str, tuple[tuple[float, float], ...]]:
    """For each arm the loss a slice over the epochs, as the mean of its judged runs."""
    return _means(
        {name: loss_curve(out / name) for name, one in results.items() if one.curve}, results, experiment
    )


def runs_as_csv(results: Mapping[str, RunResult], found: Found) -> str:
    """A line for each judged run and set."""
    file = io.StringIO()
    levels = list(dict.fromkeys(name for one in results.values() for name, _ in one.run.levels))
    table = csv.writer(file, lineterminator="\n")
    table.writerow(
        ["arm", *levels, "seed", "rate", "margin", "scale", "set", "accuracy", "area", "tar", "diverged"]
    )
    for name, result in results.items():
        run = result.run
        first = [
            run.arm,
            *(dict(run.levels)[level] for level in levels),
            run.seed,
            run.choice.rate,
            run.choice.margin,
            run.choice.scale,
        ]
        for number, measured in enumerate(result.sets):
            one = found[name, number]
            figures = (one.accuracy, one.area, float(one.accepted.mean()))
            table.writerow([*first, measured.name, *(f"{figure:.6f}" for figure in figures), ""])
        if not result.sets:
            table.writerow([*first, "", "", "", "", result.diverged])
    return file.getvalue()


def tuning_as_csv(experiment: Experiment, out: Path) -> str:
    """A line for each tuning run that is done, also of grids that were tried before: measured on the tuning pairs."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["arm", "rate", "margin", "scale", "seed", "accuracy", "area", "diverged"])
    for result in _tuning_results(experiment, out):
        run, choice = result.run, result.run.choice
        figures = (
            [f"{result.sets[0].accuracy:.6f}", f"{result.sets[0].area:.6f}"] if result.sets else ["", ""]
        )
        chosen = (choice.rate, choice.margin, choice.scale)
        table.writerow([run.arm, *chosen, run.seed, *figures, result.diverged])
    return file.getvalue()


def _tuning_results(experiment: Experiment, out: Path) -> Iterator[RunResult]:
    """Those that are done, arm by arm, also of grids that were tried before."""
    for arm in experiment.arms:
        for folder in sorted((out / TUNING / arm.name).glob("*/*")):
            result = read_result(folder)
            if result is not None:
                yield result


def _means(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    results: Mapping[str, RunResult],
    experiment: Experiment,
) -> dict[str, tuple[tuple[float, float], ...]]:
    found = {}
    for arm in experiment.arms:
        mine = [np.array(curve) for name, curve in curves.items() if results[name].run.arm == arm.name]
        shortest = min((len(curve) for curve in mine), default=0)
        if shortest:
            mean = np.mean([curve[:shortest] for curve in mine], axis=0)
            found[arm.name] = tuple((float(x), float(y)) for x, y in mean)
    return found


def _tar_difference(
    both: Sequence[tuple[_Outcomes, _Outcomes]], left: Ints, right: Ints, issame: Bools
) -> PairedDifference:
    """With thresholds found anew in each replicate, but no surer than with those of the set itself."""
    rows = [np.stack([one[side].accepted for one in both]) for side in range(2)]
    fixed = paired_difference(rows[0], rows[1], left[issame], right[issame], replicates=REPLICATES)
    moved = difference_of_replicates(
        [float(one.accepted.mean() - other.accepted.mean()) for one, other in both],
        np.stack([one.tar_replicates - other.tar_replicates for one, other in both], axis=1),
        len(np.unique(np.concatenate([left, right]))),
    )
    return max(fixed, moved, key=lambda one: one.deviation)


def _outcomes(scores: Doubles, pairs: PairSet) -> _Outcomes:
    scores = np.clip(scores, -1, 1)
    accuracy = fold_accuracy(squared_distances(scores), pairs.issame, pairs.fold)
    genuine, impostor = scores[pairs.issame], scores[~pairs.issame]
    accepted = genuine >= threshold_at_far(impostor, FAR)
    replicates = tar_at_far_replicates(scores, pairs.issame, *people_of(pairs), [FAR], replicates=REPLICATES)
    area = area_under_roc(genuine, impostor)
    return _Outcomes(accuracy.correct, accepted, replicates[:, 0], accuracy.mean, area)


def _spread(runs: Sequence[Run], accuracies: Sequence[float]) -> float | None:
    """Pooled over levels: the root of the mean variance with n - 1."""
    by_levels: dict[object, list[float]] = {}
    for run, accuracy in zip(runs, accuracies, strict=True):
        by_levels.setdefault(run.levels, []).append(accuracy)
    several = [values for values in by_levels.values() if len(values) > 1]
    if not several:
        return None
    squares = sum(float(np.square(np.array(values) - np.mean(values)).sum()) for values in several)
    return float(np.sqrt(squares / sum(len(values) - 1 for values in several)))


def _edges(choices: Sequence[Choice], chosen: Choice) -> tuple[str, ...]:
    found = []
    for name in ("rate", "margin", "scale"):
        tried = sorted({value for value in (getattr(one, name) for one in choices) if value is not None})
        if len(tried) > 1 and getattr(chosen, name) in (tried[0], tried[-1]):
            found.append(name)
    return tuple(found)
