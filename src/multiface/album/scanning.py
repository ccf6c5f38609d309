"""Bringing an album up to date with folders: new and changed files are searched, moved ones found again, vanished ones
left out.

What is done is kept batch by batch, so that a scan that is cut off is resumed by the next. A file that was edited keeps
what was done to its faces by hand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from multiface.album.edited_files import carry_over, searched_again
from multiface.album.listing import AlbumPath, Listed, listed, real_folder
from multiface.album.searching import Searched, Searcher
from multiface.errors import ExtraMissing
from multiface.gallery import Gallery, album_faces, album_pictures, album_strangers
from multiface.gallery.album_pictures import AlbumFile
from multiface.gallery.clock import utc_in
from multiface.gallery.sql import Connection
from multiface.images.path_text import path_text
from multiface.progress import Progress

KEPT_DAYS = 30
"""So long what was done by hand to the faces of a vanished file is kept."""
_BATCH = 64


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that could not be searched, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan did.

    searched: photos and films whose faces were looked for; faces: found in them. known: new or changed files whose
    content was in the album already: moved or copied. unchanged: files as they were. vanished: paths that are not there
    any more. left_out: files that could not be searched, each time they are met. films_left_out: films, for want of
    PyAV.
    """

    searched: int
    faces: int
    known: int
    unchanged: int
    vanished: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    films_left_out: int


@dataclass(slots=True)
class _Counts:
    searched: int = 0
    faces: int = 0
    known: int = 0
    films: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    batch: list[Searched] = field(default_factory=list)


def scan_folders(
    gallery: Gallery,
    folders: Sequence[str | Path],
    searcher_of: Callable[[set[str]], Searcher],
    searched: str,
    workers: int,
    progress: Progress | None = None,
    again: bool = False,
) -> ScanReport:
    """Bring the album of a gallery up to date with folders.

    searcher_of: makes the searcher, from the digests that are not to be searched. searched: what it searches with, in
    words. workers: photos worked on at once. again: search everything anew. Raises PictureError for a folder that is
    not there, UsageError for one from which everything is gone, GalleryError.
    """
    places = _apart([real_folder(folder) for folder in folders])
    with gallery.database.reading() as connection:
        known = album_pictures.all_known(connection)
        before = {place: album_pictures.files_below(connection, path_text(place)) for place in places}
    listings = [listed(place, before[place], again) for place in places]
    settled = {
        digest
        for digest, one in known.items()
        if not again and not (one.refused and one.searched != searched)
    }
    files = [file for listing in listings for file in listing.changed]
    run = _Scan(
        gallery, searcher_of(settled), settled, {k: v for one in before.values() for k, v in one.items()}
    )
    run.search(files, workers, progress)
    vanished = run.drop(listings)
    with gallery.database.writing() as connection:
        for place in places:
            album_pictures.put_folder(connection, path_text(place))
    counts = run.counts
    unreadable = [LeftOut(path, "cannot be read") for one in listings for path in one.unreadable]
    return ScanReport(
        counts.searched,
        counts.faces,
        counts.known,
        sum(one.unchanged for one in listings),
        tuple(vanished),
        tuple(counts.left_out + unreadable),
        counts.films,
    )


class _Scan:
    def __init__(
        self,
        gallery: Gallery,
        searcher: Searcher,
        settled: set[str],
        before: dict[tuple[str, str], AlbumFile],
    ) -> None:
        self._gallery = gallery
        self._searcher = searcher
        self._settled = settled
        self._before = before
        self.counts = _Counts()

    def search(self, files: list[AlbumPath], workers: int, progress: Progress | None) -> None:
        done = 0

        def tell() -> None:
            if progress is not None:
                progress(done, len(files))

        tell()
        try:
            for one in self._searcher.photos((file for file in files if not file.film), workers):
                self._take(one)
                done += 1
                tell()
            for file in (file for file in files if file.film):
                try:
                    self._take(self._searcher.film(file))
                except ExtraMissing:
                    self.counts.films += 1
                done += 1
                tell()
        finally:
            self._keep()

    def drop(self, listings: Sequence[Listed]) -> list[str]:
        """Leave out what vanished; the paths."""
        gone = [file for listing in listings for file in listing.vanished]
        until = utc_in(-timedelta(days=KEPT_DAYS))
        with self._gallery.database.writing() as connection:
            for file in gone:
                album_pictures.drop_file(connection, file.folder, file.name)
            self._look_again(connection, album_pictures.mark_vanished(connection))
            forgotten = album_pictures.forget_vanished(connection, until)
            if forgotten:
                album_strangers.stale(connection)
        if forgotten:
            self._gallery.database.purge_log()
        return [path_text(Path(file.folder, file.name)) for file in gone]

    def _take(self, one: Searched) -> None:
        if one.refusal is not None:
            self.counts.left_out.append(LeftOut(path_text(one.file.path), one.refusal))
        if one.digest:
            self._settled.add(one.digest)  # a copy further on is not searched again
            self.counts.batch.append(one)
            if len(self.counts.batch) >= _BATCH or one.file.film:
                self._keep()

    def _keep(self) -> None:
        batch, self.counts.batch = self.counts.batch, []
        if not batch:
            return
        with self._gallery.database.writing() as connection:
            back = [picture for one in batch if (picture := self._write(connection, one)) is not None]
            self._look_again(connection, back)

    def _look_again(self, connection: Connection, pictures: Sequence[int]) -> None:
        """The faces of pictures that vanished or came back count no more, or again."""
        faces = album_faces.of_pictures(connection, pictures)
        if faces:
            album_strangers.changed_by_hand(connection, faces)

    def _write(self, connection: Connection, one: Searched) -> int | None:
        """Write a file down; its picture if that had vanished."""
        known = album_pictures.known(connection, one.digest)
        before = self._before.get((one.file.folder, one.file.name))
        if one.refusal is not None and before is not None:  # half written, perhaps: what is known of it stays
            return None
        if one.picture is None:
            if known is None:  # another process forgot it meanwhile: the next scan searches it
                return None
            picture = known.id
            self.counts.known += 1
        else:
            old = [] if known is None else album_faces.faces_of(connection, [known.id]).get(known.id, [])
            picture = album_pictures.add_picture(connection, one.picture)
            new = [
                (album_faces.add_face(connection, picture, face, self._gallery.origin), face)
                for face in one.faces
            ]
            if old:
                new = searched_again(connection, old, new)
                album_strangers.stale(connection)
            self.counts.searched += one.refusal is None
            self.counts.faces += len(one.faces)
        if before is not None and before.picture != picture and one.picture is not None:
            sides = (
                album_pictures.size_of(connection, before.picture),
                (one.picture.width, one.picture.height),
            )
            old = album_faces.faces_of(connection, [before.picture]).get(before.picture, [])
            carry_over(connection, old, new, picture, sides)
        file = AlbumFile(one.file.folder, one.file.name, one.file.size, one.file.modified_ns, picture)
        return picture if album_pictures.put_file(connection, file) else None


def _apart(folders: list[Path]) -> list[Path]:
    """The folders without those that lie in another of them."""
    return [
        folder
        for k, folder in enumerate(folders)
        if folder not in folders[:k]
        and not any(folder != other and folder.is_relative_to(other) for other in folders)
    ]
