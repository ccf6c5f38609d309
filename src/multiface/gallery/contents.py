"""What a gallery holds: people, and templates (one unit vector for one face in one picture).

Vectors are float32 `(d,)` of unit length. Boxes are x0, y0, x1, y1 in pixels of the upright picture. Times
are UTC, ISO 8601 with seconds. `VectorOrigin` says which weights made a gallery's vectors, and how:
vectors of different fingerprints, or with and without mirror images, never meet.
"""

import string
from dataclasses import dataclass

import numpy as np

from multiface.arrays import Floats
from multiface.images.box import Box, overlap

SAME_FACE_OVERLAP = 0.5
"""Two boxes in one picture are the same face from this intersection over union on."""


@dataclass(frozen=True, slots=True)
class VectorOrigin:
    """Which embedder made the vectors of a gallery.

    fingerprint: `weights.spec.fingerprint` of the embedder; it decides whether vectors may meet.
    weights, detector: their names, for people to read.
    dimension: length of a vector.
    flip: whether each crop was embedded together with its mirror image; it too decides.
    """

    fingerprint: str
    weights: str
    detector: str
    dimension: int
    flip: bool = True

    def __post_init__(self) -> None:
        if not self.fingerprint or self.dimension < 1:
            raise ValueError("a vector origin needs a fingerprint and a positive dimension")


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Where in its picture a face was found.

    width, height: of the upright picture, in pixels.
    box: x0, y0, x1, y1 in pixels of that picture.
    score: the detector's confidence, 0..1.
    detector: the detector's name.
    quarter_turns: how often the picture had to be turned by 90 degrees before the face was found, 0..3.
    faces_in_picture: how many faces the detector found, 1 or more.
    """

    width: int
    height: int
    box: Box
    score: float
    detector: str
    quarter_turns: int
    faces_in_picture: int

    def same_face(self, other: "PictureFacts") -> bool:
        """Whether both are the same face, given that they come from the same picture.

        Boxes of differently turned pictures cannot be compared; they count as the same face.
        """
        if self.quarter_turns != other.quarter_turns:
            return True
        return overlap(self.box, other.box) >= SAME_FACE_OVERLAP


@dataclass(frozen=True, slots=True)
class PictureNote:
    """What to tell about a picture that was taken: its faces if there were several, and that it was turned.

    path: as text. faces: how many were found, 1 or more. quarter_turns: 0..3.
    """

    path: str
    faces: int
    quarter_turns: int

    @staticmethod
    def of(path: str, facts: PictureFacts) -> "PictureNote | None":
        """The note about a picture; None where there is nothing to tell."""
        if facts.faces_in_picture == 1 and facts.quarter_turns == 0:
            return None
        return PictureNote(path, facts.faces_in_picture, facts.quarter_turns)

    def __str__(self) -> str:
        parts = []
        if self.faces > 1:
            parts.append(f"{self.faces} faces, the clearly largest one was taken")
        if self.quarter_turns:
            parts.append(f"the face was found after {self.quarter_turns} quarter turn(s)")
        return f"{self.path}: {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Crop:
    """The face of a template, kept so that it can be shown, and embedded again with other weights.

    picture: JPEG. aligned: whether it is `CROP_SIDE` pixels wide and high with the landmarks in the places of
    `weights.spec.ARCFACE_TEMPLATE`; else it is a picture of one person in which the face is to be found.
    """

    picture: bytes
    aligned: bool = True


CROP_SIDE = 112


@dataclass(frozen=True, slots=True, eq=False)
class NewTemplate:
    """A template that is not in a gallery yet.

    vector: float32 (d,), unit length.
    source_digest: sha256 (64 lower-case hex digits) of the picture's bytes.
    source: where the picture came from, as text; relative to the folder when it came from a folder.
    crop: None to keep none.
    """

    vector: Floats
    source_digest: str
    source: str
    facts: PictureFacts
    crop: Crop | None = None

    def __post_init__(self) -> None:
        if self.vector.dtype != np.float32 or self.vector.ndim != 1:
            raise ValueError(
                f"a template's vector is float32 (d,), not {self.vector.dtype} {self.vector.shape}"
            )
        if len(self.source_digest) != 64 or not set(self.source_digest) <= set(string.hexdigits.lower()):
            raise ValueError("a template's source_digest is the sha256 of the picture in lower-case hex")


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A template in a gallery; the fields of `NewTemplate`, its id, the number of its person, and when it was added
    (UTC, ISO).
    """

    id: int
    person: int
    vector: Floats
    source_digest: str
    source: str
    facts: PictureFacts
    added: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person in a gallery.

    id: opaque, as `person_ids` makes it; it stays whatever the person is called. number: of the person's row in this
    gallery, rising with age; other galleries have other numbers. name: several people may have one. created: UTC, ISO.
    templates: how many there are. external_id: what another system calls the person; nobody else in the gallery has
    it. note: free text. groups: names, sorted. cover: the id of the template to show; None for no choice.
    """

    id: str
    number: int
    name: str
    created: str
    templates: int
    external_id: str | None = None
    note: str = ""
    groups: tuple[str, ...] = ()
    cover: int | None = None
