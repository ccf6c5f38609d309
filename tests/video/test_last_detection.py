"""When the next look may wait: all tracks known, and slow."""

import numpy as np

from multiface.video.tracks.last_detection import LastDetection
from multiface.video.tracks.track import HiddenTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views


def views(count: int) -> Views:
    made = Views.none()
    for number in range(count):
        made = made.with_view(0.3 * number, 0.5, np.eye(4, dtype=np.float32)[number % 4], 5)
    return made


def seen(known: int = 3, since: float = 0.0, speed: float = 10.0) -> SeenTrack:
    """A face of 50 pixels at 2 seconds."""
    return SeenTrack(
        1, 0, (0, 0, 50, 60), np.zeros((5, 2), np.float32), 0.9, 0.5, since, (0, 0, 50, 60), views(known), False, None,
        np.full(4, speed),
    )  # fmt: skip


def settled(*tracks: SeenTrack, hidden: tuple[HiddenTrack, ...] = (), found: int | None = None) -> bool:
    step = StepResult(2.0, tracks, hidden, (), (), (), False)
    return LastDetection.of(step, (100, 200), len(tracks) if found is None else found, 2.0).settled


def test_who_was_looked_for_local_failed_is_not_followed() -> None:
    """The next look is at the whole picture again; how long it may wait is another matter."""
    step = StepResult(2.0, (seen(),), (), (), (), (), False)
    assert LastDetection.of(step, (100, 200), 1, 2.0).followed
    vain = LastDetection.of(step, (100, 200), 1, 2.0, local_failed=True)
    assert vain.settled and not vain.followed
    assert not LastDetection.of(step, (100, 200), 2, 2.0).followed


def test_settled() -> None:
    assert settled(seen())
    assert settled(seen(), seen(speed=50.0))
    assert not settled()
    assert not settled(seen(), found=2)
    assert not settled(seen(known=2))
    assert not settled(seen(since=1.2))
    assert not settled(seen(), seen(speed=-51.0))
    assert not settled(seen(), hidden=(HiddenTrack(2, (0, 0, 1, 1), 0.0, 1.5, views(3)),))
