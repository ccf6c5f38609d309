"""What `people check` says of how alike the people of a gallery are."""

from typing import TYPE_CHECKING, Any

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.cli.settings import Settings
from multiface.errors import NotAvailable, RateNotSupported

if TYPE_CHECKING:
    from multiface.decision import Calibration
    from multiface.gallery import Gallery


def calibration_of(settings: Settings, gallery: "Gallery") -> "Calibration | None":
    """The calibration for the vectors of a gallery; None where there is none. Raises UsageError, InputError."""
    from multiface.decision import choose_calibration

    origin = gallery.origin
    try:
        return choose_calibration(
            options.weights_store(settings).folder / "calibrations",
            detector=origin.detector,
            weights=origin.weights,
            fingerprint=origin.fingerprint,
            flip=origin.flip,
        ).calibration
    except NotAvailable:
        return None


def say_alike(
    speaker: Speaker, calibration: "Calibration", rate: float, gallery: "Gallery"
) -> dict[str, Any] | None:
    """Say the two most alike people, and what the gallery's own threshold costs; the same as a document.

    None, and nothing is said, with fewer than three people and at a rate that the calibration does not support.
    """
    from multiface.decision.own_rate import own_rate

    matrix = gallery.matrix()
    try:
        own = own_rate(matrix.vectors, matrix.person_index, matrix.centres, matrix.spread, calibration, rate)
    except RateNotSupported:
        return None
    if own.alike is None:
        return None
    names = [matrix.names[position] for position in own.alike]
    missed, missed_at_large = (
        calibration.false_non_match_rate(similarity) for similarity in (own.similarity, own.calibrated)
    )
    speaker.result(f"most alike: {names[0]} and {names[1]}, similarity {own.alike_similarity:.3f}")
    speaker.result(
        f"threshold at {100 * rate:g} %: {own.similarity:.3f} in this gallery, {own.calibrated:.3f} among people at "
        f"large; of pairs of pictures of one person a share of {missed} lies below it, instead of {missed_at_large}"
    )
    return {
        "names": names,
        "people": [matrix.ids[position] for position in own.alike],
        "similarity": own.alike_similarity,
        "rate": rate,
        "threshold": own.similarity,
        "threshold_at_large": own.calibrated,
        **missed.document("false_non_match_rate"),
        **missed_at_large.document("false_non_match_rate_at_large"),
    }
