"""`video`: who is in a video file, and when."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiface.cli import options, video_options, watching
from multiface.cli.console import Speaker, counted
from multiface.cli.internal_error import STOPPED
from multiface.cli.settings import Settings
from multiface.cli.stopping import stop_on_signals
from multiface.cli.stream_password import with_password
from multiface.cli.video_files import VideoTargets, check_targets, files_read
from multiface.cli.with_people import opened_recognizer

if TYPE_CHECKING:
    from multiface.recognition import Recognizer
    from multiface.video.copy.annotated_file import AnnotatedFile
    from multiface.video.copy.resume import Resumable, RunKey
    from multiface.video.engine.engine import VideoEngine
    from multiface.video.engine.video_settings import VideoSettings
    from multiface.video.events.event_lines import EventLines
    from multiface.video.events.intervals import Interval
    from multiface.video.results import Event
    from multiface.video.sources.frame import Source, SourceInfo
    from multiface.video.window import Window

CHECKPOINT_EVERY = 100
"""Frames after which a run that was stopped can go on."""


def video(
    file: Annotated[
        str,
        typer.Option(
            "--file",
            "-f",
            help="A video file, a folder of frames, an http address of a file, or - for standard input.",
            show_default=False,
        ),
    ],
    password_file: video_options.PasswordFile = None,
    people: options.People = None,
    gallery: options.GalleryFile = None,
    update: video_options.Update = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "--save",
            "-s",
            help="Annotated copy: .mp4, .mov or .mkv, with its sound.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", help="File for the events, one JSON line for each.", show_default=False),
    ] = None,
    intervals: Annotated[
        Path | None,
        typer.Option("--intervals", help="Who was there and when: .json or .csv.", show_default=False),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary", help="One HTML page with the best picture of each track.", show_default=False
        ),
    ] = None,
    rate: options.IdentifyRate = None,
    score: video_options.Score = False,
    begin: Annotated[float, typer.Option("--begin", "-b", min=0, help="Start at this second.")] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option("--duration", "-d", help="Process only this many seconds.", show_default=False),
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option(
            "--frame-rate", help="Frame rate of a folder of frames (default: 25).", show_default=False
        ),
    ] = None,
    max_faces: video_options.MaxFaces = None,
    every: video_options.Every = None,
    max_fps: video_options.MaxFps = None,
    strangers: video_options.KeepStrangers = False,
    stranger_days: video_options.StrangerDays = 30.0,
    window: Annotated[
        bool, typer.Option("--window/--headless", help="Show the frames while they are processed.")
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
    """Name the people in a video file: events, an annotated copy with its sound, intervals, a page.

    Run the same command again to resume an interrupted copy. With --json each event is a line.
    """
    from multiface.video.copy.annotated_file import AnnotatedFile
    from multiface.video.engine.engine import VideoEngine
    from multiface.video.engine.video_settings import VideoSettings
    from multiface.video.events.intervals import intervals_of, write_intervals
    from multiface.video.events.summary import write_summary
    from multiface.video.sources.folder_source import FolderSource
    from multiface.video.sources.opening import SpooledSource, open_source
    from multiface.video.window import Window

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    check_targets(
        VideoTargets(out, events, intervals, summary),
        files_read(settings, file, people, gallery, update, weights),
    )
    address = with_password(file, settings, password_file)
    resumable = out is not None and Path(file).is_file()
    asked = VideoSettings(
        every=every,
        max_faces=max_faces,
        max_fps=max_fps,
        checkpoint_every=CHECKPOINT_EVERY if resumable else None,
    )
    with (
        _told_when_stopped(speaker, out),
        opened_recognizer(
            speaker, settings, chosen, people=people, gallery=gallery, update=update, rate=rate
        ) as recognizer,
        ExitStack() as stack,
    ):
        numbers = watching.strangers_of(recognizer, strangers, stranger_days)
        key = (
            _key(Path(file), begin, duration, chosen, asked, recognizer, score, strangers)
            if resumable
            else None
        )
        left = _left(speaker, out, key)
        source = stack.enter_context(
            closing(
                open_source(
                    address,
                    begin=begin,
                    duration=duration,
                    rate=frame_rate,
                    live=False,
                    after=None if left is None else left.pts,
                    first_number=0 if left is None else left.next_number,
                )
            )
        )
        screen = stack.enter_context(Window(f"MultiFace: {source.info.name}")) if window else None
        if isinstance(source, SpooledSource):
            stack.callback(source.dispose)
        sound = _source_file(file, source)
        copy = (
            None
            if out is None
            else AnnotatedFile(
                out,
                sound,
                source.info,
                similarity=score,
                begin=begin,
                duration=duration,
                key=key,
                resume=left,
            )
        )
        work = VideoEngine(recognizer, asked, strangers=numbers, state=None if left is None else left.state)
        whole = True
        # The copy's lock comes before the file of events is emptied.
        with nullcontext() if copy is None else copy, _telling(speaker, events) as tell:
            for event in () if left is None else left.events:
                tell(event)
            if left is None or not left.complete:
                whole = _go_through(speaker, work, source, copy, tell, screen, score)
            elif summary is not None:
                speaker.warn("the page has no pictures: the earlier run was complete")
        for note in (*source.notes, *work.notes, *(() if copy is None else copy.notes)):
            speaker.warn(note)
        found = intervals_of(tell.events)
        if intervals is not None:
            write_intervals(intervals, found)
            speaker.note(f"intervals: {intervals}")
        if summary is not None:
            last = max((event.time for event in tell.events), default=begin)
            write_summary(
                summary,
                title=_name_alone(source.info.name),
                intervals=found,
                best_views=work.best_views(),
                begin=begin,
                end=last if source.info.duration is None else begin + source.info.duration,
            )
            speaker.note(f"page: {summary}")
    if out is not None:
        speaker.note(f"annotated copy: {out}")
    for person, seconds in _seconds_of(found).items():
        speaker.result(f"{person}: {seconds:.1f} s")
    if not whole:
        speaker.warn("stopped before the end")
        raise typer.Exit(STOPPED)
    if isinstance(source, FolderSource) and source.skipped:
        raise typer.Exit(3)


def _go_through(
    speaker: Speaker,
    work: "VideoEngine",
    source: "Source",
    copy: "AnnotatedFile | None",
    tell: "_Telling",
    screen: "Window | None",
    score: bool,
) -> bool:
    """All frames of the source; False when it was stopped before its end.

    Without a copy to be gone on with, Ctrl-C and the closing of the window end the source there; else they raise
    KeyboardInterrupt.
    """
    total, closed = _total(source.info), False
    with ExitStack() as stack:
        progress = stack.enter_context(speaker.frames())
        asked = stack.enter_context(stop_on_signals(source.close)) if copy is None else None
        for result in stack.enter_context(closing(work.run(source))):
            for event in result.events:
                tell(event)
            if copy is not None:
                copy.write(result)
            if screen is not None and not closed and not watching.shown(screen, result, score):
                if copy is not None:
                    raise KeyboardInterrupt
                closed = True
                source.close()
            progress(result.frame.number + 1, total)
        stopped = closed or (asked is not None and asked())
    for event in work.end_events():
        tell(event)
    return not stopped


class _Telling:
    """Tells events as they come, and remembers them."""

    def __init__(self, speaker: Speaker, lines: "EventLines | None") -> None:
        from multiface.video.events.lateness import Lateness

        self._lateness = Lateness()
        self.events: list[Event] = []
        self._speaker = speaker
        self._lines = lines

    def __call__(self, event: "Event") -> None:
        self.events.append(event)
        if self._lines is not None:
            self._lines.write(event)
        self._speaker.document(self._lateness.document(event))
        self._speaker.result(watching.words_of(event))


@contextmanager
def _telling(speaker: Speaker, path: Path | None) -> "Iterator[_Telling]":
    """Events to the speaker, and as lines to a file, which holds those of this run only."""
    from multiface.video.events.event_lines import written_lines

    if path is None:
        yield _Telling(speaker, None)
        return
    with written_lines(path) as lines:
        yield _Telling(speaker, lines)


def _key(
    file: Path,
    begin: float,
    duration: float | None,
    chosen: options.Chosen,
    asked: "VideoSettings",
    recognizer: "Recognizer",
    score: bool,
    strangers: bool,
) -> "RunKey":
    """What must be equal for a run to go on where another stopped."""
    from multiface.video.copy.resume import run_key
    from multiface.video.engine.engine_state import VERSION

    told = hashlib.sha256()
    if recognizer.gallery is not None:
        matrix = recognizer.gallery.matrix()
        told.update("\n".join((*matrix.names, *matrix.ids, "")).encode("utf-8", "surrogatepass"))
        told.update(matrix.person_index.tobytes())
        told.update(matrix.vectors.tobytes())
        told.update(recognizer.calibration.to_json().encode())
    origin = recognizer.origin
    settings = {
        "--detector": origin.detector,
        "--weights": origin.fingerprint,
        "--flip": origin.flip,
        "--rate": recognizer.rate,
        "--min-face": chosen.min_face,
        "--every": asked.every,
        "--max-faces": asked.max_faces,
        "--score": score,
        "--strangers": strangers,
        "the kind of checkpoint": f"{VERSION}, every {asked.checkpoint_every} frames",
    }
    named = tuple((name, str(value)) for name, value in settings.items())
    return run_key(file, begin, duration, named, told.hexdigest())


@contextmanager
def _told_when_stopped(speaker: Speaker, out: Path | None) -> "Iterator[None]":
    """Ctrl-C says whether there is something to go on with."""
    from multiface.video.copy.resume import part_folder

    try:
        yield
    except KeyboardInterrupt:
        if out is not None and part_folder(out).exists():
            speaker.note("stopped; run the same command again to resume")
        raise


def _left(speaker: Speaker, out: Path | None, key: "RunKey | None") -> "Resumable | None":
    """What an earlier run left to go on with."""
    from multiface.video.copy.resume import Resumable, work_left

    if out is None or key is None:
        return None
    left = work_left(out, key)
    if isinstance(left, Resumable):
        speaker.note(f"going on after {counted(left.frames, 'frame')} that are finished ({left.time:.2f} s)")
        return left
    if left.reason is not None:
        speaker.note(f"starting anew: {left.reason}")
    return None


def _source_file(name: str, source: "Source") -> Path | None:
    """Where the source's sound can be read; None where it has none."""
    from multiface.video.sources.opening import SpooledSource

    if isinstance(source, SpooledSource):
        return source.path
    return Path(name) if Path(name).is_file() else None


def _total(info: "SourceInfo") -> int | None:
    """How many frames there will be, as far as it is known."""
    if info.frames is not None:
        return info.frames
    if info.duration is not None and info.rate is not None:
        return round(info.duration * info.rate)
    return None


def _name_alone(source: str) -> str:
    """The name of a source without the folders above it, which are nobody's business who is sent a page."""
    return source if "://" in source else Path(source).name or source


def _seconds_of(intervals: "Iterable[Interval]") -> dict[str, float]:
    """How long each person who was named was there."""
    seconds: dict[str, float] = {}
    for one in intervals:
        if one.person is not None:
            seconds[one.person] = seconds.get(one.person, 0.0) + one.seconds
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))
