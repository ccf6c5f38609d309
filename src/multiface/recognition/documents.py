"""The JSON documents of the commands and of the service, as plain Python values. Their shape is a contract.

Pixels have one decimal, similarities and scores six, as events have: more would be noise. Only embeddings are exact:
nine digits give each float32 back.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from multiface.decision import Candidate, Threshold
from multiface.faces.analysis import Analysis
from multiface.faces.finding import Found
from multiface.recognition.results import Identification, IdentifiedFace, Verification


def identification_document(path: Path | None, result: Identification) -> dict[str, Any]:
    """One picture of `identify`. path: of its file; None for a picture that has none. So in all of these."""
    return {
        **_path(path),
        "width": result.width,
        "height": result.height,
        "turn": result.turn,
        "bordered": result.bordered,
        "damaged": damage_document(result.whole_share),
        "faces": [_face(face) for face in result.faces],
    }


def verification_document(a: Path | None, b: Path | None, result: Verification) -> dict[str, Any]:
    """The answer of `verify`."""
    return {
        "same": result.same if result.decided else None,
        "similarity": round(result.similarity, 6),
        "threshold": round(result.threshold, 6),
        "false_match_rate": result.false_match_rate,
        **result.at_similarity.document("false_match_rate_at_similarity"),
        **(
            {"false_match_rate_alike_at_similarity": None, "false_match_rate_alike_at_similarity_bound": None}
            if result.alike is None
            else result.alike.document("false_match_rate_alike_at_similarity")
        ),
        "alike_chosen_by": result.alike_by,
        **result.missed.document("false_non_match_rate"),
        **_rate(result.detail),
        "caveat": result.caveat,
        "pictures": [
            {
                **_path(path),
                "turn": look.turn,
                "bordered": look.bordered,
                "face": look.face,
                "faces": look.faces,
                "too_poor": look.fault,
                "damaged": damage_document(look.whole_share),
            }
            for path, look in ((a, result.first), (b, result.second))
        ],
    }


def detection_document(
    path: Path | None, width: int, height: int, found: Found, whole_share: float | None
) -> dict[str, Any]:
    """One picture of `detect`."""
    faces = found.faces
    return {
        **_path(path),
        "width": width,
        "height": height,
        "turn": found.turn,
        "bordered": found.bordered,
        "damaged": damage_document(whole_share),
        "faces": [
            {
                "box": _pixels(faces.boxes[k]),
                "score": round(float(faces.scores[k]), 6),
                "landmarks": [_pixels(point) for point in faces.landmarks[k]],
            }
            for k in range(len(faces))
        ],
    }


def ranking_document(
    path: Path | None, analysis: Analysis, ranked: Sequence[Sequence[Candidate]]
) -> dict[str, Any]:
    """One picture of `search`. ranked: people for each face, the most similar first."""
    return {
        **_path(path),
        "width": analysis.width,
        "height": analysis.height,
        "faces": [
            {"box": _pixels(box), "people": [_candidate(one) for one in best]}
            for box, best in zip(analysis.faces.boxes, ranked, strict=True)
        ],
    }


def damage_document(whole_share: float | None) -> dict[str, Any] | None:
    """What is said of a damaged picture; null for one that is whole to its last byte."""
    return None if whole_share is None else {"whole_share": round(whole_share, 4)}


def embedding_documents(path: Path | None, analysis: Analysis) -> list[dict[str, Any]]:
    """The faces of one picture of `embed`, a document a face."""
    return [
        {
            **_path(path),
            "face": k,
            "box": _pixels(analysis.faces.boxes[k]),
            "score": round(float(analysis.faces.scores[k]), 6),
            "embedding": [float(f"{value:.9g}") for value in analysis.embeddings[k]],
        }
        for k in range(len(analysis.faces))
    ]


def _path(path: Path | None) -> dict[str, str]:
    return {} if path is None else {"path": str(path)}


def _face(face: IdentifiedFace) -> dict[str, Any]:
    decision = face.decision
    return {
        "box": _pixels(face.box),
        "score": round(face.score, 6),
        "landmarks": [_pixels(point) for point in face.landmarks],
        "name": decision.name,
        "person": decision.person,
        "similarity": None if decision.best is None else round(decision.best.similarity, 6),
        "best": _candidate(decision.best),
        "runner_up": _candidate(decision.runner_up),
        "reason": decision.reason.value,
        "too_poor": decision.fault,
        "threshold": None if decision.threshold is None else round(decision.threshold.similarity, 6),
        "threshold_at_large": None if decision.threshold is None else round(decision.threshold.at_large, 6),
        **({} if decision.threshold is None else _rate(decision.threshold)),
    }


def _candidate(candidate: Candidate | None) -> dict[str, Any] | None:
    return (
        None
        if candidate is None
        else {
            "name": candidate.name,
            "person": candidate.person,
            "similarity": round(candidate.similarity, 6),
        }
    )


def _pixels(values: Iterable[float]) -> list[float]:
    """Coordinates to a tenth of a pixel."""
    return [round(float(value), 1) for value in values]


def _rate(threshold: Threshold) -> dict[str, Any]:
    return {
        "rate": threshold.rate,
        "people": threshold.people,
        "rate_interval": None if threshold.interval is None else list(threshold.interval),
        "extrapolated": threshold.extrapolated,
        "calibration": threshold.source,
    }
