"""From a source to takes: without a window, and with one in which the person sees the picture and the hints.

Without a window the takes come by themselves: of a live source each second as it comes, of a file the best seconds of
the whole file, of which five frames a second are looked at. With a window the frames are shown as they come, a second
thread looks at the newest one, and the space bar asks for a take; `q`, Escape or closing the window ends.
"""

import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from multiface.images import Image, Mark, draw_faces
from multiface.video.capture.capture import CaptureSession, Shot, Step, Take
from multiface.video.capture.hints import Hint
from multiface.video.sources.frame import Frame, Source
from multiface.video.window import Window

LOOKS_A_SECOND = 5.0
"""Frames of a file that are looked at, per second of the file."""
PATIENCE = 60.0
"""Seconds without a take after which a live source is given up when there is no window."""
TAKE_KEYS = ("space", "return")
END_KEYS = ("q", "escape")

_REST = 0.01
"""Seconds between two looks at the keys while no frame is there."""
_WORDS_STAY = 2.0
"""Seconds for which the window shows that a picture was taken, or why not."""


def take_by_itself(source: Source, session: CaptureSession) -> Generator[Step, None, None]:
    """The steps until all takes are there or the source ends; the source is closed then.

    Raises what the source raises.
    """
    with closing(source):
        live = source.info.live
        due, since, last = 0.0, time.monotonic(), None
        for frame in source.frames():
            if not live and frame.time < due:
                continue
            due = frame.time + 1 / LOOKS_A_SECOND - 1e-6
            step = session.add(session.look(frame.number, frame.time, frame.image))
            last = step.shot
            yield step
            if isinstance(step.outcome, Take):
                since = time.monotonic()
            if session.done or (live and time.monotonic() - since > PATIENCE):
                return
        if last is not None:
            for outcome in session.finish():
                yield Step(last, outcome)


def take_in_window(source: Source, session: CaptureSession, window: Window) -> Generator[Step, None, None]:
    """The steps until all takes are there, the source ends or the user ends it; the source is closed then.

    Must run in the thread that opened the window. Raises what the source raises.
    """
    newest: deque[Frame] = deque(maxlen=1)
    with ThreadPoolExecutor(2) as threads, closing(source):
        reading = threads.submit(_read, source, newest)
        looking: Future[Shot] | None = None
        words = _Words()
        shot: Shot | None = None
        while window.is_open and not session.done:
            pressed = window.keys()
            if any(key in END_KEYS for key in pressed):
                return
            if any(key in TAKE_KEYS for key in pressed):
                session.ask()
            if looking is not None and looking.done():
                step = session.add(looking.result())
                shot, looking = step.shot, None
                words.hear(step)
                yield step
            if newest:
                frame = newest.popleft()
                image = frame.image
                if looking is None:
                    looking = threads.submit(session.look, frame.number, frame.time, image)
                window.show(_preview(image, shot, session, words))
            elif reading.done():
                reading.result()
                return
            else:
                time.sleep(_REST)


def _read(source: Source, newest: "deque[Frame]") -> None:
    for frame in source.frames():
        newest.append(frame)


class _Words:
    """What was last taken or refused, for a while."""

    def __init__(self) -> None:
        self._text = ""
        self._until = 0.0

    def hear(self, step: Step) -> None:
        """Keep the words of a step that has some."""
        if step.outcome is not None:
            self._text = "taken" if isinstance(step.outcome, Take) else step.outcome.reason
            self._until = time.monotonic() + _WORDS_STAY

    def now(self) -> str:
        """The words, empty when their time is over."""
        return self._text if time.monotonic() < self._until else ""


def _preview(image: Image, shot: Shot | None, session: CaptureSession, words: _Words) -> Image:
    """The picture with the hint at the face, or in a frame around the picture where no face is meant."""
    height, width = image.shape[:2]
    hint = None if shot is None else shot.advice.hint
    box = (0.0, 0.0, float(width), float(height))
    if shot is not None and shot.advice.face is not None:
        x0, y0, x1, y1 = (float(edge) for edge in shot.faces.boxes[shot.advice.face])
        box = (x0, y0, x1, y1)
    label = words.now() or ("" if hint is None else hint.value)
    detail = f"{len(session.takes)} of {session.wanted} taken"
    return draw_faces(image, [Mark(box, label, detail, known=hint is Hint.OK)])
