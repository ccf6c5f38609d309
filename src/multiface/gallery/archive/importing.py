"""Taking an archive of people into a gallery, and comparing the two.

Merging adds whoever is not there, by id, and the templates that a person who is there lacks; nothing is taken away and
no name changes. It goes chunk by chunk, each one transaction and one change that can be undone, so that an import that
was cut off is run again and goes on. Replacing removes everybody first; it is one transaction.
Whoever was removed from the gallery stays removed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from multiface.gallery import changes, people_changes, people_rows, template_rows
from multiface.gallery.archive.exporting import archived
from multiface.gallery.archive.format import ArchivedPerson
from multiface.gallery.archive.reading import Archive, PersonWithVectors
from multiface.gallery.clock import utc_now
from multiface.gallery.contents import NewTemplate, Person, VectorOrigin
from multiface.gallery.gallery import Gallery
from multiface.gallery.people_changes import Edit
from multiface.gallery.sql import Connection

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do.

    added: people who were not there. templates: new ones, of everybody. there: people who were there. removed: people
    of the archive who were removed from the gallery, and so left out. elsewhere: templates whose face of that picture
    somebody else has, and so left out. unset: external ids that somebody else has, and so left out.
    """

    added: int
    templates: int
    there: int
    removed: int
    elsewhere: int
    unset: int


class _DryRun(Exception):
    """Undoes the transaction that it leaves."""


def import_people(
    gallery: Gallery,
    archive: Archive,
    *,
    replace: bool = False,
    dry_run: bool = False,
    crops: bool = True,
    progress: Progress | None = None,
) -> Imported:
    """Take an archive in. dry_run: say what it would do, and change nothing. crops: with the crops that are in it.
    progress: people done, and all.

    Raises FingerprintMismatch for vectors that cannot be compared with the gallery's, GalleryError.
    """
    gallery.must_hold(archive.manifest.origin)
    counts: Counter[str] = Counter()
    done = 0
    database = gallery.database
    if replace or dry_run:
        try:
            with database.writing() as connection:
                if replace:
                    _remove_everybody(connection)
                for chunk in archive.chunks(crops):
                    _take(connection, chunk, gallery.origin, gallery.place, counts)
                _remember_removed(connection, archive.removed)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            pass
        else:
            database.purge_log()
    else:
        for chunk in archive.chunks(crops):
            with database.writing() as connection:
                _take(connection, chunk, gallery.origin, gallery.place, counts)
            done += len(chunk)
            if progress is not None:
                progress(done, archive.manifest.people)
        with database.writing() as connection:
            _remember_removed(connection, archive.removed)
    names = ("added", "templates", "there", "removed", "elsewhere", "unset")
    return Imported(**{name: counts[name] for name in names})


def differences(gallery: Gallery, archive: Archive) -> list[str]:
    """In what a gallery's people are not those of an archive, a line each; none if they are the same."""
    gallery.must_hold(archive.manifest.origin)
    found: list[str] = []
    with gallery.database.reading() as connection:
        rest = {person.id: person for person in people_rows.people(connection)}
        for chunk in archive.chunks():
            for one in chunk:
                person = rest.pop(one.person.id, None)
                if person is None:
                    found.append(f"{one.person.name} ({one.person.id}): only in the archive")
                    continue
                own = template_rows.templates(connection, person.number, gallery.origin)
                kinds = template_rows.kinds_of_crops(connection, person.number)
                crops = tuple(template_rows.crop(connection, template.id) for template in own)
                if archived(person, own, {}) != _without_crops(one.person):
                    found.append(f"{person.name} ({person.id}): differs")
                elif b"".join(one.vector.tobytes() for one in own) != one.vectors.tobytes():
                    found.append(f"{person.name} ({person.id}): a vector differs")
                elif archived(person, own, kinds) != one.person or crops != one.crops:
                    found.append(f"{person.name} ({person.id}): a crop differs")
    return found + [f"{person.name} ({person.id}): only in the gallery" for person in rest.values()]


def _take(
    connection: Connection,
    chunk: list[PersonWithVectors],
    origin: VectorOrigin,
    place: str,
    counts: Counter[str],
) -> None:
    added: list[int] = []
    made: list[str] = []
    people: set[str] = set()
    for one in chunk:
        if changes.was_removed(connection, one.person.id):
            counts["removed"] += 1
            continue
        known = people_rows.person_of_id(connection, one.person.id)
        person = known or _made(connection, one, place, counts)
        counts["there" if known else "added"] += 1
        new, own = _templates(connection, one, person, origin, counts)
        if known is None:
            made.append(person.id)
            cover = None if one.person.cover is None else own[one.person.cover]
            if cover is not None:
                people_rows.set_cover(connection, person.number, cover)
        if new or known is None:
            people.add(person.id)
        added += new
    counts["templates"] += len(added)
    people_changes.record_enrolment(connection, added, made, people)


def _made(connection: Connection, one: PersonWithVectors, place: str, counts: Counter[str]) -> Person:
    archived = one.person
    person = people_rows.add_person(connection, archived.name, archived.id, archived.created)
    external = archived.external_id
    if external is not None and people_rows.person_of_external_id(connection, external) is not None:
        counts["unset"] += 1
        external = None
    people_changes.set_known(connection, person, Edit(external, archived.note, archived.groups, None), place)
    return person


def _templates(
    connection: Connection,
    one: PersonWithVectors,
    person: Person,
    origin: VectorOrigin,
    counts: Counter[str],
) -> tuple[list[int], list[int | None]]:
    """The ids of the templates that are new, and for each of the archive's the id it has here."""
    new: list[int] = []
    own: list[int | None] = []
    for template, vector, crop in zip(one.person.templates, one.vectors, one.crops, strict=True):
        wanted = NewTemplate(vector, template.source_digest, template.source, template.facts, crop)
        there = template_rows.same_face(connection, wanted, origin)
        if there is None:
            new.append(template_rows.add_template(connection, person.number, wanted, origin, template.added))
            own.append(new[-1])
        elif there.person == person.number:
            own.append(there.id)
        else:
            counts["elsewhere"] += 1
            own.append(None)
    return new, own


def _without_crops(person: ArchivedPerson) -> ArchivedPerson:
    return replace(person, templates=tuple(replace(one, crop=None) for one in person.templates))


def _remove_everybody(connection: Connection) -> None:
    for table in ("person", "change"):
        connection.execute(f"DELETE FROM {table}")


def _remember_removed(connection: Connection, removed: tuple[str, ...]) -> None:
    """Whoever was removed elsewhere and is not here is not to come back here either."""
    for person in removed:
        if people_rows.person_of_id(connection, person) is None:
            connection.execute(
                "INSERT INTO removed_person (person, removed) VALUES (?, ?) ON CONFLICT (person) DO NOTHING",
                (person, utc_now()),
            )
