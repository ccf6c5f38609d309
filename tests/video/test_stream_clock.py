"""Times of live frames, and when reading counts as behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.video.sources.stream_clock import JUMP, Backlog, StreamClock


def test_time_follows_the_streams_clock_and_not_the_arrival() -> None:
    clock = StreamClock()
    late = [0.0, 0.3, 0.01, 0.5, 0.02]
    times = [clock.time_of(1000 + i / 25, 50 + i / 25 + late[i]) for i in range(5)]
    assert times == pytest.approx([i / 25 for i in range(5)])


def test_a_new_connection_goes_on_by_the_wall_clock() -> None:
    clock = StreamClock()
    assert clock.time_of(7.0, 100.0) == 0
    assert clock.time_of(8.0, 101.1) == pytest.approx(1.0)
    clock.restart()
    assert clock.time_of(0.5, 110.0) == pytest.approx(10.0)
    assert clock.time_of(1.5, 111.2) == pytest.approx(11.0)


def test_without_a_clock_the_wall_counts() -> None:
    clock = StreamClock()
    assert [clock.time_of(None, 5.0 + i) for i in range(3)] == [0.0, 1.0, 2.0]


@given(
    st.lists(
        st.tuples(st.floats(0.001, 1.0), st.one_of(st.none(), st.floats(-1e6, 1e6))), min_size=1, max_size=60
    )
)
def test_time_rises_and_stays_near_the_wall_whatever_the_clock_says(
    frames: list[tuple[float, float | None]],
) -> None:
    clock, now, last, first = StreamClock(), 10.0, -1.0, None
    for step, stamp in frames:
        now += step
        first = now if first is None else first
        time = clock.time_of(stamp, now)
        assert time > last
        assert abs(time - (now - first)) <= 2 * JUMP + 1e-3 * len(frames)
        last = time


def test_a_stream_read_in_time_is_never_skipped() -> None:
    backlog = Backlog()
    assert not any(
        backlog.skips(i / 25, 100 + i / 25 + 0.3 * (i % 7 == 0), 0.03, i % 25 == 0) for i in range(2000)
    )


def test_when_decoding_is_too_slow_only_key_frames_are_read_until_nothing_waits() -> None:
    """Decoding takes 60 ms a frame at 25 frames a second: a simulation of reader and network."""
    backlog = Backlog()
    now, worst, decoded = 100.0, 0.0, 0
    for i in range(3000):
        arrives = 100 + i / 25
        waited = max(0.0, arrives - now)
        now = max(now, arrives)
        if not backlog.skips(i / 25, now, waited, i % 25 == 0):
            now += 0.06
            decoded += 1
            worst = max(worst, now - arrives)
    assert worst < 2.2  # without skipping: 60 s
    assert decoded > 1000


def test_a_clock_that_is_slow_costs_a_moment_now_and_then() -> None:
    """The stream's seconds are 1.002 of ours: lateness grows although nothing waits."""
    backlog = Backlog()
    skipped = sum(backlog.skips(i / 25 / 1.002, 100 + i / 25, 0.03, i % 25 == 0) for i in range(50_000))
    assert skipped < 50
