"""`facebank`, `enroll`, `people`: who is known."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import archive_commands, change_commands, options, reembed_command, stranger_commands
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import gallery_of, opened_gallery, ready
from multiface.cli.help_page import Commands
from multiface.cli.paths import picture_paths, require_file
from multiface.cli.people_alike import calibration_of, say_alike
from multiface.cli.people_mixed import say_mixed
from multiface.cli.settings import Settings
from multiface.errors import PictureError, UsageError

if TYPE_CHECKING:
    from multiface.gallery import FolderReport, Gallery, Person

people = Commands(
    help="The people of a gallery: list, show, rename, edit, merge, split, remove, changes, undo, check, reembed, "
    "export, import, backup, forget; and its strangers.",
)
people.command("reembed")(reembed_command.reembed_people)
people.command("export")(archive_commands.export_gallery)
people.command("import")(archive_commands.import_gallery)
people.command("backup")(archive_commands.backup_gallery)
people.command("split")(change_commands.split_person)
people.command("changes")(change_commands.list_changes)
people.command("undo")(change_commands.undo_change)
people.command("strangers")(stranger_commands.list_strangers)
people.command("name-stranger")(stranger_commands.name_stranger)
people.command("remove-stranger")(stranger_commands.remove_stranger)

Name = Annotated[str, typer.Argument(help="A person's name.", show_default=False)]
Who = Annotated[str, typer.Argument(help="A person's name, or the id.", show_default=False)]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Also take pictures that are damaged or too poor for the stated error rates."
    ),
]


def facebank(
    folder: Annotated[
        Path, typer.Argument(help="A folder with a folder of pictures for each person.", show_default=False)
    ],
    gallery: options.GalleryFile = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also remove people and pictures that vanished.")
    ] = False,
    force: Force = False,
    crops: options.Crops = None,
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
    """Import a folder of people into a gallery; a second run embeds only what is new or changed.

    Exit code 3: some pictures were refused; the others are in the gallery.
    """
    from multiface.recognition import people_folder

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face, crops)
    people_folder(folder)  # before a gallery is made for a folder that is not there
    place = ready(gallery_of(settings, gallery))
    with (
        chosen.recognizer(gallery=place, create=True) as recognizer,
        speaker.progress("pictures") as progress,
    ):
        report = recognizer.sync(folder, progress, prune, force)
    say_report(speaker, report)
    require_people(report, folder)
    speaker.result(f"gallery: {place}")
    speaker.document(
        {
            "gallery": place,
            "people": list(report.people),
            "without_picture": list(report.without_picture),
            "added": report.added,
            "changed": report.changed,
            "moved": report.moved,
            "copies": report.copies,
            "unchanged": report.unchanged,
            "vanished": list(report.vanished),
            "removed": report.removed,
            "refused": [{"path": one.path, "reason": one.reason} for one in report.refused],
            "notes": [
                {"path": one.path, "faces": one.faces, "quarter_turns": one.quarter_turns}
                for one in report.notes
            ],
        }
    )
    if report.refused:
        raise typer.Exit(3)


def enroll(
    name: Who,
    pictures: options.Pictures,
    another: options.Another = False,
    gallery: options.GalleryFile = None,
    force: Force = False,
    crops: options.Crops = None,
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
    """Add pictures of one person to a gallery; a new name makes a new person."""
    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face, crops)
    place = ready(gallery_of(settings, gallery))
    paths = picture_paths(speaker, pictures)
    with chosen.recognizer(gallery=place, create=True) as recognizer:
        result = recognizer.enroll(name, speaker.each("pictures", paths), force, another)
    for note in result.notes:
        speaker.note(note)
    for path, reason in result.refused:
        speaker.warn(f"refused: {path}: {reason}")
    speaker.result(
        f"{name}: {result.added} added, {result.already_there} already there, "
        f"{len(result.refused)} refused ({place})"
    )
    speaker.document(
        {
            "name": name,
            "person": result.person or None,
            "gallery": place,
            "added": result.added,
            "already_there": result.already_there,
            "refused": [{"path": str(path), "reason": reason} for path, reason in result.refused],
            "notes": list(result.notes),
        }
    )
    if result.refused:
        raise typer.Exit(3)


@people.command("list")
def list_people(
    group: Annotated[
        str | None, typer.Option("--group", help="Only the people of this group.", show_default=False)
    ] = None,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """List the people with their numbers of templates."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        everybody = opened.people(group)
        origin = opened.origin
    shared = {name for name, count in Counter(one.name for one in everybody).items() if count > 1}
    for person in everybody:
        facts = f"{counted(person.templates, 'template')}, since {person.created}"
        which = f"  {person.id}" if person.name in shared else ""
        speaker.result(f"{person.name}{which}  ({facts})")
    speaker.result(f"{len(everybody)} people; vectors of {origin.weights} ({origin.fingerprint[:12]})")
    speaker.document(
        {
            "people": [{**person_document(one), "templates": one.templates} for one in everybody],
            "weights": origin.weights,
            "fingerprint": origin.fingerprint,
        }
    )


@people.command("show")
def show_person(
    name: Who,
    copy: Annotated[
        Path | None,
        typer.Option(
            "--copy",
            help="ZIP file with everything that is kept of the person, to hand out.",
            show_default=False,
        ),
    ] = None,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Show one person and the sources of the templates."""
    speaker = Speaker(as_json, quiet)
    if copy is not None:
        require_file("--copy", copy, ".zip")
    with opened_gallery(gallery) as opened:
        person = opened.person(name)
        if copy is not None:
            _write_copy(opened, person.id, copy)
        templates = opened.templates(person.id)
        crops = {one.id for one in templates if opened.crop(one.id) is not None}
    speaker.result(f"{person.name}: {counted(person.templates, 'template')}, since {person.created}")
    speaker.result(f"  id: {person.id}")
    for word, value in (
        ("external id", person.external_id),
        ("groups", ", ".join(person.groups)),
        ("note", person.note),
        ("cover", person.cover and f"template {person.cover}"),
    ):
        if value:
            speaker.result(f"  {word}: {value}")
    for one in templates:
        facts = one.facts
        speaker.result(
            f"  {one.source}  {facts.width}x{facts.height}, {facts.faces_in_picture} face(s), "
            f"{facts.detector} score {facts.score:.3f}, added {one.added}, template {one.id}"
            f"{', with crop' if one.id in crops else ''}"
        )
    speaker.document(
        {
            **person_document(person),
            "templates": [
                {
                    "template": one.id,
                    "source": one.source,
                    "sha256": one.source_digest,
                    "added": one.added,
                    "box": [round(edge, 1) for edge in one.facts.box],
                    "score": round(one.facts.score, 6),
                    "detector": one.facts.detector,
                    "faces_in_picture": one.facts.faces_in_picture,
                    "crop": one.id in crops,
                }
                for one in templates
            ],
        }
    )


@people.command("rename")
def rename_person(
    old: Who,
    new: Annotated[str, typer.Argument(help="The new name.", show_default=False)],
    another: options.Another = False,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Give a person another name."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        person = opened.person(old)
        opened.rename(person.id, new, another=another)
    speaker.result(f"{person.name} is now {new}")
    speaker.document({"old": person.name, "new": new, "person": person.id})


@people.command("edit")
def edit_person(
    name: Who,
    external_id: Annotated[
        str | None,
        typer.Option(
            "--external-id", help="The person's id in another system; '' for none.", show_default=False
        ),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", help="A note; '' for none.", show_default=False)
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            help="A group of the person, replacing the former ones; repeatable.",
            show_default=False,
        ),
    ] = None,
    no_group: Annotated[bool, typer.Option("--no-group", help="Remove the person from all groups.")] = False,
    cover: Annotated[
        int | None,
        typer.Option(
            "--cover",
            help="The number of a template of the person, as `people show` lists them; 0 for none.",
            min=0,
            show_default=False,
        ),
    ] = None,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Change the note, groups, external id or cover of a person."""
    if group and no_group:
        raise UsageError("give --group or --no-group, not both")
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        groups = [] if no_group else group or None
        person = opened.edit(name, external_id=external_id, note=note, groups=groups, cover=cover)
    speaker.result(f"{person.name} ({person.id}) is changed")
    speaker.document(person_document(person))


@people.command("merge")
def merge_people(
    into: Annotated[str, typer.Argument(help="Who is kept: a name or an id.", show_default=False)],
    other: Annotated[
        str,
        typer.Argument(help="Who is merged into the first: a name or an id.", show_default=False),
    ],
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Merge two people: the second one's templates go to the first."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        kept, gone = opened.person(into), opened.person(other)
        moved = opened.merge(kept.id, gone.id)
    speaker.result(f"{gone.name} is now {kept.name} ({counted(moved, 'template')} moved)")
    speaker.document(
        {"into": kept.name, "from": gone.name, "moved": moved, "person": kept.id, "from_person": gone.id}
    )


@people.command("remove")
def remove_person(
    name: Who,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Remove a person with all vectors, in the album too. This is final; archives and backups keep the person."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        person = opened.person(name)
        removed, lingering = opened.remove(person.id), opened.lingering
    album = f", {counted(removed.faces, 'face')} in the album" if removed.faces else ""
    speaker.result(f"{person.name} is removed ({counted(removed.templates, 'template')}{album})")
    if not removed.purged:
        speaker.note(lingering)
    speaker.document(
        {
            "removed": person.name,
            "person": person.id,
            "templates": removed.templates,
            "faces": removed.faces,
            "purged": removed.purged,
        }
    )


@people.command("check")
def check_people(
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            help="Also compare the people with an archive of `people export`.",
            show_default=False,
        ),
    ] = None,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Check everything in the gallery file (exit code 3: there are problems).

    Also names people whose pictures seem to show two persons and pairs who seem to be one person, at MULTIFACE_RATE;
    the two most similar people; and how far the threshold rises because people resemble each other.
    """
    from multiface.gallery import differences, opened_archive
    from multiface.recognition import IDENTIFY_RATE

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    archive, unlike = None if against is None else opened_archive(against), None
    rate = settings.number("rate", None, IDENTIFY_RATE)
    alike, mixed = None, None
    with opened_gallery(gallery) as opened:
        check = opened.check()
        speaker.result(
            f"{check.people} people, {check.templates} templates, {check.strangers} strangers, "
            f"{len(check.problems)} problems"
        )
        for problem in check.problems:
            speaker.result(f"  {problem}")
        for name in check.people_without_templates:
            speaker.warn(f"{name} has no template")
        again = reembed_command.in_progress(opened.reembedding()) if not check.problems else None
        if again is not None:
            speaker.result(
                f"being embedded again with {again['weights']} since {again['started']}: {again['done']} of "
                f"{again['total']} done"
            )
        if archive is not None:
            unlike = differences(opened, archive)
            for line in unlike:
                speaker.result(f"  {line}")
            speaker.result(f"{against}: {len(unlike) or 'no'} differences")
        calibration = calibration_of(settings, opened) if check.templates and not check.problems else None
        if calibration is not None:
            mixed = say_mixed(speaker, calibration, rate, opened)
            alike = say_alike(speaker, calibration, rate, opened)
        elif check.templates and not check.problems:
            speaker.warn("no calibration fits these vectors, so people were not compared")
    speaker.document(
        {
            "people": check.people,
            "templates": check.templates,
            "strangers": check.strangers,
            "problems": list(check.problems),
            "differences": unlike,
            "reembedding": again,
            "alike": alike,
            **(mixed or {"mixed": None, "same": None}),
        }
    )
    if check.problems or unlike:
        raise typer.Exit(3)


@people.command("forget")
def forget_folder(
    folder: Annotated[Path, typer.Argument(help="A folder that was used with --people.", show_default=False)],
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Delete the cached vectors of a folder that was used with --people; the pictures stay."""
    from multiface.recognition import forget

    speaker = Speaker(as_json, quiet)
    count = forget(options.choose(Settings.here()).cache, folder)
    speaker.result(f"{folder}: {count} cached file(s) deleted")
    speaker.document({"folder": str(folder), "deleted": count})


@people.command("forget-crops")
def forget_crops(
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Delete the small pictures of faces that a gallery keeps; people and vectors stay."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        done, lingering = opened.forget_crops(), opened.lingering
    speaker.result(f"{counted(done.templates, 'crop')} deleted; MULTIFACE_CROPS=no keeps none from now on")
    if not done.purged:
        speaker.note(lingering)
    speaker.document({"deleted": done.templates, "purged": done.purged})


def person_document(person: "Person") -> dict[str, Any]:
    """A person, without templates, as the documents of `people` have it."""
    return {
        "name": person.name,
        "person": person.id,
        "created": person.created,
        "external_id": person.external_id,
        "note": person.note,
        "groups": list(person.groups),
        "cover": person.cover,
    }


def say_report(speaker: Speaker, report: "FolderReport", quiet_when_unchanged: bool = False) -> None:
    """What taking up a folder did, to people."""
    work = (
        report.embedded
        or report.changed
        or report.moved
        or report.copies
        or report.removed
        or report.vanished
    )
    if work or not quiet_when_unchanged:
        words = f"{len(report.people)} people: {report.added} added, {report.unchanged} unchanged"
        for count, word in (
            (report.changed, "changed"),
            (report.moved, "moved"),
            (report.copies, "copies"),
            (len(report.vanished), "vanished"),
            (report.removed, "removed"),
        ):
            words += f", {count} {word}" if count else ""
        (speaker.note if quiet_when_unchanged else speaker.result)(words)
    for one in report.refused:
        speaker.warn(f"refused: {one.path}: {one.reason}")
    if report.refused:
        speaker.warn(f"{counted(len(report.refused), 'picture')} refused")
    for note in report.notes:
        speaker.note(str(note))
    for name in report.without_picture:
        speaker.warn(f"{name}: no picture could be used, so this person is not known")
    if report.vanished and not report.removed:
        speaker.note(f"{len(report.vanished)} pictures vanished; their templates stay (--prune removes them)")


def require_people(report: "FolderReport", folder: str | Path) -> None:
    """Raises PictureError when the folder gave nobody: with nobody known every answer would be "unknown"."""
    if not report.people:
        raise PictureError(
            f"{folder}: no picture of a person could be used; wanted pictures in {Path(folder) / 'NAME'}/, "
            f"a folder for each person",
            path=folder,
        )


def _write_copy(gallery: "Gallery", person: str, file: Path) -> None:
    """Raises UsageError where the file cannot be written."""
    from multiface.atomic_write import write_whole
    from multiface.gallery.person_copy import person_copy

    try:
        write_whole(file, person_copy(gallery, person), private=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"--copy {file}: cannot be written ({error})", path=file) from error
