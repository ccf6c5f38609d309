"""`Gallery`: the public face of a gallery: enrol, rename, merge, remove, search, check.

Every change is one transaction that is on disk when the method returns. Vectors are searched in a matrix
held in memory, which is read again when this or another process has changed the file.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from multiface.arrays import Floats
from multiface.errors import GalleryError, UsageError
from multiface.gallery import folder_rows, people_rows, stranger_rows
from multiface.gallery.engine import NewTemplate, Person, Template, VectorOrigin
from multiface.gallery.names import clean_name, nearest_name
from multiface.gallery.search import Matrix, Rule, score_people, top_two
from multiface.gallery.sqlite import BUSY_SECONDS, SqliteGallery
from multiface.gallery.strangers import Strangers


@dataclass(frozen=True, slots=True)
class Added:
    """How many templates are new, and how many were already there (same face in the same picture)."""

    added: int
    already_there: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove` did.

    templates: how many were removed with the person.
    purged: whether the removed vectors are gone from the files too. False if another process was reading
        for long; they go at the latest when the last process closes the gallery.
    """

    templates: int
    purged: bool


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who a probe is most like, and who comes second; None and minus infinity where there is nobody."""

    name: str | None
    similarity: float
    runner_up: str | None
    runner_up_similarity: float


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

    Use it in a `with` statement or close it.
    """

    def __init__(self, engine: SqliteGallery) -> None:
        self._engine = engine
        self._database = engine.database
        self._matrix: tuple[tuple[int, int, int], Matrix] | None = None

    @staticmethod
    def open(
        location: str | Path,
        origin: VectorOrigin | None = None,
        *,
        create: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> "Gallery":
        """Open a gallery, and forget the strangers whose time is over.

        Arguments and errors as in `SqliteGallery.open`.
        """
        gallery = Gallery(SqliteGallery.open(location, origin, create=create, busy_seconds=busy_seconds))
        # A file that is damaged or kept locked opens all the same; they go the next time.
        with contextlib.suppress(GalleryError):
            gallery.strangers.forget_expired()
        return gallery

    @property
    def path(self) -> Path:
        """The gallery's file."""
        return self._database.path

    @property
    def origin(self) -> VectorOrigin:
        """Which embedder made the vectors."""
        return self._engine.origin

    @property
    def engine(self) -> SqliteGallery:
        """The file engine, for what runs in a transaction of its own (`folder_import`)."""
        return self._engine

    @property
    def strangers(self) -> Strangers:
        """The people without a name that cameras and videos have met."""
        return Strangers(self._database, self.origin)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._engine.close()

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def people(self) -> tuple[Person, ...]:
        """Everybody, by name."""
        with self._database.reading() as connection:
            return people_rows.people(connection)

    def person(self, name: str) -> Person:
        """The person of this name. Raises GalleryError, with the nearest name, if there is none."""
        with self._database.reading() as connection:
            return self._found(connection, name)

    def templates(self, name: str) -> tuple[Template, ...]:
        """The person's templates, oldest first. Raises GalleryError if there is no such person."""
        with self._database.reading() as connection:
            person = self._found(connection, name)
            return people_rows.templates(connection, person.id, self.origin)

    def add_templates(self, name: str, new: Sequence[NewTemplate]) -> Added:
        """Add templates to a person, who is made if there is none: all of them, or none if one is wrong.

        The same face of the same picture a second time is one template. Raises GalleryError if another
        person has it, or if a vector is not finite, not of unit length (to 1e-3) or not of length d.
        """
        name = clean_name(name)
        if not new:
            return Added(0, 0)
        with self._database.writing() as connection:
            added = people_rows.add_new_templates(connection, name, new, self.origin)
        return Added(added, len(new) - added)

    def rename(self, old: str, new: str) -> None:
        """Give a person another name.

        Raises GalleryError if there is nobody called `old`, or if somebody has the new name already.
        """
        name = clean_name(new)
        with self._database.writing() as connection:
            person = self._found(connection, old)
            other = people_rows.person(connection, name)
            if other is None:
                people_rows.rename(connection, person.id, name)
            elif other.id != person.id:
                raise GalleryError(
                    f"gallery {self.path}: {name!r} is in it already ({other.templates} templates); "
                    f"choose another name, or merge the two if they are one person"
                )

    def merge(self, into: str, from_: str) -> int:
        """Give all templates of `from_` to `into` and remove `from_`; how many there were.

        Raises GalleryError if one of them is not there, UsageError if both are the same person.
        """
        with self._database.writing() as connection:
            kept = self._found(connection, into)
            gone = self._found(connection, from_)
            if kept.id == gone.id:
                raise UsageError(f"merge: {kept.name!r} cannot be merged with itself; name two people")
            moved = people_rows.move_templates(connection, gone.id, kept.id)
            people_rows.remove_person(connection, gone.id)
        return moved

    def remove(self, name: str) -> Removed:
        """Remove a person and all vectors, from the file and its log. GalleryError if not there."""
        with self._database.writing() as connection:
            person = self._found(connection, name)
            people_rows.remove_person(connection, person.id)
            folder_rows.forget_refusals(connection, person.name)
        return Removed(person.templates, self._database.purge_log())

    def matrix(self) -> Matrix:
        """All templates in memory; the same object until the gallery's file changes."""
        with self._database.reading() as connection:
            revision = self._database.revision(connection)
            if self._matrix is None or self._matrix[0] != revision:
                self._matrix = (revision, people_rows.matrix(connection, self.origin))
            return self._matrix[1]

    def search(self, probes: Floats, rule: Rule) -> tuple[Candidates, ...]:
        """The two most similar people for each probe: float32 (q, d) of unit length -> q answers."""
        matrix = self.matrix()
        top = top_two(score_people(probes, matrix, rule))
        return tuple(
            Candidates(
                matrix.names[best] if best >= 0 else None,
                float(score),
                matrix.names[second] if second >= 0 else None,
                float(second_score),
            )
            for best, score, second, second_score in zip(
                top.best, top.best_score, top.runner_up, top.runner_up_score, strict=True
            )
        )

    def check(self) -> Check:
        """Look at everything: SQLite's own checks, references, every vector, every name.

        Damage is reported, not raised; nothing is changed.
        """
        problems: list[str] = []
        everybody: tuple[Person, ...] = ()
        strangers = 0
        try:
            with self._database.reading() as connection:
                for (line,) in connection.execute("PRAGMA integrity_check").fetchall():
                    if line != "ok":
                        problems.append(f"file: {line}")
                for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchall():
                    problems.append(f"{table} row {row}: names a {parent} that is not there")
                problems += people_rows.broken_templates(connection, self.origin)
                problems += stranger_rows.broken_strangers(connection, self.origin)
                everybody = people_rows.people(connection)
                strangers = stranger_rows.count(connection)
        except GalleryError as error:
            problems.append(str(error))
        for person in everybody:
            try:
                if clean_name(person.name) != person.name:
                    problems.append(f"person {person.id}: the name is not in its normal form")
            except UsageError as error:
                problems.append(f"person {person.id}: {error}")
        return Check(
            people=len(everybody),
            templates=sum(person.templates for person in everybody),
            people_without_templates=tuple(person.name for person in everybody if not person.templates),
            problems=tuple(problems),
            strangers=strangers,
        )

    def _found(self, connection: sqlite3.Connection, name: str) -> Person:
        wanted = clean_name(name)
        person = people_rows.person(connection, wanted)
        if person is not None:
            return person
        names = [known.name for known in people_rows.people(connection)]
        near = nearest_name(wanted, names)
        hint = f"did you mean {near!r}?" if near else f"people in it: {len(names)}"
        raise GalleryError(f"gallery {self.path}: there is nobody called {wanted!r}; {hint}")
