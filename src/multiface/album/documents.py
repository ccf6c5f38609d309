"""The album's answers as JSON, the same on the command line and over HTTP.

`stranger` is the number of a group of unknown faces: one number for a stranger of photos, films and cameras.
"""

from typing import Any

from multiface.album.groups import UnknownGroup
from multiface.album.questions import Hit, HitFace

Document = dict[str, Any]


def hit_document(hit: Hit) -> Document:
    """A photo or film, without where its files lie."""
    return {
        "photo": hit.picture,
        "film": hit.film,
        "width": hit.width,
        "height": hit.height,
        "taken": hit.taken,
        "faces": [face_document(face) for face in hit.faces],
    }


def face_document(face: HitFace) -> Document:
    """A face."""
    return {
        "face": face.id,
        "photo": face.picture,
        "box": [round(side, 1) for side in face.box],
        "name": face.name,
        "person": face.person,
        "stranger": face.stranger,
        "seconds": None if face.seconds is None else [round(second, 3) for second in face.seconds],
        "by_hand": face.by_hand,
        "ignored": face.ignored,
        "too_poor": face.fault,
    }


def group_document(group: UnknownGroup) -> Document:
    """A group of unknown faces."""
    near = group.near
    return {
        "stranger": group.number,
        "sightings": group.sightings,
        "first_seen": group.first_seen,
        "last_seen": group.last_seen,
        "ignored": group.ignored,
        "near": None
        if near is None
        else {
            "name": near.person.name,
            "person": near.person.id,
            "similarity": round(near.similarity, 6),
            "wanted": round(near.wanted, 6),
        },
        "faces": [face_document(face) for face in group.faces],
    }
