"""`people export`, `people import`, `people backup`: a gallery to a file and back."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from multiface.cli import options
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import gallery_of, opened_gallery, ready
from multiface.cli.settings import Settings


def export_gallery(
    file: Annotated[Path, typer.Argument(help="The archive to write, people.mfgallery.", show_default=False)],
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Write the people of a gallery to an archive, for another gallery of either kind."""
    from multiface.gallery import export_people

    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        manifest = export_people(opened, file)
    speaker.result(f"{file}: {manifest.people} people, {counted(manifest.templates, 'template')}")
    speaker.note("it holds biometric data; people who are removed later stay in it until it is deleted")
    speaker.document({"archive": str(file), "people": manifest.people, "templates": manifest.templates})


def import_gallery(
    file: Annotated[Path, typer.Argument(help="An archive that `people export` wrote.", show_default=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove everybody in the gallery first (default: add).")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the archive and say what would be done.")
    ] = False,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Import the people of an archive into a gallery, which is created if there is none.

    People are identified by id. Run it again after an interruption. People removed from the gallery stay removed.
    """
    from multiface.gallery import Gallery, import_people, opened_archive

    speaker = Speaker(as_json, quiet)
    archive, settings = opened_archive(file), Settings.here()
    place = ready(gallery_of(settings, gallery))
    crops = options.keeps_crops(settings)
    with (
        Gallery.open(place, archive.manifest.origin, create=not dry_run) as opened,
        speaker.progress("people") as progress,
    ):
        done = import_people(
            opened, archive, replace=replace, dry_run=dry_run, crops=crops, progress=progress
        )
    words = "would be added" if dry_run else "added"
    speaker.result(
        f"{done.added} people and {counted(done.templates, 'template')} {words}, {done.there} people there"
    )
    for count, why in (
        (done.removed, "people were removed from this gallery before, and stay removed"),
        (done.elsewhere, "templates are enrolled as somebody else here, and were left out"),
        (done.unset, "external ids are somebody else's here, and were left out"),
    ):
        if count:
            speaker.warn(f"{count} {why}")
    speaker.document({"archive": str(file), "gallery": place, "dry_run": dry_run, **asdict(done)})


def backup_gallery(
    file: Annotated[Path, typer.Argument(help="The copy to write.", show_default=False)],
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Write a copy of a gallery file, with all that is in it, while others use it. The copy is a gallery file."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        opened.backup(file)
    speaker.result(f"{file}: a copy of the gallery")
    speaker.document({"backup": str(file)})
