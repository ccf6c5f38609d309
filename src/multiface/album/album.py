"""`Album`: photos and films of folders, searchable by person. "Where is Anna?" is answered from the database.

from multiface import Album, Recognizer

with Recognizer(gallery="people.sqlite") as recognizer:
    album = Album(recognizer)
    album.scan(["photos/"])
    for hit in album.find("Anna", without=["Bo"]):
        print(hit.paths[0], hit.taken)
"""

import contextlib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from multiface.album import hand_work
from multiface.album.drawing import mark_face
from multiface.album.groups import AlikeGroup, UnknownGroup, alike_groups, unknown_groups
from multiface.album.names_export import ExportReport, export_names
from multiface.album.names_import import ImportReport, names_in, take_up
from multiface.album.questions import Hit, HitFace, Wanted, find, hit_face, hits
from multiface.album.refresh import Refreshed, is_fresh, refresh
from multiface.album.scanning import ScanReport, scan_folders
from multiface.album.searching import Searcher
from multiface.decision import Calibration
from multiface.errors import GalleryReadOnly, MultifaceError, UsageError
from multiface.gallery import Change, Gallery, Person, album_faces, album_pictures, album_strangers
from multiface.gallery.database import Revision
from multiface.images.box import Box
from multiface.images.path_text import path_text
from multiface.progress import Progress
from multiface.recognition import IDENTIFY_RATE, Recognizer
from multiface.recognition.gallery_threshold import GalleryThreshold


class Album:
    """The album of a gallery.

    recognizer: with a gallery; what it decides with, and at which rate. Its networks are used by `scan` and `mark`
    alone. as_it_is: questions are answered with what was decided last, even if people have changed since. In a gallery
    that can only be read, what has to be decided anew is decided in memory. Raises UsageError for a recogniser without
    a gallery, NotAvailable without a calibration.
    """

    def __init__(self, recognizer: Recognizer, *, as_it_is: bool = False) -> None:
        if recognizer.gallery is None:
            raise UsageError("an album is part of a gallery", hint="give the recogniser one")
        self._recognizer: Recognizer | None = recognizer
        self._gallery: Gallery = recognizer.gallery
        self._as_it_is = as_it_is
        self._in_memory: tuple[Revision, Gallery] | None = None
        self._threshold = GalleryThreshold(recognizer.calibration, recognizer.rate)

    @staticmethod
    def of_gallery(gallery: Gallery, calibration: Calibration, rate: float = IDENTIFY_RATE) -> "Album":
        """The album of an open gallery without any network, which opens quickly and does all but `scan` and `mark`.

        calibration: for the gallery's weights. rate: as for `RecognizerSettings`.
        """
        album = Album.__new__(Album)
        album._recognizer = None
        album._gallery = gallery
        album._as_it_is = False
        album._in_memory = None
        album._threshold = GalleryThreshold(calibration, rate)
        return album

    def scan(
        self,
        folders: Sequence[str | Path],
        *,
        jobs: int | None = None,
        progress: Progress | None = None,
        crops: bool = True,
        again: bool = False,
    ) -> ScanReport:
        """Bring the album up to date with folders of photos and films, and decide anew who everybody is.

        jobs: photos worked on at once; None for as many as suit the threads. crops: keep a small picture of each face
        (112 pixels), which pages show. again: search everything anew, as after a change of the detector; what was done
        by hand stays. A scan that was cut off goes on with the next. Raises PictureError for a folder that is not
        there, UsageError for one from which everything is gone, GalleryError.
        """
        recognizer = self._networks()
        workers = recognizer.workers if jobs is None else jobs
        if workers < 1:
            raise UsageError(f"jobs are 1 or more, not {jobs}")
        if not folders:
            raise UsageError("name a folder of photos")
        searched = f"{recognizer.detector.name}, min_face {recognizer.settings.min_face:g}"

        def searcher(known: set[str]) -> Searcher:
            return Searcher(
                recognizer.analyser, recognizer.side_by_side, self._threshold, known, searched, crops
            )

        report = scan_folders(self._gallery, folders, searcher, searched, workers, progress, again)
        self.refresh()
        return report

    def refresh(self) -> Refreshed | None:
        """Decide anew who everybody is, if people or faces have changed; None if not. Every question does it first."""
        if self._as_it_is or self._gallery.database.read_only:
            return None
        if is_fresh(self._gallery, self._threshold):
            return None
        return refresh(self._gallery, self._threshold)

    def _fresh(self) -> Gallery:
        """What answers questions: the gallery, brought up to date if need be; its copy if it can only be read."""
        if self._as_it_is or is_fresh(self._gallery, self._threshold):
            return self._gallery
        if not self._gallery.database.read_only:
            with contextlib.suppress(GalleryReadOnly):
                refresh(self._gallery, self._threshold)
                return self._gallery
        with self._gallery.database.reading() as connection:
            revision = self._gallery.database.revision(connection)
        known = self._in_memory
        # Of a server it is not known whether all else is as it was, too.
        if known is None or known[0] != revision or not self._gallery.database.read_only:
            copy = self._gallery.in_memory()
            refresh(copy, self._threshold)
            known = self._in_memory = revision, copy
        return known[1]

    def find(
        self,
        *people: str,
        without: Sequence[str] = (),
        only: bool = False,
        unknown: bool = False,
        since: str | None = None,
        until: str | None = None,
        any_of: bool = False,
        most: int | None = None,
        after: tuple[str, int] | None = None,
    ) -> tuple[Hit, ...]:
        """The photos and films that show all of these people, the oldest first.

        people, without: names or ids of those who are in them, and who are not. only: nobody else is in them. unknown:
        somebody unknown is. since, until: days or times, local, ISO 8601. any_of: one of the people is enough. most: at
        most so many, behind the one whose `taken` and `picture` are `after`. Raises GalleryError for an unknown name,
        AmbiguousName, UsageError.
        """
        gallery = self._fresh()
        wanted = Wanted(
            tuple(gallery.person(who) for who in people),
            tuple(gallery.person(who) for who in without),
            only,
            unknown,
            _day(since),
            _day(until),
            any_of,
        )
        with gallery.database.reading() as connection:
            return find(connection, wanted, most, after)

    def groups(self) -> tuple[UnknownGroup, ...]:
        """The unknown people, most useful first: often seen, or nearly known; those to ignore last."""
        return self._groups(self._fresh())

    def _groups(self, gallery: Gallery) -> tuple[UnknownGroup, ...]:
        people = {person.id: person for person in gallery.people()}
        matrix = gallery.matrix()
        with gallery.database.reading() as connection:
            return unknown_groups(connection, people, matrix, self._threshold, gallery.origin)

    def alike_groups(self, group: int) -> tuple[AlikeGroup, ...]:
        """The other unknown people, those most similar to a group first: who may be the same. Raises NotInGallery."""
        gallery = self._fresh()
        groups = self._groups(gallery)
        with gallery.database.reading() as connection:
            return alike_groups(connection, groups, group, gallery.origin)

    def single_faces(self) -> tuple[HitFace, ...]:
        """The unknown faces that are in no group, the best pictures first."""
        gallery = self._fresh()
        with gallery.database.reading() as connection:
            return tuple(hit_face(face, {}, set()) for face in album_faces.single_faces(connection))

    def crop(self, face: int) -> bytes | None:
        """A small picture of a face, JPEG; None where none was kept."""
        with self._gallery.database.reading() as connection:
            return album_faces.crop_of(connection, face)

    def photo(self, picture: int) -> Hit | None:
        """The photo or film of this id (`Hit.picture`); None where there is none, or its files have vanished."""
        with self._fresh().database.reading() as connection:
            found = hits(connection, album_pictures.rows_of(connection, [picture]))
        return found[0] if found and found[0].paths else None

    def pictures_of(self, faces: Sequence[int]) -> tuple[Hit, ...]:
        """The photos and films in which these faces are."""
        with self._gallery.database.reading() as connection:
            found = {
                one.picture
                for one in (album_faces.face(connection, face) for face in faces)
                if one is not None
            }
            return hits(connection, album_pictures.rows_of(connection, sorted(found)))

    def name(self, group: int, who: str) -> Person:
        """Say who a group of unknown faces is; the person. All other faces are decided anew.

        who: a name or an id; a person is made if nobody has the name. Raises GalleryError if there is no such group.
        """
        named = self._gallery.strangers.name(group, who, crops=True)
        refresh(self._gallery, self._threshold)
        return self._gallery.person(named.id)

    def name_faces(self, faces: Sequence[int], who: str, *, another: bool = False) -> Person:
        """Say who some faces are; the person. another: make another person of this name even if somebody has it."""
        person = hand_work.name_faces(self._gallery, faces, who, another)
        refresh(self._gallery, self._threshold)
        return self._gallery.person(person.id)

    def not_person(self, face: int | Sequence[int], who: str) -> None:
        """Say that a face, or several, is not a person's, for ever. Raises GalleryError if there is no such face or
        person.
        """
        faces = [face] if isinstance(face, int) else face
        hand_work.not_person(self._gallery, faces, who)
        refresh(self._gallery, self._threshold)

    def merge(self, into: int, from_: int) -> None:
        """Say that two groups of unknown faces are one person; the first keeps its number."""
        hand_work.merge_groups(self._gallery, into, from_)
        refresh(self._gallery, self._threshold)

    def split(self, faces: Sequence[int]) -> int:
        """Say that some faces of a group are another person than the rest; the number of the new group."""
        number = hand_work.split_faces(self._gallery, faces)
        refresh(self._gallery, self._threshold)
        return number

    def ignore(self, *, groups: Sequence[int] = (), faces: Sequence[int] = (), ignored: bool = True) -> None:
        """Say that unknown people, or single faces, are of no interest; ignored False: that they are again."""
        hand_work.ignore(self._gallery, groups=groups, faces=faces, ignored=ignored)
        refresh(self._gallery, self._threshold)

    def mark(self, picture: str | Path, box: Box, who: str | None = None, *, another: bool = False) -> int:
        """Draw a face that was not found; its id. who: say at once who it is.

        box: x0, y0, x1, y1 in pixels of the upright picture. A face in the box is embedded if one is found there.
        Raises GalleryError for a picture that is not in the album, UsageError for a box that is not in the picture.
        """
        face = self._draw(Path(picture), box, who, another)
        refresh(self._gallery, self._threshold)
        return face

    def _draw(self, picture: Path, box: Box, who: str | None, another: bool = False) -> int:
        """Draw a face, and name it, or do nothing at all; nothing else is decided anew."""
        face = mark_face(self._gallery, self._networks().analyser, self._threshold, picture, box)
        if who is not None:
            try:
                hand_work.name_faces(self._gallery, [face], who, another)
            except MultifaceError:
                hand_work.drop_drawn(self._gallery, face)
                raise
        return face

    def export_names(
        self, *people: str, into_pictures: bool = False, progress: Progress | None = None
    ) -> ExportReport:
        """Write the names into XMP sidecars beside the photos, as other programs read them.

        people: only photos that show all of these; nobody for all photos. into_pictures: into the photos themselves
        instead, which must be JPEG. Raises as `find`.
        """
        return export_names(self.find(*people), into_pictures=into_pictures, progress=progress)

    def import_names(self, *, progress: Progress | None = None) -> ImportReport:
        """Import names that other programs gave to faces in the album's photos, from XMP beside and in them.

        People are made where nobody has the name. It needs an album with networks if faces have to be drawn. One change
        for each person can be undone.
        """
        found = names_in(self.find(), progress)
        before = {person.name for person in self._gallery.people()}
        named, drawn = take_up(
            found,
            lambda faces, name: hand_work.name_faces(self._gallery, faces, name),
            self._draw,
        )
        self.refresh()
        people = {person.name for person in self._gallery.people()} - before
        return ImportReport(
            named, found.known, drawn, tuple(sorted(people)), tuple(found.kept), tuple(found.failed)
        )

    def forget(self, folder: str | Path) -> int:
        """Forget the photos and films of a folder, with all that was done to their faces by hand; how many files.

        Pictures whose files have vanished from it go too, and those of which it is not known from where.
        """
        with self._gallery.database.writing() as connection:
            gone = album_pictures.forget_folder(connection, path_text(Path(folder).resolve()))
            album_strangers.stale(connection)
        refresh(self._gallery, self._threshold)
        self._gallery.database.purge_log()
        return gone

    def undo(self, change: int) -> Change:
        """Undo a change of the gallery, as `Gallery.undo`, and decide anew."""
        undone = self._gallery.undo(change)
        self.refresh()
        return undone

    def _networks(self) -> Recognizer:
        if self._recognizer is None:
            raise UsageError(
                "this album was opened without networks", hint="make it of a recogniser to scan or mark"
            )
        return self._recognizer


def _day(text: str | None) -> str | None:
    """A day or a time. Raises UsageError for another text."""
    if text is None:
        return None
    try:
        with contextlib.suppress(ValueError):
            return date.fromisoformat(text).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"a day is written as 2024-05-01, a time as 2024-05-01T12:34, got {text!r}"
        ) from error
    if moment.tzinfo is not None:
        raise UsageError(f"{text}: photos know local times only", hint="leave out the zone")
    return moment.isoformat(timespec="seconds")
