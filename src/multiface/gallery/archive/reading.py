"""Reading an archive of people (`format`): all of it is checked before anything of it is used."""

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from multiface.arrays import Floats
from multiface.errors import GalleryError, UsageError
from multiface.gallery.archive.format import (
    CROPS,
    FORMAT,
    MANIFEST,
    REMOVED,
    SUMS,
    ArchivedPerson,
    Manifest,
    crop_members,
    people_member,
    vectors_member,
)
from multiface.gallery.contents import Crop
from multiface.gallery.names import clean_name, clean_text
from multiface.gallery.person_ids import is_id
from multiface.gallery.template_rows import vector_fault
from multiface.images.signature import SIGNATURE_BYTES, PictureKind, picture_kind
from multiface.json_text import parse_json, record_from
from multiface.regular_file import open_regular

LARGEST = 1 << 30
"""Bytes of a member at most; a chunk of 1,000 people is far below."""

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, eq=False)
class PersonWithVectors:
    """A person of an archive, the vectors of the templates, float32 (t, d), and their crops; None for none."""

    person: ArchivedPerson
    vectors: Floats
    crops: tuple[Crop | None, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was found whole."""

    path: Path
    manifest: Manifest
    removed: tuple[str, ...]

    def chunks(self, crops: bool = True) -> Iterator[list[PersonWithVectors]]:
        """The people, chunk by chunk; crops: with their crops.

        Raises GalleryError if the file was changed meanwhile.
        """
        people = b""
        chunk: list[PersonWithVectors] = []
        pictures: dict[str, bytes] = {}
        with _reading(self.path) as members:
            for name, content in members:
                if name.startswith(CROPS) and crops:
                    pictures[name] = content
                elif not name.startswith(CROPS) and chunk:
                    yield [_with_crops(one, pictures) for one in chunk] if crops else chunk
                    chunk, pictures = [], {}
                if name.startswith("people/"):
                    people = content
                elif name.startswith("vectors/"):
                    chunk = _chunk(people, content, self.manifest.origin.dimension)


def opened_archive(path: Path) -> Archive:
    """Read an archive to its end: its members, their sums, every line and every vector.

    Raises GalleryError for a file that is no archive, is damaged, or was written by a newer version.
    """
    sums: list[str] = []
    names: list[str] = []
    removed: tuple[str, ...] = ()
    manifest: Manifest | None = None
    people = templates = 0
    ids: set[str] = set()
    expected: list[str] = [MANIFEST]
    chunks = 0
    told: bytes | None = None
    lines = b""
    with _reading(path) as members:
        for name, content in members:
            if told is not None:
                raise ValueError(f"{name} stands after the sums")
            if name == SUMS:
                told = content
                continue
            names.append(name)
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
            if manifest is None:
                manifest = _manifest(content)
            elif name == REMOVED:
                removed = tuple(_id(parse_json(line)) for line in content.splitlines())
            elif name.startswith("people/"):
                lines = content
            elif name.startswith(CROPS):
                if picture_kind(content[:SIGNATURE_BYTES]) is not PictureKind.JPEG:
                    raise ValueError(f"{name} is no JPEG")
            else:
                expected += [people_member(chunks), vectors_member(chunks)]
                chunks += 1
                for one in _chunk(lines, content, manifest.origin.dimension):
                    people, templates = people + 1, templates + len(one.vectors)
                    if one.person.id in ids:
                        raise ValueError(f"{one.person.id} is in it twice")
                    ids.add(one.person.id)
                    expected += crop_members(one.person)
        if told is None or manifest is None:
            raise ValueError("its end is missing")
        if told.decode("utf-8", "replace") != "".join(sums):
            raise ValueError("what it holds is not what its sha256 sums say")
        if names != [*expected, REMOVED] or (people, templates) != (manifest.people, manifest.templates):
            raise ValueError("a part is missing")
    return Archive(path, manifest, removed)


class _reading:
    """The members of an archive, name and content, in order; whatever is wrong leaves as GalleryError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Iterator[tuple[str, bytes]]:
        try:
            self._file = open_regular(self._path)
        except OSError as error:
            raise UsageError(
                f"{self._path}: cannot be read ({error.strerror or error})", path=self._path
            ) from error
        return self._members(self._file)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if self._file is not None:
            self._file.close()
        if isinstance(error, tarfile.TarError | ValueError | OSError | UsageError):
            why = str(error) or "its end is missing"
            raise GalleryError(
                f"{self._path}: is not an intact archive of people ({why}); nothing was imported",
                path=self._path,
            ) from error

    def _members(self, file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if not member.isreg() or member.size > LARGEST:
                    raise ValueError(f"{member.name}: is not a file, or is too large")
                content = archive.extractfile(member)
                yield member.name, b"" if content is None else content.read()


def _manifest(content: bytes) -> Manifest:
    document = parse_json(content)
    if isinstance(document, dict) and isinstance(document.get("format"), int) and document["format"] > FORMAT:
        raise ValueError(f"a newer MultiFace wrote it (format {document['format']}); update MultiFace")
    return record_from(document, Manifest)


def _chunk(lines: bytes, vectors: bytes, dimension: int) -> list[PersonWithVectors]:
    people = [record_from(parse_json(line), ArchivedPerson) for line in lines.splitlines()]
    count = sum(len(person.templates) for person in people)
    if len(vectors) != 4 * dimension * count:
        raise ValueError("the vectors are not as many as the templates")
    array = np.frombuffer(vectors, "<f4").astype(np.float32).reshape(count, dimension)
    found, at = [], 0
    for person in people:
        _check(person)
        own = array[at : at + len(person.templates)]
        at += len(own)
        for vector in own:
            fault = vector_fault(vector, dimension)
            if fault is not None:
                raise ValueError(f"{person.id}: {fault}")
        found.append(PersonWithVectors(person, own, (None,) * len(own)))
    return found


def _with_crops(one: PersonWithVectors, pictures: dict[str, bytes]) -> PersonWithVectors:
    names = iter(crop_members(one.person))
    if not pictures.keys() >= set(crop_members(one.person)):
        raise ValueError(f"crops of {one.person.id} are missing")
    kinds = [template.crop for template in one.person.templates]
    crops = [None if kind is None else Crop(pictures[next(names)], kind == "aligned") for kind in kinds]
    return replace(one, crops=tuple(crops))


def _check(person: ArchivedPerson) -> None:
    _id(person.id)
    texts = [clean_name(person.name) == person.name, clean_text("note", person.note) == person.note]
    texts += [clean_name(group) == group for group in person.groups]
    if person.external_id is not None:
        texts.append(clean_text("external id", person.external_id) == person.external_id)
    if not all(texts):
        raise ValueError(f"{person.id}: a text is not in its normal form")
    if person.cover is not None and not 0 <= person.cover < len(person.templates):
        raise ValueError(f"{person.id}: the cover is none of the templates")


def _id(value: object) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise ValueError(f"{value!r} is not a person's id")
    return value
