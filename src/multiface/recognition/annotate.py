"""Results drawn on their picture."""

from multiface.decision import Decision, Reason
from multiface.images import Image, Mark, draw_faces
from multiface.images.box import Box
from multiface.recognition.results import Identification


def annotated(image: Image, result: Identification) -> Image:
    """A copy of the picture with a box, a name and the similarity for each face, "0.912 < 0.950" for the unknown."""
    return draw_faces(image, [face_mark(face.box, face.decision, 3) for face in result.faces])


def face_mark(box: Box, decision: Decision | None, decimals: int | None, stranger: int | None = None) -> Mark:
    """The mark of a face: the person's name; "stranger 3"; two names with a question mark if they are too near each
    other; "unknown"; a bare box before anything is decided.

    decimals: of the similarity below it, see `similarity_text`; None for no similarity.
    """
    similarity = "" if decimals is None or decision is None else similarity_text(decision, decimals)
    if decision is not None and decision.name is not None:
        return Mark(box, decision.name, similarity, known=True)
    if stranger is not None:
        label = f"stranger {stranger}"
    elif decision is None:
        label = ""
    elif decision.reason is Reason.RUNNER_UP_TOO_NEAR and decision.best and decision.runner_up:
        label = f"{decision.best.name} or {decision.runner_up.name}?"
    else:
        label = "unknown"
    return Mark(box, label, similarity, known=False)


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
