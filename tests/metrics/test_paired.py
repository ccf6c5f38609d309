"""Paired differences against literal loops, Student's t of SciPy, and simulations with a known truth."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import stats

from multiface.errors import InputError, UsageError
from multiface.metrics.intervals import rate_replicates
from multiface.metrics.paired import difference_of_replicates, paired_difference, t_quantile


def simulated(
    random: np.random.Generator, runs: int, effect: float, people: int = 40, spread: float = 0.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes of two arms whose probabilities differ by `effect` on average; people and runs matter."""
    left = np.repeat(np.arange(people), 5)
    right = np.where(np.arange(people * 5) % 2, left, (left + 7) % people)
    of_person = random.normal(0, spread, people)
    of_run = random.normal(0, 0.03, (2, runs, 1))
    level = 0.7 + 0.2 * (of_person[left] + of_person[right]) / 2
    chance = np.clip(level + of_run + np.array([effect, 0])[:, None, None], 0.02, 0.98)
    drawn = random.random((2, runs, len(left))) < chance
    return drawn[0], drawn[1], left, right


def test_the_difference_is_the_mean_over_runs_and_pairs() -> None:
    a, b, left, right = simulated(np.random.default_rng(0), 3, 0.1)
    total = 0
    for run in range(3):
        for pair in range(len(left)):
            total += int(a[run, pair]) - int(b[run, pair])
    assert paired_difference(a, b, left, right).difference == pytest.approx(total / a.size, abs=1e-12)


def test_one_run_of_independent_pairs_has_the_interval_of_mcnemar() -> None:
    """Without shared people the variance of the difference is that of the discordant pairs."""
    random = np.random.default_rng(1)
    a, b = random.random(3000) < 0.8, random.random(3000) < 0.75
    everybody = np.arange(3000)
    found = paired_difference(a, b, everybody, everybody, replicates=2000)
    d = a.astype(float) - b
    assert found.deviation == pytest.approx(d.std() / math.sqrt(3000), rel=0.06)
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 * found.deviation, rel=0.01)


def test_runs_alone_give_the_interval_of_the_paired_t_test() -> None:
    """Where each run moves all pairs alike, people do not matter, and SciPy's paired t test is the oracle."""
    pairs = 20_000
    random = np.random.default_rng(2)
    a, b = np.zeros((5, pairs), bool), np.zeros((5, pairs), bool)
    for run in range(5):
        a[run, : int(pairs * (0.8 + random.normal(0, 0.03)))] = True
        b[run, : int(pairs * (0.78 + random.normal(0, 0.03)))] = True
    order = random.permutation(pairs)
    found = paired_difference(a[:, order], b[:, order], np.arange(pairs), np.arange(pairs), replicates=100)
    wanted = stats.ttest_rel(a.mean(1), b.mean(1)).confidence_interval(0.95)
    assert found.interval.low == pytest.approx(wanted.low, abs=0.004)
    assert found.interval.high == pytest.approx(wanted.high, abs=0.004)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 20, 200])
@pytest.mark.parametrize("share", [0.8, 0.95, 0.975, 0.995])
def test_t_quantile_is_scipys(freedom: int, share: float) -> None:
    assert t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=0.035)


@pytest.mark.parametrize("share", [0.8, 0.95, 0.975, 0.995])
def test_t_quantile_of_many_is_scipys_to_six_digits(share: float) -> None:
    assert t_quantile(share, 50) == pytest.approx(stats.t.ppf(share, 50), abs=3e-6)


def test_t_quantile_between_whole_numbers_lies_between() -> None:
    assert t_quantile(0.975, 2) < t_quantile(0.975, 1.5) < t_quantile(0.975, 1)
    assert t_quantile(0.975, 2.5) == pytest.approx(stats.t.ppf(0.975, 2.5), rel=0.03)


@pytest.mark.parametrize("runs", [1, 4])
def test_95_of_100_intervals_enclose_the_truth(runs: int) -> None:
    """People with weight in both arms, runs with effects of their own; with one run, seeds do not vary."""
    random = np.random.default_rng(3)
    inside = 0
    for _ in range(150):
        a, b, left, right = simulated(random, runs, 0.05, spread=0.2)
        if runs == 1:
            chance = 0.75 + 0.1 * np.sin(left)
            a, b = (random.random((2, 1, len(left))) < np.stack([chance + 0.05, chance])[:, None])[:2]
        found = paired_difference(a, b, left, right, replicates=100)
        inside += found.interval.low <= 0.05 <= found.interval.high
    assert inside >= 0.9 * 150
    assert inside < 150


def test_the_deviation_is_that_of_repeated_measurements() -> None:
    """What is of a pair in a run alone must not count twice, once for the people and once for the runs."""
    random = np.random.default_rng(8)
    found = [paired_difference(*simulated(random, 6, 0.05, spread=0.2), replicates=100) for _ in range(300)]
    truth = np.std([one.difference for one in found])
    assert np.mean([one.deviation for one in found]) == pytest.approx(truth, rel=0.13)


def test_pairing_makes_the_interval_shorter_than_the_two_rates_would() -> None:
    a, _, left, right = simulated(np.random.default_rng(4), 1, 0.0, spread=0.6)
    b = a.copy()
    b[0, ::50] = ~b[0, ::50]
    paired = paired_difference(a, b, left, right)
    alone = paired_difference(a, np.zeros_like(a), left, right)
    assert paired.deviation < 0.6 * alone.deviation


def test_an_effect_as_large_as_detectable_is_seen_four_times_of_five() -> None:
    random = np.random.default_rng(5)
    detectable = np.mean(
        [paired_difference(*simulated(random, 6, 0.0), replicates=100).detectable for _ in range(20)]
    )
    seen = 0
    for _ in range(120):
        found = paired_difference(*simulated(random, 6, float(detectable)), replicates=100)
        seen += found.interval.low > 0
    assert 0.65 <= seen / 120 <= 0.95


def test_a_figure_of_replicates_has_the_interval_of_the_rate_itself() -> None:
    """A rate is a figure, too: handed in as replicates it gets nearly the interval that its outcomes get."""
    a, b, _, _ = simulated(np.random.default_rng(7), 5, 0.1, spread=0.6)
    alone = np.arange(a.shape[1])
    drawn = [
        np.stack([rate_replicates(one, alone, alone, replicates=400) for one in side], axis=1)
        for side in (a, b)
    ]
    found = difference_of_replicates(a.mean(1) - b.mean(1), drawn[0] - drawn[1], a.shape[1])
    wanted = paired_difference(a, b, alone, alone, replicates=400)
    assert found.difference == pytest.approx(wanted.difference)
    assert found.deviation == pytest.approx(wanted.deviation, rel=0.02)
    with pytest.raises(InputError, match="go together"):
        difference_of_replicates(a.mean(1), drawn[0][:, :2], 40)


def excess(deviations: np.ndarray, left: np.ndarray, right: np.ndarray) -> float:
    """2 / n^2 times the sum, over all couples of two people, of the squared sum of their pairs' deviations."""
    sums: dict[frozenset[int], float] = {}
    for value, a, b in zip(deviations.tolist(), left.tolist(), right.tolist(), strict=True):
        if a != b:
            sums[frozenset((a, b))] = sums.get(frozenset((a, b)), 0.0) + value
    return 2 * sum(value * value for value in sums.values()) / len(deviations) ** 2


def test_the_deviation_is_that_of_the_file_s_head() -> None:
    """People, runs, and what is of a pair in a run alone once, each worked out from the replicates of every run."""
    random = np.random.default_rng(9)
    a, b, left, right = simulated(random, 3, 0.1, spread=2.0)
    found = paired_difference(a, b, left, right, replicates=300, seed=4)
    values = a.astype(float) - b
    drawn = np.stack(
        [
            rate_replicates(one, left, right, replicates=300, seed=4)
            - rate_replicates(other, left, right, replicates=300, seed=4)
            for one, other in zip(a, b, strict=True)
        ]
    )
    of_mean = values.mean(axis=0) - values.mean()
    of_people = drawn.mean(axis=0).var() - excess(of_mean, left, right)
    alone = []
    for run in range(3):
        own = values[run] - values[run].mean() - of_mean
        alone.append((drawn[run] - drawn.mean(axis=0)).var() - excess(own, left, right))
    in_both = np.mean(alone) / 2
    of_runs = values.mean(axis=1).var(ddof=1) / 3
    assert 0 < in_both < of_people
    assert found.deviation == pytest.approx(math.sqrt(of_people - in_both + of_runs), rel=1e-9)


def test_runs_that_are_apart_by_the_same_in_every_replicate_have_nothing_of_their_own() -> None:
    """Then the variances over people and over runs add up."""
    of_people = np.random.default_rng(10).normal(0, 0.02, 500)
    of_runs = np.array([0.05, 0.1, 0.18])
    found = difference_of_replicates(of_runs, of_people[:, None] + of_runs, 1000)
    assert found.deviation == pytest.approx(math.sqrt(of_people.var() + of_runs.var(ddof=1) / 3), rel=1e-9)


def test_one_run_of_few_people_has_their_degrees_of_freedom() -> None:
    drawn = np.random.default_rng(11).normal(0.1, 0.02, (500, 1))
    found = difference_of_replicates([0.1], drawn, 4)
    assert (found.interval.high - 0.1) / found.deviation == pytest.approx(stats.t.ppf(0.975, 3), rel=0.035)


def test_no_difference_at_all_is_no_certainty() -> None:
    same = np.ones((2, 50), bool)
    found = paired_difference(same, same, np.arange(50), np.arange(50))
    assert found.difference == 0
    assert found.interval.low < -0.03 and found.interval.high > 0.03
    assert found.detectable == found.interval.high == 2 * found.deviation


def test_swapping_the_two_changes_the_sign() -> None:
    a, b, left, right = simulated(np.random.default_rng(6), 4, 0.1)
    one, other = paired_difference(a, b, left, right), paired_difference(b, a, left, right)
    assert one.difference == -other.difference
    assert one.interval.low == pytest.approx(-other.interval.high)


def test_a_result_cannot_be_changed() -> None:
    found = paired_difference([True, False], [False, False], [0, 1], [0, 1], replicates=10)
    with pytest.raises(FrozenInstanceError):
        found.difference = 0.0  # type: ignore[misc]


def test_what_does_not_go_together_is_refused() -> None:
    two, people = np.ones((2, 5), bool), np.arange(5)
    with pytest.raises(InputError, match="do not go together"):
        paired_difference(two, two[:1], people, people)
    with pytest.raises(InputError, match="people"):
        paired_difference(two, two, people[:3], people)
    for confidence in (0, 1, 1.5):
        with pytest.raises(UsageError, match="confidence"):
            paired_difference(two, ~two, people, people, confidence=confidence)
