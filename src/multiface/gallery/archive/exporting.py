"""Writing a gallery's people as an archive (`format`): one moment of the gallery, chunk by chunk."""

import hashlib
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from multiface.atomic_write import whole_file
from multiface.errors import UsageError
from multiface.gallery import people_rows, template_rows
from multiface.gallery.archive.format import (
    CHUNK,
    FORMAT,
    MANIFEST,
    REMOVED,
    SUMS,
    ArchivedPerson,
    ArchivedTemplate,
    Manifest,
    add_member,
    crop_members,
    people_member,
    vectors_member,
)
from multiface.gallery.contents import Person, Template
from multiface.gallery.gallery import Gallery
from multiface.gallery.sql import Connection
from multiface.json_text import document_of


def export_people(gallery: Gallery, path: Path) -> Manifest:
    """Write everybody to a file, which only its owner may read; it is there whole or not at all.

    Raises GalleryError if the gallery cannot be read, UsageError if the file cannot be written.
    """
    try:
        with (
            whole_file(path, private=True) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive,
            gallery.database.reading() as connection,
        ):
            return _write(gallery, connection, archive)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be written ({error})", path=path) from error


def _write(gallery: Gallery, connection: Connection, archive: tarfile.TarFile) -> Manifest:
    sums: list[str] = []

    def add(name: str, content: bytes) -> None:
        add_member(archive, name, content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")

    everybody = sorted(people_rows.people(connection), key=lambda person: person.id)
    templates = sum(person.templates for person in everybody)
    manifest = Manifest(FORMAT, gallery.origin, len(everybody), templates)
    add(MANIFEST, (json.dumps(document_of(manifest), indent=1, sort_keys=True) + "\n").encode())
    for chunk, at in enumerate(range(0, len(everybody), CHUNK)):
        lines, vectors = [], []
        with_crops: list[tuple[ArchivedPerson, list[int]]] = []
        for person in everybody[at : at + CHUNK]:
            own = template_rows.templates(connection, person.number, gallery.origin)
            one = archived(person, own, template_rows.kinds_of_crops(connection, person.number))
            lines.append(_line(document_of(one)))
            vectors += [template.vector.astype("<f4").tobytes() for template in own]
            with_crops.append((one, [template.id for template in own]))
        add(people_member(chunk), b"".join(lines))
        add(vectors_member(chunk), b"".join(vectors))
        for one, ids in with_crops:
            kept = [number for number, template in zip(ids, one.templates, strict=True) if template.crop]
            for name, number in zip(crop_members(one), kept, strict=True):
                crop = template_rows.crop(connection, number)
                add(name, b"" if crop is None else crop.picture)
    removed = connection.execute("SELECT person FROM removed_person ORDER BY person").fetchall()
    add(REMOVED, b"".join(_line(str(person)) for (person,) in removed))
    add_member(archive, SUMS, "".join(sums).encode())
    return manifest


def archived(person: Person, templates: tuple[Template, ...], crops: Mapping[int, bool]) -> ArchivedPerson:
    """A person as the archive has it. crops: for the ids of templates with a crop, whether it is aligned."""
    ids = [template.id for template in templates]
    return ArchivedPerson(
        person.id,
        person.name,
        person.created,
        person.external_id,
        person.note,
        person.groups,
        ids.index(person.cover) if person.cover in ids else None,
        tuple(
            ArchivedTemplate(one.source_digest, one.source, one.facts, one.added, _kind(crops.get(one.id)))
            for one in templates
        ),
    )


def _kind(aligned: bool | None) -> Literal["aligned", "picture"] | None:
    return None if aligned is None else "aligned" if aligned else "picture"


def _line(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n").encode()
