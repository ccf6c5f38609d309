"""What is drawn for a face of a video."""

from multiface.images import Mark
from multiface.recognition.annotate import face_mark
from multiface.video.results import SeenFace


def mark_of(face: SeenFace, similarity: bool) -> Mark:
    """The mark of the face's track. similarity: whether the best person's cosine stands on a second line."""
    return face_mark(face.box, face.decision, 2 if similarity else None, face.stranger)
