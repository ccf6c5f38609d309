"""Results drawn on their picture."""

from multiface.decision import Decision, Reason
from multiface.images import Image, Mark, draw_faces
from multiface.recognition.results import Identification, IdentifiedFace


def annotated(image: Image, result: Identification) -> Image:
    """A copy of the picture with a box, a name and the similarity for each face, "0.912 < 0.950" for the unknown."""
    return draw_faces(image, [_mark(face) for face in result.faces])


def _mark(face: IdentifiedFace) -> Mark:
    decision = face.decision
    similarity = similarity_text(decision, 3)
    if decision.name is not None:
        return Mark(face.box, decision.name, similarity, known=True)
    label = "unknown"
    if decision.reason is Reason.RUNNER_UP_TOO_NEAR and decision.best and decision.runner_up:
        label = f"{decision.best.name} or {decision.runner_up.name}?"
    return Mark(face.box, label, similarity, known=False)


def similarity_text(decision: Decision, decimals: int) -> str:
    """The best similarity as it stands below a name; below "unknown" with the threshold that it does not reach, since
    it alone would read as how sure that is. Empty where there is none, or another reason than the threshold.
    """
    if decision.best is None:
        return ""
    best = f"{decision.best.similarity:.{decimals}f}"
    if decision.name is not None:
        return best
    wanted = None if decision.threshold is None else decision.threshold.similarity
    return "" if wanted is None or decision.best.similarity >= wanted else f"{best} < {wanted:.{decimals}f}"
