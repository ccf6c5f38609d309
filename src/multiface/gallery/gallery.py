"""`Gallery`: the public face of a gallery: enrol, rename, merge, remove, search, check.

Every change is one transaction that is on disk when the method returns. Vectors are searched in a matrix
held in memory, which is brought up to date when this or another process has changed the gallery.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import get_args

import numpy as np

from multiface.arrays import Floats, Ints
from multiface.errors import FingerprintMismatch, GalleryError, UsageError
from multiface.gallery import (
    album_faces,
    changes,
    people_changes,
    people_index,
    people_rows,
    reembed_rows,
    stranger_rows,
    template_rows,
    undoing,
)
from multiface.gallery.changes import Change
from multiface.gallery.connection import is_postgres
from multiface.gallery.contents import Crop, NewTemplate, Person, Template, VectorOrigin
from multiface.gallery.database import GalleryDatabase, Revision
from multiface.gallery.matrix import Matrix
from multiface.gallery.memory_copy import MemoryCopy
from multiface.gallery.names import clean_name, some_text
from multiface.gallery.nearest import exact_similarities, nearest_people
from multiface.gallery.origin_rows import require_same_embedder
from multiface.gallery.person_ids import is_id
from multiface.gallery.postgres import PostgresGallery
from multiface.gallery.reembed_rows import Reembedding
from multiface.gallery.search import Rule, score_people, top_two
from multiface.gallery.sqlite import BUSY_SECONDS, SqliteGallery
from multiface.gallery.strangers import Strangers

_PARTS = 8
"""Matrices of groups of people that are held at the same time."""


@dataclass(frozen=True, slots=True)
class Added:
    """How many templates are new, and how many were already there (same face in the same picture).

    person: the id of the person who has them; "" if none was given.
    """

    added: int
    already_there: int
    person: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove` did.

    templates: how many were removed with the person. faces: of the person in the album, which are removed too.
    purged: whether the removed vectors are gone from the files too. False if another process was reading
        for long; they go at the latest when the last process closes the gallery.
    """

    templates: int
    purged: bool
    faces: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who a probe is most like, and who comes second; None and minus infinity where there is nobody.

    name, runner_up: for people to read. person, runner_up_person: ids.
    """

    name: str | None
    similarity: float
    runner_up: str | None
    runner_up_similarity: float
    person: str | None
    runner_up_person: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """The result of looking at everything in a gallery; `problems` is empty if all is well."""

    people: int
    templates: int
    people_without_templates: tuple[str, ...]
    problems: tuple[str, ...]
    strangers: int


class Gallery:
    """People and their templates. Threads may share one, and so may forked children; other processes open their own.

    Use it in a `with` statement or close it. After a switch to other weights (`reembed`), by whomever, every use raises
    FingerprintMismatch: open it again.
    """

    def __init__(self, opened: SqliteGallery | PostgresGallery | MemoryCopy) -> None:
        self._opened = opened
        self._database: GalleryDatabase = opened.database
        self._known: tuple[Revision, people_index.Known] | None = None
        self._parts: dict[tuple[str, ...], tuple[Matrix, Ints, Matrix]] = {}

    @staticmethod
    def open(
        location: str | Path,
        origin: VectorOrigin | None = None,
        *,
        create: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> "Gallery":
        """Open a gallery, and forget the strangers and the changes whose time is over.

        location: a path, `sqlite:///path` or `postgresql://user@host/database`.
        origin: the embedder in use; None to take whatever the gallery holds (listing, renaming, removing).
        create: make the gallery if there is none; needs an origin.
        busy_seconds: how long to wait for another process that writes.

        Raises GalleryError if there is no gallery or it cannot be read, FingerprintMismatch if it holds
        vectors of another embedder or with the other choice of mirror images, ExtraMissing for a PostgreSQL URL
        without psycopg.
        """
        opened = PostgresGallery.open if is_postgres(location) else SqliteGallery.open
        gallery = Gallery(opened(location, origin, create=create, busy_seconds=busy_seconds))
        # A file that is damaged or kept locked opens all the same; they go the next time.
        with contextlib.suppress(GalleryError):
            gallery.strangers.forget_expired()
            gallery.forget_old_changes()
        return gallery

    def in_memory(self) -> "Gallery":
        """A copy in memory, without pictures of faces: what is changed in it leaves this gallery as it is."""
        return Gallery(MemoryCopy(self._database, self.origin))

    @property
    def path(self) -> Path:
        """The gallery's file. Raises UsageError for one in PostgreSQL."""
        if is_postgres(self.location):
            raise UsageError(f"{self.place}: is no file")
        return Path(self.location)

    @property
    def place(self) -> str:
        """The gallery as messages begin, without a password."""
        return self._database.place

    @property
    def location(self) -> str:
        """What opens it again: a path, or a URL with the password if it has one."""
        return self._database.location

    @property
    def lingering(self) -> str:
        """What to say of removed vectors that are not gone from every byte yet (`Removed.purged`)."""
        return self._database.lingering

    def is_there(self) -> bool:
        """Whether the gallery still is where it was opened."""
        return self._database.is_there()

    @property
    def origin(self) -> VectorOrigin:
        """Which embedder made the vectors."""
        return self._opened.origin

    def must_hold(self, origin: VectorOrigin) -> None:
        """Raises FingerprintMismatch unless vectors of this origin can be compared with those it holds."""
        require_same_embedder(self.place, self.origin, origin)

    @property
    def database(self) -> GalleryDatabase:
        """The database, for what runs in a transaction of its own (`folder_import`)."""
        return self._database

    @property
    def strangers(self) -> Strangers:
        """The people without a name that cameras and videos have met."""
        return Strangers(self._database, self.origin)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._opened.close()

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def people(self, group: str | None = None) -> tuple[Person, ...]:
        """Everybody, or those of a group, by name."""
        with self._database.reading() as connection:
            return people_rows.people(connection, group)

    def people_page(
        self,
        most: int,
        after: tuple[str, int] | None = None,
        part: str | None = None,
        groups: Sequence[str] = (),
    ) -> tuple[Person, ...]:
        """Some people by name and then by age: at most so many, behind the one of a name and number.

        part: of the name, whatever the case of its ASCII letters. groups: only members of one of these; none for
        everybody.
        """
        with self._database.reading() as connection:
            return people_rows.page(connection, most, after, part, groups)

    def named(self, name: str) -> tuple[Person, ...]:
        """Those of this name, oldest first; none, one or several."""
        with self._database.reading() as connection:
            return people_rows.people_of_name(connection, clean_name(name))

    def person(self, who: str) -> Person:
        """The person of this id or name.

        Raises GalleryError, with the nearest name, if there is none, AmbiguousName if several have the name. So does
        every method that takes a person.
        """
        with self._database.reading() as connection:
            return people_rows.found(connection, who, self.place)

    def person_of_external_id(self, external_id: str) -> Person | None:
        """The person whom another system calls so; None if there is none."""
        with self._database.reading() as connection:
            return people_rows.person_of_external_id(connection, external_id)

    def templates(self, who: str) -> tuple[Template, ...]:
        """A person's templates, oldest first."""
        with self._database.reading() as connection:
            person = people_rows.found(connection, who, self.place)
            return template_rows.templates(connection, person.number, self.origin)

    def crop(self, template: int) -> Crop | None:
        """The face of a template, by its id; None where none is kept."""
        with self._database.reading() as connection:
            return template_rows.crop(connection, template)

    def forget_crops(self) -> Removed:
        """Delete the crops of everybody; vectors and all else stay. How many there were, as `Removed.templates`."""
        with self._database.writing() as connection:
            count = template_rows.forget_crops(connection)
        return Removed(count, self._database.purge_log())

    def add_templates(
        self,
        who: str,
        new: Sequence[NewTemplate],
        *,
        another: bool = False,
        groups: Iterable[str] = (),
    ) -> Added:
        """Add templates to a person: all of them, or none if one is wrong.

        who: an id, or a name; if nobody has the name a person is made. another: make one even if somebody has it.
        groups: of a person who is made. The same face of the same picture a second time is one template. Raises
        GalleryError if another person has it, or if a vector is not finite, not of unit length (to 1e-3) or not of
        length d.
        """
        by_id = is_id(some_text(who).strip())
        name = who if by_id else clean_name(who)
        if by_id and another:
            raise UsageError(f"{who}: another person needs a name, not an id", name=who)
        if not new:
            return Added(0, 0)
        with self._database.writing() as connection:
            person, added = people_changes.enrol(
                connection,
                name,
                new,
                self.origin,
                self.place,
                by_id=by_id,
                another=another,
                groups=[clean_name(group) for group in groups],
            )
        return Added(added, len(new) - added, person.id)

    def rename(self, who: str, new: str, *, another: bool = False) -> None:
        """Give a person another name. another: even if somebody has it.

        Raises GalleryError if somebody else has the new name already, unless `another`.
        """
        name = clean_name(new)
        with self._database.writing() as connection:
            people_changes.rename(connection, who, name, self.place, another=another)

    def edit(
        self,
        who: str,
        *,
        external_id: str | None = None,
        note: str | None = None,
        groups: Iterable[str] | None = None,
        cover: int | None = None,
    ) -> Person:
        """Change what is known of a person besides the name: what is not None. The person as it is then.

        external_id: what another system calls the person, unique in the gallery; "" for nothing. note: free text.
        groups: the names of all groups the person is in from now on. cover: the id of one of the person's templates;
        0 for no choice.

        Raises GalleryError if another person has the external id, or if the person has no such template; UsageError
        for a text that cannot be stored.
        """
        wanted = people_changes.wanted_edit(external_id, note, groups, cover)
        with self._database.writing() as connection:
            return people_changes.edit(connection, who, wanted, self.place)

    def merge(self, into: str, from_: str) -> int:
        """Give all templates of `from_` to `into` and remove `from_`; how many there were.

        `into` keeps its name, note, external id and cover, and is in the groups of both. Raises UsageError if both are
        the same person.
        """
        with self._database.writing() as connection:
            return people_changes.merge(connection, into, from_, self.place)

    def split(
        self,
        who: str,
        templates: Iterable[int],
        name: str,
        *,
        another: bool = False,
        groups: Iterable[str] = (),
    ) -> Person:
        """Give some of a person's templates, by their ids, to the person of another name, who is made if need be.

        another: make a person of this name even if somebody has it. groups: of a person who is made. That person, as
        it is then. Raises GalleryError if
        the person has no such template, UsageError if none would be left or none is named.
        """
        cleaned, chosen, own = clean_name(name), list(templates), [clean_name(group) for group in groups]
        with self._database.writing() as connection:
            return people_changes.split(
                connection, who, chosen, cleaned, self.place, another=another, groups=own
            )

    def remove(self, who: str) -> Removed:
        """Remove a person and all vectors, from the file and its log, with the person's faces in the album and all
        changes about the person.

        This is final. Only the id stays, so that no import brings the person back.
        """
        with self._database.writing() as connection:
            person, faces = people_changes.remove(connection, who, self.place)
        return Removed(person.templates, self._database.purge_log(), faces)

    def changes(self, who: str | None = None, most: int = 100) -> tuple[Change, ...]:
        """The last changes, newest first; all, or those about one person. They are kept for 30 days.

        who: a name, or an id, also of somebody who was merged into another.
        """
        with self._database.reading() as connection:
            person = None if who is None else who.strip()
            if person is not None and not is_id(person):
                person = people_rows.found(connection, person, self.place).id
            return changes.changes(connection, most, person)

    def forget_old_changes(self) -> None:
        """Forget the changes that are kept no longer. Opening a gallery does it."""
        with self._database.reading() as connection:
            if not changes.have_expired(connection):
                return
        with self._database.writing() as connection:
            changes.forget_expired(connection)
        self._database.purge_log()

    def undo(self, change: int) -> Change:
        """Undo the change of this id, as far as what it made is still there; the change.

        Raises GalleryError if there is no such change (they are kept for 30 days), if it was undone, or if a later
        change stands in the way.
        """
        with self._database.writing() as connection:
            undone = undoing.undo(connection, change, self.origin, self.place)
        self._database.purge_log()
        return undone

    def backup(self, path: Path) -> None:
        """Write a copy of the gallery file, as it is at one moment, to a file that only its owner may read.

        Raises UsageError if the file cannot be written, NotAvailable for PostgreSQL, whose own tools make backups.
        """
        self._database.backup(path)

    def matrix(self, groups: str | Iterable[str] = ()) -> Matrix:
        """Everybody with all templates, in memory; the same object until the gallery changes.

        groups: only the people who are in one of these; none named, everybody.
        """
        matrix = self.index().matrix
        named = (groups,) if isinstance(groups, str) else groups
        wanted = tuple(sorted({clean_name(group) for group in named}))
        if not wanted:
            return matrix
        with self._database.reading() as connection:
            numbers = np.array(people_rows.in_groups(connection, wanted), np.int64)
        known = self._parts.get(wanted)
        if known is None or known[0] is not matrix or not np.array_equal(known[1], numbers):
            known = (matrix, numbers, matrix.of_people(numbers))
            self._parts = {**dict(list(self._parts.items())[-_PARTS + 1 :]), wanted: known}
        return known[2]

    def index(self) -> people_index.Known:
        """The matrix, and up to which row of the list of touched people it is right."""
        with self._database.reading() as connection:
            revision = self._database.revision(connection)
            known = self._known
            if known is None or known[0].connection != revision.connection:
                now = people_index.read_all(connection, self.origin)
            elif known[0] == revision:
                return known[1]
            else:
                now = people_index.brought_up_to_date(connection, known[1], self.origin)
            self._known = (revision, now)
            return now

    def search(self, probes: Floats, rule: Rule) -> tuple[Candidates, ...]:
        """The two most similar people for each probe: float32 (q, d) of unit length -> q answers.

        Nothing is decided and no rate is stated, so it answers in galleries of any size.

        Raises UsageError for other probes, and another rule than "mean", "max" and "both".
        """
        if not isinstance(rule, str) or rule not in get_args(Rule):
            raise UsageError(f"a rule is one of {', '.join(get_args(Rule))}, not {rule!r}")
        length = self.origin.dimension
        if not isinstance(probes, np.ndarray) or probes.dtype != np.float32 or probes.shape[1:] != (length,):
            raise UsageError(f"probes are an array float32 (q, {length})")
        matrix = self.matrix()
        everybody = np.arange(len(matrix), dtype=np.intp)
        at = nearest_people(probes, matrix, 2) if rule == "mean" else everybody
        few = len(at) < len(matrix)
        top = top_two(exact_similarities(probes, matrix, at) if few else score_people(probes, matrix, rule))
        return tuple(
            Candidates(
                matrix.names[at[best]] if best >= 0 else None,
                float(score),
                matrix.names[at[second]] if second >= 0 else None,
                float(second_score),
                matrix.ids[at[best]] if best >= 0 else None,
                matrix.ids[at[second]] if second >= 0 else None,
            )
            for best, score, second, second_score in zip(
                top.best, top.best_score, top.runner_up, top.runner_up_score, strict=True
            )
        )

    def reembedding(self) -> Reembedding | None:
        """How far `reembed` is, which makes new vectors with other weights; None where nothing is under way."""
        with self._database.reading() as connection:
            return reembed_rows.state(connection)

    def cancel_reembedding(self) -> bool:
        """Give up what `reembed` began, and forget the new vectors; False if nothing was under way."""
        with self._database.writing() as connection:
            if reembed_rows.state(connection) is None:
                return False
            reembed_rows.end(connection)
        self._database.purge_log()
        return True

    def check(self) -> Check:
        """Look at everything: SQLite's own checks, references, every vector, every name.

        Damage is reported, not raised; nothing is changed.
        """
        problems: list[str] = []
        everybody: tuple[Person, ...] = ()
        strangers = 0
        try:
            with self._database.reading() as connection:
                problems += self._database.faults(connection)
                problems += template_rows.broken_templates(connection, self.origin)
                problems += stranger_rows.broken_strangers(connection, self.origin)
                problems += album_faces.broken_faces(connection, self.origin)
                everybody = people_rows.people(connection)
                strangers = stranger_rows.count(connection)
        except FingerprintMismatch:
            raise
        except GalleryError as error:
            problems.append(str(error))
        for person in everybody:
            try:
                if clean_name(person.name) != person.name:
                    problems.append(f"person {person.number}: the name is not in its normal form")
            except UsageError as error:
                problems.append(f"person {person.number}: {error}")
        return Check(
            people=len(everybody),
            templates=sum(person.templates for person in everybody),
            people_without_templates=tuple(person.name for person in everybody if not person.templates),
            problems=tuple(problems),
            strangers=strangers,
        )
