"""`video`: who is in a video file, and when."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiface.cli import options, watching
from multiface.cli.console import Speaker, counted
from multiface.cli.paths import refuse_inputs, require_folder
from multiface.cli.settings import Settings
from multiface.errors import UsageError
from multiface.version import __version__

if TYPE_CHECKING:
    from multiface.recognition import Recognizer
    from multiface.video.annotated_file import AnnotatedFile
    from multiface.video.engine import VideoEngine
    from multiface.video.engine_settings import EngineSettings
    from multiface.video.event_lines import EventLines
    from multiface.video.frame import Source, SourceInfo
    from multiface.video.intervals import Interval
    from multiface.video.results import Event
    from multiface.video.resume import Resumable, RunKey
    from multiface.video.window import Window

CHECKPOINT_EVERY = 250
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
    people: options.People = None,
    gallery: options.GalleryFile = None,
    update: watching.Update = None,
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
        typer.Option("--events", help="File for the events, a JSON line each.", show_default=False),
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
    rate: watching.Rate = None,
    score: watching.Score = False,
    begin: Annotated[float, typer.Option("--begin", "-b", min=0, help="Second to begin at.")] = 0.0,
    duration: Annotated[
        float | None, typer.Option("--duration", "-d", help="Only so many seconds.", show_default=False)
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option("--frame-rate", help="Of a folder of frames (default: 25).", show_default=False),
    ] = None,
    max_faces: watching.MaxFaces = None,
    every: watching.Every = None,
    max_fps: watching.MaxFps = None,
    strangers: watching.KeepStrangers = False,
    stranger_days: watching.StrangerDays = 30.0,
    window: Annotated[
        bool, typer.Option("--window/--headless", help="Show the frames while they are worked on.")
    ] = False,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    as_json: options.Json = False,
) -> None:
    """Names in a video file: events, an annotated copy with all its sound, intervals, a page.

    A run with --out that was stopped goes on when it is started again. With --json each event is a line.
    """
    from multiface.video.annotated_file import AnnotatedFile
    from multiface.video.engine import VideoEngine
    from multiface.video.engine_settings import EngineSettings
    from multiface.video.intervals import intervals_of, write_intervals
    from multiface.video.opening import open_source
    from multiface.video.summary import write_summary
    from multiface.video.window import Window

    speaker = Speaker(as_json)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    _check_targets(file, out, events, intervals, summary)
    resumable = out is not None and Path(file).is_file()
    asked = EngineSettings(
        every=every,
        max_faces=max_faces,
        max_fps=max_fps,
        checkpoint_every=CHECKPOINT_EVERY if resumable else None,
    )
    with (
        watching.sigterm_is_ctrl_c(),
        watching.opened_recognizer(
            speaker, settings, chosen, people=people, gallery=gallery, update=update, rate=rate
        ) as recognizer,
        ExitStack() as stack,
    ):
        numbers = watching.strangers_of(recognizer, strangers, stranger_days, people)
        key = (
            _key(Path(file), begin, duration, chosen, asked, recognizer, score, strangers)
            if resumable
            else None
        )
        left = _left(speaker, out, key)
        source = stack.enter_context(
            closing(
                open_source(
                    file,
                    begin=begin,
                    duration=duration,
                    rate=frame_rate,
                    live=False,
                    after=None if left is None else left.pts,
                    first_number=0 if left is None else left.next_number,
                )
            )
        )
        tell = stack.enter_context(_telling(speaker, events))
        for event in () if left is None else left.events:
            tell(event)
        screen = stack.enter_context(Window(f"MultiFace: {source.info.name}")) if window else None
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
        with nullcontext() if copy is None else copy:
            if left is None or not left.complete:
                _go_through(speaker, work, source, copy, tell, screen, score)
        for note in (*source.notes, *work.notes, *(() if copy is None else copy.notes)):
            speaker.note(note)
        found = intervals_of(tell.events)
        if intervals is not None:
            write_intervals(intervals, found)
            speaker.note(f"intervals: {intervals}")
        if summary is not None:
            last = max((event.time for event in tell.events), default=0.0)
            write_summary(
                summary,
                title=source.info.name,
                intervals=found,
                best_views=work.best_views(),
                duration=source.info.duration or last,
            )
            speaker.note(f"page: {summary}")
    if out is not None:
        speaker.note(f"annotated copy: {out}")
    for person, seconds in _seconds_of(found).items():
        speaker.result(f"{person}: {seconds:.1f} s")


def _go_through(
    speaker: Speaker,
    work: "VideoEngine",
    source: "Source",
    copy: "AnnotatedFile | None",
    tell: "_Telling",
    screen: "Window | None",
    score: bool,
) -> None:
    """All frames of the source. Raises KeyboardInterrupt also when the window is closed."""
    total = _total(source.info)
    with speaker.frames() as progress, closing(work.run(source)) as results:
        for result in results:
            for event in result.events:
                tell(event)
            if copy is not None:
                copy.write(result)
            if screen is not None and not watching.shown(screen, result, score):
                raise KeyboardInterrupt
            progress(result.frame.number + 1, total)


class _Telling:
    """Tells events as they come, and remembers them."""

    def __init__(self, speaker: Speaker, lines: "EventLines | None") -> None:
        self.events: list[Event] = []
        self._speaker = speaker
        self._lines = lines

    def __call__(self, event: "Event") -> None:
        self.events.append(event)
        if self._lines is not None:
            self._lines.write(event)
        self._speaker.document(event.document())
        self._speaker.result(watching.words_of(event))


@contextmanager
def _telling(speaker: Speaker, path: Path | None) -> "Iterator[_Telling]":
    """Events to the speaker, and as lines to a file, which holds those of this run only."""
    from multiface.video.event_lines import appended_lines

    if path is None:
        yield _Telling(speaker, None)
        return
    path.unlink(missing_ok=True)
    with appended_lines(path) as lines:
        yield _Telling(speaker, lines)


def _check_targets(
    file: str, out: Path | None, events: Path | None, intervals: Path | None, summary: Path | None
) -> None:
    """Raises UsageError for files that cannot be written, before the work begins."""
    given = [path for path in (out, events, intervals, summary) if path is not None]
    for path in given:
        require_folder(path)
        if path.is_dir():
            raise UsageError(f"{path}: is a folder, wanted the name of a file")
    if len({path.absolute() for path in given}) < len(given):
        raise UsageError("two of the files to be written have one name; give each its own")
    if Path(file).is_file():
        refuse_inputs(given, [Path(file)])
    if out is not None and out.suffix.lower() not in (".mp4", ".mov", ".mkv"):
        raise UsageError(f"--out {out}: a video is written as .mp4, .mov or .mkv")
    if intervals is not None and intervals.suffix.lower() not in (".json", ".csv"):
        raise UsageError(f"--intervals {intervals}: the ending must be .json or .csv")


def _key(
    file: Path,
    begin: float,
    duration: float | None,
    chosen: options.Chosen,
    asked: "EngineSettings",
    recognizer: "Recognizer",
    score: bool,
    strangers: bool,
) -> "RunKey":
    """What must be equal for a run to go on where another stopped."""
    from multiface.video.resume import run_key

    told = hashlib.sha256()
    if recognizer.gallery is not None:
        matrix = recognizer.gallery.matrix()
        told.update("\n".join(matrix.names).encode("utf-8", "surrogatepass"))
        told.update(matrix.vectors.tobytes())
    origin = recognizer.origin
    settings = (
        f"{__version__} {origin.detector} {origin.fingerprint} {origin.flip} {recognizer.rate} {chosen.min_face} "
        f"{asked.every} {asked.max_faces} {asked.checkpoint_every} {score} {strangers}"
    )
    return run_key(file, begin, duration, settings, told.hexdigest())


def _left(speaker: Speaker, out: Path | None, key: "RunKey | None") -> "Resumable | None":
    """What an earlier run left to go on with."""
    from multiface.video.resume import Resumable, work_left

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
    from multiface.video.opening import SpooledSource

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


def _seconds_of(intervals: "Iterable[Interval]") -> dict[str, float]:
    """How long each person who was named was there."""
    seconds: dict[str, float] = {}
    for one in intervals:
        if one.person is not None:
            seconds[one.person] = seconds.get(one.person, 0.0) + one.seconds
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))
