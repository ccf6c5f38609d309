"""What `video` and `camera` share: strangers, events in words, the window."""

from typing import TYPE_CHECKING

from multiface.errors import UsageError

if TYPE_CHECKING:
    from multiface.recognition import Recognizer
    from multiface.video.names.stranger_numbers import StrangerNumbers
    from multiface.video.results import Event, FrameResult
    from multiface.video.window import Window


def strangers_of(recognizer: "Recognizer", wanted: bool, days: float) -> "StrangerNumbers | None":
    """Who numbers the unknown; None where nobody is to. Raises UsageError without a gallery that lasts."""
    from multiface.video.names.stranger_numbers import StrangerNumbers

    if not wanted:
        return None
    if recognizer.gallery is None or recognizer.people_report is not None:
        raise UsageError(
            "--strangers keeps people in a gallery",
            hint="make one with `multiface facebank FOLDER` and leave --people out",
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
        and event.stranger is None  # both are of the nearest person of the gallery
        and event.similarity is not None
        and event.threshold is not None
    ):
        line += f"  similarity {event.similarity:.3f}, threshold {event.threshold:.3f}"
    return line


def shown(window: "Window", result: "FrameResult", score: bool) -> bool:
    """Show a frame with its faces; whether to go on (the window is open, and neither q nor escape was pressed)."""
    from multiface.images import draw_faces
    from multiface.video.copy.marks import mark_of

    window.show(draw_faces(result.frame.image, [mark_of(face, score) for face in result.faces]))
    return not {"q", "escape"} & set(window.keys()) and window.is_open
