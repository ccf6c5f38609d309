"""`camera`: who is before a camera, or in a stream, now."""

import re
import secrets
from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiface.cli import options, video_options, watching
from multiface.cli.console import Speaker, counted
from multiface.cli.paths import require_folder
from multiface.cli.settings import Settings
from multiface.cli.stopping import stop_on_signals
from multiface.cli.stream_password import with_password
from multiface.cli.with_people import opened_recognizer
from multiface.errors import InputError, UsageError

if TYPE_CHECKING:
    from multiface.video.copy.live_recording import LiveRecording
    from multiface.video.engine.engine import VideoEngine
    from multiface.video.events.event_store import EventStore, StoredEvent
    from multiface.video.results import Event
    from multiface.video.sources.frame import Source
    from multiface.video.window import Window


def camera(
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="A camera by its number or device, or an address (rtsp://, http://, tcp://, udp://).",
        ),
    ] = "0",
    password_file: video_options.PasswordFile = None,
    people: options.People = None,
    gallery: options.GalleryFile = None,
    update: video_options.Update = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "--save", "-s", help="Recording: .mkv, .mp4 or .mov, without sound.", show_default=False
        ),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            help="SQLite file that keeps the events (default: the user's own).",
            show_default=False,
        ),
    ] = None,
    keep_days: Annotated[
        float,
        typer.Option(
            "--keep-days",
            help="Remove events older than this at the start; the newest 100,000 that a webhook has not accepted "
            "are kept.",
        ),
    ] = 30.0,
    webhook: Annotated[
        str | None,
        typer.Option("--webhook", help="An http(s) address that each event is sent to.", show_default=False),
    ] = None,
    replay: Annotated[
        int | None,
        typer.Option(
            "--replay", min=0, help="Print the kept events after this number and stop.", show_default=False
        ),
    ] = None,
    rate: options.IdentifyRate = None,
    score: video_options.Score = False,
    duration: Annotated[
        float | None,
        typer.Option("--duration", "-d", help="Stop after this many seconds.", show_default=False),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", help="Frame size to ask a webcam for, such as 1280x720.", show_default=False),
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option("--frame-rate", help="Frame rate to ask a webcam for.", show_default=False),
    ] = None,
    max_faces: video_options.MaxFaces = None,
    every: video_options.Every = None,
    max_fps: video_options.MaxFps = None,
    strangers: video_options.KeepStrangers = False,
    stranger_days: video_options.StrangerDays = 30.0,
    window: Annotated[bool, typer.Option("--window/--headless", help="Show the camera; q ends.")] = True,
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
    """Show names over a live camera or stream until Ctrl-C.

    Each event is numbered and stored before it is announced, so a crash loses none: --replay shows them again, and a
    webhook gets each at least once. With --json each event is a line.
    """
    from multiface.video.copy.live_recording import LiveRecording
    from multiface.video.engine.engine import VideoEngine
    from multiface.video.engine.video_settings import VideoSettings
    from multiface.video.events.event_store import EventStore, written_by_one
    from multiface.video.sources.opening import open_source
    from multiface.video.window import Window

    speaker = Speaker(as_json, quiet)
    if not 0 < keep_days <= 36500:
        raise UsageError(f"--keep-days {keep_days:g}: wanted a number of days above 0 and at most 36500")
    wanted = _size(size)
    if out is not None:
        require_folder(out)
    with ExitStack() as stack:
        file = _events_file(events)
        if replay is not None:
            _replay(speaker, file, replay)
            return
        stack.enter_context(written_by_one(file))
        store = stack.enter_context(EventStore(file))
        _forget(speaker, store, keep_days)
        settings = Settings.here()
        chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
        recognizer = stack.enter_context(
            opened_recognizer(
                speaker, settings, chosen, people=people, gallery=gallery, update=update, rate=rate
            )
        )
        address = with_password(source, settings, password_file)
        numbers = watching.strangers_of(recognizer, strangers, stranger_days)
        asked = VideoSettings(every=every, max_faces=max_faces, max_fps=max_fps)
        if webhook is not None:
            from multiface.video.events.webhook import Webhook

            stack.enter_context(Webhook(webhook, store))
        opened = stack.enter_context(
            closing(open_source(address, live=True, duration=duration, size=wanted, rate=frame_rate))
        )
        info = opened.info
        speaker.note(f"{info.name}: {info.width}x{info.height}" + (f"; {info.asked}" if info.asked else ""))
        screen = stack.enter_context(Window(f"MultiFace: {info.name}  (q: end)")) if window else None
        recording = None if out is None else stack.enter_context(LiveRecording(out, similarity=score))
        work = VideoEngine(recognizer, asked, strangers=numbers)
        _watch(speaker, work, opened, store, recording, screen, score)
    if recording is not None:
        speaker.note(f"recording: {out}")
        if recording.dropped:
            speaker.warn(f"{counted(recording.dropped, 'frame')} could not be recorded in time")


def _watch(
    speaker: Speaker,
    work: "VideoEngine",
    source: "Source",
    store: "EventStore",
    recording: "LiveRecording | None",
    screen: "Window | None",
    score: bool,
) -> None:
    """Until the source ends, the window is closed, or Ctrl-C."""
    session = f"{datetime.now(UTC).isoformat(timespec='seconds')} {secrets.token_hex(4)}"

    def keep(events: "Iterable[Event]") -> None:
        """All of them are on the disk before the first is announced."""
        for stored, event in [(store.add(session, event, source.info.name), event) for event in events]:
            _say(speaker, stored, event)

    try:
        with (
            speaker.frames() as progress,
            stop_on_signals(source.close),
            closing(work.run(source)) as results,
        ):
            for result in results:
                if result.frame.gap is not None:
                    speaker.warn(f"{result.frame.time:.1f} s: {result.frame.gap}")
                keep(result.events)
                if recording is not None:
                    recording.write(result)
                if screen is not None and not watching.shown(screen, result, score):
                    break
                progress(result.frame.number + 1, None)
    finally:
        keep(work.end_events())
        for note in (*source.notes, *work.notes):
            speaker.warn(note)


def _forget(speaker: Speaker, store: "EventStore", days: float) -> None:
    """Remove old events; say where a webhook is behind."""
    forgotten = store.forget(timedelta(days=days))
    if forgotten.waiting:
        speaker.note(
            f"{counted(forgotten.waiting, 'event')} older than {days:g} days kept until a webhook has taken them: "
            "start with its --webhook"
        )
    if forgotten.dropped:
        speaker.warn(
            f"{counted(forgotten.dropped, 'event')} removed that a webhook had not taken: too many waited"
        )


def _replay(speaker: Speaker, file: Path, after: int) -> None:
    """Print the kept events with higher numbers."""
    from multiface.video.events.event_store import EventStore

    if not file.exists():
        raise InputError(f"{file}: there is no such file of events", path=file)
    with EventStore(file) as store:
        any_kept = False
        for one in store.since(after):
            _say(speaker, one)
            any_kept = True
        if not any_kept:
            speaker.note(f"no events after number {after} are kept; the last one had number {store.last()}")


def _say(speaker: Speaker, stored: "StoredEvent", event: "Event | None" = None) -> None:
    """Announce an event that is kept."""
    speaker.document(stored.document())
    if event is not None:
        speaker.result(f"{stored.number}: {watching.words_of(event)}")
    else:
        told = stored.event
        speaker.result(
            f"{stored.number}: {stored.stored}  {told.get('source', '')}  {told['time']:.2f} s  track {told['track']}: "
            f"{told['name'] or 'unknown'} {told['event']}"
        )


def _events_file(given: Path | None) -> Path:
    """The file of events; the folder of the user's own is made."""
    from multiface.weights.places import default_events_file

    if given is not None:
        return given
    own = default_events_file()
    own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return own


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if found is None:
        raise UsageError(f"--size {text}: wanted WIDTHxHEIGHT, such as 1280x720")
    return int(found[1]), int(found[2])
