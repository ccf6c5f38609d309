"""A folder of pictures into a gallery, and again later: only what is new or changed is embedded.

Layout: `FOLDER/NAME/...` holds pictures of NAME, at any depth; a picture directly in the folder is one of
the person named after it, `FOLDER/obama.jpg` of "obama". Both may be mixed.

A file whose size and time of change are those of the last run is taken as unchanged; else its sha256
decides. A known content in a new place is never embedded again: it was moved (also to another person, if
the old place is empty now) or copied. A folder that is gone keeps nothing: where its pictures are found in
another one, they moved. What was refused for a lasting reason is remembered with it and tried again only when
the file changes or another detector is in use. Results are committed batch by batch, so that a run that is
cut off loses nothing it has reported.

A person who was renamed or merged in the gallery stays so: new pictures in the folder follow.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from multiface.errors import AmbiguousName, UsageError
from multiface.gallery import folder_rows, people_changes, people_rows, template_rows
from multiface.gallery.clock import modified_ns
from multiface.gallery.contents import NewTemplate, Person, PictureNote
from multiface.gallery.folder_rows import FolderRow
from multiface.gallery.folder_vanished import content_is_gone, drop_with_template, folder_is_gone
from multiface.gallery.gallery import Gallery
from multiface.gallery.names import clean_name
from multiface.gallery.sql import Connection
from multiface.images.listing import list_pictures
from multiface.images.path_text import path_text
from multiface.regular_file import open_regular

BATCH = 32
"""Pictures handed to the callback at once."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A picture that gave no template.

    reason: why, for people to read; without the picture's path, which is said beside it.
    lasting: whether the same content must end so again with the same detector; if not, the picture is tried
        again in the next run (a file that may not be read, a package that is missing).
    """

    reason: str
    lasting: bool = True


Outcome = NewTemplate | Refusal
Embed = Callable[[Sequence[Path]], Iterable[tuple[Path, Outcome]]]


@dataclass(frozen=True, slots=True)
class FolderProgress:
    """Told after each commit. done, total: pictures to look at; kept: paths that are on disk since the last.

    Paths are relative to the folder, with forward slashes.
    """

    done: int
    total: int
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusedPicture:
    """A picture that is no template. new: found in this run; else remembered from an earlier one."""

    path: str
    reason: str
    new: bool


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What a run did. Paths are relative to the folder, with forward slashes.

    people: names, as in the gallery, of all who have a picture here.
    without_picture: names, as in the folder, of those who have none that could be used.
    embedded: pictures handed to the callback.
    added: new files that became templates. changed: known files with new content that did.
    copies: new places of a content that the same person has elsewhere. moved: new places of one that was
        somewhere else before.
    unchanged: files as in the last run.
    vanished: pictures that are not there any more; their templates stay unless pruned.
    removed: templates removed, because their picture changed or (pruned) vanished.
    refused: pictures that gave no template, also from earlier runs.
    passed_over: files that are no pictures.
    notes: about pictures that became templates in this run and had several faces, or lay on their side.
    """

    people: tuple[str, ...]
    without_picture: tuple[str, ...]
    embedded: int
    added: int
    changed: int
    copies: int
    moved: int
    unchanged: int
    vanished: tuple[str, ...]
    removed: int
    refused: tuple[RefusedPicture, ...]
    passed_over: tuple[str, ...]
    notes: tuple[PictureNote, ...]


def sync_folder(
    gallery: Gallery,
    folder: Path,
    embed: Embed,
    *,
    detector: str = "",
    progress: Callable[[FolderProgress], None] | None = None,
    prune: bool = False,
    if_all_are_meant: str = "remove the people by name",
) -> FolderReport:
    """Bring a gallery up to date with a folder.

    embed: is given up to `BATCH` paths and yields each of them with a `NewTemplate` or a `Refusal`, in any
        order. What it raises ends the run; earlier batches stay.
    detector: which detector (and settings) `embed` uses, as a text; pictures refused by another one are
        tried again.
    prune: remove the templates of vanished pictures, and people who have none left. Only templates that a
        folder brought in are ever removed.
    if_all_are_meant: what to do, for people to read, if everybody would be pruned and that is wanted.

    Raises UsageError if `folder` is not a folder, or is empty and everybody in it would be pruned; GalleryError
    if the gallery cannot be written.
    """
    if not folder.is_dir():
        raise UsageError(
            f"people folder {folder}: there is no such folder",
            hint="give one with a folder per person",
            path=folder,
        )
    run = _Run(gallery, folder, embed, detector, progress)
    run.look()
    if prune:
        run.refuse_to_prune_all(if_all_are_meant)
    run.settle_known()
    run.embed_rest()
    run.remove_stale(prune)
    return run.report()


@dataclass(slots=True)
class _Picture:
    """A file in the folder.

    person: the folder's name for the person; name: the same as the gallery would keep it. number: of the person in
    the gallery who has the folder's earlier pictures; None where there are none, or several have them.
    """

    path: Path
    key: str
    person: str
    name: str
    number: int | None
    size: int
    modified_ns: int
    digest: str


@dataclass(slots=True)
class _Enrolled:
    """What one transaction brings in: ids of templates, of people made, and of all people who have the templates."""

    templates: list[int] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    people: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Run:
    gallery: Gallery
    folder: Path
    embed: Embed
    detector: str
    progress: Callable[[FolderProgress], None] | None
    root: str = ""
    persons: set[str] = field(default_factory=set)
    rows: dict[tuple[str, str], FolderRow] = field(default_factory=dict)  # what was known: (path, digest)
    here: dict[str, _Picture] = field(default_factory=dict)  # every usable file, by path
    open: list[_Picture] = field(default_factory=list)  # not decided yet
    refused: list[RefusedPicture] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    done: int = 0
    total: int = 0
    vanished: list[str] = field(default_factory=list)
    notes: list[PictureNote] = field(default_factory=list)
    gone_folders: dict[str, bool] = field(default_factory=dict)  # other folders, asked once
    enrolled: _Enrolled = field(default_factory=_Enrolled)

    def look(self) -> None:
        """List the folder, compare with what is known, hash what may have changed."""
        self.root = path_text(self.folder.resolve())
        with self.gallery.database.reading() as connection:
            rows = folder_rows.rows_of(connection, self.root)
            numbers = folder_rows.people_numbers(connection, self.root)
        self.rows = {(row.path, row.digest): row for row in rows}
        by_path: dict[str, list[FolderRow]] = {}
        for row in rows:
            by_path.setdefault(row.path, []).append(row)
        listing = list_pictures(self.folder)
        self.passed_over = sorted(self._key(path) for path in listing.ignored)
        self.unreadable = {self._key(path) for path in listing.ignored if not _readable(path)}
        try:
            folders = [entry.name for entry in self.folder.iterdir() if entry.is_dir()]
        except OSError as error:
            raise UsageError(
                f"people folder {self.root}: cannot be read: {error.strerror}", path=self.root
            ) from error
        self.persons = {path_text(name) for name in folders if not name.startswith(".")}
        self.total = len(listing.pictures)
        touched: list[_Picture] = []
        for path in listing.pictures:
            self._look_at(path, by_path, numbers, touched)
        if touched:
            with self.gallery.database.writing() as connection:
                for picture in touched:
                    row = self.rows[picture.key, picture.digest]
                    row = replace(row, size=picture.size, modified_ns=picture.modified_ns)
                    folder_rows.touch(connection, row)
        self._tell([])

    def settle_known(self) -> None:
        """Decide what needs no embedding: known refusals, moves, copies, pictures another person has."""
        waiting, self.open = self.open, []
        for at in range(0, len(waiting), 16 * BATCH):
            kept: list[str] = []
            batch = waiting[at : at + 16 * BATCH]
            unsettled = len(self.open)
            with self.gallery.database.writing() as connection:
                for picture in batch:
                    if not self._settle(connection, picture, kept):
                        self.open.append(picture)
            self.done += len(batch) - (len(self.open) - unsettled)
            self._tell(kept)

    def embed_rest(self) -> None:
        """Embed what is left, one picture for each content, batch by batch."""
        waiting: dict[str, list[_Picture]] = {}
        for picture in self.open:
            waiting.setdefault(picture.digest, []).append(picture)
        while waiting:
            batch = list(itertools.islice(waiting, BATCH))
            outcomes = self._embedded([waiting[digest].pop(0) for digest in batch])
            kept: list[str] = []
            decided = len(batch)
            self.enrolled = _Enrolled()
            with self.gallery.database.writing() as connection:
                for picture, outcome in outcomes:
                    self._store(connection, picture, outcome, kept)
                for digest in batch:
                    twins = waiting.pop(digest)
                    rest = [twin for twin in twins if not self._settle(connection, twin, kept)]
                    decided += len(twins) - len(rest)
                    if rest:  # what was embedded had changed since it was hashed
                        waiting[digest] = rest
                new = self.enrolled
                people_changes.record_enrolment(connection, new.templates, new.made, new.people)
            self.done += decided
            self._tell(kept)

    def refuse_to_prune_all(self, if_all_are_meant: str) -> None:
        """An empty folder that had pictures is more likely a drive that is not there than a wish."""
        if self.total == 0 and any(row.kept for row in self.rows.values()):
            raise UsageError(
                f"people folder {self.root}: has no pictures, but had some before; nothing was removed",
                path=self.root,
                hint=f"if all of them are meant to go, {if_all_are_meant}",
            )

    def remove_stale(self, prune: bool) -> None:
        """Forget contents whose path has another one now; report, or prune, pictures that are gone."""
        with self.gallery.database.reading() as connection:
            stale = self._find_stale(connection, prune)
        if not stale:
            return
        with self.gallery.database.writing() as connection:
            for row in self._find_stale(connection, prune):  # again: now nobody else writes
                self.counts["removed"] += drop_with_template(connection, row)
        if self.counts["removed"]:
            self.gallery.database.purge_log()

    def report(self) -> FolderReport:
        """What happened, from what the gallery holds now."""
        with self.gallery.database.reading() as connection:
            names = folder_rows.kept_people(connection, self.root)
        used = [picture for picture in self.here.values() if (picture.key, picture.digest) in names]
        return FolderReport(
            people=tuple(sorted({names[picture.key, picture.digest] for picture in used})),
            without_picture=tuple(sorted(self.persons - {picture.person for picture in used})),
            embedded=self.counts["embedded"],
            added=self.counts["added"],
            changed=self.counts["changed"],
            copies=self.counts["copies"],
            moved=self.counts["moved"],
            unchanged=self.counts["unchanged"],
            vanished=tuple(sorted(self.vanished)),
            removed=self.counts["removed"],
            refused=tuple(sorted(self.refused, key=lambda refused: refused.path)),
            passed_over=tuple(self.passed_over),
            notes=tuple(sorted(self.notes, key=lambda note: note.path)),
        )

    def _find_stale(self, connection: Connection, prune: bool) -> list[FolderRow]:
        """The rows to drop, and the vanished pictures into `vanished`."""
        rows = folder_rows.rows_of(connection, self.root)
        gone: list[FolderRow] = []
        held: set[str] = set()
        for row in rows:
            if self._is_gone(row):
                gone.append(row)
            elif row.kept:
                held.add(row.path)
        self.vanished = [row.path for row in gone if row.kept and row.path not in held]
        return [row for row in gone if prune or not row.kept or row.path in held]

    def _look_at(
        self,
        path: Path,
        by_path: dict[str, list[FolderRow]],
        numbers: dict[str, int],
        touched: list[_Picture],
    ) -> None:
        key = self._key(path)
        inside = path.relative_to(self.folder)
        person = path_text(inside.parts[0] if len(inside.parts) > 1 else inside.stem)
        self.persons.add(person)
        try:
            name = clean_name(person)
        except UsageError as error:
            self._refuse(key, str(error), new=True)
            self.done += 1
            return
        known = by_path.get(key, [])
        try:
            facts = path.stat()
            same = [
                row for row in known if (row.size, row.modified_ns) == (facts.st_size, modified_ns(facts))
            ]
            digest = same[0].digest if same else _sha256(path)
        except FileNotFoundError:
            self.done += 1
            return  # gone since it was listed
        except OSError as error:
            self.unreadable.add(key)
            self._refuse(key, f"cannot be read: {error.strerror or error}", new=True)
            self.done += 1
            return
        number = numbers.get(person)
        picture = _Picture(path, key, person, name, number, facts.st_size, modified_ns(facts), digest)
        self.here[key] = picture
        row = self.rows.get((key, digest))
        if row is None or row.blocked or (row.refusal is not None and row.detector != self.detector):
            self.open.append(picture)
            return
        if not same:
            touched.append(picture)
        self.done += 1
        if row.refusal is not None:
            self._refuse(key, row.refusal, new=False)
        else:
            self.counts["unchanged"] += 1

    def _settle(self, connection: Connection, picture: _Picture, kept: list[str]) -> bool:
        """Decide a picture by its digest alone, if that is possible."""
        reason = folder_rows.refusal_of(connection, picture.digest, self.detector)
        if reason is not None:
            self._put(connection, picture, None, refusal=reason)
            self._refuse(picture.key, reason, new=True)
            return True
        holders = folder_rows.holders(connection, picture.digest)
        try:
            person = self._person(connection, picture)
        except AmbiguousName as error:
            return self._refuse_ambiguous(picture, error)
        for holder in holders:
            if person is not None and holder.person == person.number:
                left = self._left_behind(connection, holder.template_id)
                left += self._left_with_folder(connection, holder.template_id)
                self._put(connection, picture, holder.template_id, owned=holder.owned)
                self._count_place(connection, left[:1])
                kept.append(picture.key)
                return True
        for holder in holders:
            if not holder.owned:
                continue  # by hand, perhaps of another face in the picture: only embedding can tell
            left = self._left_behind(connection, holder.template_id)
            if left and len(left) == len(folder_rows.keepers(connection, holder.template_id)):
                if person is None:
                    person = people_rows.add_person(connection, picture.name)
                folder_rows.hand_over(connection, holder.template_id, person.number)
                self._put(connection, picture, holder.template_id, owned=True)
                self._count_place(connection, left)
                kept.append(picture.key)
                return True
            self._block(connection, picture, holder.template_id, holder.name)
            return True
        row = self.rows.get((picture.key, picture.digest))
        if row is not None and row.blocked and row.detector == self.detector:
            for holder in holders:
                if holder.template_id == row.template_id:
                    self._block(connection, picture, holder.template_id, holder.name)
                    return True
        return False

    def _store(self, connection: Connection, picture: _Picture, outcome: Outcome, kept: list[str]) -> None:
        if isinstance(outcome, Refusal):
            if outcome.lasting:
                self._put(connection, picture, None, refusal=outcome.reason)
            self._refuse(picture.key, outcome.reason, new=True)
            return
        picture.digest = outcome.source_digest  # the file may have changed since it was hashed
        origin = self.gallery.origin
        there = template_rows.same_face(connection, outcome, origin)
        try:
            person = self._person(connection, picture)
        except AmbiguousName as error:
            self._refuse_ambiguous(picture, error)
            return
        if there is None:
            if person is None:
                person = people_rows.add_person(connection, picture.name)
                self.enrolled.made.append(person.id)
            number = template_rows.add_template(
                connection, person.number, replace(outcome, source=picture.key), origin
            )
            self.enrolled.templates.append(number)
            self.enrolled.people.add(person.id)
            self._put(connection, picture, number, owned=True)
            before = any(path == picture.key for path, _ in self.rows)
            self.counts["changed" if before else "added"] += 1
            note = PictureNote.of(picture.key, outcome.facts)
            if note is not None:
                self.notes.append(note)
        elif person is not None and there.person == person.number:
            self._put(connection, picture, there.id, owned=folder_rows.is_owned(connection, there.id))
            self.counts["copies"] += 1
        else:
            self._block(connection, picture, there.id, template_rows.owner(connection, there)[0])
            return
        kept.append(picture.key)

    def _person(self, connection: Connection, picture: _Picture) -> Person | None:
        """Whose picture it is: who has the folder's earlier ones, else the person of that name; None for a new one.

        Raises AmbiguousName.
        """
        known = None if picture.number is None else people_rows.person(connection, picture.number)
        return known or people_rows.one_of_name(connection, picture.name, "the gallery")

    def _refuse_ambiguous(self, picture: _Picture, error: AmbiguousName) -> bool:
        """Refuse a picture for this run, as several people have the name of its folder; it is settled then."""
        reason = f"{len(error.people)} people are called {error.name!r} ({', '.join(error.people)}); rename one of them"
        self._refuse(picture.key, reason, new=True)
        return True

    def _embedded(self, batch: list[_Picture]) -> list[tuple[_Picture, Outcome]]:
        waiting = {picture.path: picture for picture in batch}
        outcomes: list[tuple[_Picture, Outcome]] = []
        for path, outcome in self.embed([picture.path for picture in batch]):
            if path not in waiting:
                raise ValueError(f"embed: gave {path}, which it was not asked for or gave before")
            outcomes.append((waiting.pop(path), outcome))
        if waiting:
            raise ValueError(f"embed: gave nothing for {len(waiting)} of {len(batch)} pictures")
        self.counts["embedded"] += len(batch)
        return outcomes

    def _left_behind(self, connection: Connection, template_id: int) -> list[FolderRow]:
        """The places in this folder where a template's picture was and is not any more."""
        keepers = folder_rows.keepers(connection, template_id)
        return [row for row in keepers if row.folder == self.root and self._is_gone(row)]

    def _left_with_folder(self, connection: Connection, template_id: int) -> list[FolderRow]:
        """The places of a template's picture in folders that are gone: moved, renamed or deleted."""
        left = []
        for row in folder_rows.keepers(connection, template_id):
            if row.folder not in self.gone_folders:
                self.gone_folders[row.folder] = folder_is_gone(row.folder)
            if self.gone_folders[row.folder]:
                left.append(row)
        return left

    def _is_gone(self, row: FolderRow) -> bool:
        """Whether the content of a row of this folder is not at its path any more."""
        picture = self.here.get(row.path)
        if self._is_unreadable(row.path) or (picture is not None and picture.digest == row.digest):
            return False
        return content_is_gone(self.folder, row)

    def _is_unreadable(self, path: str) -> bool:
        """Whether the file or a folder above it could not be read, so that nothing is known about it."""
        return not self.unreadable.isdisjoint((path, *map(str, PurePosixPath(path).parents)))

    def _count_place(self, connection: Connection, left: list[FolderRow]) -> None:
        for row in left:
            folder_rows.drop(connection, row)
        self.counts["moved" if left else "copies"] += 1

    def _block(self, connection: Connection, picture: _Picture, template_id: int, owner: str) -> None:
        reason = f"the same face of the same picture is enrolled as {owner!r}"
        row = self.rows.get((picture.key, picture.digest))
        self._put(connection, picture, template_id, refusal=reason)
        self._refuse(picture.key, reason, new=row is None or not row.blocked)

    def _put(
        self,
        connection: Connection,
        picture: _Picture,
        template_id: int | None,
        *,
        owned: bool = False,
        refusal: str | None = None,
    ) -> None:
        row = FolderRow(
            folder=self.root,
            path=picture.key,
            digest=picture.digest,
            size=picture.size,
            modified_ns=picture.modified_ns,
            person=picture.person,
            template_id=template_id,
            owned=owned,
            refusal=refusal,
            detector=self.detector,
        )
        folder_rows.put(connection, row)

    def _refuse(self, key: str, reason: str, *, new: bool) -> None:
        self.refused.append(RefusedPicture(key, reason, new))

    def _tell(self, kept: list[str]) -> None:
        if self.progress is not None:
            self.progress(FolderProgress(self.done, self.total, tuple(kept)))

    def _key(self, path: Path) -> str:
        return path_text(path.relative_to(self.folder).as_posix())


def _readable(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            file.read(1)
    except OSError:
        return False
    return True


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
