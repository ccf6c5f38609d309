"""Which face continues which track."""

import numpy as np
import pytest

from multiface.decision import read_calibration
from multiface.decision.shipped import SHIPPED
from multiface.video.tracks.association import associate, in_doubt, place_costs
from multiface.video.tracks.similarity_limits import SimilarityLimits
from multiface.video.tracks.views import Views

LIKENESS = SimilarityLimits(read_calibration(SHIPPED / "scrfd_2.5g-mobilefacenet_128_ms1m-flip.json"))
AXES = np.eye(16, dtype=np.float32)


def boxes(*centres: tuple[float, float], size: float = 100.0) -> np.ndarray:
    middle = np.array(centres, float).reshape(-1, 2)
    return np.concatenate([middle - size / 2, middle + size / 2], axis=1)


def views(vector: np.ndarray, count: int = 3, quality: float = 0.5) -> Views:
    return Views(np.arange(float(count)), np.full(count, quality, np.float32), np.tile(vector, (count, 1)))


def run(
    tracks: np.ndarray,
    faces: np.ndarray,
    looks: np.ndarray,
    seen: list[Views],
    unseen: float = 0.2,
    quality: float = 0.5,
    missed: bool = False,
) -> tuple[list[int], list[int]]:
    """The faces of the tracks, and the faces that were embedded."""
    asked: list[int] = []

    def embed(positions: np.ndarray) -> np.ndarray:
        assert not asked
        asked.extend(positions.tolist())
        return looks[positions]

    qualities = np.full(len(faces), quality, np.float32)
    gone = np.full(len(tracks), unseen)
    owner = associate(tracks, gone, [missed] * len(tracks), seen, faces, qualities, embed, LIKENESS)
    return owner.tolist(), asked


def test_the_cost_of_the_same_place_is_nothing_and_of_a_far_one_infinite() -> None:
    costs = place_costs(
        boxes((100, 100)), np.array([0.2]), boxes((100, 100), (150, 100), (199, 100), (202, 100))
    )
    assert costs[0, 0] == pytest.approx(0)
    assert 0.4 < costs[0, 1] < costs[0, 2] < 1.1 and costs[0, 3] == np.inf
    later = place_costs(boxes((100, 100)), np.array([0.8]), boxes((202, 100)))
    assert np.isfinite(later[0, 0])
    sizes = place_costs(boxes((100, 100)), np.array([0.2]), boxes((100, 100), size=201))
    assert sizes[0, 0] == np.inf


def test_clear_places_need_no_vectors() -> None:
    owner, asked = run(
        boxes((100, 100), (300, 100)), boxes((305, 102), (103, 99)), AXES, [views(AXES[0])] * 2
    )
    assert owner == [1, 0] and asked == []


def test_where_two_are_near_the_vectors_decide() -> None:
    """The faces lie nearer to the wrong tracks."""
    tracks, faces = boxes((100, 100), (130, 100)), boxes((118, 100), (112, 100))
    owner, asked = run(tracks, faces, AXES[[0, 1]], [views(AXES[0]), views(AXES[1])])
    assert owner == [0, 1] and asked == [0, 1]
    owner, _ = run(tracks, faces, AXES[[1, 0]], [views(AXES[0]), views(AXES[1])])
    assert owner == [1, 0]


def test_a_stranger_in_the_place_of_one_long_unseen_is_not_he() -> None:
    track, face = boxes((100, 100)), boxes((101, 100))
    assert run(track, face, AXES[[5]], [views(AXES[0])], unseen=0.2) == ([0], [])
    assert run(track, face, AXES[[5]], [views(AXES[0])], unseen=0.8) == ([-1], [0])
    assert run(track, face, AXES[[0]], [views(AXES[0])], unseen=0.8) == ([0], [0])
    assert run(track, face, AXES[[5]], [views(AXES[0], 1)], unseen=0.8) == ([0], [0]), (
        "one view proves nothing"
    )


def test_a_face_that_jumped_must_be_alike() -> None:
    track, face = boxes((100, 100)), boxes((160, 110))
    assert run(track, face, AXES[[5]], [views(AXES[0])])[0] == [-1]
    assert run(track, face, AXES[[0]], [views(AXES[0])])[0] == [0]


def test_a_poor_face_or_track_goes_nowhere_far_however_alike() -> None:
    """The vectors are equal, as those of poor faces nearly are."""
    track, far, near = boxes((100, 100)), boxes((260, 100), size=70), boxes((145, 100))
    clear, poor = [views(AXES[0])], [views(AXES[0], quality=0.03)]
    for there, expected in ((far, -1), (near, 0)):
        assert run(track, there, AXES[[0]], clear, 0.9)[0] == [0]
        assert run(track, there, AXES[[0]], poor, 0.9)[0] == [expected]
        assert run(track, there, AXES[[0]], clear, 0.9, quality=0.03)[0] == [expected]


def test_a_poor_face_seen_once_and_missed_goes_nowhere_far() -> None:
    """It may walk fast, and is looked for far away; where a look missed it, somebody else is found there."""
    track, far, near = boxes((100, 100)), boxes((190, 170), size=56), boxes((130, 110))
    once = [views(AXES[0], 1)]
    for there, expected in ((far, -1), (near, 0)):
        assert run(track, there, AXES[[0]], once, 0.4, quality=0.03, missed=True)[0] == [expected]
        assert run(track, there, AXES[[0]], once, 0.4, quality=0.03)[0] == [0]
        assert run(track, there, AXES[[0]], once, 0.4, missed=True)[0] == [0]


def test_no_vector_is_made_where_there_is_none_to_compare_it_with() -> None:
    tracks, faces = boxes((100, 100), (400, 100)), boxes((160, 110), (460, 110))
    assert run(tracks, faces, AXES, [Views.none(), views(AXES[1])]) == ([0, 1], [1])


def test_without_a_calibration_place_alone_decides() -> None:
    owner = associate(
        boxes((100, 100), (130, 100)),
        np.full(2, 0.2),
        [False, False],
        [views(AXES[0])] * 2,
        boxes((128, 100), (103, 100)),
        np.full(2, 0.5, np.float32),
        lambda _: pytest.fail("no vectors are wanted"),
        SimilarityLimits(None),
    )
    assert owner.tolist() == [1, 0]


@pytest.mark.parametrize(("tracks", "faces"), [(0, 0), (0, 2), (2, 0)])
def test_nothing_to_associate(tracks: int, faces: int) -> None:
    some = boxes((100, 100), (300, 100))
    owner, asked = run(some[:tracks], some[:faces], AXES, [views(AXES[0])] * tracks)
    assert owner == [-1] * tracks and asked == []
    costs = place_costs(some[:tracks], np.zeros(tracks), some[:faces])
    assert in_doubt(costs, np.zeros(tracks)).shape == (faces,)
