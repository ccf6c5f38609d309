"""`Handover`: bounds, order, errors and the end."""

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from multiface.errors import InputError
from multiface.video.engine.handover import Closed, Handover
from multiface.video.results import Event, FrameResult
from multiface.video.sources.frame import Frame


def frame(number: int, width: int = 10, height: int = 10) -> Frame:
    picture = np.zeros((height, width, 3), np.uint8)
    return Frame(number, float(number), number, Fraction(1), width, height, lambda: picture)


def result(number: int, events: int = 0) -> FrameResult:
    event = Event(float(number), "appeared", number, None, None, (0.0, 0.0, 1.0, 1.0))
    return FrameResult(frame(number), (), (event,) * events)


@pytest.fixture
def started() -> Iterator[Callable[[Callable[[], None]], threading.Thread]]:
    threads = []

    def start(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except Closed:
                closed.append(True)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return threads[-1]

    closed: list[bool] = []
    yield start
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive()


Start = Callable[[Callable[[], None]], threading.Thread]


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 3
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def reader(handover: Handover, frames: list[Frame], admitted: list[int]) -> Callable[[], None]:
    def read() -> None:
        for one in frames:
            handover.admit(one)
            admitted.append(one.number)
            handover.put_frame(one)
        handover.end_frames(None)

    return read


def test_no_more_bytes_wait_than_allowed(started: Start) -> None:
    """300 bytes a picture, 1,000 allowed: three are let in, and another one for each result that is taken."""
    handover = Handover(most_bytes=1000)
    admitted: list[int] = []
    started(reader(handover, [frame(k) for k in range(9)], admitted))
    wait_until(lambda: len(admitted) == 3)
    held = [handover.next_frame() for _ in range(3)]
    time.sleep(0.05)
    assert admitted == [0, 1, 2], "taking frames to compute them does not make room"
    for one in held:
        assert one is not None
        handover.put_result(FrameResult(one, (), ()))
    time.sleep(0.05)
    assert admitted == [0, 1, 2], "neither does having results"
    assert handover.next_result() is not None
    wait_until(lambda: len(admitted) == 4)
    time.sleep(0.05)
    assert len(admitted) == 4
    handover.close()


def test_a_number_of_small_frames(started: Start) -> None:
    handover = Handover(most_waiting=5)
    admitted: list[int] = []
    started(reader(handover, [frame(k) for k in range(50)], admitted))
    wait_until(lambda: len(admitted) == 5)
    time.sleep(0.05)
    assert len(admitted) == 5
    done: list[int] = []

    def compute() -> None:
        while (one := handover.next_frame()) is not None:
            handover.put_result(FrameResult(one, (), ()))
            done.append(one.number)
        handover.end_results(None)

    started(compute)
    wait_until(lambda: len(done) == 5)
    time.sleep(0.05)
    assert len(done) == 5, "the computing waits for the caller"
    taken = []
    while (one := handover.next_result()) is not None:
        taken.append(one.frame.number)
    assert taken == list(range(50))


def test_a_frame_larger_than_all_bounds_goes_through(started: Start) -> None:
    """Also when the computing holds frames back until more of them come."""
    handover = Handover(most_bytes=1000)
    large = frame(2, 100, 100)
    assert large.picture_bytes == 30_000
    admitted: list[int] = []
    started(reader(handover, [frame(0), frame(1), large, frame(3)], admitted))
    held = [handover.next_frame() for _ in range(4)]
    assert [one.number for one in held if one is not None] == [0, 1, 2, 3]
    assert handover.next_frame() is None


def test_frames_count_by_what_they_keep(started: Start) -> None:
    """Frames of 10 x 10: room for 1,000 bytes holds three as RGB and six as they were decoded."""
    av = pytest.importorskip("av")
    decoded = av.VideoFrame(10, 10, "yuv420p")
    for coded, count in ((None, 3), (decoded, 6)):
        handover = Handover(most_bytes=1000)
        frames = [frame(number) for number in range(12)]
        for one in frames:
            one.coded = coded
        admitted: list[int] = []
        started(reader(handover, frames, admitted))
        wait_until(lambda: len(admitted) == count)  # noqa: B023
        time.sleep(0.05)
        assert len(admitted) == count
        handover.close()


def test_an_error_comes_after_what_was_done() -> None:
    handover = Handover()
    handover.put_result(result(0))
    handover.end_results(InputError("broken"))
    assert handover.next_result() is not None
    with pytest.raises(InputError, match="broken"):
        handover.next_result()
    handover.end_frames(InputError("unreadable"))
    assert handover.next_frame() is None
    assert isinstance(handover.read_error, InputError)


def test_the_newest_result_has_the_events_of_those_not_taken() -> None:
    handover = Handover()
    for number in range(4):
        handover.put_newest(result(number, events=number))
    taken = handover.next_result()
    assert taken is not None and taken.frame.number == 3
    assert [event.track for event in taken.events] == [1, 2, 2, 3, 3, 3]
    handover.put_newest(result(4))
    taken = handover.next_result()
    assert taken is not None and taken.frame.number == 4 and taken.events == ()


def test_the_newest_result_has_the_gaps_of_those_not_taken() -> None:
    handover = Handover()

    def put(number: int, gap: str | None) -> None:
        one = result(number)
        one.frame.gap = gap
        handover.put_newest(one)

    def taken() -> tuple[int, str | None]:
        newest = handover.next_result()
        assert newest is not None
        return newest.frame.number, newest.frame.gap

    put(0, None)
    put(1, "lost")
    put(2, None)
    assert taken() == (2, "lost")
    put(3, "lost")
    put(4, "hung")
    put(5, None)
    assert taken() == (5, "lost; hung")
    put(6, None)
    put(7, None)
    assert taken() == (7, None)


def test_a_live_reader_reads_only_what_is_asked_for(started: Start) -> None:
    handover = Handover()
    read: list[int] = []

    def work() -> None:
        for number in range(3):
            handover.wait_until_asked()
            read.append(number)
            time.sleep(0.1)
            handover.put_frame(frame(number))
        handover.end_frames(None)

    started(work)
    time.sleep(0.05)
    assert read == []
    assert not handover.frame_comes(0.01), "asked for, but not there yet"
    for number in range(3):
        assert handover.frame_comes(3)
        one = handover.next_frame()
        assert one is not None and one.number == number
        if number < 2:
            time.sleep(0.05)
            assert read == list(range(number + 1))
    assert handover.frame_comes(3) and handover.next_frame() is None


def test_a_frame_lets_go_of_what_makes_its_picture() -> None:
    one = frame(0)
    picture = one.image
    assert one.convert is None and one.image is picture


@pytest.mark.parametrize(
    "waiting",
    [
        lambda handover: handover.next_frame(),
        lambda handover: handover.admit(frame(9, 1000)),
        lambda handover: handover.wait_until_asked(),
        lambda handover: handover.frame_comes(60),
        lambda handover: [handover.put_result(result(k)) for k in range(2)],
        lambda handover: [handover.put_frame(frame(k)) for _ in iter(int, 1) for k in range(2)],
    ],
    ids=["computing", "reading", "reading live", "computing live", "handing out", "reading on"],
)
def test_closing_ends_every_wait(started: Start, waiting: Callable[[Handover], None]) -> None:
    handover = Handover(most_bytes=1000, most_waiting=1)
    handover.admit(frame(0))
    thread = started(lambda: waiting(handover))
    time.sleep(0.05)
    assert thread.is_alive()
    handover.close()
    thread.join(1)
    assert not thread.is_alive() and handover.stop.is_set()
