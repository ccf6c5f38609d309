"""What a recogniser answers. Pixels, boxes and landmarks as in `faces.face`; similarities are cosines."""

from dataclasses import dataclass

from multiface.arrays import Floats
from multiface.decision import Decision, Rate, Threshold
from multiface.images.box import Box


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedFace:
    """One face of a picture and who it is.

    box: x0, y0, x1, y1. score: the detector's confidence, 0..1. landmarks: float32 (5, 2). decision: the name
    (None for unknown), why, the two best people and the threshold.
    """

    box: Box
    score: float
    landmarks: Floats
    decision: Decision

    @property
    def name(self) -> str | None:
        """The person's name; None for unknown."""
        return self.decision.name

    @property
    def person(self) -> str | None:
        """The person's id; None for unknown."""
        return self.decision.person


@dataclass(frozen=True, slots=True)
class Identification:
    """The faces of one picture, best detection first.

    width, height: of the picture in pixels. turn: quarter turns, counter-clockwise, after which faces were
    found (0 for a picture that stands upright). bordered: whether faces were found only with a border around
    the picture. whole_share: of a damaged picture, see `images.Picture`.
    """

    width: int
    height: int
    turn: int
    bordered: bool
    faces: tuple[IdentifiedFace, ...]
    whole_share: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """How the face of a picture was found: `turn`, `bordered` and `whole_share` as in `Identification`.

    face: the number of the face that was compared, from 1, best detection first; `faces`: how many there are.
    fault: what makes the picture too poor for the stated rates, in words; None where nothing does.
    """

    turn: int
    bordered: bool
    whole_share: float | None
    face: int
    faces: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether two pictures show the same person.

    same: decided, and similarity >= threshold. decided: false where both pictures are too poor (two such pictures
    resemble each other whoever they show), or one even against a good one. threshold: the similarity that the wanted
    false-match rate asks for. false_match_rate: that rate. at_similarity: the share of pairs of different people that
    are at least this similar. alike: the same among people who resemble each other, as `alike_by`, another network,
    chose them; both None where the calibration does not know. missed: the share of pairs of one person that this
    threshold refuses. detail: threshold with its interval and the set behind it. caveat: what does not quite fit, None
    where all does. first, second: how the face of each picture was found.
    """

    same: bool
    decided: bool
    similarity: float
    threshold: float
    false_match_rate: float
    at_similarity: Rate
    alike: Rate | None
    alike_by: str | None
    missed: Rate
    detail: Threshold
    caveat: str | None
    first: Look
    second: Look
