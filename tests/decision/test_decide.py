"""Decisions against a literal slow rule, and what must hold whatever the similarities are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.decision.calibration import Threshold
from multiface.decision.decide import Reason, decide
from multiface.decision.quality_limits import PictureFault
from multiface.errors import UsageError


def threshold(similarity: float) -> Threshold:
    return Threshold(similarity, 0.01, 10, (0.005, 0.02), extrapolated=False, source="a set")


@st.composite
def pictures(draw: st.DrawFn) -> tuple[np.ndarray, float, float]:
    """Similarities (faces, people) on a coarse grid, so that ties and values at the threshold are common."""
    faces, people = draw(st.integers(0, 6)), draw(st.integers(1, 6))
    steps = draw(st.lists(st.integers(-4, 20), min_size=faces * people, max_size=faces * people))
    similarities = (np.array(steps, np.float32) / np.float32(20)).reshape(faces, people)
    return (
        similarities,
        draw(st.sampled_from([0.1, 0.35, 0.5, 0.7])),
        draw(st.sampled_from([0.0, 0.03, 0.12])),
    )


def literal(
    rows: list[list[float]], wanted: list[list[float]], margin: float
) -> list[tuple[int | None, Reason]]:
    """The rule in words: again and again the best claim of all is granted, then each face is judged."""
    claims = {
        (f, p): value for f, row in enumerate(rows) for p, value in enumerate(row) if value >= wanted[f][p]
    }
    owner: dict[int, int] = {}
    while claims:
        face, person = max(claims, key=lambda claim: (claims[claim], -claim[0], -claim[1]))
        owner[face] = person
        claims = {claim: v for claim, v in claims.items() if claim[0] != face and claim[1] != person}
    answers: list[tuple[int | None, Reason]] = []
    for face, row in enumerate(rows):
        if face not in owner:
            taken = max(row) >= wanted[face][row.index(max(row))]
            answers.append((None, Reason.PERSON_TAKEN if taken else Reason.BELOW_THRESHOLD))
            continue
        mine = owner[face]
        rivals = [v for p, v in enumerate(row) if p not in owner.values()]
        if any(v > row[mine] - margin for v in rivals):
            answers.append((None, Reason.RUNNER_UP_TOO_NEAR))
        else:
            answers.append((mine, Reason.KNOWN))
    return answers


@settings(max_examples=300, deadline=None)
@given(picture=pictures(), rises=st.lists(st.sampled_from([0.0, 0.125, 0.25]), min_size=8, max_size=8))
def test_the_same_as_the_rule_in_words(picture: tuple[np.ndarray, float, float], rises: list[float]) -> None:
    similarities, least, margin = picture
    names = [f"person {k}" for k in range(similarities.shape[1])]
    rise = np.array(rises[: len(names)], np.float32)
    assert len(rise) == len(names)
    decisions = decide(similarities, names, threshold(least), margin, rise)
    rows = similarities.astype(float).tolist()
    wanted = literal(rows, [[least + one for one in rise.tolist()]] * len(rows), margin)
    assert [(d.name, d.reason) for d in decisions] == [
        (None if person is None else names[person], reason) for person, reason in wanted
    ]


@settings(max_examples=300, deadline=None)
@given(picture=pictures(), rises=st.lists(st.sampled_from([0.0, 0.125, 0.25]), min_size=36, max_size=36))
def test_a_rise_of_its_own_for_each_face(
    picture: tuple[np.ndarray, float, float], rises: list[float]
) -> None:
    similarities, least, margin = picture
    names = [f"person {k}" for k in range(similarities.shape[1])]
    rise = np.array(rises[: similarities.size], np.float32).reshape(similarities.shape)
    decisions = decide(similarities, names, threshold(least), margin, rise)
    thresholds = (least + rise.astype(float)).tolist()
    wanted = literal(similarities.astype(float).tolist(), thresholds, margin)
    assert [(d.name, d.reason) for d in decisions] == [
        (None if person is None else names[person], reason) for person, reason in wanted
    ]
    for face, decision in enumerate(decisions):
        assert decision.best is not None and decision.threshold is not None
        assert decision.threshold.similarity == thresholds[face][names.index(decision.best.name)]


@settings(max_examples=300, deadline=None)
@given(picture=pictures())
def test_what_must_hold(picture: tuple[np.ndarray, float, float]) -> None:
    similarities, least, margin = picture
    names = [f"person {k}" for k in range(similarities.shape[1])]
    decisions = decide(similarities, names, threshold(least), margin)
    named = [d.name for d in decisions if d.name is not None]
    assert len(named) == len(set(named))
    for row, decision in zip(similarities.astype(float), decisions, strict=True):
        assert decision.best is not None and decision.threshold is not None
        assert decision.best.similarity == row[names.index(decision.best.name)]
        assert (decision.name is not None) == (decision.reason is Reason.KNOWN)
        if decision.name is not None:
            assert decision.name == decision.best.name
            assert decision.best.similarity >= decision.threshold.similarity
        if decision.reason is Reason.BELOW_THRESHOLD:
            assert decision.best.similarity == row.max() < decision.threshold.similarity
        if len(names) == 1:
            assert decision.runner_up is None
        else:
            assert decision.runner_up is not None and decision.runner_up.name != decision.best.name
            others = np.delete(row, names.index(decision.best.name))
            assert decision.runner_up.similarity == others.max()


def test_a_threshold_that_float32_cannot_hold() -> None:
    """float32(0.7) is below 0.7: such a face must not be named, nor its sibling above it refused."""
    near = np.array([[np.float32(0.7)], [np.nextafter(np.float32(0.7), np.float32(1))]])
    assert float(near[0, 0]) < 0.7 < float(near[1, 0])
    below, above = decide(near, ["Ada"], threshold(0.7), 0.0)
    assert below.name is None and above.name == "Ada"


def test_the_better_face_has_the_person_and_the_other_its_second_best() -> None:
    first, second = decide(
        np.array([[0.8, 0.6], [0.9, 0.1]], np.float32), ["Ada", "Bob"], threshold(0.5), 0.05
    )
    assert (first.name, second.name) == ("Bob", "Ada")
    assert first.runner_up is not None and first.runner_up.name == "Ada"


def test_a_person_who_is_taken_is_no_rival() -> None:
    """Face 1 is between two people, but one of them is face 0: nothing is left to confuse."""
    sure = np.array([[0.9, 0.2], [0.61, 0.6]], np.float32)
    assert [d.name for d in decide(sure, ["Ada", "Bob"], threshold(0.5), 0.05)] == ["Ada", "Bob"]
    (alone,) = decide(sure[1:], ["Ada", "Bob"], threshold(0.5), 0.05)
    assert alone.name is None and alone.reason is Reason.RUNNER_UP_TOO_NEAR
    assert alone.best is not None and alone.best.name == "Ada"
    assert alone.runner_up is not None and alone.runner_up.name == "Bob"


def test_the_order_of_faces_does_not_matter() -> None:
    similarities = np.random.default_rng(3).uniform(-0.2, 1, (7, 5)).astype(np.float32)
    names = ["a", "b", "c", "d", "e"]
    straight = decide(similarities, names, threshold(0.4), 0.02)
    assert decide(similarities[::-1], names, threshold(0.4), 0.02) == straight[::-1]


def test_a_person_s_own_threshold_may_be_higher() -> None:
    """The second person's threshold is 0.625: reached by face 0 alone, and said in the decision."""
    similarities = np.array([[0.1, 0.625], [0.2, 0.5625], [0.5625, 0.2]], np.float32)
    rise = np.array([0.0, 0.125], np.float32)
    decisions = decide(similarities, ["Ada", "Bob"], threshold(0.5), 0.0, rise)
    assert [d.name for d in decisions] == ["Bob", None, "Ada"]
    assert decisions[1].reason is Reason.BELOW_THRESHOLD
    assert [d.threshold and d.threshold.similarity for d in decisions] == [0.625, 0.625, 0.5]


def test_nobody_is_named_while_a_free_person_is_more_alike() -> None:
    """Bob is more alike but below his own, higher threshold: that is no reason to say Ada."""
    (decision,) = decide(
        np.array([[0.55, 0.62]], np.float32),
        ["Ada", "Bob"],
        threshold(0.5),
        0.0,
        np.array([0.0, 0.15], np.float32),
    )
    assert decision.name is None and decision.reason is Reason.RUNNER_UP_TOO_NEAR
    assert decision.best is not None and decision.best.name == "Bob"
    assert decision.runner_up is not None and decision.runner_up.name == "Ada"


def test_two_people_of_one_name_are_two_people() -> None:
    """Each is the other's runner-up, both may be in one picture, and the ids say who is who."""
    near = np.array([[0.7, 0.69]], np.float32)
    (doubtful,) = decide(near, ["Anna", "Anna"], threshold(0.5), 0.05, ids=["p_1", "p_2"])
    assert (doubtful.name, doubtful.person, doubtful.reason) == (None, None, Reason.RUNNER_UP_TOO_NEAR)
    assert doubtful.best is not None and doubtful.runner_up is not None
    assert (doubtful.best.person, doubtful.runner_up.person) == ("p_1", "p_2")
    both = np.array([[0.9, 0.2], [0.8, 0.7]], np.float32)
    decisions = decide(both, ["Anna", "Anna"], threshold(0.5), 0.05, ids=["p_1", "p_2"])
    assert [(one.name, one.person) for one in decisions] == [("Anna", "p_1"), ("Anna", "p_2")]
    with pytest.raises(UsageError, match="1 ids do not fit 2 names"):
        decide(both, ["Anna", "Anna"], threshold(0.5), 0.05, ids=["p_1"])
    assert decide(both, ["Anna", "Bo"], threshold(0.5), 0.05)[0].person == "Anna"


def test_a_runner_up_just_below_the_threshold_is_too_near() -> None:
    (decision,) = decide(np.array([[0.51, 0.49]], np.float32), ["Ada", "Bob"], threshold(0.5), 0.05)
    assert decision.reason is Reason.RUNNER_UP_TOO_NEAR


def test_nobody_enrolled() -> None:
    decisions = decide(np.zeros((3, 0), np.float32), [], None, 0.0)
    assert [d.reason for d in decisions] == [Reason.NOBODY_ENROLLED] * 3
    assert all(d.best is None and d.name is None and d.threshold is None for d in decisions)


@pytest.mark.parametrize("shape", [(2, 3), (2,), (2, 2, 1)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="do not fit 2 people"):
        decide(np.zeros(shape, np.float32), ["a", "b"], threshold(0.5), 0.0)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (1, 2), (2, 1), (2, 2, 1), ()])
def test_a_rise_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"does not fit similarities \(2, 2\)"):
        decide(np.zeros((2, 2), np.float32), ["a", "b"], threshold(0.5), 0.0, np.zeros(shape, np.float32))


POOR, ALONE = PictureFault("blurred", alone=False), PictureFault("norm 4", alone=True)


@settings(max_examples=300, deadline=None)
@given(picture=pictures(), kinds=st.lists(st.sampled_from([None, POOR, ALONE]), min_size=6, max_size=6))
def test_poor_faces_are_named_or_blamed(
    picture: tuple[np.ndarray, float, float], kinds: list[PictureFault | None]
) -> None:
    """A face that is too poor alone is not there for the others; any other is judged as if it were good."""
    similarities, least, margin = picture
    names = [f"person {k}" for k in range(similarities.shape[1])]
    faults = kinds[: len(similarities)]
    claiming = np.array([fault is not ALONE for fault in faults], bool)
    decisions = decide(similarities, names, threshold(least), margin, faults=faults)
    rest = iter(decide(similarities[claiming], names, threshold(least), margin))
    for decision, fault in zip(decisions, faults, strict=True):
        assert decision.fault == (None if fault is None else fault.words)
        if fault is ALONE:
            assert decision.name is None and decision.reason is Reason.TOO_POOR
            continue
        wanted = next(rest)
        blamed = fault is POOR and wanted.reason is Reason.BELOW_THRESHOLD
        assert decision.reason is (Reason.TOO_POOR if blamed else wanted.reason)
        assert (decision.name, decision.best, decision.runner_up, decision.threshold) == (
            wanted.name,
            wanted.best,
            wanted.runner_up,
            wanted.threshold,
        )


def test_with_nobody_enrolled_that_is_the_reason_and_the_fault_is_told() -> None:
    good, poor = decide(np.zeros((2, 0), np.float32), [], None, 0.0, faults=[None, ALONE])
    assert good.reason is poor.reason is Reason.NOBODY_ENROLLED
    assert (good.fault, poor.fault) == (None, "norm 4")


@pytest.mark.parametrize("names", [[], ["Ada"]])
def test_faults_are_one_a_face(names: list[str]) -> None:
    similarities = np.zeros((2, len(names)), np.float32)
    with pytest.raises(UsageError, match="1 faults do not fit 2 faces"):
        decide(similarities, names, threshold(0.5) if names else None, 0.0, faults=[POOR])


def test_a_crowd_with_faults() -> None:
    decisions = decide(np.zeros((300, 1), np.float32), ["Ada"], threshold(0.5), 0.0, faults=[POOR] * 300)
    assert [decision.reason for decision in decisions] == [Reason.TOO_POOR] * 300
