"""Groups of unknown faces get the numbers of strangers, and keep them.

The group that holds most of the faces that had a number keeps it. After a change of the rate those numbers count that
the faces had when the rate was last that one, or nearest to it; after that any number that a face ever had. A number
that cameras gave is found again by the vectors that they kept. A new number is given to who was seen at least twice:
pictures of one moment (a burst, a copy, a crop) count once; no number is given to two people.
A stranger of the album shows the best crop and the vectors that `album_views` picks, so that cameras know who it is.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from multiface.arrays import Bools, Floats, Ints
from multiface.gallery import (
    Matrix,
    VectorOrigin,
    album_faces,
    album_numbers,
    album_strangers,
    album_views,
    score_people,
    stranger_rows,
)
from multiface.gallery.album_faces import FaceVectors
from multiface.gallery.album_numbers import Range, number_at
from multiface.gallery.album_strangers import KEPT, AlbumStranger
from multiface.gallery.sql import Connection
from multiface.recognition.gallery_threshold import GalleryThreshold

SAME_PICTURE = 0.9
"""Cosine from which on two pictures of a face count as one: copies, crops, and pictures of a burst."""
SAME_MOMENT = 60.0
"""Seconds within which two pictures of a person count as one."""
_NEARLY = 0.8
_CHUNK = 8192
_KEPT_DAYS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Former:
    """The numbers that faces (r,) had before. numbers: int64 (r,), those that count first; -1 for none. earlier: all
    others of each face.
    """

    numbers: Ints
    earlier: tuple[frozenset[int], ...]

    @staticmethod
    def of(
        faces: FaceVectors, rows: Ints, remembered: Mapping[int, Sequence[Range]], rate: float | None
    ) -> "Former":
        """rows: positions (r,) of the faces. remembered: of them, by id. rate: what it is now, None if it is as it was:
        then the number that a face has comes first.
        """
        now = faces.strangers[rows].tolist()
        known = [remembered.get(face, ()) for face in faces.ids[rows].tolist()]
        first = [
            number if number >= 0 and rate is None else -1 if not of else _last(of, rate)
            for number, of in zip(now, known, strict=True)
        ]
        earlier = tuple(frozenset(number for _, _, number in of) for of in known)
        return Former(np.array(first, np.int64), earlier)


def numbered(
    connection: Connection,
    origin: VectorOrigin,
    faces: FaceVectors,
    rows: Ints,
    labels: Ints,
    others: Ints,
    former: Former,
    threshold: GalleryThreshold,
    least: float,
) -> Ints:
    """The number of each face's stranger, int64 (r,); -1 for none. Strangers are written down.

    rows: positions (r,) of the faces in groups, labels: their groups. others: (n,) numbers of all other faces, which
    are taken. former: of the r faces.
    """
    groups = _split(faces, rows, labels)
    known = album_strangers.all_of_them(connection)
    hands = {int(n) for n in faces.strangers[rows[faces.by_hand[rows]]]} - {-1}
    met = _Met(connection, origin, threshold, least)
    times = album_faces.taken(connection, np.unique(faces.pictures[rows]).tolist())
    looks = [_Look.of(faces, rows[group], times) for group in groups]
    numbers = {
        k: number
        for k, group in enumerate(groups)
        if (number := _hand_number(faces, rows[group])) is not None
    }
    cameras = {number for number, one in known.items() if not one.made}
    taken = set(others[others >= 0].tolist()) | hands
    for had in (
        [Counter(former.numbers[group].tolist()) for group in groups],
        [Counter(number for k in group for number in former.earlier[k]) for group in groups],
    ):
        free = {
            k: {
                number: count
                for number, count in had[k].items()
                if number >= 0 and number not in taken and (look.sightings > 1 or number in cameras)
            }
            for k, look in enumerate(looks)
            if k not in numbers
        }
        kept = kept_numbers(free)
        numbers |= kept
        taken |= set(kept.values())
    spoken_for = taken.union(*former.earlier)
    result = np.full(len(rows), -1, np.int64)
    for k, (group, look) in enumerate(zip(groups, looks, strict=True)):
        at = rows[group]
        number = numbers.get(k)
        if number is None:
            number = met.same(faces.vectors[at], taken)
        if number is None and look.sightings > 1:
            number = _new(connection, look.times[0].isoformat(), spoken_for)
            known[number] = AlbumStranger(number, True, False)
        if number is None:
            continue
        taken.add(number)
        result[group] = number
        one = known.get(number) or _back(connection, number, look.times[0].isoformat())
        album_strangers.put(connection, one)
        if one.made:
            _show(connection, origin, number, faces, at, sorted(look.times), look.sightings)
    return result


def kept_numbers(had: Mapping[int, Mapping[int, int]]) -> dict[int, int]:
    """Which group keeps which number: that with most of the faces that had it, the largest part first; of equal parts
    that of the smaller number, then of the first group. had: of groups, how many faces had which number.
    """
    parts = sorted((-count, number, group) for group, own in had.items() for number, count in own.items())
    kept: dict[int, int] = {}
    taken = set[int]()
    for _, number, group in parts:
        if group not in kept and number not in taken:
            kept[group] = number
            taken.add(number)
    return kept


@dataclass(frozen=True, slots=True)
class _Look:
    """What a group shows: when its pictures were taken, UTC, and how often the person was seen."""

    times: list[datetime]
    sightings: int

    @staticmethod
    def of(faces: FaceVectors, at: Ints, times: Mapping[int, tuple[str, bool]]) -> "_Look":
        written = [times[int(picture)] for picture in faces.pictures[at]]
        when = [_utc(text) for text, _ in written]
        dated = [one.timestamp() if camera else None for one, (_, camera) in zip(when, written, strict=True)]
        return _Look(when, seen(faces.vectors[at], dated))


def _last(ranges: Sequence[Range], rate: float | None) -> int:
    """The number at a rate; -1 for no rate."""
    found = None if rate is None else number_at(ranges, rate)
    return -1 if found is None else found


def _new(connection: Connection, when: str, spoken_for: Collection[int]) -> int:
    """A new stranger, whose number is none that another has or had, whatever the database says is next."""
    while True:
        number = stranger_rows.add_stranger(connection, when, KEPT, 0.0, b"")
        if number not in spoken_for:
            return number
        connection.execute("DELETE FROM stranger WHERE id = ?", (number,))


def _back(connection: Connection, number: int, when: str) -> AlbumStranger:
    """A stranger who was in the album before, or whom a camera knows."""
    if stranger_rows.stranger(connection, number) is not None:
        return AlbumStranger(number, False, False)
    stranger_rows.put_back(connection, (number, when, when, KEPT, 0, 0.0), b"")
    return AlbumStranger(number, True, album_numbers.was_ignored(connection, number))


def let_go(connection: Connection) -> None:
    """Strangers who have no face in the album any more leave it; nothing is shown of those whose files are missing."""
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
    for number, first, last in album_strangers.missing(connection):
        stranger_rows.start_again(connection, number, 0.0, b"")
        album_strangers.set_seen(connection, number, first, last, 0)


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
    shown = album_views.shown_by(
        connection, faces.ids[at].tolist(), faces.vectors[at], faces.quality[at], last
    )
    stranger_rows.start_again(connection, number, shown[0].view.quality, shown[0].crop or b"")
    for one in shown:
        stranger_rows.add_view(connection, number, one.view, origin)
    album_strangers.set_seen(connection, number, first, last, sightings)


def _utc(taken: str) -> datetime:
    return datetime.fromisoformat(taken).astimezone(UTC)
