"""`capture`: pictures of a person with the camera, for enrolling."""

import tempfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import options, video_options
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import gallery_of, people_folder_of, ready
from multiface.cli.settings import Settings
from multiface.cli.stream_password import with_password
from multiface.errors import NoFace

if TYPE_CHECKING:
    from multiface.recognition import Enrolment, Recognizer
    from multiface.video.capture.capture import CaptureSession, Refusal, Step, Take
    from multiface.video.sources.frame import Source, SourceInfo


def capture(
    name: Annotated[str, typer.Option("--name", "-n", help="Who it is.", show_default=False)],
    source: Annotated[
        str,
        typer.Option(
            "--source", help="A camera by its number or device, a stream's address, or a video file."
        ),
    ] = "0",
    password_file: video_options.PasswordFile = None,
    people: options.People = None,
    gallery: options.GalleryFile = None,
    takes: Annotated[int, typer.Option("--takes", min=1, max=100, help="Number of pictures.")] = 3,
    begin: Annotated[float, typer.Option("--begin", min=0, help="Start at this second of a file.")] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option("--duration", help="Use at most this many seconds of the source.", show_default=False),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: take pictures as soon as they are good enough.")
    ] = False,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Take pictures of a person with the camera, into a folder of people or a gallery.

    A window shows the camera and what to do ("look straight", "come closer"); the space bar takes the best picture
    of the next second, q ends. --headless takes the best picture of each second if it is good enough; of a file, the
    best pictures of the whole file.
    """
    from multiface.gallery.names import clean_name
    from multiface.video.capture.capture import CaptureSession, Manner
    from multiface.video.capture.take_files import person_folder, save_takes
    from multiface.video.sources.opening import SpooledSource, open_source

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    folder = people_folder_of(settings, people, gallery)
    name = clean_name(name)
    target = None if folder is None else person_folder(Path(folder), name)
    place = None if folder is not None else ready(gallery_of(settings, gallery))
    paths: tuple[Path, ...] = ()
    address = with_password(source, settings, password_file)
    with (
        chosen.recognizer(gallery=place, create=place is not None) as recognizer,
        closing(open_source(address, begin=begin, duration=duration)) as opened,
    ):
        info = opened.info
        manner = Manner.BEST_OF_ALL if not info.live else Manner.EACH_SECOND if headless else Manner.ASKED
        session = CaptureSession(recognizer, takes, manner)
        if session.same_person is None:
            speaker.warn(
                f"no calibration is known for the weights {chosen.weights}: that all pictures show one person is "
                f"not checked"
            )
        window = f"MultiFace: {name}" if manner is Manner.ASKED else None
        for step in _steps(speaker, opened, session, window):
            _tell(speaker, step.outcome, session)
        for note in opened.notes:
            speaker.warn(note)
        if isinstance(opened, SpooledSource):
            opened.dispose()
        _require_takes(session, info)
        if target is None:
            added, where = _enroll(recognizer, name, session.takes).added, f"gallery {place}"
        else:
            saved = save_takes(target, session.takes)
            paths, added, where = saved.paths, saved.added, str(target)
    if not session.done:
        speaker.warn(
            f"{len(session.takes)} of {takes} pictures: {info.name} had no more good ones of this person"
        )
    for path in paths:
        speaker.result(str(path))
    there = len(session.takes) - added
    speaker.result(f"{name}: {added} added, {there} already there ({where})")
    speaker.document(
        {
            "name": name,
            "source": info.name,
            "asked": takes,
            "takes": [_take(take, paths[k] if paths else None) for k, take in enumerate(session.takes)],
            "refused": [{"time": round(one.time, 6), "reason": one.reason} for one in session.refusals],
            "frames": session.hints.total(),
            "hints": {hint.value: count for hint, count in session.hints.items()},
            "folder": None if target is None else str(target),
            "gallery": place,
            "added": added,
            "already_there": there,
        }
    )


def _steps(
    speaker: Speaker, source: "Source", session: "CaptureSession", title: str | None
) -> "Generator[Step, None, None]":
    """The steps. title: of the window; None for none, and then the hints of a live source are told as they change."""
    from multiface.video.capture.capture_loops import take_by_itself, take_in_window
    from multiface.video.capture.hints import Hint

    info = source.info
    if title is None:
        told = Hint.OK
        with closing(take_by_itself(source, session)) as steps, speaker.progress("frames") as progress:
            for step in steps:
                if info.frames is not None:
                    progress(step.shot.number + 1, info.frames)
                if info.live and step.shot.advice.hint is not told:
                    told = step.shot.advice.hint
                    speaker.note(told.value)
                yield step
        return
    from multiface.video.window import Window

    with (
        Window(f"{title}  (space: take, q: end)") as window,
        closing(take_in_window(source, session, window)) as steps,
    ):
        yield from steps


def _tell(speaker: Speaker, outcome: "Take | Refusal | None", session: "CaptureSession") -> None:
    from multiface.video.capture.capture import Take

    if isinstance(outcome, Take):
        speaker.note(f"{len(session.takes)} of {session.wanted} taken ({outcome.time:.2f} s)")
    elif outcome is not None:
        speaker.note(outcome.reason)


def _require_takes(session: "CaptureSession", info: "SourceInfo") -> None:
    """Raises NoFace when nothing was taken, with what was wrong with the frames."""
    from multiface.video.capture.hints import Hint

    if session.takes:
        return
    if set(session.hints) <= {Hint.NO_FACE}:
        raise NoFace(f"{info.name}: no face was found in {counted(session.hints.total(), 'frame')}")
    seen = ", ".join(f"{hint.value}: {count}" for hint, count in session.hints.most_common())
    raise NoFace(
        f"{info.name}: no picture was taken; hints for {counted(session.hints.total(), 'frame')}: {seen}"
    )


def _enroll(recognizer: "Recognizer", name: str, takes: "list[Take]") -> "Enrolment":
    from multiface.video.capture.take_files import save_takes

    with tempfile.TemporaryDirectory(prefix="multiface-") as folder:
        return recognizer.enroll(name, save_takes(Path(folder), takes).paths)


def _take(take: "Take", path: Path | None) -> dict[str, Any]:
    """One take of the document; path: None in a gallery, which keeps no pictures."""
    return {
        "path": None if path is None else str(path),
        "time": round(take.time, 6),
        "box": [round(edge, 1) for edge in take.box],
        "quality": round(take.quality, 6),
        "similarity": None if take.similarity is None else round(take.similarity, 6),
    }
