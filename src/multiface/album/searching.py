"""Photos and films to faces: each file is read once, its digest tells whether it is known, else its faces are found.

Of a film one frame a second is searched, and faces that are one person are put together as unknown faces of photos are.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from multiface.album.listing import AlbumPath
from multiface.arrays import Pixels
from multiface.decision import PictureFault
from multiface.errors import MultifaceError, NotAvailable, UndecodablePicture
from multiface.faces.analysis import Analyser, Analysis, Cut
from multiface.gallery.album_faces import NewFace
from multiface.gallery.album_pictures import NewPicture
from multiface.gallery.contents import CROP_SIDE
from multiface.images import open_picture, read_picture
from multiface.images.jpeg import jpeg_bytes
from multiface.images.path_text import path_text
from multiface.images.taken import likely_time, taken_at
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.recognition.grouping import Unknown, grouped
from multiface.recognition.many import worked_in_order
from multiface.recognition.picture_faults import picture_faults
from multiface.regular_file import open_regular

FILM_STEP = 1.0
"""Seconds between the frames of a film that are searched."""
_NO_TIME = "1970-01-01T00:00:00"


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What became of a file.

    picture: None where its content is in the album already, or the file could not be read. digest: "" where it could
    not be read. faces: of the picture. refusal: why it has none, without the path.
    """

    file: AlbumPath
    digest: str
    picture: NewPicture | None
    faces: tuple[NewFace, ...]
    refusal: str | None


class Searcher:
    """Finds the faces of files.

    side_by_side: opens an analyser for several photos at once (`Recognizer.side_by_side`). known: digests of contents
    that are not searched again; it may grow meanwhile. crops: whether a small picture of each face is kept.
    """

    def __init__(
        self,
        analyser: Analyser,
        side_by_side: Callable[[], Analyser],
        threshold: GalleryThreshold,
        known: Collection[str],
        searched: str,
        crops: bool,
    ) -> None:
        self._analyser = analyser
        self._side_by_side = side_by_side
        self._limits = threshold.calibration.limits
        self._threshold = threshold
        self._known = known
        self._searched = searched
        self._crops = crops

    def photos(self, files: Iterator[AlbumPath], workers: int) -> Iterator[Searched]:
        """Each photo with its faces, in order; several are worked on at once."""
        more = self._side_by_side if workers > 1 else lambda: self._analyser
        return worked_in_order(self._photos, self._analyser, more, files, workers)

    def film(self, file: AlbumPath) -> Searched:
        """A film with its faces. Raises ExtraMissing without PyAV."""
        try:
            with open_regular(file.path) as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            if digest in self._known:
                return Searched(file, digest, None, (), None)
            return self._film(file, digest)
        except OSError as error:
            return _unread(file, error.strerror or str(error))

    def _photos(self, analyser: Analyser, files: list[AlbumPath]) -> list[Searched]:
        opened = [self._open(analyser, file) for file in files]
        cut = [one for one in opened if not isinstance(one, Searched)]
        analyses = iter(analyser.embed([one.cut for one in cut]))
        return [one if isinstance(one, Searched) else self._faces(one, next(analyses)) for one in opened]

    def _open(self, analyser: Analyser, file: AlbumPath) -> "Searched | _Opened":
        try:
            data = read_picture(file.path)
        except MultifaceError as error:
            return _unread(file, str(error))
        digest = hashlib.sha256(data).hexdigest()
        if digest in self._known:
            return Searched(file, digest, None, (), None)
        taken = _Taken.of(file, taken_at(data))
        try:
            return _Opened(file, digest, taken, analyser.cut(open_picture(data).pixels))
        except MultifaceError as error:
            # Another day the package or the memory may be there.
            searched = self._searched if isinstance(error, UndecodablePicture) else ""
            reason = str(error).removeprefix("the picture").removeprefix(":").strip()
            return Searched(
                file,
                digest,
                NewPicture(digest, False, 0, 0, taken.when, taken.dated, searched, reason),
                (),
                reason,
            )

    def _faces(self, opened: "_Opened", analysis: Analysis) -> Searched:
        picture = NewPicture(
            opened.digest,
            False,
            analysis.width,
            analysis.height,
            opened.taken.when,
            opened.taken.dated,
            self._searched,
            None,
        )
        faults = picture_faults(self._limits, analysis.quality)
        faces = tuple(
            self._face(analysis, k, fault, opened.cut.crops[k], None) for k, fault in enumerate(faults)
        )
        return Searched(opened.file, opened.digest, picture, faces, None)

    def _face(
        self,
        analysis: Analysis,
        k: int,
        fault: PictureFault | None,
        crop: Pixels,
        seconds: tuple[float, float] | None,
    ) -> NewFace:
        x0, y0, x1, y1 = (float(side) for side in analysis.faces.boxes[k])
        return NewFace(
            box=(x0, y0, x1, y1),
            seconds=seconds,
            score=float(analysis.faces.scores[k]),
            quality=float(analysis.quality.norm[k]),
            fault=None if fault is None else fault.words,
            alone=fault is not None and fault.alone,
            vector=analysis.embeddings[k],
            crop=jpeg_bytes(crop, CROP_SIDE) if self._crops else None,
        )

    def _film(self, file: AlbumPath, digest: str) -> Searched:
        from multiface.video.sources.opening import open_source  # takes its time

        taken, width, height = _Taken.of(file, None).when, 0, 0
        seen: list[tuple[float, NewFace]] = []
        try:
            with closing(open_source(path_text(file.path), live=False)) as source:
                width, height = source.info.width, source.info.height
                wanted = 0.0
                for frame in source.frames():
                    if frame.time < wanted:
                        continue
                    wanted = frame.time + FILM_STEP
                    cut = self._analyser.cut(frame.image)
                    (analysis,) = self._analyser.embed([cut])
                    faults = picture_faults(self._limits, analysis.quality)
                    for k, fault in enumerate(faults):
                        if fault is None:
                            seconds = (frame.time, frame.time)
                            seen.append((frame.time, self._face(analysis, k, fault, cut.crops[k], seconds)))
        except NotAvailable:
            raise
        except MultifaceError as error:
            reason = str(error).removeprefix(path_text(file.path)).removeprefix(":").strip()
            return Searched(
                file, digest, NewPicture(digest, True, 0, 0, taken, False, self._searched, reason), (), reason
            )
        picture = NewPicture(digest, True, width, height, taken, False, self._searched, None)
        return Searched(file, digest, picture, tuple(self._people(seen)), None)

    def _people(self, seen: list[tuple[float, NewFace]]) -> Iterator[NewFace]:
        """The faces of a film, one for each person: the best view, the mean vector, first and last second."""
        if not seen:
            return
        vectors = np.stack([face.vector for _, face in seen if face.vector is not None])
        moments = [frozenset((time,)) for time, _ in seen]
        least = self._threshold.calibration.threshold_for_identify(self._threshold.rate, 2).similarity
        labels = grouped(
            Unknown(vectors, moments, np.full(len(seen), -1, np.int64)), self._threshold.calibration, least
        )
        for label in range(int(labels.max()) + 1):
            own = np.flatnonzero(labels == label)
            best = seen[max(own, key=lambda k: (seen[k][1].quality, -k))][1]
            mean = vectors[own].astype(np.float64).mean(axis=0)
            times = [seen[k][0] for k in own]
            yield NewFace(
                best.box,
                (min(times), max(times)),
                best.score,
                best.quality,
                None,
                False,
                (mean / np.linalg.norm(mean)).astype(np.float32),
                best.crop,
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A photo whose faces are found but not embedded."""

    file: AlbumPath
    digest: str
    taken: "_Taken"
    cut: Cut


@dataclass(frozen=True, slots=True)
class _Taken:
    """When a picture was taken, local time, ISO 8601 without a zone; dated: whether the camera said so."""

    when: str
    dated: bool

    @staticmethod
    def of(file: AlbumPath, written: str | None) -> "_Taken":
        return _Taken(_changed_at(file), False) if written is None else _Taken(written, True)


def _unread(file: AlbumPath, reason: str) -> Searched:
    return Searched(file, "", None, (), reason.removeprefix(path_text(file.path)).removeprefix(":").strip())


def _changed_at(file: AlbumPath) -> str:
    """When a file was last changed, local time, ISO 8601 without a zone."""
    try:
        time = datetime.fromtimestamp(file.modified_ns / 1e9)
    except (ValueError, OverflowError, OSError):  # before the year 1 or after 9999
        return _NO_TIME
    return time.isoformat(timespec="seconds") if likely_time(time) else _NO_TIME
