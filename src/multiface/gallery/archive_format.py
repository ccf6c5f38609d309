"""The archive of a gallery's people, `.mfgallery`: a tar file, the same bytes from either engine.

Members, in this order:

- `manifest.json`: the format's number, whose vectors these are, and how many people and templates follow.
- `people/000000.jsonl`, `vectors/000000.f32`, and so on, up to `CHUNK` people each: a line of JSON for each person, by
  id, with the facts about the templates, oldest first; and their vectors in the same order, d little-endian float32
  each.
- `removed.jsonl`: the ids of people who were removed, one a line, so that no import brings them back.
- `sha256sums`: the sha256 of each member before it, as `sha256sum` writes them.

Numbers of rows, folders, strangers and the change log belong to one gallery and are not in it.
"""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

from multiface.gallery.engine import PictureFacts, VectorOrigin

FORMAT = 1
CHUNK = 1_000
MANIFEST, REMOVED, SUMS = "manifest.json", "removed.jsonl", "sha256sums"


@dataclass(frozen=True, slots=True)
class ArchivedTemplate:
    """A template without its vector; fields as in `engine.Template`."""

    source_digest: str
    source: str
    facts: PictureFacts
    added: str


@dataclass(frozen=True, slots=True)
class ArchivedPerson:
    """A person; fields as in `engine.Person`, but the cover is a position in `templates`."""

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


def expected_members(people: int) -> Sequence[str]:
    """The names of all members but the sums, in their order."""
    chunks = range(-(-people // CHUNK))
    pairs = [name for chunk in chunks for name in (people_member(chunk), vectors_member(chunk))]
    return (MANIFEST, *pairs, REMOVED)


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Write a member; nothing in it but the content depends on when and by whom it is written."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o600
    archive.addfile(info, io.BytesIO(content))
