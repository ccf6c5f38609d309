"""The real clips, whole: who is named, in how many frames, and that nobody else is."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from multiface import Recognizer
from multiface.video.engine.engine import VideoEngine
from multiface.video.results import FrameResult
from multiface.video.sources.file_source import open_file
from multiface.video.sources.frame import Frame, Source
from multiface.weights.store import Store

MIRANDA = "lin_manuel_miranda"
Box = tuple[float, float, float, float]


def is_miranda(number: int, box: Box) -> bool:
    """Whether a face of the clip is his, by eye: he stands on the right in frames 0 to 19, alone in 82 to 210."""
    x, height = (box[0] + box[2]) / 2, box[3] - box[1]
    return (number < 20 and x > 400) or (82 <= number < 211 and height > 50)


def is_obama(number: int, box: Box) -> bool:
    """Whether a face of the clip is his, by eye: in the audience, in profile, from frame 211 on; he is enrolled too."""
    return number >= 211 and 280 < (box[0] + box[2]) / 2 < 390


@pytest.fixture(scope="session")
def stored(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store with the small networks, and a cache."""
    folder = tmp_path_factory.mktemp("clips")
    files = Store(folder / "store", folder / "cache")
    for name in ("scrfd_500m", "scrfd_2.5g", "mobilefacenet_128_ms1m"):
        files.pull(name, shared / "data" / "weights")
    return folder / "store", folder / "cache"


@pytest.mark.parametrize(
    ("detector", "weights"),
    [("yunet_onet", "sface"), ("scrfd_2.5g", "mobilefacenet_128_ms1m")],
    ids=["defaults", "scrfd"],
)
def test_the_singer_is_named_and_nobody_wrongly(
    detector: str, weights: str, shared: Path, stored: tuple[Path, Path]
) -> None:
    """At least 90 % of the frames in which the detector finds him."""
    store, cache = stored
    found = named = 0
    with Recognizer(
        detector=detector, weights=weights, people=shared / "data/photos/people", store=store, cache=cache
    ) as recognizer:
        source = open_file(shared / "data/video/short_hamilton_clip.mp4")
        results: list[FrameResult] = []
        with closing(VideoEngine(recognizer).run(source)) as run:
            for result in run:
                results.append(result)
                number = result.frame.number
                for face in result.faces:
                    miranda = face.name == MIRANDA and is_miranda(number, face.box)
                    obama = face.name == "obama" and is_obama(number, face.box)
                    assert face.name is None or miranda or obama, number
                # His scenes, every third frame: the detector alone says whether he can be found.
                if (number < 20 or 82 <= number < 211) and number % 3 == 0:
                    boxes = recognizer.detector.detect(result.frame.image).boxes.tolist()
                    if any(is_miranda(number, (box[0], box[1], box[2], box[3])) for box in boxes):
                        found += 1
                        named += any(face.name == MIRANDA for face in result.faces)
    assert [result.frame.number for result in results] == list(range(275))
    assert found > 40
    assert named >= 0.9 * found, (named, found)
    assert {event.name for result in results for event in result.events} - {"obama"} == {None, MIRANDA}


@pytest.mark.parametrize(
    ("clip", "frames", "least", "most"),
    [("two_faces.mp4", 105, 5, 12), ("one-by-one-person-detection.mp4", 1394, 0, 4)],
)
def test_strangers_are_not_named(
    clip: str, frames: int, least: int, most: int, shared: Path, stored: tuple[Path, Path]
) -> None:
    """By eye there are 8 faces to be found in the first clip, and none but a back of a head in the second."""
    store, cache = stored
    numbers: set[int] = set()
    count = 0
    with (
        Recognizer(
            detector="scrfd_500m",
            weights="mobilefacenet_128_ms1m",
            people=shared / "data/photos/people",
            store=store,
            cache=cache,
        ) as recognizer,
        closing(VideoEngine(recognizer).run(open_file(shared / "data/video" / clip))) as run,
    ):
        for result in run:
            count += 1
            numbers |= {face.track for face in result.faces}
            assert all(face.name is None for face in result.faces)
            assert len({face.track for face in result.faces}) == len(result.faces)
    assert count == frames
    assert least <= len(numbers) <= most, numbers


class Lit:
    """A source in another light: `gain` by time in seconds."""

    def __init__(self, source: Source, gain: Callable[[float], float]) -> None:
        self._source, self._gain = source, gain
        self.info = source.info

    def frames(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            image = (frame.image * np.float32(self._gain(frame.time))).astype(np.uint8)
            yield replace(frame, convert=lambda image=image: image, coded=None)  # type: ignore[misc]

    def close(self) -> None:
        self._source.close()


def appearances(clip: Path, gain: Callable[[float], float]) -> int:
    """How often somebody "appeared", with the defaults and nobody enrolled."""
    with (
        Recognizer() as recognizer,
        closing(VideoEngine(recognizer).run(Lit(open_file(clip), gain))) as run,
    ):
        return sum(event.event == "appeared" for result in run for event in result.events)


@pytest.fixture(scope="session")
def in_steady_light(shared: Path) -> int:
    return appearances(shared / "data/video/two_faces.mp4", lambda _: 1.0)


@pytest.mark.parametrize("hertz", [1, 3, 10])
def test_flickering_light_brings_nobody_new(hertz: int, shared: Path, in_steady_light: int) -> None:
    seen = appearances(
        shared / "data/video/two_faces.mp4", lambda t: 0.75 + 0.25 * float(np.cos(2 * np.pi * hertz * t))
    )
    assert abs(seen - in_steady_light) <= 3, (seen, in_steady_light)


def test_a_strobe_brings_nobody_new(shared: Path, in_steady_light: int) -> None:
    """Every second frame is nearly dark."""
    seen = appearances(shared / "data/video/two_faces.mp4", lambda t: 1.0 if round(t * 25) % 2 == 0 else 0.15)
    assert abs(seen - in_steady_light) <= 3, (seen, in_steady_light)
