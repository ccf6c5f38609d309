"""Intervals against published numbers, brute-force resampling, a literal variance and simulated coverage."""

import time
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.errors import InputError, UsageError
from multiface.metrics.curves import tar_at_far
from multiface.metrics.intervals import (
    Interval,
    rate_interval,
    rate_replicates,
    tar_at_far_intervals,
    tar_at_far_replicates,
    wilson,
)


def test_wilson_gives_published_numbers():
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    for successes, trials, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = wilson(successes, trials)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_ends_are_where_the_score_test_just_fails(counts, confidence):
    successes, trials = counts
    p, z = successes / trials, NormalDist().inv_cdf(0.5 + confidence / 2)
    interval = wilson(successes, trials, confidence)
    assert 0.0 <= interval.low <= p <= interval.high <= 1.0
    for end in (interval.low, interval.high):
        if 0.0 < end < 1.0:
            assert (p - end) ** 2 == pytest.approx(z * z * end * (1 - end) / trials, rel=1e-6, abs=1e-15)
    mirrored = wilson(trials - successes, trials, confidence)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - interval.high, 1 - interval.low), abs=1e-12)


def small_set(seed: int):
    """30 pairs among 8 people: (scores, issame, left, right); scores with ties."""
    random = np.random.default_rng(seed)
    left = random.integers(0, 8, 30)
    issame = random.random(30) < 0.4
    issame[:2] = [True, False]
    right = np.where(issame, left, (left + random.integers(1, 8, 30)) % 8)
    scores = np.round(random.normal(size=30) + issame, 1)
    return scores, issame, left, right


def brute_force(left, right, replicates, seed):
    """The multiset of pairs of each replicate, written out pair by pair for every drawn person."""
    people = np.unique(np.concatenate([left, right]))
    random = np.random.default_rng(seed)
    for _ in range(replicates):
        drawn = people[random.integers(0, len(people), len(people))].tolist()
        chosen = []
        for pair, (a, b) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            copies = drawn.count(a) if a == b else drawn.count(a) * drawn.count(b)
            chosen += [pair] * copies
        yield np.array(chosen, int)


@pytest.mark.parametrize("seed", range(5))
def test_replicates_are_those_of_brute_force_resampling(seed):
    scores, issame, left, right = small_set(seed)
    outcomes = (scores >= 0.5) == issame
    rates, tars = [], []
    for chosen in brute_force(left, right, 40, seed):
        rates.append(outcomes[chosen].mean() if len(chosen) else np.nan)
        genuine, impostor = (scores[chosen][issame[chosen] == kind] for kind in (True, False))
        both = len(genuine) > 0 and len(impostor) > 0
        tars.append([tar_at_far(genuine, impostor, far).tar if both else np.nan for far in (0.0, 0.2, 1.0)])
    np.testing.assert_allclose(rate_replicates(outcomes, left, right, replicates=40, seed=seed), rates)
    found = tar_at_far_replicates(scores, issame, left, right, (0.0, 0.2, 1.0), replicates=40, seed=seed)
    np.testing.assert_allclose(found, tars)


def people_robust_variance(outcomes, left, right):
    """Variance of a rate by the literal double sum over all pairs of pairs that share a person."""
    e = outcomes - outcomes.mean()
    people = [{a, b} for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    shares = np.array([[bool(p & q) for q in people] for p in people])
    return float(e @ shares @ e) / len(e) ** 2


@pytest.mark.parametrize("kind", ["genuine", "sparse", "all couples", "couples several times", "mixed"])
def test_rate_interval_is_wilson_with_the_variance_that_knows_the_people(kind):
    random = np.random.default_rng(3)
    persons = 60
    match kind:
        case "genuine":
            left = right = np.repeat(np.arange(persons), 8)
        case "sparse":
            left, right = np.arange(0, 400, 2), np.arange(1, 401, 2)
            persons = 400
        case "all couples":
            left, right = np.triu_indices(30, 1)
        case "couples several times":
            left, right = np.tile(np.arange(0, 200, 2), 4), np.tile(np.arange(1, 201, 2), 4)
            persons = 200
        case _:
            left = random.integers(0, persons, 600)
            right = np.where(
                random.random(600) < 0.5, left, (left + random.integers(1, persons, 600)) % persons
            )
    hard = random.normal(size=persons)
    outcomes = hard[left] + hard[right] + 2 * random.normal(size=len(left)) > 1.5
    p = outcomes.mean()
    variance = max(people_robust_variance(outcomes, left, right), p * (1 - p) / len(left))
    effective = p * (1 - p) / variance
    wanted = wilson(p * effective, effective)
    found = rate_interval(outcomes, left, right, replicates=8000)
    assert found.high - found.low == pytest.approx(wanted.high - wanted.low, rel=0.08)
    assert found.low < p < found.high


def covered(design, rate: float, repetitions: int) -> float:
    """Share of simulated sets, with people of unequal difficulty, whose 95 % interval holds the true rate."""
    random = np.random.default_rng(7)
    threshold, hits = NormalDist().inv_cdf(1 - rate), 0
    for repetition in range(repetitions):
        left, right, persons = design(random)
        hard = random.normal(size=persons) * np.sqrt(0.3)
        two = left != right
        scores = hard[left] + np.where(two, hard[right], 0.0)
        scores += random.normal(size=len(left)) * np.sqrt(np.where(two, 0.4, 0.7))  # all of variance 1
        interval = rate_interval(scores > threshold, left, right, replicates=200, seed=repetition)
        hits += interval.low <= rate <= interval.high
    return hits / repetitions


def genuine_design(_random):
    people = np.repeat(np.arange(200), 5)
    return people, people, 200


def sparse_design(random):
    left = random.integers(0, 500, 400)
    return left, (left + random.integers(1, 500, 400)) % 500, 500


def couples_design(_random):
    return *np.triu_indices(40, 1), 40


@pytest.mark.parametrize("rate", [0.01, 0.1])
@pytest.mark.parametrize("design", [genuine_design, sparse_design, couples_design])
def test_intervals_hold_the_truth_about_as_often_as_they_say(design, rate):
    # 200 sets: the standard error of the share is 1.5 %. Wilson over all couples without knowing the people
    # holds the truth in about half of such sets.
    assert 0.86 <= covered(design, rate, 200) <= 0.995


def test_tar_interval_holds_the_truth():
    random = np.random.default_rng(11)
    far, tar, hits = 0.02, 0.97, 0
    threshold = NormalDist().inv_cdf(1 - far)
    lift = threshold - NormalDist().inv_cdf(1 - tar)
    for repetition in range(60):
        issame = np.arange(1200) < 600
        left = random.integers(0, 700, 1200)
        right = np.where(issame, left, (left + random.integers(1, 700, 1200)) % 700)
        hard = random.normal(size=700) * np.sqrt(0.3)
        scores = hard[left] + np.where(issame, lift, hard[right])
        scores += random.normal(size=1200) * np.sqrt(np.where(issame, 0.7, 0.4))
        (interval,) = tar_at_far_intervals(
            scores, issame, left, right, [far], replicates=200, seed=repetition
        )
        hits += interval.low <= tar <= interval.high
    assert hits >= 54  # 90 % of 60


def test_a_tar_interval_narrows_with_more_people_and_holds_the_figure():
    def interval(people):
        random = np.random.default_rng(0)
        issame = np.arange(4 * people) % 2 == 0
        left = np.arange(4 * people) // 4
        right = np.where(issame, left, (left + 1) % people)
        scores = random.normal(size=4 * people) + 3 * issame
        (found,) = tar_at_far_intervals(scores, issame, left, right, [0.05])
        assert found.low < tar_at_far(scores[issame], scores[~issame], 0.05).tar < found.high
        return found

    few, many = interval(50), interval(800)
    assert (many.high - many.low) < 0.5 * (few.high - few.low)


def test_no_errors_do_not_mean_certainty():
    people = np.repeat(np.arange(30), 10)
    found = rate_interval(np.ones(300, bool), people, people)
    assert (found.low, found.high) == (wilson(30, 30).low, 1.0)  # 30 people, not 300 pairs
    assert rate_interval(np.zeros(300, bool), people, people).high == wilson(0, 30).high
    left, right = np.triu_indices(10, 1)  # 45 pairs, at most 5 without a common person
    assert rate_interval(np.ones(45, bool), left, right).low == wilson(5, 5).low
    # TAR of 1 on a perfectly parted set.
    issame = np.arange(60) < 30
    left = np.arange(60) % 30
    right = np.where(issame, left, (left + 1) % 30)
    (found,) = tar_at_far_intervals(issame.astype(float), issame, left, right, [0.01])
    assert (found.low, found.high) == (wilson(30, 30).low, 1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_of_pairs_sides_and_names_of_people_do_not_matter(seed):
    scores, issame, left, right = small_set(seed % 1000)
    random = np.random.default_rng(seed)
    order, swap = random.permutation(30), random.random(30) < 0.5
    other_left, other_right = np.where(swap, right, left)[order], np.where(swap, left, right)[order]
    rename = np.sort(random.choice(10**6, 8, replace=False)) - 5000  # keeps the order of the people
    plain = rate_interval(scores > 0, left, right, replicates=50)
    mixed = rate_interval(scores[order] > 0, rename[other_left], rename[other_right], replicates=50)
    assert (mixed.low, mixed.high) == pytest.approx((plain.low, plain.high), abs=1e-9)
    fars = (0.1, 0.5)
    first = tar_at_far_intervals(scores, issame, left, right, fars, replicates=50)
    second = tar_at_far_intervals(
        scores[order], issame[order], rename[other_left], rename[other_right], fars, replicates=50
    )
    for a, b in zip(first, second, strict=True):
        assert (b.low, b.high) == pytest.approx((a.low, a.high), abs=1e-9)


def test_the_seed_decides():
    scores, issame, left, right = small_set(1)
    once = rate_replicates(issame, left, right, replicates=20, seed=4)
    np.testing.assert_array_equal(once, rate_replicates(issame, left, right, replicates=20, seed=4))
    assert not np.array_equal(once, rate_replicates(issame, left, right, replicates=20, seed=5))
    assert once.shape == (20,)
    assert tar_at_far_replicates(scores, issame, left, right, [], replicates=20).shape == (20, 0)


def test_a_set_as_large_as_lfw_takes_under_two_seconds():
    random = np.random.default_rng(0)
    issame = np.arange(6000) % 600 < 300
    left = random.integers(0, 4281, 6000)
    right = np.where(issame, left, (left + random.integers(1, 4281, 6000)) % 4281)
    scores = random.normal(size=6000) + 4 * issame
    start = time.process_time()
    drawn = tar_at_far_replicates(scores, issame, left, right, (0.01, 0.001))
    rate_interval(scores > 2, left, right)
    assert time.process_time() - start < 2.0
    assert drawn.shape == (1000, 2)  # more than are computed at once


def test_few_people_give_no_false_certainty():
    # Of two people hardly a replicate draws both; whatever comes must be an interval within 0..1.
    (found,) = tar_at_far_intervals([0.9, 0.1], [True, False], [0, 0], [0, 1], [0.1], replicates=3)
    assert isinstance(found, Interval)
    assert 0.0 <= found.low < 0.5 < found.high <= 1.0


def test_one_replicate_is_enough_to_ask_for():
    assert rate_replicates([True, False], [1, 1], [1, 1], replicates=1).tolist() == [0.5]


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="people"):
        rate_interval([True, False], [1], [2])
    with pytest.raises(InputError, match="people"):
        rate_replicates([], [], [])
    with pytest.raises(UsageError, match="replicates"):
        rate_replicates([True], [1], [1], replicates=0)
    with pytest.raises(UsageError, match="confidence"):
        wilson(1, 2, 1.0)
    for successes, trials in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(UsageError, match="successes"):
            wilson(successes, trials)
    with pytest.raises(UsageError, match="far"):
        tar_at_far_replicates([0.1, 0.2], [True, False], [0, 1], [0, 2], [1.5])
    for scores, issame in (
        ([0.1, float("nan")], [True, False]),
        ([0.1, 0.2], [True, True]),
        ([0.1, 0.2], [False, False]),
    ):
        with pytest.raises(InputError, match="scores"):
            tar_at_far_replicates(scores, issame, [0, 1], [0, 2], [0.1])
