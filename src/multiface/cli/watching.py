"""What `video` and `camera` share: the recogniser with its people, strangers, events in words, the window."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from multiface.cli.console import Speaker
from multiface.cli.gallery_commands import require_people, say_report
from multiface.cli.gallery_place import existing, gallery_of, ready
from multiface.cli.options import Chosen
from multiface.cli.settings import Settings
from multiface.errors import UsageError

if TYPE_CHECKING:
    from multiface.recognition import Recognizer
    from multiface.video.naming import Strangers
    from multiface.video.results import Event, FrameResult
    from multiface.video.window import Window


@contextmanager
def opened_recognizer(
    speaker: Speaker,
    settings: Settings,
    chosen: Chosen,
    *,
    people: str | None,
    gallery: str | None,
    update: Path | None,
    rate: float | None,
) -> "Iterator[Recognizer]":
    """The recogniser with its people: a folder, or a gallery that is first brought up to date with `update`.

    Raises UsageError where both are given.
    """
    from multiface.recognition import IDENTIFY_RATE

    if people is not None and gallery is not None:
        raise UsageError("give --people or --gallery, not both")
    folder = None if gallery else settings.optional_text("people", people)
    if update is not None and folder is not None:
        raise UsageError("--people is always up to date; --update is for a gallery")
    place = None
    if folder is None:
        place = gallery_of(settings, gallery)
        place = existing(place) if update is None else ready(place)
    with (
        speaker.progress("people") as progress,
        chosen.recognizer(
            rate=settings.number("rate", rate, IDENTIFY_RATE),
            people=folder,
            gallery=place,
            create=update is not None,
            progress=progress,
        ) as recognizer,
    ):
        if folder is not None and recognizer.people_report is not None:
            say_report(speaker, recognizer.people_report, quiet_when_unchanged=True)
            require_people(recognizer.people_report, folder)
        if update is not None:
            report = recognizer.sync(update, progress)
            say_report(speaker, report, quiet_when_unchanged=True)
            require_people(report, update)
        if recognizer.caveat:
            speaker.note(recognizer.caveat)
        yield recognizer


def strangers_of(recognizer: "Recognizer", wanted: bool, days: float) -> "Strangers | None":
    """Who numbers the unknown; None where nobody is to. Raises UsageError without a gallery that lasts."""
    from multiface.video.stranger_numbers import StrangerNumbers

    if not wanted:
        return None
    if recognizer.gallery is None or recognizer.people_report is not None:
        raise UsageError(
            "--strangers keeps people in a gallery; make one with `multiface facebank FOLDER` and leave --people out"
        )
    return StrangerNumbers(recognizer.gallery, recognizer.calibration, recognizer.rate, days)


def words_of(event: "Event") -> str:
    """An event as one line for people."""
    who = event.name or (f"stranger {event.stranger}" if event.stranger is not None else "unknown")
    line = f"{event.time:9.2f} s  track {event.track}: {who} {event.event}"
    if event.event == "changed":
        line += f" (before: {event.previous or 'unknown'})"
    if event.event == "left" and event.since is not None:
        line += f", there since {event.since:.2f} s"
    if (
        event.event in ("recognised", "changed")
        and event.similarity is not None
        and event.threshold is not None
    ):
        line += f"  similarity {event.similarity:.3f}, threshold {event.threshold:.3f}"
    return line


def shown(window: "Window", result: "FrameResult", score: bool) -> bool:
    """Show a frame with its faces; whether to go on (the window is open, and neither q nor escape was pressed)."""
    from multiface.images import draw_faces
    from multiface.video.marks import mark_of

    window.show(draw_faces(result.frame.image, [mark_of(face, score) for face in result.faces]))
    return not {"q", "escape"} & set(window.keys()) and window.is_open
