"""Results drawn on their picture."""

from multiface.decision import Reason
from multiface.images import Image, Mark, draw_faces
from multiface.recognition.results import Identification, IdentifiedFace


def annotated(image: Image, result: Identification) -> Image:
    """A copy of the picture with a box, a name and the similarity for each face."""
    return draw_faces(image, [_mark(face) for face in result.faces])


def _mark(face: IdentifiedFace) -> Mark:
    decision = face.decision
    similarity = "" if decision.best is None else f"{decision.best.similarity:.3f}"
    if decision.name is not None:
        return Mark(face.box, decision.name, similarity, known=True)
    label = "unknown"
    if decision.reason is Reason.RUNNER_UP_TOO_NEAR and decision.best and decision.runner_up:
        label = f"{decision.best.name} or {decision.runner_up.name}?"
    return Mark(face.box, label, similarity, known=False)
