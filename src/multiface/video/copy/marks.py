"""What is drawn for a face of a video: its track's name, and the similarity if asked."""

from multiface.decision import Reason
from multiface.images import Mark
from multiface.recognition.annotate import similarity_text
from multiface.video.results import SeenFace


def mark_of(face: SeenFace, similarity: bool) -> Mark:
    """The mark: the person's name; "stranger 3"; two names with a question mark where they lie too near; "unknown";
    a bare box before anything was decided. similarity: whether the best person's cosine stands on a second line.
    """
    decision = face.decision
    if decision is None:
        label = "" if face.stranger is None else f"stranger {face.stranger}"
        return Mark(face.box, label, known=False)
    detail = similarity_text(decision, 2) if similarity else ""
    if decision.name is not None:
        return Mark(face.box, decision.name, detail, known=True)
    if face.stranger is not None:
        label = f"stranger {face.stranger}"
    elif decision.reason is Reason.RUNNER_UP_TOO_NEAR and decision.best and decision.runner_up:
        label = f"{decision.best.name} or {decision.runner_up.name}?"
    else:
        label = "unknown"
    return Mark(face.box, label, detail, known=False)
