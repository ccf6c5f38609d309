"""JSON of a service as the values that the library answers with.

What a service does not tell stays empty: `Person.number` is 0, the paths of a `Hit` are none.
"""

from typing import Any

import numpy as np

from multiface.album import Hit, HitFace, Near, UnknownGroup
from multiface.arrays import Floats
from multiface.decision import Candidate, Decision, Rate, Reason, Threshold
from multiface.faces.face import Faces
from multiface.gallery import Change, Person
from multiface.images.box import Box
from multiface.recognition import Enrolment, Identification, Verification
from multiface.recognition.results import IdentifiedFace, Look

Document = dict[str, Any]


def identification(document: Document) -> Identification:
    """One picture of `identify`."""
    return Identification(
        document["width"],
        document["height"],
        document["turn"],
        document["bordered"],
        tuple(_identified(face) for face in document["faces"]),
        _whole_share(document),
    )


def _identified(face: Document) -> IdentifiedFace:
    decision = Decision(
        face["name"],
        Reason(face["reason"]),
        _candidate(face["best"]),
        _candidate(face["runner_up"]),
        _threshold(face),
        face["too_poor"],
    )
    return IdentifiedFace(
        _box(face["box"]), face["score"], np.array(face["landmarks"], np.float32).reshape(5, 2), decision
    )


def verification(document: Document) -> Verification:
    """The answer of `verify`."""
    alike = document["false_match_rate_alike_at_similarity"]
    detail = _threshold(document)
    assert detail is not None
    first, second = (
        Look(one["turn"], one["bordered"], _whole_share(one), one["face"], one["faces"], one["too_poor"])
        for one in document["pictures"]
    )
    return Verification(
        bool(document["same"]),
        document["same"] is not None,
        document["similarity"],
        document["threshold"],
        document["false_match_rate"],
        _rate(document, "false_match_rate_at_similarity"),
        None if alike is None else _rate(document, "false_match_rate_alike_at_similarity"),
        document["alike_chosen_by"],
        _rate(document, "false_non_match_rate"),
        detail,
        document["caveat"],
        first,
        second,
    )


def faces(document: Document) -> Faces:
    """One picture of `detect`."""
    found = document["faces"]
    return Faces(
        np.array([face["box"] for face in found], np.float32).reshape(-1, 4),
        np.array([face["score"] for face in found], np.float32),
        np.array([face["landmarks"] for face in found], np.float32).reshape(-1, 5, 2),
    )


def embeddings(document: Document) -> Floats:
    """One picture of `embed`: float32 (n, d); (0, 0) without a face."""
    rows = [face["embedding"] for face in document["faces"]]
    return np.array(rows, np.float32).reshape(len(rows), -1) if rows else np.zeros((0, 0), np.float32)


def ranking(document: Document) -> list[list[Candidate]]:
    """One picture of `search`: people for each face, the most similar first."""
    return [
        [Candidate(one["name"], one["similarity"], one["person"]) for one in face["people"]]
        for face in document["faces"]
    ]


def enrolment(document: Document) -> Enrolment:
    """The answer to pictures that were enrolled; refused pictures are called by their place, from 1."""
    return Enrolment(
        document["added"],
        document["already_there"],
        tuple((f"picture {one['index'] + 1}", one["reason"]) for one in document["refused"]),
        tuple(document["notes"]),
        document["person"],
    )


def person(document: Document) -> Person:
    """A person."""
    return Person(
        document["person"],
        0,
        document["name"],
        document["created"],
        document["templates"],
        document["external_id"],
        document["note"],
        tuple(document["groups"]),
        document["cover"],
    )


def change(document: Document) -> Change:
    """A change; of its facts only whether it can be undone."""
    facts = {} if document["can_be_undone"] else {"vectors_gone": True}
    return Change(
        document["change"],
        document["made"],
        document["kind"],
        tuple(document["people"]),
        facts,
        document["undone"],
    )


def hit(document: Document) -> Hit:
    """A photo or film."""
    return Hit(
        document["photo"],
        (),
        document["film"],
        document["width"],
        document["height"],
        document["taken"],
        tuple(face(one) for one in document["faces"]),
    )


def face(document: Document) -> HitFace:
    """A face of the album."""
    seconds = document["seconds"]
    return HitFace(
        document["face"],
        document["photo"],
        document["name"],
        document["person"],
        document["stranger"],
        _box(document["box"]),
        None if seconds is None else (seconds[0], seconds[1]),
        document["by_hand"],
        document["ignored"],
        document["too_poor"],
    )


def group(document: Document) -> UnknownGroup:
    """A group of unknown faces."""
    near = document["near"]
    return UnknownGroup(
        document["stranger"],
        document["sightings"],
        document["first_seen"],
        document["last_seen"],
        tuple(face(one) for one in document["faces"]),
        None
        if near is None
        else Near(Person(near["person"], 0, near["name"], "", 0), near["similarity"], near["wanted"]),
        document["ignored"],
    )


def _threshold(document: Document) -> Threshold | None:
    if document["threshold"] is None:
        return None
    interval = document["rate_interval"]
    at_large = document.get("threshold_at_large")
    return Threshold(
        document["threshold"],
        document["rate"],
        document["people"],
        None if interval is None else (interval[0], interval[1]),
        document["extrapolated"],
        document["calibration"],
        None if at_large in (None, document["threshold"]) else at_large,
    )


def _candidate(document: Document | None) -> Candidate | None:
    return (
        None if document is None else Candidate(document["name"], document["similarity"], document["person"])
    )


def _rate(document: Document, name: str) -> Rate:
    return Rate(document[name], document[f"{name}_bound"])


def _whole_share(document: Document) -> float | None:
    damaged = document["damaged"]
    return None if damaged is None else float(damaged["whole_share"])


def _box(sides: list[float]) -> Box:
    x0, y0, x1, y1 = sides
    return x0, y0, x1, y1
