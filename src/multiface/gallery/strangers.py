"""`Strangers`: people without a name, numbered, each with the best picture and a few vectors, kept for a time.

A number is given once and never again, whatever is removed. A stranger keeps at most `MOST_VIEWS` vectors, one a
track: when there is one too many, of the two most alike the one of lower quality goes. A stranger is compared as
people are: by the mean of the vectors, scaled to unit length. Each vector is itself such a mean, of the views of one
track, so the spread that counts is that of all of them: 1 - (1 - spread of the vectors) * (1 - their mean own spread),
the length of the mean of everything where the tracks had equally many views.

A stranger is made by the first look at a track, so that another track can be known by it; what is kept for long is
learnt when a track is over. So a track that turns out to be somebody else can be taken back.

Vectors and pictures are biometric data of people who were not asked: they leave the file's bytes when a stranger is
removed, when others take their place, and when `kept_until` is passed. Of one who is named they are kept for 30 days
more, so that the naming can be undone, unless the person is removed.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats, vector_bytes
from multiface.errors import NotInGallery, UsageError
from multiface.gallery import (
    album_faces,
    album_strangers,
    album_views,
    changes,
    people_rows,
    stranger_rows,
    template_rows,
)
from multiface.gallery.album_faces import Standing
from multiface.gallery.clock import utc_now
from multiface.gallery.contents import Crop, NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.database import GalleryDatabase
from multiface.gallery.matrix import Matrix
from multiface.gallery.names import clean_name
from multiface.gallery.person_ids import is_id
from multiface.gallery.search import score_people
from multiface.gallery.service import camera_events
from multiface.gallery.sql import Connection
from multiface.gallery.stranger_rows import MOST_VIEWS, Stranger, View
from multiface.images import Image
from multiface.images.jpeg import jpeg_bytes

PICTURE_SIDE = 320
"""The longest side of the picture kept, in pixels."""

Wanted = Callable[[Floats], npt.NDArray[np.float64]]
"""Spreads of the strangers kept, float32 (s,) in 0..1 -> the cosine each has to be reached with, float64 (s,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A track of somebody without a name.

    vector: float32 (d,), unit length: the mean of the track's views. spread: of these, 0..1. quality: of the picture,
    0..1. picture: the best of the track, (h, w, 3) uint8 RGB. when: UTC, ISO 8601.
    """

    vector: Floats
    spread: float
    quality: float
    picture: Image
    when: str


@dataclass(frozen=True, slots=True)
class Named:
    """What `name` did: the person's name, the templates that were new, whether the write-ahead log is empty, the
    person's id, and the faces in the album that have the name now.

    purged: False if another process was reading for long; see `gallery.Removed`.
    """

    person: str
    templates: int
    purged: bool
    id: str
    faces: int = 0


class Strangers:
    """The strangers of one gallery. Threads and processes may share the file; each change is one transaction."""

    def __init__(self, database: GalleryDatabase, origin: VectorOrigin) -> None:
        self._database = database
        self._origin = origin

    def list(self) -> tuple[Stranger, ...]:
        """All of them, by number."""
        with self._database.reading() as connection:
            return stranger_rows.strangers(connection)

    def picture(self, number: int) -> bytes:
        """The best picture of a stranger, as JPEG. Raises GalleryError if there is no such stranger."""
        with self._database.reading() as connection:
            self._check(number, stranger_rows.stranger(connection, number))
            return stranger_rows.picture(connection, number) or b""

    def find(self, sighting: Sighting, wanted: Wanted, taken: Collection[int], keep: timedelta) -> int:
        """The number of the stranger that a track shows: the most similar one, or a new one.

        Of one who was known nothing is changed: `learn` it when the track is over. wanted: what the similarity has to
        reach. taken: numbers of others who are in the picture at the same time, and so cannot be this one. keep: how
        long a new stranger is kept from `sighting.when` on.

        Raises UsageError for a time that is none, GalleryError for a vector that the gallery cannot hold, PictureError.
        """
        view, kept_until, picture = _kept(sighting, keep)
        with self._database.writing() as connection:
            expired = stranger_rows.remove_expired(connection, utc_now())
            number = self._most_similar(
                stranger_rows.all_views(connection, self._origin), view, wanted, taken
            )
            if number is None:
                number = stranger_rows.add_stranger(connection, view.seen, kept_until, view.quality, picture)
                stranger_rows.add_view(connection, number, view, self._origin)
        if expired:
            self._database.purge_log()
        return number

    def learn(self, number: int, sighting: Sighting, keep: timedelta, again: bool = False) -> None:
        """A track of this stranger is over. Nothing happens where the stranger was removed or named meanwhile.

        What a stranger was made with is replaced by the first track that is over. again: an earlier appearance of the
        same track was learnt already; it is not counted twice, nor is the same track of the same file.

        Raises as `find` does.
        """
        view, kept_until, picture = _kept(sighting, keep)
        with self._database.writing() as connection:
            found = stranger_rows.stranger(connection, number)
            if found is None:
                return
            album_strangers.met(connection, number)
            first = found.sightings == 0
            kept = stranger_rows.views(connection, number, self._origin)
            replaced = first and [_content(one) for _, one in kept] != [_content(view)]
            if replaced:
                stranger_rows.start_again(connection, number, view.quality, picture)
                kept = []
            elif not first:
                replaced = stranger_rows.better_picture(connection, number, view.quality, picture)
            # The same track of the same file once more teaches nothing.
            new = all(one.picture_digest != view.picture_digest for _, one in kept)
            sightings = int(first or (new and not again))
            stranger_rows.see_stranger(connection, number, view.seen, kept_until, sightings)
            if new:
                stranger_rows.add_view(connection, number, view, self._origin)
                if len(kept) == MOST_VIEWS:
                    kept = stranger_rows.views(connection, number, self._origin)
                    stranger_rows.drop_view(connection, _least_needed(kept))
                    replaced = True
        if replaced:
            self._database.purge_log()

    def take_back(self, number: int, learnt: bool) -> None:
        """A track of this stranger is somebody else: remove the stranger if no other track was.

        learnt: whether the track was learnt. Others, and those who are in the album, stay as they are; it is no error
        if there is no such stranger.
        """
        with self._database.writing() as connection:
            found = stranger_rows.stranger(connection, number)
            album = number in album_strangers.all_of_them(connection)
            if found is None or found.sightings > int(learnt) or album:
                return
            stranger_rows.remove_stranger(connection, number)
        self._database.purge_log()

    def name(self, number: int, person: str, *, crops: bool = False) -> Named:
        """Give a stranger a name: the vectors become templates of that person, who is made if there is none. Where
        none is kept, because all files with the stranger are missing, the faces in the album give them.

        person: a name or an id. crops: keep the stranger's picture, and the crops of the faces in the
        album, with the templates that were made of them.

        Raises GalleryError if there is no such stranger or id, AmbiguousName if several people have the name,
        GalleryError if another person has the same face of the same picture; UsageError for what cannot be a name.
        Nothing is changed then.
        """
        by_id = is_id(person.strip())
        name = person if by_id else clean_name(person)
        place = self._database.place
        with self._database.writing() as connection:
            stranger = self._check(number, stranger_rows.stranger(connection, number))
            kept = stranger_rows.views(connection, number, self._origin)
            picture = stranger_rows.picture(connection, number) or b""
            shown = _crops(connection, number, picture) if crops else {}
            # Of one whose files are all missing nothing is kept to show.
            views = [view for _, view in kept] or [
                one.view
                for one in album_views.of_stranger(connection, number, self._origin, stranger.last_seen)
            ]
            new = [self._template(number, view, shown.get(view.picture_digest)) for view in views]
            known = (people_rows.found if by_id else people_rows.one_of_name)(connection, name, place)
            who = known or people_rows.add_person(connection, name)
            added = template_rows.add_new_templates(connection, who, new, self._origin)
            album = album_strangers.all_of_them(connection).get(number)
            seen = album_faces.faces_of_stranger(connection, number)
            for face in seen:
                album_faces.refuse_twice(connection, face, who.number, who.name, place)
            faces = [face.id for face in seen]
            before = album_strangers.before(connection, faces)
            for one in faces:
                album_faces.set_standing(connection, one, Standing(person=who.number, by_hand=True))
            album_strangers.changed_by_hand(connection, faces)
            camera_events.name_stranger(connection, number, who.number)
            stranger_rows.remove_stranger(connection, number)
            facts = {
                "templates": added,
                "made": [] if known else [who.id],
                "stranger": {"row": _row(stranger), "views": [_facts(view) for _, view in kept]},
            }
            if album is not None:
                facts |= {"album": [album.made, album.ignored], "faces": before}
            vectors = [view.vector.astype("<f4").tobytes() for _, view in kept]
            changes.record(connection, "name", [who.id], facts, [picture, *vectors])
        return Named(who.name, len(added), self._database.purge_log(), who.id, len(faces))

    def remove(self, number: int) -> bool:
        """Remove a stranger with picture, vectors and faces in the album; whether they have left the file's bytes (else
        see `Named`).

        Raises GalleryError if there is no such stranger.
        """
        with self._database.writing() as connection:
            self._check(number, stranger_rows.stranger(connection, number))
            album_faces.remove_stranger(connection, number)
            stranger_rows.remove_stranger(connection, number)
        return self._database.purge_log()

    def forget_expired(self) -> int:
        """Remove those whose time is over; how many there were. Opening a gallery does it."""
        now = utc_now()
        with self._database.reading() as connection:
            if not stranger_rows.expired(connection, now):
                return 0
        with self._database.writing() as connection:
            gone = stranger_rows.remove_expired(connection, now)  # one may have been seen again meanwhile
        self._database.purge_log()
        return gone

    def _most_similar(
        self, known: stranger_rows.Views, view: View, wanted: Wanted, taken: Collection[int]
    ) -> int | None:
        free = ~np.isin(known.numbers, list(taken))
        if not free.any():
            return None
        numbers, index = np.unique(known.numbers[free], return_inverse=True)
        matrix = Matrix(known.vectors[free], index, tuple(map(str, numbers)))
        own = np.bincount(index, known.spreads[free]) / np.bincount(index)
        spread = (1.0 - (1.0 - matrix.spread) * (1.0 - own)).astype(np.float32)
        similarity = score_people(view.vector[np.newaxis], matrix, "mean")[0]
        passing = similarity >= wanted(spread)
        if not passing.any():
            return None
        return int(numbers[np.argmax(np.where(passing, similarity, -np.inf))])

    def _template(self, number: int, view: View, crop: Crop | None) -> NewTemplate:
        box = (0.0, 0.0, float(view.width), float(view.height))
        facts = PictureFacts(view.width, view.height, box, view.quality, self._origin.detector, 0, 1)
        return NewTemplate(view.vector, view.picture_digest, f"stranger {number}, {view.seen}", facts, crop)

    def _check(self, number: int, found: Stranger | None) -> Stranger:
        if found is None:
            raise NotInGallery(
                f"{self._database.place}: there is no stranger {number}",
                hint="`multiface people strangers` lists them",
            )
        return found


def _kept(sighting: Sighting, keep: timedelta) -> tuple[View, str, bytes]:
    """A sighting as a view, until when the stranger is kept for it, and the picture as JPEG."""
    when = _utc(sighting.when)
    picture = jpeg_bytes(sighting.picture, PICTURE_SIDE)
    height, width = sighting.picture.shape[:2]
    view = View(
        sighting.vector,
        float(sighting.spread),
        float(sighting.quality),
        hashlib.sha256(picture).hexdigest(),
        width,
        height,
        when,
    )
    return view, _utc((datetime.fromisoformat(when) + keep).isoformat()), picture


def _content(view: View) -> tuple[str, bytes]:
    """What of a view is about a person's face."""
    return view.picture_digest, vector_bytes(view.vector)


def _least_needed(views: list[tuple[int, View]]) -> int:
    """The id of the view that the others make up for best: of the most similar pair the one of lower quality."""
    vectors = np.stack([view.vector for _, view in views])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    pair = np.unravel_index(int(np.argmax(cosines)), cosines.shape)
    return min((views[k] for k in pair), key=lambda one: (one[1].quality, one[0]))[0]


def _utc(text: str) -> str:
    """A time in the form that galleries write."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds")
    except ValueError as error:
        raise UsageError(f"a time is written as 2024-05-01T12:34:56+00:00, got {text!r}") from error


def _crops(connection: Connection, number: int, picture: bytes) -> dict[str, Crop]:
    """What is kept of the pictures that a stranger's vectors were made of, by sha256."""
    faces = (
        album_faces.crop_of(connection, face.id) for face in album_faces.faces_of_stranger(connection, number)
    )
    crops = {hashlib.sha256(crop).hexdigest(): Crop(crop) for crop in faces if crop is not None}
    return {hashlib.sha256(picture).hexdigest(): Crop(picture, aligned=False), **crops}


def _row(stranger: Stranger) -> list[int | float | str]:
    """As `stranger_rows.put_back` takes it."""
    return [
        stranger.number,
        stranger.first_seen,
        stranger.last_seen,
        stranger.kept_until,
        stranger.sightings,
        stranger.quality,
    ]


def _facts(view: View) -> list[int | float | str]:
    """A view without its vector."""
    return [view.spread, view.quality, view.picture_digest, view.width, view.height, view.seen]
