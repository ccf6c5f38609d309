"""What stands on a face's label."""

import pytest

from multiface.decision import Candidate, Decision, Reason, Threshold
from multiface.images import Mark
from multiface.video.copy.marks import mark_of
from multiface.video.results import SeenFace

ANNA, BERTA = Candidate("Anna", 0.7149), Candidate("Berta", 0.69)
LOW, WANTED = (Threshold(similarity, 0.01, 2, None, False, "a set") for similarity in (0.3, 0.95))


def face(decision: Decision | None, stranger: int | None = None) -> SeenFace:
    return SeenFace(1, (1.0, 2.0, 3.0, 4.0), False, None, 0.9, decision, stranger)


@pytest.mark.parametrize(
    ("decision", "stranger", "label", "detail", "known"),
    [
        (Decision("Anna", Reason.KNOWN, ANNA, BERTA, None), None, "Anna", "0.71", True),
        (Decision(None, Reason.BELOW_THRESHOLD, ANNA, BERTA, WANTED), None, "unknown", "0.71 < 0.95", False),
        (Decision(None, Reason.NOBODY_ENROLLED, None, None, None), None, "unknown", "", False),
        (Decision(None, Reason.BELOW_THRESHOLD, ANNA, None, WANTED), 3, "stranger 3", "0.71 < 0.95", False),
        (Decision(None, Reason.RUNNER_UP_TOO_NEAR, ANNA, BERTA, LOW), None, "Anna or Berta?", "", False),
        (None, None, "", "", False),
        (None, 4, "stranger 4", "", False),
    ],
)
def test_label(decision: Decision | None, stranger: int | None, label: str, detail: str, known: bool) -> None:
    def shown(mark: Mark) -> tuple[str, str, bool]:
        assert mark.box == (1, 2, 3, 4)
        return mark.label, mark.detail, mark.known

    assert shown(mark_of(face(decision, stranger), similarity=True)) == (label, detail, known)
    assert shown(mark_of(face(decision, stranger), similarity=False)) == (label, "", known)
