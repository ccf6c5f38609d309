"""`Queues`: bounds, order, errors and the end."""

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from multiface.errors import InputError
from multiface.video.engine.queues import Closed, Queues
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


def reader(queues: Queues, frames: list[Frame], admitted: list[int]) -> Callable[[], None]:
    def read() -> None:
        for one in frames:
            queues.admit(one)
            admitted.append(one.number)
            queues.put_frame(one)
        queues.end_frames(None)

    return read


def test_no_more_bytes_wait_than_allowed(started: Start) -> None:
    """300 bytes a picture, 1,000 allowed: three are let in, and another one for each result that is taken."""
    queues = Queues(most_bytes=1000)
    admitted: list[int] = []
    started(reader(queues, [frame(k) for k in range(9)], admitted))
    wait_until(lambda: len(admitted) == 3)
    held = [queues.next_frame() for _ in range(3)]
    time.sleep(0.05)
    assert admitted == [0, 1, 2], "taking frames to compute them does not make room"
    for one in held:
        assert one is not None
        queues.put_result(FrameResult(one, (), ()))
    time.sleep(0.05)
    assert admitted == [0, 1, 2], "neither does having results"
    assert queues.next_result() is not None
    wait_until(lambda: len(admitted) == 4)
    time.sleep(0.05)
    assert len(admitted) == 4
    queues.close()


def test_a_number_of_small_frames(started: Start) -> None:
    queues = Queues(most_waiting=5)
    admitted: list[int] = []
    started(reader(queues, [frame(k) for k in range(50)], admitted))
    wait_until(lambda: len(admitted) == 5)
    time.sleep(0.05)
    assert len(admitted) == 5
    done: list[int] = []

    def compute() -> None:
        while (one := queues.next_frame()) is not None:
            queues.put_result(FrameResult(one, (), ()))
            done.append(one.number)
        queues.end_results(None)

    started(compute)
    wait_until(lambda: len(done) == 5)
    time.sleep(0.05)
    assert len(done) == 5, "the computing waits for the caller"
    taken = []
    while (one := queues.next_result()) is not None:
        taken.append(one.frame.number)
    assert taken == list(range(50))


def test_a_frame_larger_than_all_bounds_goes_through(started: Start) -> None:
    """Also when the computing holds frames back until more of them come."""
    queues = Queues(most_bytes=1000)
    large = frame(2, 100, 100)
    assert large.picture_bytes == 30_000
    admitted: list[int] = []
    started(reader(queues, [frame(0), frame(1), large, frame(3)], admitted))
    held = [queues.next_frame() for _ in range(4)]
    assert [one.number for one in held if one is not None] == [0, 1, 2, 3]
    assert queues.next_frame() is None


def test_frames_count_by_what_they_keep(started: Start) -> None:
    """Frames of 10 x 10: room for 1,000 bytes holds three as RGB and six as they were decoded."""
    av = pytest.importorskip("av")
    decoded = av.VideoFrame(10, 10, "yuv420p")
    for coded, count in ((None, 3), (decoded, 6)):
        queues = Queues(most_bytes=1000)
        frames = [frame(number) for number in range(12)]
        for one in frames:
            one.coded = coded
        admitted: list[int] = []
        started(reader(queues, frames, admitted))
        wait_until(lambda: len(admitted) == count)  # noqa: B023
        time.sleep(0.05)
        assert len(admitted) == count
        queues.close()


def test_an_error_comes_after_what_was_done() -> None:
    queues = Queues()
    queues.put_result(result(0))
    queues.end_results(InputError("broken"))
    assert queues.next_result() is not None
    with pytest.raises(InputError, match="broken"):
        queues.next_result()
    queues.end_frames(InputError("unreadable"))
    assert queues.next_frame() is None
    assert isinstance(queues.read_error, InputError)


def test_the_newest_result_has_the_events_of_those_not_taken() -> None:
    queues = Queues()
    for number in range(4):
        queues.put_newest(result(number, events=number))
    taken = queues.next_result()
    assert taken is not None and taken.frame.number == 3
    assert [event.track for event in taken.events] == [1, 2, 2, 3, 3, 3]
    queues.put_newest(result(4))
    taken = queues.next_result()
    assert taken is not None and taken.frame.number == 4 and taken.events == ()


def test_the_newest_result_has_the_gaps_of_those_not_taken() -> None:
    queues = Queues()

    def put(number: int, gap: str | None) -> None:
        one = result(number)
        one.frame.gap = gap
        queues.put_newest(one)

    def taken() -> tuple[int, str | None]:
        newest = queues.next_result()
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
    queues = Queues()
    read: list[int] = []

    def work() -> None:
        for number in range(3):
            queues.wait_until_asked()
            read.append(number)
            time.sleep(0.1)
            queues.put_frame(frame(number))
        queues.end_frames(None)

    started(work)
    time.sleep(0.05)
    assert read == []
    assert not queues.frame_comes(0.01), "asked for, but not there yet"
    for number in range(3):
        assert queues.frame_comes(3)
        one = queues.next_frame()
        assert one is not None and one.number == number
        if number < 2:
            time.sleep(0.05)
            assert read == list(range(number + 1))
    assert queues.frame_comes(3) and queues.next_frame() is None


def test_a_frame_lets_go_of_what_makes_its_picture() -> None:
    one = frame(0)
    picture = one.image
    assert one.convert is None and one.image is picture


@pytest.mark.parametrize(
    "waiting",
    [
        lambda queues: queues.next_frame(),
        lambda queues: queues.admit(frame(9, 1000)),
        lambda queues: queues.wait_until_asked(),
        lambda queues: queues.frame_comes(60),
        lambda queues: [queues.put_result(result(k)) for k in range(2)],
        lambda queues: [queues.put_frame(frame(k)) for _ in iter(int, 1) for k in range(2)],
    ],
    ids=["computing", "reading", "reading live", "computing live", "handing out", "reading on"],
)
def test_closing_ends_every_wait(started: Start, waiting: Callable[[Queues], None]) -> None:
    queues = Queues(most_bytes=1000, most_waiting=1)
    queues.admit(frame(0))
    thread = started(lambda: waiting(queues))
    time.sleep(0.05)
    assert thread.is_alive()
    queues.close()
    thread.join(1)
    assert not thread.is_alive() and queues.stop.is_set()
