"""The archive of a gallery's people, `.mfgallery`: a tar file, the same bytes from a file and from PostgreSQL.

Members, in this order:

- `manifest.json`: the format's number, whose vectors these are, and how many people and templates follow.
- `people/000000.jsonl`, `vectors/000000.f32`, and so on, up to `CHUNK` people each: a line of JSON for each person, by
  id, with the facts about the templates, oldest first; and their vectors in the same order, d little-endian float32
  each.
- `crops/p_4k7qx0m2v9dre8hs/000.jpg`, and so on, after the vectors of a chunk: the crops that are kept of its people's
  templates, by the person's id and the template's place in the line. "crop" in the line says which templates have one:
  "aligned" or "picture" (`contents.Crop`), else null.
- `removed.jsonl`: the ids of people who were removed, one a line, so that no import brings them back.
- `sha256sums`: the sha256 of each member before it, as `sha256sum` writes them.

Numbers of rows, folders, strangers and the change log belong to one gallery and are not in it. Format 1 was the same
without crops.
"""

import io
import tarfile
from dataclasses import dataclass
from typing import Literal

from multiface.gallery.contents import PictureFacts, VectorOrigin

FORMAT = 2
CHUNK = 1_000
MANIFEST, REMOVED, SUMS = "manifest.json", "removed.jsonl", "sha256sums"
CROPS = "crops/"
"""How the names of crops begin."""


@dataclass(frozen=True, slots=True)
class ArchivedTemplate:
    """A template without its vector; fields as in `contents.Template`. crop: the kind of its crop; None for none."""

    source_digest: str
    source: str
    facts: PictureFacts
    added: str
    crop: Literal["aligned", "picture"] | None = None


@dataclass(frozen=True, slots=True)
class ArchivedPerson:
    """A person; fields as in `contents.Person`, but the cover is a position in `templates`."""

    id: str
    name: str
    created: str
    external_id: str | None
    note: str
    groups: tuple[str, ...]
    cover: int | None
    templates: tuple[ArchivedTemplate, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first member. people, templates: how many follow."""

    format: int
    origin: VectorOrigin
    people: int
    templates: int


def people_member(chunk: int) -> str:
    """The name of a chunk's people."""
    return f"people/{chunk:06}.jsonl"


def vectors_member(chunk: int) -> str:
    """The name of a chunk's vectors."""
    return f"vectors/{chunk:06}.f32"


def crop_members(person: ArchivedPerson) -> list[str]:
    """The names of a person's crops."""
    return [
        f"{CROPS}{person.id}/{number:03}.jpg"
        for number, template in enumerate(person.templates)
        if template.crop is not None
    ]


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Write a member; nothing in it but the content depends on when and by whom it is written."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o600
    archive.addfile(info, io.BytesIO(content))
