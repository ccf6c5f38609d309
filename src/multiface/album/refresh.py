"""Everything in an album that follows from the rest: who each face is, which unknown faces are one person, and their
numbers. Nothing is embedded; the result depends on faces, gallery and hand work alone, so it may be done at any time.

It is done after a scan and after each change by hand, and before a question if the gallery's people have changed since.
"""

from dataclasses import dataclass

import numpy as np

from multiface.album.deciding import decided
from multiface.album.group_numbers import Former, let_go, like_those_of_cameras, numbered
from multiface.arrays import Bools, Ints
from multiface.errors import GalleryBusy
from multiface.gallery import Gallery, album_faces, album_numbers, album_strangers
from multiface.gallery.album_faces import FaceVectors, Standing
from multiface.gallery.album_strangers import AlbumState
from multiface.gallery.people_index import Known, last_touched
from multiface.gallery.sql import Connection
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.recognition.grouping import Unknown, grouped, least_similarity, near_pairs, rounded_up

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What `refresh` changed: faces that have another person or none now, and the groups of unknown people."""

    faces: int
    groups: int


def is_fresh(gallery: Gallery, threshold: GalleryThreshold) -> bool:
    """Whether nothing has changed since the last time."""
    with gallery.database.reading() as connection:
        state, face = album_strangers.state(connection), album_faces.last(connection)
        if state.touched < 0:
            return face == 0
        now = last_touched(connection), face, _settings(threshold), threshold.rate
        return not state.changed and (state.touched, state.face, state.settings, state.rate) == now


def refresh(gallery: Gallery, threshold: GalleryThreshold) -> Refreshed:
    """Decide all faces anew and group those that are unknown; groups that nothing can have changed are not looked at
    again. Raises RateNotSupported, GalleryError.
    """
    for _ in range(_TRIES):
        index = gallery.index()
        with gallery.database.writing() as connection:
            if last_touched(connection) == index.touched:
                refreshed = _refresh(connection, gallery, index, threshold)
                break
    else:
        raise GalleryBusy(f"{gallery.place}: other programs keep changing it", hint="try again later")
    gallery.database.purge_log()
    return refreshed


def _refresh(
    connection: Connection, gallery: Gallery, index: Known, threshold: GalleryThreshold
) -> Refreshed:
    album_faces.loosen(connection)
    before = album_strangers.state(connection)
    faces = album_faces.vectors(connection, gallery.origin)
    barred, named = album_faces.barred(connection), album_faces.named_without_vector(connection)
    persons = decided(faces, barred, named, index.matrix, threshold)
    of_strangers = faces.by_hand & (faces.strangers >= 0)
    # Of a file that is missing nothing is counted or shown; what a face of it was stays, should it come back.
    missing = ~faces.there & (persons < 0) & ~faces.ignored
    unknown = faces.there & (persons < 0) & ~faces.ignored & (~faces.poor | of_strangers)
    level = rounded_up(int(unknown.sum()))
    settings = _settings(threshold)
    least = least_similarity(threshold.calibration, threshold.rate, level)
    moved = persons != faces.persons
    affected = unknown
    if (settings, threshold.rate, level) == (before.settings, before.rate or threshold.rate, before.level):
        start = (faces.ids > before.face) | moved | np.isin(faces.ids, list(before.changed))
        losing = np.unique(faces.strangers[(start | (~unknown & ~missing)) & (faces.strangers >= 0)])
        start |= np.isin(faces.strangers, losing)
        rows = np.flatnonzero(unknown & ~start & (faces.strangers < 0))
        start[rows] = like_those_of_cameras(connection, gallery.origin, faces.vectors[rows], threshold, least)
        affected = _reached(faces, start & unknown, unknown, least)
    rows = np.flatnonzero(affected)
    strangers = np.where(unknown & ~affected, faces.strangers, -1)
    had = faces.strangers >= 0
    old_rate = before.rate or threshold.rate
    if old_rate != threshold.rate:
        album_numbers.remember(connection, _numbers(faces, had), old_rate)
    if len(rows):
        labels = grouped(_unknown(faces, rows), threshold.calibration, least)
        remembered = album_numbers.ranges(connection, faces.ids[rows].tolist())
        former = Former.of(faces, rows, remembered, None if old_rate == threshold.rate else threshold.rate)
        strangers[rows] = numbered(
            connection, gallery.origin, faces, rows, labels, strangers, former, threshold, least
        )
    strangers[missing] = faces.strangers[missing]
    if old_rate == threshold.rate:
        album_numbers.remember(connection, _numbers(faces, had & (strangers != faces.strangers)), old_rate)
    for k in np.flatnonzero(moved | (strangers != faces.strangers)):
        standing = Standing(
            _row(persons[k]), _row(strangers[k]), bool(faces.by_hand[k]), bool(faces.ignored[k])
        )
        album_faces.set_standing(connection, int(faces.ids[k]), standing)
    let_go(connection)
    state = AlbumState(index.touched, album_faces.last(connection), settings, threshold.rate, level)
    album_strangers.set_state(connection, state)
    return Refreshed(int(moved.sum()), len(np.unique(strangers[unknown & (strangers >= 0)])))


def _settings(threshold: GalleryThreshold) -> str:
    """What decides besides faces, people and the rate."""
    calibration = threshold.calibration
    facts = (calibration.fingerprint, calibration.detector, calibration.source, calibration.made_by)
    return ", ".join(map(str, facts)).replace(";", ",")


def _numbers(faces: FaceVectors, chosen: Bools) -> dict[int, int]:
    """The numbers that faces have, by id."""
    return dict(zip(faces.ids[chosen].tolist(), faces.strangers[chosen].tolist(), strict=True))


def _reached(faces: FaceVectors, start: Bools, unknown: Bools, least: float) -> Bools:
    """The unknown faces that can be in one group with one of these, by way of any number of others."""
    reached, front = start.copy(), start
    everybody = np.flatnonzero(unknown)
    while front.any():
        _, near = near_pairs(faces.vectors[front], faces.vectors[everybody], least)
        found = np.zeros(len(faces), np.bool_)
        found[everybody[near]] = True
        hands = np.unique(faces.strangers[(found | front) & faces.by_hand & (faces.strangers >= 0)])
        found |= unknown & faces.by_hand & np.isin(faces.strangers, hands)
        front = found & ~reached
        reached |= front
    return reached


def _unknown(faces: FaceVectors, rows: Ints) -> Unknown:
    moments = [
        frozenset((int(faces.pictures[k]),)) if np.isnan(faces.seconds[k, 0]) else frozenset() for k in rows
    ]
    return Unknown(faces.vectors[rows], moments, np.where(faces.by_hand[rows], faces.strangers[rows], -1))


def _row(number: int) -> int | None:
    return None if number < 0 else int(number)
