"""How many faces "appear" in a clip when its light changes: `python benchmarks/lights.py two_faces.mp4`.

The default networks, nobody enrolled, the same frames in seven lights. Prints events "appeared" and tracks for each.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np

from multiface import Recognizer, VideoEngine, open_source
from multiface.faces.face import Image
from multiface.video.sources.frame import Frame, Source

Light = Callable[[Frame], tuple[float, float]]
"""Gain and grey levels added, for a frame."""


def wave(hertz: float) -> Light:
    return lambda frame: (0.75 + 0.25 * float(np.cos(2 * np.pi * hertz * frame.time)), 0.0)


LIGHTS: dict[str, Light] = {
    "as it is": lambda _: (1.0, 0.0),
    "1 Hz, gain 0.5 to 1": wave(1),
    "3 Hz": wave(3),
    "10 Hz": wave(10),
    "3 Hz, switched between 0.45 and 1": lambda frame: (1.0 if (frame.time * 3) % 1 < 0.5 else 0.45, 0.0),
    "strobe, every second frame at 0.15": lambda frame: (1.0 if frame.number % 2 == 0 else 0.15, 0.0),
    "flashes, every eighth frame at gain 2.5 and 60 levels more": lambda frame: (
        (2.5, 60.0) if frame.number % 8 == 0 else (1.0, 0.0)
    ),
}


class Lit:
    """A source in another light."""

    def __init__(self, source: Source, light: Light) -> None:
        self._source, self._light = source, light
        self.info = source.info

    def frames(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            yield replace(frame, convert=partial(self._painted, frame), coded=None)

    def _painted(self, frame: Frame) -> Image:
        gain, more = self._light(frame)
        return np.asarray(np.clip(frame.image * gain + more, 0, 255), np.uint8)

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        self._source.close()


def main(clip: str) -> None:
    print("| light | appeared | tracks |\n|---|---|---|")
    for name, light in LIGHTS.items():
        with (
            Recognizer() as recognizer,
            closing(VideoEngine(recognizer).run(Lit(open_source(clip), light))) as run,
        ):
            results = list(run)
        appeared = sum(event.event == "appeared" for result in results for event in result.events)
        tracks = {face.track for result in results for face in result.faces}
        print(f"| {name} | {appeared} | {len(tracks)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
