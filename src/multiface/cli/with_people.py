"""A recogniser opened together with the people that a command names, and what is to be said about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from multiface.cli.console import Speaker
from multiface.cli.gallery_commands import require_people, say_report
from multiface.cli.gallery_place import existing, gallery_of, people_folder_of, ready
from multiface.cli.options import Chosen
from multiface.cli.settings import Settings
from multiface.errors import UsageError

if TYPE_CHECKING:
    from multiface.recognition import Recognizer


@contextmanager
def opened_recognizer(
    speaker: Speaker,
    settings: Settings,
    chosen: Chosen,
    *,
    people: str | None,
    gallery: str | None,
    update: Path | None = None,
    rate: float | None,
) -> "Iterator[Recognizer]":
    """The recogniser with its people: a folder, or a gallery that is first brought up to date with `update`.

    Raises UsageError where both are given.
    """
    from multiface.recognition import IDENTIFY_RATE

    folder = people_folder_of(settings, people, gallery)
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
        if recognizer.not_kept is not None:
            speaker.note(recognizer.not_kept)
        if folder is not None and recognizer.people_report is not None:
            say_report(speaker, recognizer.people_report, quiet_when_unchanged=True)
            require_people(recognizer.people_report, folder)
        if update is not None:
            report = recognizer.sync(update, progress)
            say_report(speaker, report, quiet_when_unchanged=True)
            require_people(report, update)
        if recognizer.caveat:
            speaker.warn(recognizer.caveat)
        yield recognizer
