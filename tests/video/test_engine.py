"""`VideoEngine` on sources made of arrays: a real and a drawn face pasted onto moving backgrounds, real networks."""

import copy
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest

from multiface.errors import FingerprintMismatch, InputError, PictureError, UsageError
from multiface.images import Image
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.demo import PORTRAIT
from multiface.video.engine.engine import VideoEngine
from multiface.video.engine.video_settings import VideoSettings
from multiface.video.names.naming import Names
from multiface.video.results import Event, FrameResult
from multiface.video.sources.colour import to_rgb
from multiface.video.sources.file_source import open_file
from multiface.video.sources.frame import Frame, SourceInfo
from multiface.video.tracks.track import EndedTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views
from tests.drawn_faces import drawn_face

RATE = 25
SIZE = (240, 360)
EILEEN, BOB = "Eileen", "bob"


class Frames:
    """A file: pictures made one after the other. `made` counts those that were read, `fail` raises at a number."""

    def __init__(
        self,
        picture: Callable[[int], Image],
        count: int,
        *,
        start: int = 0,
        rate: Fraction | None = Fraction(RATE),
        fail: tuple[int, Exception] | None = None,
        broken: int | None = None,
        times: Sequence[float] | None = None,
    ) -> None:
        height, width = picture(start).shape[:2] if count > start else SIZE
        self.info = SourceInfo("arrays", width, height, count, rate, None, False)
        self._picture, self._count, self._start = picture, count, start
        self._fail, self._broken, self._times = fail, broken, times
        self.made = 0
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for number in range(self._start, self._count):
            if self.closed.is_set():
                return
            if self._fail is not None and number == self._fail[0]:
                raise self._fail[1]
            self.made += 1
            yield self._frame(number)

    def _frame(self, number: int) -> Frame:
        def convert() -> Image:
            if number == self._broken:
                raise PictureError("this frame cannot be converted")
            return self._picture(number)

        height, width = self._picture(number).shape[:2]
        when = self._times[number] if self._times is not None else number / RATE
        return Frame(number, when, number, Fraction(1, RATE), width, height, convert)

    def close(self) -> None:
        self.closed.set()


class Camera:
    """A live source by the clock: whoever asks gets the newest frame, or waits for the next one."""

    def __init__(self, picture: Callable[[int], Image], rate: float, seconds: float) -> None:
        height, width = picture(0).shape[:2]
        self.info = SourceInfo("camera", width, height, None, Fraction(rate), None, True)
        self._picture, self._rate, self._seconds = picture, rate, seconds
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        start, last, number = time.monotonic(), -1, 0
        while not self._closed.is_set():
            newest = int((time.monotonic() - start) * self._rate)
            if newest == last:
                self._closed.wait(max(0.0, start + (newest + 1) / self._rate - time.monotonic()) + 0.0005)
                continue
            if newest / self._rate > self._seconds:
                return
            last, number = newest, number + 1
            when, picture = newest / self._rate, self._picture(newest)
            height, width = picture.shape[:2]
            yield Frame(
                number - 1,
                when,
                newest,
                Fraction(1, 1000),
                width,
                height,
                lambda picture=picture: picture,
                captured=start + when,
            )

    def close(self) -> None:
        self._closed.set()


def two_faces() -> dict[str, Image]:
    """One 100 x 100, one 130 x 130."""
    eileen = PIL.Image.open(PORTRAIT).convert("RGB").crop((170, 20, 290, 140))
    bob = PIL.Image.fromarray(drawn_face("bob"))
    return {
        EILEEN: np.asarray(eileen.resize((100, 100), PIL.Image.Resampling.LANCZOS)),
        BOB: np.asarray(bob.resize((130, 130), PIL.Image.Resampling.LANCZOS)),
    }


class Scene:
    """Eileen moves to the right all the time; Bob is there from frame 12 to 34; another background from `cut` on."""

    def __init__(self, faces: dict[str, Image], cut: int | None = None) -> None:
        self._faces = faces
        self._cut = cut
        noise = np.random.default_rng(0).integers(60, 120, (60, 120, 3), np.uint8)
        self._ground = np.asarray(PIL.Image.fromarray(noise).resize((SIZE[1] * 2, SIZE[0])))

    def __call__(self, number: int) -> Image:
        image = np.roll(self._ground, number, axis=1)[:, : SIZE[1]].copy()
        left = 20 + number % 60
        if self._cut is not None and number >= self._cut:
            image, left = 255 - image // 2, 200 - number % 60
        image[30:130, left : left + 100] = self._faces[EILEEN]
        if 12 <= number < 35:
            image[100:230, 225:355] = self._faces[BOB]
        return image


@pytest.fixture(scope="session")
def faces() -> dict[str, Image]:
    return two_faces()


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("engine")
    return {"store": root / "store", "cache": root / "cache"}


@pytest.fixture(scope="session")
def gallery(places: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine-people") / "people.sqlite"
    with Recognizer(gallery=path, create=True, settings=RecognizerSettings(**places)) as made:
        made.enroll(EILEEN, [PORTRAIT])
        made.enroll(BOB, [drawn_face("bob", 1)])
        made.enroll("ada", [drawn_face("ada")])
    return path


@pytest.fixture(scope="session")
def recognizer(places: dict[str, Any], gallery: Path) -> Iterator[Recognizer]:
    with Recognizer(gallery=gallery, settings=RecognizerSettings(**places)) as opened:
        yield opened


@pytest.fixture
def real_time(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    """Skips a test by the clock where others keep the processors so busy that it would only measure them."""
    image, start = Scene(faces)(20), time.monotonic()
    for _ in range(5):
        recognizer.analyser.analyse([image])
    if time.monotonic() - start > 5 * 0.12:
        pytest.skip("the machine is too busy just now for a test by the clock")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert engine_threads() == []


def engine_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("video ")]


def all_of(engine: VideoEngine, source: Any) -> list[FrameResult]:
    with closing(engine.run(source)) as results:
        return list(results)


def events_of(results: Sequence[FrameResult]) -> list[Event]:
    return [event for result in results for event in result.events]


def agree(events: Sequence[Event]) -> None:
    """Each track appears and leaves in turn, appears at first and has left at last; other news come between."""
    by_track: dict[int, list[str]] = {}
    for event in events:
        by_track.setdefault(event.track, []).append(event.event)
    for kinds in by_track.values():
        borders = [kind for kind in kinds if kind in ("appeared", "left")]
        assert borders == ["appeared", "left"] * (len(borders) // 2)
        assert kinds[0] == "appeared" and kinds[-1] == "left"


def looked(results: Sequence[FrameResult]) -> list[int]:
    """Frames in which a face was detected."""
    return [result.frame.number for result in results if any(face.detected for face in result.faces)]


def told(results: Sequence[FrameResult]) -> list[tuple[Any, ...]]:
    """All that a run says, in a form that can be compared to the bit."""
    return [
        (
            result.frame.number,
            result.frame.time,
            result.events,
            [
                (
                    f.track,
                    f.box,
                    f.detected,
                    None if f.landmarks is None else f.landmarks.tobytes(),
                    f.score,
                    f.decision,
                    f.stranger,
                )
                for f in result.faces
            ],
        )
        for result in results
    ]


def test_a_whole_file(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    engine = VideoEngine(recognizer)
    source = Frames(Scene(faces), 75)
    results = all_of(engine, source)
    assert [result.frame.number for result in results] == list(range(75))
    assert source.closed.is_set()
    assert looked(results)[:4] == [5, 10, 15, 20], "every fifth frame at 25 a second"
    events = events_of(results)
    names: dict[int, list[str | None]] = {}
    kinds: dict[int, list[str]] = {}
    for event in events:
        kinds.setdefault(event.track, []).append(event.event)
        names.setdefault(event.track, []).append(event.name)
    assert kinds == {1: ["appeared", "recognised", "left"], 2: ["appeared", "recognised", "left"]}
    assert names == {1: [None, EILEEN, EILEEN], 2: [None, BOB, BOB]}
    left = {event.track: event for event in events if event.event == "left"}
    assert left[1].time == results[-1].frame.time and left[1].since == 0.0
    # Somebody is followed already: the whole picture is looked at every 0.6 s.
    assert left[2].since is not None and 12 / RATE <= left[2].since < 12 / RATE + 0.6
    assert 29 / RATE < left[2].time <= 34 / RATE
    for result in results:
        present = [face.name for face in result.faces if face.name]
        assert len(present) == len(set(present))
    # A name is in frames only from the result on that announced it, and then without a gap.
    first = next(result.frame.number for result in results if any(f.name for f in result.faces))
    recognised = next(
        r.frame.number for r in results if any(event.event == "recognised" for event in r.events)
    )
    assert first == recognised <= 15
    assert all(any(f.name == EILEEN for f in r.faces) for r in results[first:])
    assert engine.end_events() == ()
    assert engine.vectors < 25
    assert set(engine.best_views()) == {1, 2}
    for view in engine.best_views().values():
        assert view.crop.ndim == 3 and view.quality > 0


def test_those_who_leave_at_the_end_leave_after_all_else(
    recognizer: Recognizer, faces: dict[str, Image]
) -> None:
    """Files of few frames, each frame a result of its own: one is over with the frame in which somebody appears."""
    settings = VideoSettings(every=1, checkpoint_every=1)
    ends = []
    for count in range(1, 8):
        part = all_of(VideoEngine(recognizer, settings), Frames(Scene(faces), count))
        agree(events_of(part))
        ends.append([event.event for event in part[-1].events])
    assert ["appeared", "recognised", "left"] in ends and ["recognised", "left"] in ends


def test_boxes_between_lie_on_the_face(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    """The face moves a pixel a frame, and so does the box, also in frames that nobody looked at."""
    results = all_of(VideoEngine(recognizer), Frames(Scene(faces), 41))
    lefts = [face.box[0] for result in results[5:] for face in result.faces if face.track == 1]
    assert len(lefts) == 36
    assert np.abs(np.array(lefts) - (lefts[0] + np.arange(36))).max() < 3


def test_a_cut_is_looked_at_on_both_sides(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    results = all_of(VideoEngine(recognizer), Frames(Scene(faces, cut=43), 60))
    assert [k for k in looked(results) if k > 40] == [42, 43, 48, 53, 58, 59], "and from the cut every fifth"
    events = events_of(results)
    left = [event.time for event in events if event.event == "left" and event.track == 1]
    assert left == [42 / RATE, 59 / RATE], "once at the cut, once at the end"
    appeared = [event for event in events if event.event == "appeared" and event.track == 1]
    assert [event.time for event in appeared] == [0.0, 43 / RATE], "the vectors knew it again"
    assert appeared[1].name == EILEEN


def test_frames_as_they_were_decoded_are_made_to_rgb_only_for_the_detector(
    recognizer: Recognizer, faces: dict[str, Image], tmp_path: Path
) -> None:
    """A file in the colours of high definition, whose frames wait as they were decoded, and the same made to RGB."""
    scene = Scene(faces, cut=43)
    with av.open(str(tmp_path / "clip.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.codec_context.colorspace = stream.codec_context.color_primaries = 1
        stream.codec_context.color_range = 1
        for number in range(75):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(number), format="rgb24")))
        out.mux(stream.encode(None))
    counted = open_file(tmp_path / "clip.mp4")
    decoded, made_to_rgb = counted.frames, []

    def counting(frame: Frame) -> Image:
        made_to_rgb.append(frame.number)
        assert frame.coded is not None
        return to_rgb(frame.coded)

    def with_count() -> Iterator[Frame]:
        for frame in decoded():
            frame.convert = partial(counting, frame)
            yield frame

    counted.frames = with_count  # type: ignore[method-assign]
    kept = all_of(VideoEngine(recognizer), counted)
    assert made_to_rgb == [0, *looked(kept)]

    made = open_file(tmp_path / "clip.mp4")
    whole = made.frames

    def rgb_alone() -> Iterator[Frame]:
        for frame in whole():
            frame.coded = None
            yield frame

    made.frames = rgb_alone  # type: ignore[method-assign]
    alone = all_of(VideoEngine(recognizer), made)
    assert told(kept) == told(alone)
    made_to_rgb.clear()
    for result, other in zip(kept, alone, strict=True):
        np.testing.assert_array_equal(result.frame.image, other.frame.image)
    assert made_to_rgb == list(range(75)), "none was kept"


def test_the_interval(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    every = VideoEngine(recognizer, VideoSettings(every=3))
    assert looked(all_of(every, Frames(Scene(faces), 13)))[:3] == [3, 6, 9]
    slow = Frames(Scene(faces), 6, rate=Fraction(4), times=[k / 4 for k in range(6)])
    assert looked(all_of(VideoEngine(recognizer), slow)) == [1, 2, 3, 4, 5]
    # A variable rate: 25 a second on average, then one a second.
    times = [k / 25 for k in range(10)] + [2.0, 3.0, 4.0]
    varying = Frames(Scene(faces), 13, times=times)
    assert {10, 11, 12} <= set(looked(all_of(VideoEngine(recognizer), varying)))
    unknown = Frames(Scene(faces), 13, rate=None)
    assert looked(all_of(VideoEngine(recognizer), unknown))[:2] == [5, 10]


def test_large_frames_are_looked_at_sooner(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    """36 MB a frame: four of them would be more than half of what may wait."""
    scene = Scene(faces)
    large = np.zeros((3000, 4000, 3), np.uint8)
    large[: SIZE[0] * 8, : SIZE[1] * 8] = np.asarray(
        PIL.Image.fromarray(scene(0)).resize((SIZE[1] * 8, SIZE[0] * 8))
    )
    results = all_of(VideoEngine(recognizer), Frames(lambda _: large, 8))
    assert looked(results) == [3, 6, 7]


def test_max_faces_takes_the_largest(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    results = all_of(VideoEngine(recognizer, VideoSettings(max_faces=1)), Frames(Scene(faces), 34))
    assert max(len(result.faces) for result in results) == 1
    everyone = all_of(VideoEngine(recognizer), Frames(Scene(faces), 34))
    assert len(everyone[-1].faces) == 2
    area = {
        face.name: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]) for face in everyone[-1].faces
    }
    assert results[-1].faces[0].name == max(area, key=lambda name: area[name])


def test_max_fps(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    start = time.monotonic()
    all_of(VideoEngine(recognizer, VideoSettings(max_fps=20, every=20)), Frames(Scene(faces), 21))
    assert time.monotonic() - start >= 1.0


def test_wrong_settings() -> None:
    for wrong in ({"every": 0}, {"max_faces": 0}, {"max_fps": 0}, {"checkpoint_every": -1}, {"min_views": 0}):
        with pytest.raises(UsageError):
            VideoSettings(**wrong)
    with pytest.raises(UsageError):
        VideoSettings(max_fps=float("nan"))


def test_an_engine_runs_once(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    engine = VideoEngine(recognizer)
    all_of(engine, Frames(Scene(faces), 2))
    with pytest.raises(UsageError, match="one source"):
        all_of(engine, Frames(Scene(faces), 2))


def test_nothing_enrolled_and_no_frames(places: dict[str, Any], faces: dict[str, Image]) -> None:
    with Recognizer(settings=RecognizerSettings(**places)) as nobody:
        assert all_of(VideoEngine(nobody), Frames(Scene(faces), 0)) == []
        results = all_of(VideoEngine(nobody), Frames(Scene(faces), 12))
    assert [event.event for event in events_of(results)] == ["appeared", "left"]
    assert all(face.name is None for result in results for face in result.faces)


def test_a_slow_caller_holds_the_reader_back(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    source = Frames(Scene(faces), 400)
    most = 0
    with closing(VideoEngine(recognizer, VideoSettings(every=10)).run(source)) as results:
        for taken, _ in enumerate(results, 1):
            if taken % 4 == 0:
                time.sleep(0.1)
            most = max(most, source.made - taken)
            if taken == 40:
                break
    # 16 read, 16 done, a second of results that wait, a block of 10 in work, and one frame in each hand.
    assert 40 < most <= 16 + 16 + RATE + 1 + 10 + 2


@pytest.mark.parametrize("number", [0, 7])
def test_a_source_that_fails(recognizer: Recognizer, faces: dict[str, Image], number: int) -> None:
    source = Frames(Scene(faces), 20, fail=(number, InputError("the cable was pulled")))
    engine, taken = VideoEngine(recognizer), []
    with pytest.raises(InputError, match="cable"), closing(engine.run(source)) as results:
        for result in results:
            taken.append(result.frame.number)
    assert taken == list(range(number)), "what was read before is handed out"
    assert source.closed.is_set() and engine_threads() == []
    assert [event.event for event in engine.end_events()][-1:] == (["left"] if number else [])
    assert engine.end_events() == ()


class Failing:
    """Somebody's own detector, embedder or stranger keeper that works `times` times."""

    def __init__(self, inner: Any, times: int) -> None:
        self._inner, self._times = inner, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _count(self) -> None:
        self._times -= 1
        if self._times < 0:
            raise ZeroDivisionError("a bug")

    def detect(self, image: Image, smallest: float | None = None) -> Any:
        self._count()
        return self._inner.detect(image, smallest)

    def embed(self, crops: Any, flip: bool) -> Any:
        self._count()
        return self._inner.embed(crops, flip)


@pytest.mark.parametrize("stage", ["detector", "embedder", "picture", "stranger"])
def test_a_failure_in_any_stage(recognizer: Recognizer, faces: dict[str, Image], stage: str) -> None:
    own, strangers = copy.copy(recognizer), None
    if stage == "stranger":
        own.gallery = None

        class Broken:
            def number_of(self, *_: Any) -> int:
                raise ZeroDivisionError("a bug")

        strangers = Broken()
    elif stage != "picture":
        setattr(own, stage, Failing(getattr(recognizer, stage), 2))
    source = Frames(Scene(faces), 60, broken=11 if stage == "picture" else None)
    engine, taken = VideoEngine(own, strangers=strangers), []
    told_before: list[Event] = []
    wanted = PictureError if stage == "picture" else ZeroDivisionError
    with pytest.raises(wanted), closing(engine.run(source)) as results:
        for result in results:
            taken.append(result.frame.number)
            told_before += result.events
    assert taken == list(range(len(taken))) and len(taken) > 5
    assert engine_threads() == [] and source.closed.is_set()
    agree([*told_before, *engine.end_events()])


class Hanging(Frames):
    """After some frames nothing comes any more, until it is closed."""

    def frames(self) -> Iterator[Frame]:
        yield from super().frames()
        self.closed.wait()


@pytest.mark.parametrize("taken", [1, 6])
def test_closing_while_the_source_hangs(recognizer: Recognizer, faces: dict[str, Image], taken: int) -> None:
    source = Hanging(Scene(faces), 60)
    engine = VideoEngine(recognizer)
    results = engine.run(source)
    told_before = events_of([next(results) for _ in range(taken)])
    with pytest.raises(UsageError, match="not over"):
        engine.end_events()
    start = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 3
    assert engine_threads() == [] and source.closed.is_set()
    events = [*told_before, *engine.end_events()]
    agree(events)
    assert [event.event for event in events if event.track == 1] == ["appeared", "recognised", "left"]
    assert engine.end_events() == ()


def test_an_exception_in_the_callers_loop(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    source = Frames(Scene(faces), 10_000)
    with pytest.raises(ZeroDivisionError), closing(VideoEngine(recognizer).run(source)) as results:
        for _ in results:
            raise ZeroDivisionError
    assert engine_threads() == [] and source.closed.is_set()


INTERRUPTED = """
import importlib.util, signal, sys
from contextlib import closing
from pathlib import Path
# Where the tests run in the background Ctrl-C is ignored, and this process would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
spec = importlib.util.spec_from_file_location("of_engine", sys.argv[1])
of_engine = importlib.util.module_from_spec(spec)
spec.loader.exec_module(of_engine)
store, cache, gallery, kind = sys.argv[2:]
settings = of_engine.RecognizerSettings(store=store, cache=cache)
recognizer = of_engine.Recognizer(gallery=gallery, settings=settings)
scene = of_engine.Scene(of_engine.two_faces())
kinds = {"busy": (of_engine.Frames, 10**6), "hanging": (of_engine.Hanging, 40)}
source = kinds[kind][0](scene, kinds[kind][1])
try:
    with closing(of_engine.VideoEngine(recognizer).run(source)) as results:
        for k, result in enumerate(results):
            if k == 3:
                print("going", flush=True)
except KeyboardInterrupt:
    print("ended", source.closed.is_set(), of_engine.engine_threads(), flush=True)
"""


@pytest.mark.parametrize("kind", ["busy", "hanging"])
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to one process")
def test_ctrl_c(places: dict[str, Any], gallery: Path, kind: str) -> None:
    arguments = [str(places["store"]), str(places["cache"]), str(gallery), kind]
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, __file__, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "ended True []\n"
        assert process.wait(10) == 0
        assert time.monotonic() - start < 3


@pytest.mark.parametrize("every", [1, 7, 20])
def test_a_run_goes_on_from_a_checkpoint(recognizer: Recognizer, faces: dict[str, Image], every: int) -> None:
    """Stopped at checkpoints and gone on with, several times over: frames, boxes, events and views to the bit."""
    settings = VideoSettings(checkpoint_every=every)
    scene = Scene(faces, cut=43)
    whole_engine = VideoEngine(recognizer, settings)
    whole = all_of(whole_engine, Frames(scene, 60))
    marked = [result.frame.number for result in whole if result.checkpoint is not None]
    assert marked == [k for k in range(59) if (k + 1) % every == 0]
    assert set(marked[3:12]) <= set(looked(whole))
    parts: list[FrameResult] = []
    state: bytes | None = None
    stops = marked if every > 1 else [4, 13, 42, 43]
    engine = None
    for stop in [*stops, None]:
        engine = VideoEngine(recognizer, settings, state=state)
        source = Frames(scene, 60, start=parts[-1].frame.number + 1 if parts else 0)
        with closing(engine.run(source)) as results:
            for result in results:
                parts.append(result)
                if result.frame.number == stop:
                    state = result.checkpoint
                    break
    assert told(parts) == told(whole)
    assert engine is not None and engine.vectors == whole_engine.vectors
    first, second = whole_engine.best_views(), engine.best_views()
    assert list(first) == list(second)
    for number, view in first.items():
        assert (view.quality, view.time) == (second[number].quality, second[number].time)
        assert np.array_equal(view.crop, second[number].crop)


def test_two_runs_are_equal(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    runs = [all_of(VideoEngine(recognizer), Frames(Scene(faces), 40)) for _ in range(2)]
    assert told(runs[0]) == told(runs[1])


def test_a_state_that_does_not_fit(
    recognizer: Recognizer, places: dict[str, Any], faces: dict[str, Image]
) -> None:
    results = all_of(VideoEngine(recognizer, VideoSettings(checkpoint_every=8)), Frames(Scene(faces), 10))
    state = results[7].checkpoint
    assert state is not None
    with (
        Recognizer(settings=RecognizerSettings(**places, flip=True)) as other,
        pytest.raises(FingerprintMismatch, match="start the run anew"),
    ):
        VideoEngine(other, state=state)
    for broken in (b"", b"x" * 100, state[:-200], state[: len(state) // 2]):
        with pytest.raises(InputError, match="anew"):
            VideoEngine(recognizer, state=broken)
    engine = VideoEngine(recognizer, state=state)
    with pytest.raises(UsageError, match="live"):
        all_of(engine, Camera(Scene(faces), 25, 0.1))


def test_the_gallery_is_removed_meanwhile(
    places: dict[str, Any], gallery: Path, faces: dict[str, Image], tmp_path: Path
) -> None:
    own = Path(shutil.copy(gallery, tmp_path / "people.sqlite"))
    with Recognizer(gallery=own, settings=RecognizerSettings(**places)) as opened:
        engine, named = VideoEngine(opened), []
        with closing(engine.run(Frames(Scene(faces), 75))) as results:
            for result in results:
                if result.frame.number == 0:
                    for file in tmp_path.iterdir():
                        file.unlink()
                named += [face.name for face in result.faces if face.name]
    assert {EILEEN, BOB} == set(named)
    assert len(engine.notes) == 1 and "people.sqlite" in engine.notes[0] and "3 people" in engine.notes[0]


def test_a_person_enrolled_meanwhile_is_named(
    places: dict[str, Any], faces: dict[str, Image], tmp_path: Path
) -> None:
    with (
        Recognizer(
            gallery=tmp_path / "g.sqlite", create=True, settings=RecognizerSettings(**places)
        ) as watching,
        Recognizer(gallery=tmp_path / "g.sqlite", settings=RecognizerSettings(**places)) as adding,
        closing(VideoEngine(watching).run(Frames(Scene(faces), 75))) as results,
    ):
        taken = []
        for result in results:
            taken.append(result)
            if result.frame.number == 0:
                adding.enroll(EILEEN, [PORTRAIT])
    named = [event for event in events_of(taken) if event.event == "recognised"]
    assert [event.name for event in named] == [EILEEN]


def test_a_track_that_ended_undecided_takes_no_name_from_one_beside_it(recognizer: Recognizer) -> None:
    assert recognizer.gallery is not None
    matrix = recognizer.gallery.matrix()
    vector = matrix.centres[matrix.names.index(EILEEN)]
    landmarks, box = np.zeros((5, 2), np.float32), (0.0, 0.0, 9.0, 9.0)

    def views(count: int) -> Views:
        times = np.arange(count, dtype=np.float64)
        return Views(times, np.ones(count, np.float32), np.repeat(vector[None], count, axis=0))

    def decided(since: float) -> dict[int, str | None]:
        alive = SeenTrack(1, 0, box, landmarks, 0.9, 0.5, since, box, views(3), True, None, np.zeros(4))
        gone = EndedTrack(2, box, 1.0, box, 2.0, views(1))
        step = StepResult(4.0, (alive,), (), (), (), (gone,), False)
        found = Names(recognizer, 3, pytest.fail).step(step, {})
        return {number: decision.name for number, decision in found.items()}

    assert decided(since=1.5) == {1: EILEEN, 2: None}
    assert decided(since=3.0) == {1: EILEEN, 2: EILEEN}, "one after the other can be one person"


class Numbers:
    """Strangers by their order."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Image, str, set[int]]] = []
        self.ended: list[int] = []

    def number_of(
        self,
        vector: Any,
        spread: float,
        quality: float,
        crop: Image,
        when: str,
        taken: Collection[int] = (),
    ) -> int:
        assert abs(np.linalg.norm(vector) - 1) < 1e-4 and 0 <= spread <= 1 and 0 < quality <= 1
        self.asked.append((quality, crop, when, set(taken)))
        return len(self.asked) + 40

    def learn(
        self, number: int, vector: Any, spread: float, quality: float, crop: Image, when: str, again: bool
    ) -> None:
        first = self.asked[number - 41]
        assert vector.shape == (128,) and 0 <= spread <= 1 and crop.dtype == np.uint8
        assert quality >= first[0] and when >= first[2] and not again
        self.ended.append(number)

    def forget(self, number: int, learnt: bool) -> None:
        raise AssertionError(f"nobody gets a name after a number, but {number} ({learnt})")


def test_strangers(recognizer: Recognizer, faces: dict[str, Image], places: dict[str, Any]) -> None:
    numbers = Numbers()
    with Recognizer(settings=RecognizerSettings(**places)) as nobody:
        results = all_of(VideoEngine(nobody, strangers=numbers), Frames(Scene(faces), 75))
    told_of = {event.stranger for event in events_of(results) if event.event == "recognised"}
    assert told_of == {41, 42}
    assert {face.stranger for face in results[60].faces} == {41}
    assert numbers.asked[1][3] == {41}, "who is there already is somebody else"
    assert numbers.ended == [42, 41]
    assert {event.stranger for event in events_of(results) if event.event == "left"} == {41, 42}
    known = Numbers()
    all_of(VideoEngine(recognizer, strangers=known), Frames(Scene(faces), 75))
    assert known.asked == [], "nobody who is enrolled is a stranger"


@pytest.mark.usefixtures("real_time")
def test_a_live_source_does_not_lag(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    """A caller that takes 0.15 s a frame at 30 a second: each time the newest, no event lost."""
    engine, scene = VideoEngine(recognizer), Scene(faces)
    ages, times = [], []
    events: list[Event] = []
    with closing(engine.run(Camera(lambda k: scene(k // 2), 30, 3.0))) as results:
        for result in results:
            assert result.frame.captured is not None
            ages.append(time.monotonic() - result.frame.captured)
            times.append(result.frame.time)
            events += result.events
            time.sleep(0.15)
    assert 10 <= len(times) < 24 and times == sorted(times)
    assert max(ages[len(ages) // 2 :]) < 0.5, "no growing lag"
    events += engine.end_events()
    kinds = [event.event for event in events if event.track == 1]
    assert kinds == ["appeared", "recognised", "left"]


class Slow:
    """A detector on a slow machine."""

    def __init__(self, inner: Any, seconds: float) -> None:
        self._inner, self._seconds, self.calls = inner, seconds, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def detect(self, image: Image, smallest: float | None = None) -> Any:
        self.calls += 1
        time.sleep(self._seconds)
        return self._inner.detect(image, smallest)


@pytest.mark.usefixtures("real_time")
def test_a_live_source_is_looked_at_as_often_as_the_load_allows(
    recognizer: Recognizer, faces: dict[str, Image]
) -> None:
    """A detection takes longer than 2 frames do: at least every third frame goes without."""
    own = copy.copy(recognizer)
    own.detector = slow = Slow(recognizer.detector, 0.12)
    results = all_of(VideoEngine(own), Camera(Scene(faces), 20, 2.5))
    assert slow.calls <= len(results) * 0.6
    between = [result for result in results if result.faces and not result.faces[0].detected]
    assert between, "between there are boxes ahead of the last look"
    assert [result.frame.number for result in results] == sorted({r.frame.number for r in results})


@pytest.mark.usefixtures("real_time")
def test_every_frame_of_a_live_source_when_asked(recognizer: Recognizer, faces: dict[str, Image]) -> None:
    own = copy.copy(recognizer)
    own.detector = slow = Slow(recognizer.detector, 0.05)
    engine = VideoEngine(own, VideoSettings(every=1, max_fps=10))
    results = all_of(engine, Camera(Scene(faces), 50, 1.2))
    assert slow.calls >= len(results) > 0
    assert len(results) <= 14, "no more than ten a second"
    assert all(face.detected for result in results for face in result.faces)


def test_events_of_live_results_that_nobody_took_are_told_at_the_end(
    recognizer: Recognizer, faces: dict[str, Image]
) -> None:
    """The caller is busy with one of the first frames while Eileen appears and is recognised, and then stops."""
    engine, scene = VideoEngine(recognizer), Scene(faces)
    with closing(engine.run(Camera(lambda k: scene(k % 12), 25, 60.0))) as results:
        told_before = list(next(results).events)
        end = time.monotonic() + 20
        while engine.vectors < 4 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
    rest = engine.end_events()
    agree([*told_before, *rest])
    assert [event.event for event in (*told_before, *rest)] == ["appeared", "recognised", "left"]
    assert [event.event for event in rest][-2:] == ["recognised", "left"] and rest[-1].name == EILEEN
    assert engine.end_events() == ()


def test_a_computing_thread_that_does_not_end_in_time(
    recognizer: Recognizer, faces: dict[str, Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known is told, and nothing of what that thread does later."""
    monkeypatch.setattr("multiface.video.engine.engine.CLOSING", 0.1)
    own = copy.copy(recognizer)
    own.detector = held = Held(recognizer.detector, 3)
    engine, scene = VideoEngine(own, VideoSettings(every=1)), Scene(faces)

    def picture(number: int) -> Image:
        """A cut to black is what that thread hangs at: later it finds that Eileen left."""
        return scene(number % 12) if held.pictures > 0 else np.zeros_like(scene(0))

    with closing(engine.run(Camera(picture, 25, 60.0))) as results:
        told_before = list(next(results).events)
        assert held.reached.wait(20)
    assert "video compute" in engine_threads()
    events = [*told_before, *engine.end_events()]
    agree(events)
    assert [event.event for event in events if event.event != "recognised"] == ["appeared", "left"]
    left = events[-1]
    assert left.since == 0.0 < left.time and engine.end_events() == ()
    held.go_on.set()
    while engine_threads():
        time.sleep(0.01)
    assert engine.end_events() == ()


class Held:
    """A detector that hangs after so many pictures until it is let go on."""

    def __init__(self, inner: Any, pictures: int) -> None:
        self._inner, self.pictures = inner, pictures
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def detect(self, image: Image, smallest: float | None = None) -> Any:
        self.pictures -= 1
        if self.pictures < 0:
            self.reached.set()
            assert self.go_on.wait(20)
        return self._inner.detect(image, smallest)


class Leaving(Camera):
    """A camera that gives a number of frames, then none for a while, then again."""

    def __init__(self, picture: Callable[[int], Image], frames: int) -> None:
        super().__init__(picture, 10, 60.0)
        self._frames = frames
        self.back = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            if frame.number == self._frames:
                self.back.wait(20)
                continue  # it is of before
            if frame.number == 2 * self._frames:
                return
            yield frame


def test_who_was_there_leaves_while_the_stream_is_away(
    recognizer: Recognizer, faces: dict[str, Image]
) -> None:
    engine, scene = VideoEngine(recognizer), Scene(faces)
    source = Leaving(lambda _: scene(0), 8)
    taken: list[FrameResult] = []
    with closing(engine.run(source)) as results:
        for result in results:
            taken.append(result)
            if any(event.event == "left" for event in result.events):
                source.back.set()
    away = next(k for k, result in enumerate(taken) if any(e.event == "left" for e in result.events))
    before, again = taken[away - 1], taken[away]
    assert again.frame.number == before.frame.number == 7 and again.faces == () and before.faces
    assert np.array_equal(again.frame.image, before.frame.image)
    assert again.frame.gap == "no frames for 1.5 s" and before.frame.gap is None
    (left,) = again.events
    assert left.name == EILEEN and left.time <= before.frame.time
    events = [*events_of(taken), *engine.end_events()]
    agree(events)
    assert [event.track for event in events if event.event == "appeared"] == [1, 1], (
        "and comes back as herself"
    )
    assert taken[-1].frame.number > 7 and taken[-1].faces[0].name == EILEEN
