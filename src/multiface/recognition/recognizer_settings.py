"""What can be chosen of a recogniser, as one value."""

from dataclasses import dataclass
from pathlib import Path

from multiface.decision import Calibration
from multiface.errors import UsageError
from multiface.faces.opening import MIN_FACE
from multiface.plain_number import plain_number
from multiface.weights.session import Engine

IDENTIFY_RATE = 0.01
VERIFY_RATE = 0.001


@dataclass(frozen=True, slots=True)
class RecognizerSettings:
    """How a recogniser decides and where it runs.

    rate: false-positive identification rate of `identify` for the whole gallery, above 0 and below 1. flip: embed
    each crop together with its mirror image; None does so where the weights gain by it. threads: the budget of all
    networks; None for all processors. engine: "cpu", "cuda", ... min_face: shorter side of the smallest face, in
    pixels. calibration: one of your own, or the name of one in the store; None for the one in force there, else the
    package's. crops: keep a crop of the face (112 x 112 pixels, JPEG) with each template that is added to a gallery;
    the cache of a people folder never has any. store, cache: folders for weights and for cached networks and vectors;
    None for the user's own.

    Raises UsageError.
    """

    rate: float = IDENTIFY_RATE
    flip: bool | None = None
    threads: int | None = None
    engine: str = "cpu"
    min_face: float = MIN_FACE
    calibration: str | Calibration | None = None
    crops: bool = True
    store: str | Path | None = None
    cache: str | Path | None = None

    def __post_init__(self) -> None:
        if not 0 < plain_number(self.rate, "an error rate") < 1:
            raise UsageError(f"an error rate lies between 0 and 1, not {self.rate}")
        self.engine_value()

    def engine_value(self) -> Engine:
        """The engine with its thread budget."""
        return Engine(self.engine, self.threads)
