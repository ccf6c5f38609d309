"""`album`: where somebody is in a collection of photos and films, who the unknown are, and corrections."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiface.cli import album_answers, options
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import existing, gallery_of, opened_gallery, ready
from multiface.cli.help_page import Commands
from multiface.cli.paths import require_page
from multiface.cli.people_alike import calibration_of
from multiface.cli.settings import Settings
from multiface.errors import NotAvailable, UsageError

if TYPE_CHECKING:
    from multiface.album import Album, UnknownGroup

album = Commands(
    help="Photos and films by person: scan, find, people (who is unknown), name, not, merge, split, ignore, mark, "
    "export, import, forget; `people undo` reverts a change.",
)

Target = Annotated[
    str,
    typer.Argument(help="A group's number, or a face: f and its number, as f12.", show_default=False),
]
Face = Annotated[str, typer.Argument(help="A face: f and its number, as f12.", show_default=False)]
Rate = options.IdentifyRate


@album.command()
def scan(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders of photos and films, with all below them.", show_default=False),
    ],
    gallery: options.GalleryFile = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", help="Photos worked on at once (default: by the threads).", min=1, show_default=False
        ),
    ] = None,
    no_crops: Annotated[
        bool,
        typer.Option("--no-crops", help="Keep no small pictures of faces; pages of people show none then."),
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Search everything again, for example after changing the detector."),
    ] = False,
    rate: Rate = None,
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
    """Add folders to the album, or bring it up to date: only new and changed files are searched.

    Run a stopped scan again to resume it. Exit code 3: some files could not be searched.
    """
    from multiface.album import Album
    from multiface.album.listing import real_folder
    from multiface.recognition import IDENTIFY_RATE

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    for folder in folders:
        real_folder(folder)  # before a gallery is made for what is not there
    place = ready(gallery_of(settings, gallery))
    with (
        chosen.recognizer(
            rate=settings.number("rate", rate, IDENTIFY_RATE), gallery=place, create=True
        ) as recognizer,
        speaker.progress("photos") as progress,
    ):
        report = Album(recognizer).scan(
            folders, jobs=jobs, progress=progress, crops=chosen.crops and not no_crops, again=again
        )
        caveat = recognizer.caveat
    if caveat:
        speaker.warn(caveat)
    for one in report.left_out:
        speaker.warn(f"{one.path}: {one.reason}")
    speaker.result(
        f"searched {counted(report.searched, 'photo or film', 'photos and films')}, "
        f"{counted(report.faces, 'face')}; {report.known:,} moved or copied, {report.unchanged:,} unchanged"
    )
    if report.vanished:
        speaker.result(
            f"{counted(len(report.vanished), 'file')} not there any more; what was done to their faces by hand is kept "
            "for 30 days"
        )
    if report.films_left_out:
        from multiface.errors import how_to_install

        speaker.warn(f"{counted(report.films_left_out, 'film')} left out: {how_to_install('video')}")
    speaker.result(f"gallery: {place}")
    speaker.document(
        {
            "gallery": place,
            "searched": report.searched,
            "faces": report.faces,
            "known": report.known,
            "unchanged": report.unchanged,
            "vanished": list(report.vanished),
            "left_out": [{"path": one.path, "reason": one.reason} for one in report.left_out],
            "films_left_out": report.films_left_out,
        }
    )
    if report.left_out:
        raise typer.Exit(3)


@album.command()
def find(
    people: Annotated[
        list[str] | None,
        typer.Argument(help="Names or ids of people who must all be in it.", show_default=False),
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="Somebody who must be in it too.", show_default=False)
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="Somebody who must not be in it.", show_default=False),
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Nobody else is in it, known or not.")] = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="Somebody unknown is in it.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Taken on this day or later, as 2024-05-01.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Taken on this day or earlier.", show_default=False)
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", help="Table: one row for each face of the answer.", show_default=False),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="HTML page: the photos with boxes.", show_default=False)
    ] = None,
    links: Annotated[
        Path | None, typer.Option("--links", help="A new folder of links to the files.", show_default=False)
    ] = None,
    copies: Annotated[
        Path | None, typer.Option("--copies", help="A new folder of copies of the files.", show_default=False)
    ] = None,
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Find the photos and films that show somebody: one line each, the oldest first."""
    from multiface.album.documents import hit_document

    speaker = Speaker(as_json, quiet)
    everybody = [*(people or ()), *(with_ or ())]
    files = album_answers.AnswerFiles(table, page, links, copies)
    with opened_album(gallery, rate) as opened:
        hits = opened.find(
            *everybody, without=without or (), only=only, unknown=unknown, since=since, until=until
        )
        for hit in hits:
            for path in hit.paths:
                speaker.result(path + album_answers.when(hit, everybody, unknown))
        title = album_answers.question(everybody, without or [], only, unknown)
        gone = files.write(title, hits, everybody)
    for path in gone:
        speaker.warn(f"{path}: is not there any more; `multiface album scan` brings the album up to date")
    speaker.note(counted(len(hits), "photo or film", "photos and films"))
    for written in files.written:
        speaker.note(written)
    speaker.document({"hits": [{"paths": list(hit.paths), **hit_document(hit)} for hit in hits]})


@album.command("people")
def unknown_people(
    page: Annotated[
        Path | None, typer.Option("--page", help="HTML page: a row of faces for each.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also ignored people and single faces.")] = False,
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """List the unknown people of the album, in groups: the most useful to name first."""
    from multiface.album.documents import face_document, group_document
    from multiface.album.pages import groups_page

    speaker = Speaker(as_json, quiet)
    if page is not None:
        require_page(page)
    with opened_album(gallery, rate) as opened:
        groups = [group for group in opened.groups() if every or not group.ignored]
        singles = opened.single_faces()
        if page is not None:
            album_answers.write_page(page, groups_page(opened, groups, singles))
    for group in groups:
        speaker.result(_in_words(group))
    if every:
        for face in singles:
            speaker.result(f"f{face.id}  single{f', {face.fault}' if face.fault else ''}")
    speaker.result(f"{counted(len(groups), 'group')}, {counted(len(singles), 'single face')}")
    if page is not None:
        speaker.note(f"page: {page}")
    elif groups:
        speaker.note("--page FILE.html shows their faces; `multiface album name NUMBER NAME` gives a name")
    speaker.document(
        {
            "groups": [group_document(group) for group in groups],
            "single_faces": [face_document(face) for face in singles],
        }
    )


@album.command()
def name(
    target: Target,
    person: Annotated[
        str, typer.Argument(metavar="NAME", help="A name, new or known, or an id.", show_default=False)
    ],
    another: options.Another = False,
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Say who a group or a face is; the rest of the album is updated at once."""
    speaker = Speaker(as_json, quiet)
    group, face = _target(target)
    with opened_album(gallery, rate) as opened:
        if face is not None:
            known = opened.name_faces([face], person, another=another)
        elif another:
            raise UsageError("--another is for a face", hint="rename the person of a group afterwards")
        else:
            assert group is not None
            known = opened.name(group, person)
        count = len(opened.find(known.id))
    speaker.result(
        f"{target} is {known.name}, who is in {counted(count, 'photo or film', 'photos and films')}"
    )
    speaker.document({"target": target, "name": known.name, "person": known.id, "pictures": count})


@album.command("not")
def not_person(
    face: Face,
    person: Annotated[
        str, typer.Argument(metavar="NAME", help="Who it is not: a name or id.", show_default=False)
    ],
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Say that a face is not this person's, for good."""
    speaker = Speaker(as_json, quiet)
    with opened_album(gallery, rate) as opened:
        opened.not_person(_face(face), person)
    speaker.result(f"{face} is not {person}")
    speaker.document({"face": _face(face), "not": person})


@album.command()
def merge(
    into: Annotated[int, typer.Argument(help="The group that keeps its number.", min=1, show_default=False)],
    from_: Annotated[
        int,
        typer.Argument(metavar="FROM", help="The group to merge into it.", min=1, show_default=False),
    ],
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Say that two groups are one person."""
    speaker = Speaker(as_json, quiet)
    with opened_album(gallery, rate) as opened:
        opened.merge(into, from_)
    speaker.result(f"group {from_} is part of group {into}")
    speaker.document({"stranger": into, "merged": from_})


@album.command()
def split(
    faces: Annotated[list[str], typer.Argument(help="Faces of one group: f12 f15 ...", show_default=False)],
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Say that some faces of a group are another person than the rest."""
    speaker = Speaker(as_json, quiet)
    numbers = [_face(face) for face in faces]
    with opened_album(gallery, rate) as opened:
        number = opened.split(numbers)
    speaker.result(f"{counted(len(numbers), 'face')} are group {number} now")
    speaker.document({"stranger": number, "faces": numbers})


@album.command()
def ignore(
    targets: Annotated[list[str], typer.Argument(help="Groups and faces: 3 f12 ...", show_default=False)],
    back: Annotated[bool, typer.Option("--back", help="Stop ignoring them.")] = False,
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Ignore unknown people or faces: lists and answers leave them out."""
    speaker = Speaker(as_json, quiet)
    both = [_target(target) for target in targets]
    groups = [group for group, _ in both if group is not None]
    faces = [face for _, face in both if face is not None]
    with opened_album(gallery, rate) as opened:
        opened.ignore(groups=groups, faces=faces, ignored=not back)
    speaker.result(f"{', '.join(targets)}: {'of interest again' if back else 'ignored'}")
    speaker.document({"groups": groups, "faces": faces, "ignored": not back})


@album.command()
def mark(
    picture: Annotated[Path, typer.Argument(help="A photo of the album.", show_default=False)],
    box: Annotated[
        tuple[float, float, float, float],
        typer.Argument(
            metavar="X0 Y0 X1 Y1", help="The face, in pixels of the upright photo.", show_default=False
        ),
    ],
    person: Annotated[
        str | None, typer.Option("--name", help="Say at once who it is.", show_default=False)
    ] = None,
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Draw a face that was not found."""
    speaker = Speaker(as_json, quiet)
    with opened_with_networks(gallery, rate, detector, weights, flip) as opened:
        face = opened.mark(picture, box, person)
    speaker.result(f"f{face}" + (f" is {person}" if person else ""))
    speaker.document({"face": face, "name": person})


@album.command("export")
def export_names(
    people: Annotated[
        list[str] | None,
        typer.Argument(help="Only photos that show all of these (default: all).", show_default=False),
    ] = None,
    into_pictures: Annotated[
        bool, typer.Option("--into-pictures", help="Into the photos themselves, which must be JPEG.")
    ] = False,
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Write the names into XMP sidecars beside the photos, as digiKam, Lightroom and others read them.

    Exit code 3: some photos or sidecars could not be used.
    """
    speaker = Speaker(as_json, quiet)
    with opened_album(gallery, rate) as opened, speaker.progress("photos") as progress:
        report = opened.export_names(*(people or ()), into_pictures=into_pictures, progress=progress)
    for path, name in report.kept:
        speaker.warn(f"{path}: {name} was left out, since the face has another name there")
    for path, why in report.failed:
        speaker.warn(f"{path}: {why}")
    what = "photo" if into_pictures else "sidecar"
    speaker.result(f"{counted(report.written, what)} written, {report.unchanged:,} unchanged")
    speaker.document(asdict(report))
    if report.failed:
        raise typer.Exit(3)


@album.command("import")
def import_names(
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Import names that other programs gave to faces in the album's photos (XMP regions); `people undo` reverts it.

    Exit code 3: some photos or sidecars could not be used.
    """
    speaker = Speaker(as_json, quiet)
    with (
        opened_with_networks(gallery, rate, detector, weights, flip) as opened,
        speaker.progress("photos") as progress,
    ):
        report = opened.import_names(progress=progress)
    for path, theirs, ours in report.kept:
        speaker.warn(f"{path}: a face that is {ours} here is {theirs} there; it was kept")
    for path, why in report.failed:
        speaker.warn(f"{path}: {why}")
    speaker.result(
        f"{counted(report.named, 'face')} named, {counted(report.drawn, 'face')} drawn, {report.known:,} known before"
    )
    if report.people:
        speaker.result(f"new people: {', '.join(report.people)}")
    speaker.document(asdict(report))
    if report.failed:
        raise typer.Exit(3)


@album.command()
def forget(
    folder: Annotated[Path, typer.Argument(help="A folder that was scanned.", show_default=False)],
    gallery: options.GalleryFile = None,
    rate: Rate = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Forget the photos and films of a folder, with their faces and what was done to them by hand. This is final.

    What is kept of files that have vanished from it is removed too.
    """
    speaker = Speaker(as_json, quiet)
    with opened_album(gallery, rate) as opened:
        gone = opened.forget(folder)
    speaker.result(f"{counted(gone, 'file')} forgotten")
    speaker.document({"folder": str(folder), "files": gone})


@contextmanager
def opened_album(gallery: str | None, rate: float | None) -> "Iterator[Album]":
    """The album of a gallery that is there, without networks."""
    from multiface.album import Album
    from multiface.recognition import IDENTIFY_RATE

    settings = Settings.here()
    with opened_gallery(gallery) as opened:
        calibration = calibration_of(settings, opened)
        if calibration is None:
            raise NotAvailable(
                f"{opened.place}: no calibration is known for its weights {opened.origin.weights!r}",
                hint="`multiface calibrate` makes one",
                name=opened.origin.weights,
            )
        yield Album.of_gallery(opened, calibration, settings.number("rate", rate, IDENTIFY_RATE))


@contextmanager
def opened_with_networks(
    gallery: str | None, rate: float | None, detector: str | None, weights: str | None, flip: bool | None
) -> "Iterator[Album]":
    """The album of a gallery that is there, with networks."""
    from multiface.album import Album
    from multiface.recognition import IDENTIFY_RATE

    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip)
    place = existing(gallery_of(settings, gallery))
    with chosen.recognizer(rate=settings.number("rate", rate, IDENTIFY_RATE), gallery=place) as recognizer:
        yield Album(recognizer)


def _target(text: str) -> tuple[int | None, int | None]:
    """A group or a face. Raises UsageError."""
    if text[:1] in "fF" and text[1:].isdecimal():
        return None, int(text[1:])
    if text.isdecimal():
        return int(text), None
    raise UsageError(f"a group is a number, a face is f and a number, such as f12, not {text!r}")


def _face(text: str) -> int:
    group, face = _target(text)
    if face is None:
        raise UsageError(
            f"a face is f and a number, as f{group}", hint="`album people --all` and `find --json` show them"
        )
    return face


def _in_words(group: "UnknownGroup") -> str:
    near = ""
    if group.near is not None:
        near = f"; looks like {group.near.person.name} ({group.near.similarity:.3f}, needed {group.near.wanted:.3f})"
    ignored = "; ignored" if group.ignored else ""
    faces = ", ".join(f"f{face.id}" for face in group.faces[:5]) + (", ..." if len(group.faces) > 5 else "")
    return (
        f"group {group.number}: seen {counted(group.sightings, 'time')}, {counted(len(group.faces), 'face')} "
        f"({faces}){near}{ignored}"
    )
