"""`people strangers`, `people name-stranger`, `people remove-stranger`: those who were seen and have no name."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from multiface.atomic_write import write_whole
from multiface.cli import options
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import opened_gallery
from multiface.cli.settings import Settings
from multiface.errors import UsageError

Number = Annotated[int, typer.Argument(help="The number of a stranger.", min=1, show_default=False)]


def list_strangers(
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", help="A folder to write their pictures to, stranger-NUMBER.jpg.", show_default=False
        ),
    ] = None,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """List unknown people seen by a camera or video, and until when each is kept."""
    speaker = Speaker(as_json, quiet)
    written: dict[int, Path] = {}
    with opened_gallery(gallery) as opened:
        everybody = opened.strangers.list()
        if pictures is not None:
            written = {
                one.number: _write(pictures, one.number, opened.strangers.picture(one.number))
                for one in everybody
            }
    for one in everybody:
        speaker.result(
            f"stranger {one.number}  (seen {counted(one.sightings, 'time') if one.sightings else 'just now'}, "
            f"last {one.last_seen}; "
            f"{'in the album' if one.kept_until.startswith('9999') else f'kept until {one.kept_until}'})"
        )
    speaker.result(counted(len(everybody), "stranger"))
    if pictures is not None:
        speaker.result(f"pictures: {pictures}")
    elif everybody:
        speaker.note(
            "--pictures FOLDER writes their pictures, `people name-stranger NUMBER NAME` gives a name"
        )
    speaker.document(
        {
            "strangers": [
                asdict(one) | ({"picture": str(written[one.number])} if one.number in written else {})
                for one in everybody
            ]
        }
    )


def name_stranger(
    number: Number,
    name: Annotated[
        str, typer.Argument(help="The name, new or of a known person, or an id.", show_default=False)
    ],
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Give a stranger a name, which makes a person like all others."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        crops = options.keeps_crops(Settings.here())
        named, lingering = opened.strangers.name(number, name, crops=crops), opened.lingering
    album = f", {counted(named.faces, 'face')} in the album" if named.faces else ""
    speaker.result(
        f"stranger {number} is now {named.person} ({counted(named.templates, 'template')} added{album})"
    )
    if not named.purged:
        speaker.warn(lingering)
    speaker.document(
        {
            "stranger": number,
            "name": named.person,
            "person": named.id,
            "templates": named.templates,
            "faces": named.faces,
            "purged": named.purged,
        }
    )


def remove_stranger(
    number: Number,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Remove a stranger with picture and vectors."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        purged, lingering = opened.strangers.remove(number), opened.lingering
    speaker.result(f"stranger {number} is removed")
    if not purged:
        speaker.warn(lingering)
    speaker.document({"removed": number, "purged": purged})


def _write(folder: Path, number: int, picture: bytes) -> Path:
    """Write a picture into a folder, which is made if it is not there; its path."""
    path = folder / f"stranger-{number}.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, picture, private=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be written ({error})", path=path) from error
    return path
