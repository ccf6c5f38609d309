"""The state of a run as bytes, from which another process goes on exactly where this one was.

An .npz file without pickles. `header` is JSON: the version of this format, whose vectors they are, what is known of
each track and which of them were there together. `tracker` and `cuts` are the states of those; `best_...` are the best
views, PNG files. It holds names, vectors and pictures of people: keep it as private as a gallery.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.errors import FingerprintMismatch, InputError
from multiface.gallery import VectorOrigin
from multiface.json_text import document_of, parse_json, record_from
from multiface.video.names.appearances import Known
from multiface.video.names.co_presence import Presence
from multiface.video.tracks.best_views import StoredView
from multiface.video.tracks.last_detection import LastDetection

VERSION = 6


@dataclass(frozen=True, slots=True, eq=False)
class EngineState:
    """Everything that a run knows after a frame with a detection.

    presences: of the tracks that are known, see `CoPresence`. learnt: see `StrangerTracks`.
    """

    embeddings: int
    last: LastDetection
    known: Mapping[int, Known]
    presences: Mapping[int, Presence]
    learnt: frozenset[int]
    best: Mapping[int, StoredView]
    tracker: bytes
    cuts: Floats


def packed(state: EngineState, origin: VectorOrigin) -> bytes:
    """The state as bytes. origin: whose vectors it holds."""
    best = {str(number): [view.quality, view.time] for number, view in state.best.items()}
    last = {
        "time": state.last.time,
        "size": state.last.size,
        "numbers": state.last.numbers,
        "boxes": state.last.boxes,
        "scores": state.last.scores,
        "whole": state.last.full,
        "followed": state.last.followed,
        "settled": state.last.settled,
    }
    known = document_of(dict(state.known))
    header = {
        "version": VERSION,
        "origin": asdict(origin),
        "embeddings": state.embeddings,
        "last": last,
        "known": known,
        "presences": {str(n): [one.until, sorted(one.beside)] for n, one in state.presences.items()},
        "learnt": sorted(state.learnt),
        "best": best,
    }
    file = io.BytesIO()
    arrays: dict[str, npt.NDArray[Any]] = {
        "header": _bytes(json.dumps(header).encode()),
        "tracker": _bytes(state.tracker),
        "cuts": state.cuts,
        "velocities": state.last.velocities,
        **{f"best_{number}": _bytes(view.png) for number, view in state.best.items()},
    }
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpacked(data: bytes, origin: VectorOrigin) -> EngineState:
    """Inverse of `packed`.

    Raises FingerprintMismatch for a state with vectors of other weights, InputError for one that is broken or of
    another version.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            header: dict[str, Any] = parse_json(file["header"].tobytes())
            if header["version"] != VERSION:
                raise InputError(
                    f"the state of this run is of version {header['version']}, this program writes and reads "
                    f"{VERSION}",
                    hint="start the run anew",
                )
            if header["origin"] != asdict(origin):
                raise FingerprintMismatch(
                    "the state of this run was made with another detector, other weights or another choice of "
                    "flips",
                    hint="use those, or start the run anew",
                )
            last = header["last"]
            return EngineState(
                embeddings=int(header["embeddings"]),
                last=LastDetection(
                    float(last["time"]),
                    (int(last["size"][0]), int(last["size"][1])),
                    tuple(int(number) for number in last["numbers"]),
                    tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in last["boxes"]),
                    file["velocities"],
                    tuple(float(score) for score in last["scores"]),
                    float(last["whole"]),
                    bool(last["followed"]),
                    bool(last["settled"]),
                ),
                known=record_from(header["known"], dict[int, Known]),
                presences={
                    int(number): Presence(float(until), frozenset(map(int, beside)))
                    for number, (until, beside) in header["presences"].items()
                },
                learnt=frozenset(map(int, header["learnt"])),
                best={
                    int(number): StoredView(file[f"best_{number}"].tobytes(), quality, time)
                    for number, (quality, time) in header["best"].items()
                },
                tracker=file["tracker"].tobytes(),
                cuts=file["cuts"],
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"the state of this run cannot be read ({type(error).__name__}: {error})",
            hint="start the run anew",
        ) from error


def _bytes(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)
