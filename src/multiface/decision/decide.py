"""Similarities to names.

A face is given a name when its best person lies at or above the threshold of the wanted false-positive
identification rate, no other free person is too near, and no other face of the picture has a better claim on
the same person: two faces in one picture cannot be the same person. Of a picture that is too poor to be compared even
with a good one, no face is named; where any other poor picture stays without a name, that is the reason given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles
from multiface.decision.calibration import Threshold
from multiface.decision.quality_limits import PictureFault
from multiface.errors import UsageError


class Reason(Enum):
    """Why a face has its name or none."""

    KNOWN = "known"
    BELOW_THRESHOLD = "below threshold"
    RUNNER_UP_TOO_NEAR = "runner-up too near"
    PERSON_TAKEN = "the person is another face of this picture"
    NOBODY_ENROLLED = "nobody enrolled"
    TOO_POOR = "picture too poor"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and the similarity (cosine) to that person. person: the id, where the gallery gives ids."""

    name: str
    similarity: float
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one face.

    name: None for unknown. best: the person named, else the most similar one. runner_up: the most similar of
    the others. Both are None where the gallery has nobody for them. threshold: what `best` had to reach, with
    the rate behind it; None with nobody enrolled. fault: what makes the picture
    too poor for the rate against another poor one, in words; None where nothing does.
    """

    name: str | None
    reason: Reason
    best: Candidate | None
    runner_up: Candidate | None
    threshold: Threshold | None
    fault: str | None = None

    @property
    def person(self) -> str | None:
        """Who is named: the id, or the name where there are no ids; None for unknown. Two people may have one name."""
        if self.name is None or self.best is None:
            return self.name
        return self.best.person or self.name


def decide(
    similarities: npt.NDArray[np.float32],
    names: Sequence[str],
    threshold: Threshold | None,
    margin: float,
    rise: npt.NDArray[np.float32] | None = None,
    faults: Sequence[PictureFault | None] = (),
    ids: Sequence[str] = (),
) -> list[Decision]:
    """Decisions for the faces of one picture.

    similarities: (faces, people) cosines. names: of the people. threshold: for this number of people, None
    exactly when there are none. margin: the least distance to any other person who is not another face here.
    rise: what the threshold of each person is higher (`Calibration.rise`), (people,) or, where it differs from face to
    face, (faces, people); None for nothing. faults: what is wrong with each face that is poor, one a face or none at
    all; one that is too poor alone claims nobody. ids: of the people, or none at all. Two columns are two people,
    whatever they are called.

    Claims at or above the person's threshold are granted from the highest similarity down, one person to one
    face.
    """
    if similarities.ndim != 2 or similarities.shape[1] != len(names):
        raise UsageError(f"similarities {similarities.shape} do not fit {len(names)} people")
    if ids and len(ids) != len(names):
        raise UsageError(f"{len(ids)} ids do not fit {len(names)} names")
    if faults and len(faults) != len(similarities):
        raise UsageError(f"{len(faults)} faults do not fit {len(similarities)} faces")
    known = faults or [None] * len(similarities)
    if threshold is None:
        nobody = Decision(None, Reason.NOBODY_ENROLLED, None, None, None)
        return [_with_fault(nobody, fault) for fault in known]
    # In float64, in which the threshold is: rounded to float32 it could lie below itself.
    exact = similarities.astype(np.float64)
    wanted = np.full(exact.shape, threshold.similarity)
    if rise is not None:
        if rise.shape not in (exact.shape, exact.shape[1:]):
            raise UsageError(f"rise {rise.shape} does not fit similarities {similarities.shape}")
        wanted += rise
    silent = np.array([fault is not None and fault.alone for fault in known], np.bool_)
    people: list[tuple[str, str | None]] = [(name, ids[k] if ids else None) for k, name in enumerate(names)]
    owner = _granted(exact, np.where(silent[:, None], np.inf, wanted))
    return [
        _with_fault(_decision(face, row, people, threshold, least, margin, owner), fault)
        for face, (row, least, fault) in enumerate(zip(exact, wanted, known, strict=True))
    ]


def _with_fault(decision: Decision, fault: PictureFault | None) -> Decision:
    if fault is None:
        return decision
    blamed = fault.alone or decision.reason is Reason.BELOW_THRESHOLD
    if blamed and decision.reason is not Reason.NOBODY_ENROLLED:
        return replace(decision, reason=Reason.TOO_POOR, fault=fault.words)
    return replace(decision, fault=fault.words)


def _granted(similarities: Doubles, wanted: Doubles) -> npt.NDArray[np.intp]:
    """For each person the face that has the best claim on him, -1 for none."""
    owner = np.full(similarities.shape[1], -1, np.intp)
    faces, people = np.nonzero(similarities >= wanted)
    served: set[int] = set()
    for claim in np.argsort(-similarities[faces, people], kind="stable"):
        face, person = int(faces[claim]), int(people[claim])
        if owner[person] < 0 and face not in served:
            owner[person] = face
            served.add(face)
    return owner


def _decision(
    face: int,
    row: Doubles,
    people: Sequence[tuple[str, str | None]],
    threshold: Threshold,
    wanted: Doubles,
    margin: float,
    owner: npt.NDArray[np.intp],
) -> Decision:
    mine = np.flatnonzero(owner == face)
    top = int(np.argmax(row))
    if len(mine) == 0:
        first = top
        reason = Reason.PERSON_TAKEN if row[top] >= wanted[top] else Reason.BELOW_THRESHOLD
    elif np.any(row[owner < 0] > row[mine[0]] - margin):
        first, reason = top, Reason.RUNNER_UP_TOO_NEAR
    else:
        first, reason = int(mine[0]), Reason.KNOWN
    others = row.copy()
    others[first] = -np.inf
    second = int(np.argmax(others))
    best = _candidate(people[first], row[first])
    runner_up = _candidate(people[second], row[second]) if len(row) > 1 else None
    own_rise = float(wanted[first]) - threshold.similarity
    at_large = None if threshold.calibrated is None else threshold.calibrated + own_rise
    asked = replace(threshold, similarity=float(wanted[first]), calibrated=at_large)
    return Decision(best.name if reason is Reason.KNOWN else None, reason, best, runner_up, asked)


def _candidate(person: tuple[str, str | None], similarity: float) -> Candidate:
    name, public_id = person
    return Candidate(name, float(similarity), public_id)
