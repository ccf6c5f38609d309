"""Groups of unknown faces get the numbers of strangers, and keep them.

A group keeps the number that most of its faces had; a number that cameras gave is found again by the vectors that they
kept. A new number is given to who was seen at least twice: pictures of one moment (a burst, a copy, a crop) count once.
A stranger of the album shows the best crop and up to `MOST_VIEWS` vectors, so that cameras know the person too.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from multiface.arrays import Bools, Floats, Ints
from multiface.gallery import Matrix, VectorOrigin, album_faces, album_strangers, score_people, stranger_rows
from multiface.gallery.album_faces import FaceVectors
from multiface.gallery.album_strangers import KEPT, AlbumStranger
from multiface.gallery.contents import CROP_SIDE
from multiface.gallery.sql import Connection
from multiface.gallery.stranger_rows import View
from multiface.gallery.strangers import MOST_VIEWS
from multiface.recognition.gallery_threshold import GalleryThreshold

SAME_PICTURE = 0.9
"""Cosine from which on two pictures of a face count as one: copies, crops, and pictures of a burst."""
SAME_MOMENT = 60.0
"""Seconds within which two pictures of a person count as one."""
_NEARLY = 0.8
_CHUNK = 8192
_KEPT_DAYS = 30


def numbered(
    connection: Connection,
    origin: VectorOrigin,
    faces: FaceVectors,
    rows: Ints,
    labels: Ints,
    others: Ints,
    threshold: GalleryThreshold,
    least: float,
) -> Ints:
    """The number of each face's stranger, int64 (r,); -1 for none. Strangers are written down.

    rows: positions (r,) of the faces in groups, labels: their groups. others: (n,) numbers of all other faces, which
    are taken.
    """
    groups = _split(faces, rows, labels)
    known = album_strangers.all_of_them(connection)
    taken = set(others[others >= 0].tolist())
    hands = {int(n) for n in faces.strangers[rows[faces.by_hand[rows]]]} - {-1}
    met = _Met(connection, origin, threshold, least)
    times = album_faces.taken(connection, np.unique(faces.pictures[rows]).tolist())
    result = np.full(len(rows), -1, np.int64)
    for group in groups:
        at = rows[group]
        written = [times[int(picture)] for picture in faces.pictures[at]]
        when = [_utc(text) for text, _ in written]
        dated = [one.timestamp() if camera else None for one, (_, camera) in zip(when, written, strict=True)]
        sightings = seen(faces.vectors[at], dated)
        number = _hand_number(faces, at)
        if number is None:
            had = Counter(int(n) for n in faces.strangers[at] if n >= 0 and n not in taken and n not in hands)
            kept = [n for n in had if sightings > 1 or (n in known and not known[n].made)]
            number = min(kept, key=lambda n: (-had[n], n), default=None)
        if number is None:
            number = met.same(faces.vectors[at], taken | hands)
        if number is None and sightings > 1:
            number = stranger_rows.add_stranger(connection, when[0].isoformat(), KEPT, 0.0, b"")
            known[number] = AlbumStranger(number, True, False)
        if number is None:
            continue
        taken.add(number)
        result[group] = number
        one = known.get(number, AlbumStranger(number, False, False))
        album_strangers.put(connection, one)
        if one.made:
            _show(connection, origin, number, faces, at, sorted(when), sightings)
    return result


def let_go(connection: Connection) -> None:
    """Strangers who have no face in the album any more leave it."""
    rows = connection.execute(
        """
        SELECT stranger_id, last_seen FROM album_stranger JOIN stranger ON stranger.id = stranger_id
        WHERE NOT EXISTS (SELECT 1 FROM album_face WHERE album_face.stranger_id = album_stranger.stranger_id)
        """
    ).fetchall()
    known = album_strangers.all_of_them(connection)
    for number, last in rows:
        until = datetime.fromisoformat(str(last)) + timedelta(days=_KEPT_DAYS)
        album_strangers.leave(connection, known[int(number)], until.isoformat(timespec="seconds"))


def seen(vectors: Floats, times: Sequence[float | None]) -> int:
    """How often a person was seen: pictures of one moment, and copies, count once.

    vectors: float32 (n, d), unit length. times: seconds, n; None where the camera did not say.
    """
    order = sorted(range(len(times)), key=lambda k: (times[k] is None, times[k] or 0.0, k))
    distinct: list[int] = []
    last = -np.inf
    for k in order:
        time = times[k]
        burst = time is not None and time - last <= SAME_MOMENT
        last = -np.inf if time is None else time
        if not burst and not (vectors[distinct] @ vectors[k] >= SAME_PICTURE).any():
            distinct.append(k)
    return len(distinct)


class _Met:
    """The strangers that cameras have met."""

    def __init__(
        self, connection: Connection, origin: VectorOrigin, threshold: GalleryThreshold, least: float
    ) -> None:
        views = stranger_rows.all_views(connection, origin)
        album = [n for n, one in album_strangers.all_of_them(connection).items() if one.made]
        mine = ~np.isin(views.numbers, album)
        self._numbers, index = np.unique(views.numbers[mine], return_inverse=True)
        self._matrix = Matrix(views.vectors[mine], index, tuple(map(str, self._numbers)))
        own = np.bincount(index, views.spreads[mine]) / np.maximum(np.bincount(index), 1)
        self._rise = threshold.calibration.spread_rise
        self._spread = 1.0 - (1.0 - self._matrix.spread) * (1.0 - own)
        self._least = least

    def are_like(self, vectors: Floats) -> Bools:
        """Which faces are like one of them; somewhat less is enough than for a group, whose mean may come nearer."""
        if not len(self._numbers):
            return np.zeros(len(vectors), np.bool_)
        nearest = score_people(vectors, self._matrix, "mean").max(axis=1)
        return np.asarray(nearest >= _NEARLY * self._least)

    def same(self, vectors: Floats, taken: set[int]) -> int | None:
        """The number of the one that a group shows."""
        if not len(self._numbers):
            return None
        mean = vectors.mean(axis=0)
        length = float(np.linalg.norm(mean))
        similar = score_people((mean / max(length, 1e-12))[np.newaxis], self._matrix, "mean")[0]
        wanted = self._least + self._rise * (self._spread + 1.0 - length)
        passing = (similar >= wanted) & ~np.isin(self._numbers, list(taken))
        return int(self._numbers[np.argmax(np.where(passing, similar, -np.inf))]) if passing.any() else None


def like_those_of_cameras(
    connection: Connection, origin: VectorOrigin, vectors: Floats, threshold: GalleryThreshold, least: float
) -> Bools:
    """Which faces, float32 (n, d), may be strangers whom cameras have met, perhaps since they were last looked at."""
    met = _Met(connection, origin, threshold, least)
    found = np.zeros(len(vectors), np.bool_)
    for at in range(0, len(vectors), _CHUNK):
        found[at : at + _CHUNK] = met.are_like(vectors[at : at + _CHUNK])
    return found


def _split(faces: FaceVectors, rows: Ints, labels: Ints) -> list[Ints]:
    """The positions of each group, the largest group first."""
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(groups, key=lambda group: (-len(group), int(faces.ids[rows[group]].min())))


def _hand_number(faces: FaceVectors, at: Ints) -> int | None:
    """The number that somebody gave."""
    own = faces.strangers[at][faces.by_hand[at] & (faces.strangers[at] >= 0)]
    return int(own[0]) if len(own) else None


def _show(
    connection: Connection,
    origin: VectorOrigin,
    number: int,
    faces: FaceVectors,
    at: Ints,
    when: list[datetime],
    sightings: int,
) -> None:
    """Write down the crop, the vectors and the times of a stranger whom only the album knows."""
    first, last = (one.isoformat(timespec="seconds") for one in (when[0], when[-1]))
    best = at[views_of(faces.vectors[at], faces.quality[at])]
    crops = [album_faces.crop_of(connection, int(faces.ids[k])) for k in best]
    stranger_rows.start_again(connection, number, _share(faces.quality[best[0]]), crops[0] or b"")
    for k, crop in zip(best, crops, strict=True):
        digest = view_digest(crop, faces.vectors[k])
        view = View(faces.vectors[k], 0.0, _share(faces.quality[k]), digest, CROP_SIDE, CROP_SIDE, last)
        stranger_rows.add_view(connection, number, view, origin)
    album_strangers.set_seen(connection, number, first, last, sightings)


def views_of(vectors: Floats, quality: Floats) -> Ints:
    """The positions of the few faces that stand for a person: of the best half those least like one another.

    vectors: float32 (n, d); quality: (n,). The best comes first.
    """
    order = np.lexsort((np.arange(len(quality)), -quality))
    good = order[: max(MOST_VIEWS, (len(order) + 1) // 2)]
    chosen = [int(good[0])]
    while len(chosen) < min(MOST_VIEWS, len(good)):
        nearest = (vectors[good] @ vectors[chosen].T).max(axis=1)
        nearest[np.isin(good, chosen)] = np.inf
        chosen.append(int(good[np.argmin(nearest)]))
    return np.array(chosen, np.int64)


def view_digest(crop: bytes | None, vector: Floats) -> str:
    """What tells one picture of a face from others."""
    return hashlib.sha256(vector.tobytes() if crop is None else crop).hexdigest()


def _share(quality: float) -> float:
    """The length of a raw feature as a quality in 0..1."""
    return float(quality / (quality + 10.0))


def _utc(taken: str) -> datetime:
    return datetime.fromisoformat(taken).astimezone(UTC)
