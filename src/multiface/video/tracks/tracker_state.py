"""The tracker's state as bytes: an .npz archive of plain arrays, without pickles, exact to the last bit.

Arrays: version (1,), clock (4,) [time, next number, height, width; -1 for no picture yet], and for each of the groups
alive and lost of n tracks: numbers (n, 2) int64 [number, detections], times (n, 7) [first_seen, last_seen,
previous_seen, embedded, doubt_seen, sure_seen, overlap], boxes (n, 18) [first sides, sides, previous sides, sure sides,
velocity], views (n, 3) int64 [count, whether a doubt follows, length of the path], and for all views in a row
view_times, view_qualities, view_vectors; doubts (k, d); for all paths in a row path (p, 5) [time, sides].
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multiface.errors import InputError
from multiface.video.tracks.live_track import LiveTrack
from multiface.video.tracks.views import Views

VERSION = 2

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState:
    """time: of the last step. next_number: for the next new track. size: (height, width) of the last picture."""

    time: float
    next_number: int
    size: tuple[int, int] | None
    alive: list[LiveTrack]
    lost: list[LiveTrack]


def to_bytes(state: TrackerState) -> bytes:
    """The state, to be read by `from_bytes`."""
    height, width = state.size if state.size is not None else (-1, -1)
    arrays: dict[str, npt.NDArray[Any]] = {
        "version": np.array([VERSION]),
        "clock": np.array([state.time, state.next_number, height, width], np.float64),
    }
    for group, tracks in (("alive", state.alive), ("lost", state.lost)):
        arrays.update({f"{group}_{name}": array for name, array in _packed(tracks).items()})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            # ZipInfo by itself has a fixed date, so that equal states are equal bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return stream.getvalue()


def from_bytes(data: bytes) -> TrackerState:
    """Inverse of `to_bytes`. Raises InputError for bytes that are none of its."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if arrays["version"].tolist() != [VERSION]:
            raise ValueError(f"version {arrays['version'].tolist()}, wanted {VERSION}")
        time, number, height, width = arrays["clock"].tolist()
        return TrackerState(
            time=time,
            next_number=int(number),
            size=None if height < 0 else (int(height), int(width)),
            alive=_unpacked(arrays, "alive"),
            lost=_unpacked(arrays, "lost"),
        )
    except (ValueError, KeyError, IndexError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"the saved state of the tracks cannot be read ({type(error).__name__}: {error})",
            hint="begin again without it",
        ) from error


def _packed(tracks: list[LiveTrack]) -> dict[str, npt.NDArray[Any]]:
    views = [track.views for track in tracks if len(track.views)]
    doubts = [track.doubt for track in tracks if len(track.doubt)]
    return {
        "numbers": np.array([[t.number, t.detections] for t in tracks], np.int64).reshape(-1, 2),
        "times": np.array(
            [
                [t.first_seen, t.last_seen, t.previous_seen, t.embedded, t.doubt_seen, t.sure_seen, t.overlap]
                for t in tracks
            ],
            np.float64,
        ).reshape(-1, 7),
        "boxes": np.array(
            [
                np.concatenate([t.first_sides, t.sides, t.previous_sides, t.sure_sides, t.velocity])
                for t in tracks
            ],
            np.float64,
        ).reshape(-1, 18),
        "views": np.array([[len(t.views), len(t.doubt) > 0, len(t.path)] for t in tracks], np.int64).reshape(
            -1, 3
        ),
        "view_times": np.concatenate([np.zeros(0), *(v.times for v in views)]),
        "view_qualities": np.concatenate([np.zeros(0, np.float32), *(v.qualities for v in views)]),
        "view_vectors": np.concatenate([v.vectors for v in views]) if views else np.zeros((0, 0), np.float32),
        "doubts": np.stack(doubts) if doubts else np.zeros((0, 0), np.float32),
        "path": np.array([[time, *sides] for t in tracks for time, sides in t.path], np.float64).reshape(
            -1, 5
        ),
    }


def _unpacked(arrays: Arrays, group: str) -> list[LiveTrack]:
    def get(name: str) -> npt.NDArray[Any]:
        return arrays[f"{group}_{name}"]

    tracks = []
    at, doubts, looks = 0, 0, 0
    for numbers, times, boxes, views in zip(
        get("numbers").tolist(), get("times").tolist(), get("boxes"), get("views").tolist(), strict=True
    ):
        count, has_doubt, length = views
        some = slice(at, at + count)
        track = LiveTrack(
            number=numbers[0],
            first_seen=times[0],
            first_sides=boxes[:4].copy(),
            last_seen=times[1],
            sides=boxes[4:8].copy(),
            detections=numbers[1],
            velocity=boxes[16:].copy(),
            previous_seen=times[2],
            previous_sides=boxes[8:12].copy(),
            embedded=times[3],
            doubt_seen=times[4],
            sure_seen=times[5],
            overlap=times[6],
            sure_sides=boxes[12:16].copy(),
        )
        if count:
            track.views = Views(
                get("view_times")[some], get("view_qualities")[some], get("view_vectors")[some]
            )
        if has_doubt:
            track.doubt = get("doubts")[doubts]
        track.path = [(float(row[0]), row[1:].copy()) for row in get("path")[looks : looks + length]]
        at, doubts, looks = at + count, doubts + has_doubt, looks + length
        tracks.append(track)
    return tracks
