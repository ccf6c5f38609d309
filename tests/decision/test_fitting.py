"""Fitting against literal slow loops over pairs and galleries drawn at random, on synthetic embeddings."""

import itertools
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from multiface.decision import fitting
from multiface.decision.calibration import Calibration
from multiface.decision.fitting import fit_calibration, refuse_small
from multiface.errors import DataSetError, UsageError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
PEOPLE = 150


def population(seed: int, people: int) -> tuple[Floats, Ints]:
    """Embeddings (n, 24) and persons: 1 to 4 pictures a person; some people lean to a common point and are
    confused more often than others."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 24))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    lean = 0.8 * rng.beta(1, 6, size=(people, 1))
    centres = centres * (1 - lean) + lean * np.eye(24)[0]
    person = np.repeat(np.arange(people), rng.integers(1, 5, people))
    pictures = centres[person] + rng.normal(size=(len(person), 24)) * 0.08
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    return pictures.astype(np.float32), person


def fit(
    embeddings: Floats,
    person: Ints,
    seed: int = 0,
    chooser: Floats | None = None,
    chooser_name: str | None = None,
) -> Calibration:
    return fit_calibration(
        embeddings,
        person,
        detector="mtcnn",
        weights="dlib",
        fingerprint="f" * 64,
        flip=True,
        set_name="synthetic",
        made_by="a test",
        seed=seed,
        chooser=chooser,
        chooser_name=chooser_name,
    )


@pytest.fixture(scope="module")
def sample() -> tuple[Floats, Ints]:
    return population(5, PEOPLE)


@pytest.fixture(scope="module")
def calibration(sample: tuple[Floats, Ints]) -> Calibration:
    return fit(*sample)


@pytest.fixture(scope="module")
def pairs(sample: tuple[Floats, Ints]) -> tuple[list[float], list[float]]:
    """(impostor, genuine) similarities, pair by pair."""
    embeddings, person = sample
    similarities = (embeddings.astype(float) @ embeddings.T.astype(float)).tolist()
    impostor, genuine = [], []
    for a, b in itertools.combinations(range(len(person)), 2):
        (genuine if person[a] == person[b] else impostor).append(similarities[a][b])
    return impostor, genuine


def test_what_was_counted(
    calibration: Calibration, sample: tuple[Floats, Ints], pairs: tuple[list[float], list[float]]
) -> None:
    assert (calibration.set_people, calibration.set_pictures) == (PEOPLE, len(sample[1]))
    assert (calibration.impostor_pairs, calibration.genuine_pairs) == (len(pairs[0]), len(pairs[1]))


def test_false_match_rates_are_those_of_all_pairs(
    calibration: Calibration, pairs: tuple[list[float], list[float]]
) -> None:
    """The rate of each row is the share at its threshold, from 30 pairs below down to 30 above."""
    impostor = np.array(pairs[0])
    for row in calibration.verify:
        exact = [(impostor >= row.threshold + rounding).mean() for rounding in (1e-6, -1e-6)]
        assert exact[0] - 1e-5 <= row.rate <= exact[1] + 1e-5
        assert row.low <= row.rate <= row.high
    assert 1 - 2 * 30 / len(impostor) < calibration.verify[0].rate <= 1 - 30 / len(impostor)


def test_the_whole_curve_is_the_exact_count(
    calibration: Calibration, pairs: tuple[list[float], list[float]]
) -> None:
    """At 2,001 similarities from -1 to 1: within 3 % of a rate, or of its distance to 1; bounds hold."""
    impostor, genuine = np.array(pairs[0]), np.array(pairs[1])
    bounds = set()
    for similarity in np.linspace(-1, 1, 2001):
        for rate, exact, events in (
            (calibration.false_match_rate(similarity), (impostor >= similarity).mean(), len(impostor)),
            (calibration.false_non_match_rate(similarity), (genuine < similarity).mean(), len(genuine)),
        ):
            bounds.add(rate.bound)
            noise = 0.03 * min(exact, 1 - exact) + 6 / events
            if rate.bound == "measured":
                assert rate.value == pytest.approx(exact, abs=noise)
            elif rate.bound == "at most":
                assert exact <= rate.value + 1e-9
            else:
                assert exact >= rate.value - 1e-9
    assert bounds == {"measured", "at most", "at least"}


def test_a_threshold_has_the_rate_asked_for_over_the_whole_range(calibration: Calibration) -> None:
    for rate in (0.999, 0.99, 0.9, 0.5, 0.1, 0.01, 0.001):
        threshold = calibration.threshold_for_verify(rate)
        assert not threshold.extrapolated
        assert calibration.false_match_rate(threshold.similarity).value == pytest.approx(rate, rel=1e-6)


def test_people_who_resemble_each_other(calibration: Calibration, sample: tuple[Floats, Ints]) -> None:
    """Against loops over the people: nearest mean by the other network, pairs of people alike."""
    embeddings, person = sample
    rng = np.random.default_rng(8)
    other = (embeddings + 0.05 * rng.normal(size=embeddings.shape)).astype(np.float32)
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    fitted = fit(embeddings, person, chooser=other, chooser_name="other")
    alike = fitted.alike
    assert alike is not None and calibration.alike is None
    chosen = set()
    means = [other[person == k].sum(axis=0) for k in range(PEOPLE)]
    for a in range(PEOPLE):
        near = [float(means[a] @ m) / float(np.linalg.norm(m)) for m in means]
        near[a] = -9
        chosen.add(tuple(sorted((a, int(np.argmax(near))))))
    assert (alike.chosen_by, alike.pairs) == ("other", len(chosen))
    for row in alike.rates:
        shares = [
            (embeddings[person == a] @ embeddings[person == b].T >= row.threshold - 1e-6).mean()
            for a, b in chosen
        ]
        assert np.mean(shares) == pytest.approx(row.rate, abs=1e-3)
        assert row.low <= row.rate <= row.high
        assert 30 / len(chosen) <= row.rate <= 1 - 30 / len(chosen)
    assert alike.rates[-1].rate < 33 / len(chosen) and alike.rates[0].rate > 1 - 33 / len(chosen)
    strict = calibration.threshold_for_verify(0.01).similarity
    similar = fitted.false_match_rate_alike(strict)
    assert similar is not None and similar.value > 0.05
    assert replace(fitted, alike=None) == calibration


def test_a_chooser_of_other_pictures_is_refused(sample: tuple[Floats, Ints]) -> None:
    embeddings, person = sample
    with pytest.raises(UsageError, match="each picture"):
        fit(embeddings, person, chooser=embeddings[1:], chooser_name="other")
    with pytest.raises(UsageError, match="name of its network"):
        fit(embeddings, person, chooser=embeddings)


def test_rates_go_down_to_thirty_errors(
    calibration: Calibration, pairs: tuple[list[float], list[float]]
) -> None:
    assert 30 - 1e-3 <= calibration.verify[-1].rate * len(pairs[0]) < 30 * 10**0.2
    for size in calibration.identify:
        assert 30 <= size.rates[-1].rate * PEOPLE < 30 * 10**0.2


def test_false_non_match_rates_are_those_of_all_pairs(
    calibration: Calibration, pairs: tuple[list[float], list[float]]
) -> None:
    genuine = np.array(pairs[1])
    for similarity in np.quantile(genuine, [0.02, 0.1, 0.5, 0.9]):
        wanted = (genuine < similarity).mean()
        found = calibration.false_non_match_rate(float(similarity))
        if found.bound == "measured":
            assert found.value == pytest.approx(wanted, abs=0.006)
    assert calibration.false_non_match_rate(-1).bound == "at most"
    assert calibration.false_non_match_rate(1).bound == "at least"


@pytest.fixture(scope="module")
def crowd() -> tuple[Floats, Ints]:
    """More pictures than are compared at once (512), of 480 people; the last is at right angles to all others."""
    embeddings, person = population(7, 480)
    embeddings = np.pad(embeddings, ((0, 0), (0, 1)))
    embeddings[person == 479] = np.eye(25, dtype=np.float32)[24]
    assert len(person) > 2 * 512
    return embeddings, person


@pytest.fixture(scope="module")
def crowd_calibration(crowd: tuple[Floats, Ints]) -> Calibration:
    return fit(*crowd)


def test_false_match_rates_and_intervals_of_a_larger_set(
    crowd: tuple[Floats, Ints], crowd_calibration: Calibration
) -> None:
    """All pairs in one table; and 200 draws of people, each pair as often as both its people were drawn."""
    embeddings, person = crowd
    similarities = embeddings @ embeddings.T
    impostor = person[:, None] != person
    assert crowd_calibration.impostor_pairs == impostor.sum() // 2
    drawn = np.random.default_rng(0).multinomial(480, np.full(480, 1 / 480), fitting.BOOTSTRAPS)
    times = drawn[:, person].astype(np.float32)
    total = ((times @ impostor) * times).sum(axis=1)
    for row in crowd_calibration.verify[::6]:
        above = impostor & (similarities >= row.threshold - 1e-7)
        assert row.rate == pytest.approx(above.sum() / impostor.sum(), rel=1e-3)
        shares = ((times @ above) * times).sum(axis=1) / total
        low, high = np.quantile(shares, [0.025, 0.975])
        near = 1e-3 * row.rate if row.rate <= fitting.EXACT_TO else 0.25 * (high - low)
        assert (row.low, row.high) == pytest.approx((low, high), abs=near)


def test_false_positive_identification_rates_of_a_larger_set(
    crowd: tuple[Floats, Ints], crowd_calibration: Calibration
) -> None:
    """With everybody else enrolled and with one of them, people counting alike, without drawing any gallery."""
    embeddings, person = crowd
    scores = embeddings @ embeddings[np.unique(person, return_index=True)[1]].T
    scores[np.arange(len(person)), person] = -np.inf
    for size in (row for row in crowd_calibration.identify if row.people in (1, 479)):
        for row in size.rates:
            above = scores >= row.threshold
            false = above.any(axis=1) if size.people == 479 else above.sum(axis=1) / 479
            found = np.mean([false[person == k].mean() for k in range(480)])
            assert found == pytest.approx(row.rate, abs=3 / 480)
            assert row.low < row.rate < row.high


def test_intervals_of_false_positive_identification_rates_of_a_larger_set(
    crowd: tuple[Floats, Ints], crowd_calibration: Calibration
) -> None:
    """One person enrolled, and 2,000 draws of people: a search counts as often as both its people were drawn."""
    embeddings, person = crowd
    scores = embeddings @ embeddings[np.unique(person, return_index=True)[1]].T
    scores[np.arange(len(person)), person] = -np.inf
    times = np.random.default_rng(4).multinomial(480, np.full(480, 1 / 480), 2000)
    for row in crowd_calibration.identify[0].rates:
        above = (scores >= row.threshold).astype(float)
        of_people = np.array([above[person == k].mean(axis=0) for k in range(480)])
        shares = ((times @ of_people) * times).sum(axis=1) / (480 * 479)
        low, high = np.quantile(shares, [0.025, 0.975])
        assert (row.low, row.high) == pytest.approx((low, high), abs=0.2 * (high - low))


def test_gallery_sizes(calibration: Calibration) -> None:
    assert [row.people for row in calibration.identify] == [1, 2, 5, 10, 20, 50, 100, 149]


@pytest.mark.parametrize("people", [1, 5, 50, 149])
def test_false_positive_identification_rates_are_those_of_galleries_drawn(
    calibration: Calibration, sample: tuple[Floats, Ints], people: int
) -> None:
    """4,000 searches, each by a person drawn, with a picture drawn, among others drawn."""
    embeddings, person = sample
    rng = np.random.default_rng(people)
    first = [int(np.flatnonzero(person == k)[0]) for k in range(PEOPLE)]
    (row,) = (row for row in calibration.identify if row.people == people)
    best = []
    for _ in range(4000):
        stranger = int(rng.integers(PEOPLE))
        probe = embeddings[rng.choice(np.flatnonzero(person == stranger))]
        others = rng.permutation([first[k] for k in range(PEOPLE) if k != stranger])[:people]
        best.append(float((embeddings[others] @ probe).max()))
    assert len(row.rates) >= 2
    for rate in row.rates:
        found = (np.array(best) >= rate.threshold).mean()
        noise = 4 * math.sqrt(rate.rate * (1 - rate.rate) / len(best))
        assert found == pytest.approx(rate.rate, abs=noise + 0.5 / PEOPLE)
        assert rate.low <= rate.rate <= rate.high


def test_intervals_hold_the_true_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 95 % intervals from 20 small sets, those for one rate hold the rate in the whole population in at
    least 16: fewer has a chance of 0.3 % if they are what they say."""
    monkeypatch.setattr(fitting, "BOOTSTRAPS", 120)
    monkeypatch.setattr(fitting, "SIZES", (1, 10))
    everybody, persons = population(99, 2500)
    gallery = everybody[np.unique(persons, return_index=True)[1]]
    strangers, _ = population(98, 600)
    similarities = np.sort(strangers @ gallery.T, axis=1)
    flat = np.sort(similarities.ravel())
    held: dict[tuple[int, int], int] = {}
    for seed in range(20):
        calibration = fit(*population(1000 + seed, 110))
        for place, rate in enumerate((0.063, 0.01, 0.003)):
            row = min(calibration.verify, key=lambda one: abs(math.log(one.rate / rate)))
            true = 1 - np.searchsorted(flat, row.threshold) / flat.size
            held[0, place] = held.get((0, place), 0) + (row.low <= true <= row.high)
        for size in calibration.identify:
            for place, row in enumerate(size.rates[:2]):
                above = (similarities >= row.threshold).mean(axis=1)
                true = (1 - (1 - above) ** size.people).mean()
                key = (size.people, 10 + place)
                held[key] = held.get(key, 0) + (row.low <= true <= row.high)
    assert len(held) == 3 + 3 * 2
    assert min(held.values()) >= 16, held


def test_the_smallest_set_answers_every_size(sample: tuple[Floats, Ints]) -> None:
    """100 people show few rates; one person enrolled at 1 % must get an (extrapolated) threshold too."""
    embeddings, person = sample
    small = fit(embeddings[person < 100], person[person < 100])
    thresholds = [small.threshold_for_identify(0.01, n) for n in (1, 2, 5, 20, 99, 5000)]
    assert [t.similarity for t in thresholds] == sorted(t.similarity for t in thresholds)
    assert all(t.extrapolated for t in thresholds)


def test_extrapolated_thresholds_keep_their_rate() -> None:
    """1 % for 50 enrolled, from 150 people whose set shows no less than 20 %: true on 3,000 others within a
    factor of 3 in the mean of four sets."""
    everybody, persons = population(99, 3000)
    gallery = everybody[np.unique(persons, return_index=True)[1]]
    similarities = population(98, 600)[0] @ gallery.T
    true = []
    for seed in range(4):
        threshold = fit(*population(2000 + seed, 150)).threshold_for_identify(0.01, 50)
        assert threshold.extrapolated
        above = (similarities >= threshold.similarity).mean(axis=1)
        true.append((1 - (1 - above) ** 50).mean())
    assert 0.01 / 3 <= np.mean(true) <= 0.03


def test_the_margin_is_the_median_gap_of_wrong_first_places(
    crowd_calibration: Calibration, crowd: tuple[Floats, Ints]
) -> None:
    embeddings, person = crowd
    first = np.unique(person, return_index=True)[1]
    gaps = []
    for k, one in enumerate(embeddings):
        row = (embeddings[first] @ one).tolist()
        genuine = row.pop(int(person[k]))
        if k not in first and max(row) > genuine:
            gaps.append(max(row) - genuine)
    assert len(gaps) == 5
    assert crowd_calibration.margin == pytest.approx(np.median(gaps), abs=1e-5)


def test_a_seed_gives_the_same_again_and_names_do_not_matter(
    calibration: Calibration, sample: tuple[Floats, Ints]
) -> None:
    embeddings, person = sample
    assert fit(embeddings, person * 7 - 300) == calibration
    other = fit(embeddings, person, seed=1)
    assert [row.threshold for row in other.verify] == [row.threshold for row in calibration.verify]


def test_too_little_is_refused(sample: tuple[Floats, Ints]) -> None:
    embeddings, person = sample
    few = person < 99
    with pytest.raises(DataSetError, match=r"synthetic: 99 people .* needs 100 people"):
        fit(embeddings[few], person[few])
    with pytest.raises(DataSetError, match="several pictures"):
        fit(embeddings[:120], np.arange(120))
    with pytest.raises(DataSetError, match="0 people"):
        fit(embeddings[:0], person[:0])


def test_a_set_is_refused_that_cannot_support_a_rate_of_one_in_a_thousand() -> None:
    """30 pairs of different people at that rate are 30,000 in all; n people with two pictures each have 2 n (n - 1)."""
    refuse_small("125 people", np.repeat(np.arange(125), 2))  # 31,000
    with pytest.raises(DataSetError, match=r"30,000 pairs .*\(here 19,800\)"):
        refuse_small("100 people", np.repeat(np.arange(100), 2))
    with pytest.raises(DataSetError, match="some of them with several pictures"):
        refuse_small("300 people", np.arange(300))
    with pytest.raises(DataSetError, match="100 people or more"):
        refuse_small("99 people", np.repeat(np.arange(99), 9))


def test_the_rise_keeps_the_false_match_rate_of_people_with_several_templates() -> None:
    """Strangers against normalised means of 4 templates: without the rise far more of them match than promised.

    The synthetic vectors share a common direction, as those of real networks do, so that a mean scaled to unit
    length comes nearer to everybody.
    """
    rng = np.random.default_rng(3)
    count, size = 600, 32
    common = np.zeros(size)
    common[0] = 1.6
    centres = rng.normal(size=(count, size)) / math.sqrt(size) + common
    person = np.repeat(np.arange(count), 5)
    pictures = centres[person] + rng.normal(size=(len(person), size)) * 0.12
    pictures = (pictures / np.linalg.norm(pictures, axis=1, keepdims=True)).astype(np.float32)
    calibration = fit(pictures, person)
    threshold = calibration.threshold_for_verify(1e-3).similarity
    strangers = pictures[person >= 300][::5].astype(float)
    matches = {"without": 0, "with": 0}
    for owner in range(300):
        mean = pictures[person == owner][:4].astype(float).mean(axis=0)
        length = float(np.linalg.norm(mean))
        similarities = strangers @ (mean / length)
        (rise,) = calibration.rise(np.array([1 - length], np.float32))
        matches["without"] += int((similarities >= threshold).sum())
        matches["with"] += int((similarities >= threshold + rise).sum())
    promised = 1e-3 * 300 * len(strangers)
    assert matches["without"] > 1.7 * promised
    assert promised / 1.6 < matches["with"] < 1.6 * promised


def test_one_template_has_no_rise(calibration: Calibration) -> None:
    spreads = np.array([0.0, 0.1, 0.2], np.float32)
    rises = calibration.rise(spreads)
    assert rises[0] == 0 and rises.dtype == np.float32
    np.testing.assert_allclose(rises, calibration.spread_rise * spreads, rtol=1e-6)
