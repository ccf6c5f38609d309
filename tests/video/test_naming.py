"""`Names`: a name that a track was given is not given to another one that was there with it, whenever that is asked."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from multiface.arrays import Floats
from multiface.decision import Decision, Reason
from multiface.gallery import NewTemplate
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.demo import PORTRAIT
from multiface.video.names.co_presence import CoPresence
from multiface.video.names.naming import Names
from multiface.video.tracks.track import EndedTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views

BOX = (0.0, 0.0, 10.0, 10.0)
EILEEN = "Eileen"


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    root = tmp_path_factory.mktemp("naming")
    with Recognizer(
        gallery=root / "people.sqlite",
        create=True,
        settings=RecognizerSettings(store=root / "store", cache=root / "cache"),
    ) as opened:
        opened.enroll(EILEEN, [PORTRAIT])
        yield opened


@pytest.fixture
def face(recognizer: Recognizer) -> Floats:
    assert recognizer.gallery is not None
    return recognizer.gallery.matrix().centres[0]


def like(face: Floats, cosine: float) -> Floats:
    other = np.random.default_rng(0).standard_normal(face.size).astype(np.float32)
    other -= (other @ face) * face
    other /= np.linalg.norm(other)
    return (cosine * face + np.sqrt(1 - cosine**2) * other).astype(np.float32)


def views(vector: Floats, count: int = 3) -> Views:
    return Views(np.arange(float(count)), np.ones(count, np.float32), np.repeat(vector[None], count, axis=0))


def seen(number: int, vector: Floats, since: float, count: int = 3) -> SeenTrack:
    landmarks = np.zeros((5, 2), np.float32)
    return SeenTrack(
        number, 0, BOX, landmarks, 0.9, 0.5, since, BOX, views(vector, count), True, None, np.zeros(4)
    )


def gone(number: int, vector: Floats, since: float, last: float, count: int = 3) -> EndedTrack:
    return EndedTrack(number, BOX, since, BOX, last, views(vector, count))


class Run:
    """Steps and what is known of names; `stop` goes on in another `Names` from what is kept."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._names = Names(recognizer, 3, pytest.fail)
        self.known: dict[int, Decision] = {}

    def step(
        self,
        time: float,
        present: Sequence[SeenTrack] = (),
        ended: Sequence[EndedTrack] = (),
        appeared: Sequence[int] = (),
    ) -> dict[int, str | None]:
        step = StepResult(time, tuple(present), (), tuple(appeared), (), tuple(ended), False)
        self.known |= self._names.step(step, self.known)
        return {number: decision.name for number, decision in sorted(self.known.items())}

    def stop(self) -> None:
        self._names = Names(self._recognizer, 3, pytest.fail, CoPresence(self._names.co_presence.presences))


@pytest.mark.parametrize("stopped", [False, True])
def test_who_was_beside_somebody_is_not_that_person_later(
    recognizer: Recognizer, face: Floats, stopped: bool
) -> None:
    run, twin = Run(recognizer), like(face, 0.9)
    both = [seen(1, face, 0.0), seen(2, twin, 0.0)]
    assert run.step(1.0, both, appeared=[1, 2]) == {1: EILEEN, 2: None}
    assert run.step(4.0, both) == {1: EILEEN, 2: None}
    if stopped:
        run.stop()
    after = run.step(5.2, [seen(2, twin, 0.0)], [gone(1, face, 0.0, 4.0)])
    assert after == {1: EILEEN, 2: None} and run.known[2].reason is Reason.PERSON_TAKEN
    assert run.step(6.0, [seen(2, twin, 0.0)]) == {1: EILEEN, 2: None}
    assert run.step(9.0, [seen(3, twin, 8.0)], appeared=[3])[3] == EILEEN, "who comes after can be"


def test_a_name_that_was_given_up_is_free(recognizer: Recognizer, face: Floats) -> None:
    run, twin = Run(recognizer), like(face, 0.9)
    run.step(1.0, [seen(1, face, 0.0), seen(2, twin, 0.0)], appeared=[1, 2])
    stranger = like(face, 0.0)
    after = run.step(2.0, [seen(1, stranger, 0.0), seen(2, twin, 0.0)])
    assert after == {1: None, 2: EILEEN}
    assert run.step(4.0, [seen(2, twin, 0.0)], [gone(1, stranger, 0.0, 2.0)]) == after


def test_one_who_ends_undecided_beside_one_who_left_before(recognizer: Recognizer, face: Floats) -> None:
    run, twin = Run(recognizer), like(face, 0.9)
    run.step(1.0, [seen(1, face, 0.0), seen(2, twin, 0.9, 1)], appeared=[1, 2])
    run.step(2.2, [], [gone(1, face, 0.0, 1.0)])
    assert run.step(2.3, [], [gone(2, twin, 0.9, 1.1, 1)]) == {1: EILEEN, 2: None}
    assert run.known[2].reason is Reason.PERSON_TAKEN
    run.step(5.0, [seen(3, twin, 4.9, 1)], appeared=[3])
    assert run.step(6.0, [], [gone(3, twin, 4.9, 5.0, 1)])[3] == EILEEN


def test_somebody_else_of_that_name_may_be_beside(recognizer: Recognizer, face: Floats) -> None:
    """The two are known apart by id."""
    assert recognizer.gallery is not None
    other = like(face, 0.0)
    (kept,) = recognizer.gallery.templates(EILEEN)
    second = recognizer.gallery.add_templates(
        EILEEN, [NewTemplate(other, "0" * 64, "other.jpg", kept.facts)], another=True
    )
    try:
        run = Run(recognizer)
        run.step(1.0, [seen(1, face, 0.0), seen(2, other, 0.9, 1)], appeared=[1, 2])
        run.step(2.2, [], [gone(1, face, 0.0, 1.0)])
        assert run.step(2.3, [], [gone(2, other, 0.9, 1.1, 1)]) == {1: EILEEN, 2: EILEEN}
        assert run.known[2].person == second.person
    finally:
        recognizer.gallery.remove(second.person)
