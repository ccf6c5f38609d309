"""What `people check` says of people who are two, and of two who are one."""

from typing import TYPE_CHECKING, Any

from multiface.cli.console import Speaker, counted
from multiface.errors import RateNotSupported

if TYPE_CHECKING:
    from multiface.decision import Calibration
    from multiface.decision.mixed_people import Mixture
    from multiface.gallery import Gallery

SHOWN = 20
"""Lines of each kind; `--json` has all."""


def say_mixed(
    speaker: Speaker, calibration: "Calibration", rate: float, gallery: "Gallery"
) -> dict[str, Any]:
    """Say who seems to be two people, and which two seem to be one, the best evidence first; the same as a document.

    The gallery has at least one person.
    """
    from multiface.decision.double_people import double_people
    from multiface.decision.mixed_people import mixed_people

    matrix = gallery.matrix()
    document: dict[str, Any] = {"mixed": [], "same": []}
    parted = mixed_people(matrix.vectors, matrix.first, calibration, rate)
    if parted is not None:
        least, mixtures = parted
        document["mixed"] = [_mixture(gallery, matrix.ids[one.person], one) for one in mixtures]
        for one in document["mixed"][:SHOWN]:
            few = [source for group in one["groups"][1:] for source in group]
            speaker.result(
                f"{one['name']}: may be two people. {len(few)} of {counted(one['pictures'], 'picture')} unlike the "
                f"others (similarity {one['similarity']:.2f}, usual from {least:.2f} on): {_few(few)}"
            )
        if mixtures:
            _rest(speaker, len(mixtures))
            speaker.note(
                "look at these pictures; move those of somebody else to a folder of that person, and run "
                "`multiface facebank FOLDER --prune` again"
            )
    try:
        asked, doubles = double_people(
            matrix.vectors, matrix.person_index, matrix.centres, matrix.spread, calibration, rate
        )
    except RateNotSupported:
        return document
    for double in doubles:
        person, other = matrix.names[double.person], matrix.names[double.other]
        document["same"].append(
            {
                "name": person,
                "person": matrix.ids[double.person],
                "other": other,
                "other_person": matrix.ids[double.other],
                "recognised": double.recognised,
                "pictures": double.pictures,
                "similarity": round(double.similarity, 6),
                "threshold": round(asked, 6),
            }
        )
        if len(document["same"]) <= SHOWN:
            speaker.result(
                f"{person} and {other}: may be one person. {double.recognised} of "
                f"{counted(double.pictures, 'picture')} of {person} are recognised as {other} (similarity "
                f"{double.similarity:.2f}, asked {asked:.2f})"
            )
    if doubles:
        _rest(speaker, len(doubles))
        speaker.note("if they are one person: `multiface people merge INTO FROM`")
    return document


def _mixture(gallery: "Gallery", who: str, mixture: "Mixture") -> dict[str, Any]:
    sources = [template.source for template in gallery.templates(who)]
    return {
        "name": gallery.person(who).name,
        "person": who,
        "pictures": len(sources),
        "groups": [[sources[k] for k in group] for group in mixture.groups],
        "similarity": round(mixture.similarity, 6),
    }


def _few(sources: list[str]) -> str:
    more = f" and {len(sources) - 5} more" if len(sources) > 5 else ""
    return ", ".join(sources[:5]) + more


def _rest(speaker: Speaker, count: int) -> None:
    if count > SHOWN:
        speaker.note(f"{count - SHOWN:,} more are in the document of --json")
