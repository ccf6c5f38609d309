"""Which frames are looked at, and how fast frames are taken."""

import math
import threading
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.video.engine.schedule import (
    BUSY_SHARE,
    LONGEST_BLIND,
    Brake,
    LivePace,
    file_detection_due,
    file_interval,
)


@pytest.mark.parametrize(
    ("rate", "interval"),
    [
        (Fraction(25), 5),
        (Fraction(30000, 1001), 6),
        (Fraction(60000, 1001), 12),
        (Fraction(24000, 1001), 4),
        (Fraction(10), 2),
        (Fraction(9), 1),
        (Fraction(5), 1),
        (Fraction(1, 10), 1),
        (Fraction(0), None),
        (None, None),
    ],
)
def test_the_interval_of_a_file(rate: Fraction | None, interval: int | None) -> None:
    assert file_interval(rate) == interval


@given(st.fractions(min_value=Fraction(5), max_value=Fraction(1000)))
def test_a_file_is_looked_at_every_fifth_of_a_second(rate: Fraction) -> None:
    interval = file_interval(rate)
    assert interval is not None
    assert interval / rate <= 0.2 * 1.0021
    assert (interval + 1) / rate > 0.2


def test_when_a_look_is_due() -> None:
    assert not file_detection_due(5, 4, 0.16, True)
    assert file_detection_due(5, 5, 0.2, True)
    assert file_detection_due(5, 1, 0.3, True), "frames that lie far apart"
    assert not file_detection_due(5, 1, 0.3, False), "somebody asked for every fifth"
    assert file_detection_due(None, 1, 0.2, True) and not file_detection_due(None, 9, 0.16, True)


@given(st.floats(0.001, 0.5), st.floats(0.0, 0.05), st.integers(1, 120))
def test_the_pace_is_the_smallest_that_keeps_up(look: float, other: float, rate: int) -> None:
    pace = LivePace(None)
    assert pace.interval == 1, "before anything is known"
    for _ in range(20):
        pace.arrived(1 / rate)
        pace.took(True, look)
        pace.took(False, other)
    most = max(1, int(LONGEST_BLIND * rate + 1e-9))
    keeping_up = [
        k for k in range(1, most + 1) if look + (k - 1) * other <= BUSY_SHARE * k / rate * (1 + 1e-9)
    ]
    wanted = min(keeping_up) if keeping_up else most
    assert abs(pace.interval - wanted) <= (0 if keeping_up or other > BUSY_SHARE / rate else 1)


def test_the_pace_follows_a_load_that_comes_and_goes() -> None:
    pace = LivePace(25.0)
    for seconds, interval in ((0.01, 1), (0.1, 4), (0.01, 1)):
        for _ in range(9):
            pace.took(True, seconds)
            pace.took(False, 0.001)
        assert pace.interval == interval
    assert LivePace(25.0, most_per_second=5).interval == 1
    slow = LivePace(25.0, most_per_second=5)
    for _ in range(9):
        slow.took(True, 0.1)
    assert slow.interval == 1, "frames that are not taken need no time"


def test_the_brake() -> None:
    brake, start = Brake(50.0, threading.Event()), time.monotonic()
    for _ in range(11):
        brake.wait()
    assert time.monotonic() - start >= 0.2
    stopped = threading.Event()
    stopped.set()
    brake, start = Brake(0.01, stopped), time.monotonic()
    for _ in range(5):
        brake.wait()
    assert time.monotonic() - start < 5
    free, start = Brake(None, threading.Event()), time.monotonic()
    for _ in range(1000):
        free.wait()
    assert math.isclose(time.monotonic(), start, abs_tol=1)


def test_settled_tracks_are_looked_at_half_as_often_unless_a_number_was_asked_for() -> None:
    assert not file_detection_due(5, 9, 0.36, True, settled=True)
    assert file_detection_due(5, 10, 0.4, True, settled=True)
    assert file_detection_due(5, 2, 0.41, True, settled=True)
    assert file_detection_due(5, 5, 0.2, True, settled=False)
    assert file_detection_due(5, 5, 0.2, False, settled=True)
