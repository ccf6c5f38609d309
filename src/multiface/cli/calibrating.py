"""What `calibrate` does: measure, compare with what is in force, put in force and undo."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.errors import NotAvailable, RateNotSupported, UsageError

if TYPE_CHECKING:
    from multiface.decision import Calibration, ChosenCalibration, Threshold

VERIFY_RATES = (0.01, 0.001, 0.0001)
IDENTIFY_RATE = 0.01
GALLERIES = (1, 10, 100, 1000)


def measure(
    speaker: Speaker,
    chosen: options.Chosen,
    folder: Path,
    name: str | None,
    out: Path | None,
    alike_by: str | None,
    people: str | None,
    gallery: str | None,
) -> dict[str, Any]:
    """Measure, write, and say what would change. Raises DataSetError, UsageError, WeightsMissing."""
    import numpy as np

    from multiface.atomic_write import write_whole
    from multiface.cli.evaluation import portraits_of
    from multiface.datasets.people import portraits_by_person
    from multiface.decision.fitting import fit_calibration, refuse_small
    from multiface.decision.shipped import refuse_taken

    chosen = _settled(chosen)
    title = name or folder.resolve().name
    pictures = portraits_by_person(folder)
    person = np.array([picture.person for picture in pictures])
    refuse_small(title, person)
    embedder = chosen.files().embedder(chosen.weights)
    own = chosen.store / "calibrations"
    if out is None:
        refuse_taken(own, title, chosen.detector, embedder.fingerprint, bool(chosen.flip), title)
    file = out or own / f"{title}.json"
    chooser_name = alike_by or _other_weights(chosen)
    if chooser_name is not None and chosen.files().embedder(chooser_name).fingerprint == embedder.fingerprint:
        raise UsageError(
            f"--alike-by {chooser_name}: these are the weights that are measured",
            hint="name others",
            name=chooser_name,
        )
    if chooser_name is None:
        speaker.warn(
            "there are no other weights to choose people who resemble each other: their rate stays unknown"
        )
    paths = [picture.path for picture in pictures]
    portraits, _ = portraits_of(speaker, chosen, paths, strict=False)
    found = np.ones(len(pictures), bool)
    found[[*portraits.without_face, *(number for number, _ in portraits.broken)]] = False
    for _, reason in portraits.broken:
        speaker.warn(f"left out: {reason}")
    if portraits.without_face:
        speaker.warn(f"left out: {len(portraits.without_face)} pictures without a face")
    refuse_small(title, person[found])
    chooser = None
    if chooser_name is not None:
        other = replace(chosen, weights=chooser_name, flip=None)
        chooser = portraits_of(speaker, other, paths, strict=False)[0]
    decides = in_force(chosen)
    before = None if decides is None else decides.calibration
    calibration = fit_calibration(
        portraits.embeddings[found],
        person[found],
        detector=chosen.detector,
        weights=embedder.name,
        fingerprint=embedder.fingerprint,
        flip=bool(chosen.flip),
        set_name=title,
        made_by=shlex.join(
            ["multiface", "calibrate", folder.resolve().name, *_shown_options(chosen, name, chooser_name)]
        ),
        chooser=None if chooser is None else chooser.embeddings[found],
        chooser_name=chooser_name,
        limits=None if before is None else before.limits,
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, calibration.to_json().encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})", path=file) from error
    document: dict[str, Any] = {
        "file": str(file),
        "name": title,
        "source": calibration.source,
        "before": None if before is None else before.source,
        "rates": _compared(speaker, calibration, before),
    }
    if people is not None or gallery is not None:
        document["gallery"] = _gallery(speaker, chosen, calibration, before, people, gallery)
    speaker.result(f"{calibration.source}; written to {file}")
    return document


def in_force(chosen: options.Chosen) -> "ChosenCalibration | None":
    """The calibration that decides now; None for none."""
    from multiface.decision import choose_calibration

    chosen = _settled(chosen)
    embedder = chosen.files().embedder(chosen.weights)
    try:
        return choose_calibration(
            chosen.store / "calibrations",
            detector=chosen.detector,
            weights=embedder.name,
            fingerprint=embedder.fingerprint,
            flip=bool(chosen.flip),
            wanted=chosen.calibration,
        )
    except NotAvailable:
        return None


def say_used(speaker: Speaker, chosen: options.Chosen, name: str) -> dict[str, Any]:
    """Put a calibration of the store in force and say so."""
    from multiface.decision.shipped import UNDO, use_calibration

    try:
        use_calibration(chosen.store / "calibrations", name)
    except OSError as error:
        raise UsageError(
            f"{chosen.store}: cannot be written ({error.strerror})", path=chosen.store
        ) from error
    speaker.result(f"calibration {name} is in force; {UNDO}")
    return {"in_force": name}


def say_undone(speaker: Speaker, chosen: options.Chosen) -> dict[str, Any]:
    """Go back to the package's own calibration and say so."""
    from multiface.decision.shipped import undo_calibration

    chosen = _settled(chosen)
    try:
        name = undo_calibration(
            chosen.store / "calibrations",
            detector=chosen.detector,
            fingerprint=chosen.files().embedder(chosen.weights).fingerprint,
            flip=bool(chosen.flip),
        )
    except OSError as error:
        raise UsageError(
            f"{chosen.store}: cannot be written ({error.strerror})", path=chosen.store
        ) from error
    pair = f"{chosen.detector} and {chosen.weights} {'with' if chosen.flip else 'without'} flips"
    speaker.result(
        f"calibration {name} is no longer in force for {pair}" if name else f"none was in force for {pair}"
    )
    return {"undone": name}


def _settled(chosen: options.Chosen) -> options.Chosen:
    """The same with the choice of flips made: the user's, else that of the weights."""
    return replace(chosen, flip=chosen.flips(chosen.files().embedder(chosen.weights).flip))


def _other_weights(chosen: options.Chosen) -> str | None:
    """Other weights that are there: first those that come with the package."""
    from multiface.weights.catalogue import CATALOGUE

    store = chosen.files()
    mine = store.embedder(chosen.weights).fingerprint
    wheel = [entry.name for entry in CATALOGUE if entry.kind == "embedder" and entry.packed]
    pulled = [one.name for one in store.listing() if one.kind == "embedder" and one.problem is None]
    return next((name for name in (*wheel, *pulled) if store.embedder(name).fingerprint != mine), None)


def _compared(speaker: Speaker, new: "Calibration", before: "Calibration | None") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for kind, rate, people in (
        *(("false-match rate", rate, 1) for rate in VERIFY_RATES),
        *(("false-positive identification rate", IDENTIFY_RATE, people) for people in GALLERIES),
    ):
        found = [None if one is None else _threshold(one, kind, rate, people) for one in (new, before)]
        among = f" with {people:,} enrolled" if kind.startswith("false-positive") else ""
        speaker.result(f"{kind} {rate:g}{among}: {_said(found[0])}; in force: {_said(found[1])}")
        rows.append(
            {
                "kind": kind,
                "rate": rate,
                "people": people,
                "new": _threshold_document(found[0]),
                "in_force": _threshold_document(found[1]),
            }
        )
    return rows


def _threshold(calibration: "Calibration", kind: str, rate: float, people: int) -> "Threshold | None":
    try:
        if kind == "false-match rate":
            return calibration.threshold_for_verify(rate)
        return calibration.threshold_for_identify(rate, people)
    except RateNotSupported:
        return None


def _said(threshold: "Threshold | None") -> str:
    if threshold is None:
        return "out of reach"
    how = " (extrapolated)"
    if threshold.interval is not None:
        how = f" (95 % interval {threshold.interval[0]:.2g} to {threshold.interval[1]:.2g})"
    return f"similarity {threshold.similarity:.4f}{how}"


def _threshold_document(threshold: "Threshold | None") -> dict[str, Any] | None:
    if threshold is None:
        return None
    return {
        "similarity": threshold.similarity,
        "interval": None if threshold.interval is None else list(threshold.interval),
        "extrapolated": threshold.extrapolated,
    }


def _gallery(
    speaker: Speaker,
    chosen: options.Chosen,
    new: "Calibration",
    before: "Calibration | None",
    people: str | None,
    gallery: str | None,
) -> dict[str, Any]:
    """What would change for the people given: thresholds, and own pictures that would be missed."""
    from multiface.cli.gallery_place import existing
    from multiface.decision.own_pictures import own_misses

    place = None if gallery is None else existing(gallery)
    with chosen.recognizer(people=people, gallery=place) as recognizer:
        assert recognizer.gallery is not None
        matrix = recognizer.gallery.matrix()
    document: dict[str, Any] = {"people": len(matrix.names), "rate": IDENTIFY_RATE}
    if not matrix.names:
        speaker.result("nobody is enrolled, so nothing would change")
        return document
    for key, one in (("in_force", before), ("new", new)):
        if one is None:
            document[key] = None
            continue
        own = own_misses(
            matrix.vectors, matrix.person_index, matrix.centres, matrix.spread, one, IDENTIFY_RATE
        )
        document[key] = {"similarity": own.threshold, "missed": own.missed, "tried": own.tried}
        misses = (
            f"{own.missed} of {own.tried} own pictures missed" if own.tried else "one picture a person only"
        )
        speaker.result(
            f"{len(matrix.names):,} people at {100 * IDENTIFY_RATE:g} %, {key.replace('_', ' ')}: "
            f"similarity {own.threshold:.4f}; {misses}"
        )
    return document


def _shown_options(chosen: options.Chosen, name: str | None, alike_by: str | None) -> list[str]:
    """The options behind a calibration: all that changes its numbers or its words."""
    from multiface.faces.opening import MIN_FACE

    flips = ["--flip" if chosen.flip else "--no-flip"]
    sizes = [] if chosen.min_face == MIN_FACE else ["--min-face", f"{chosen.min_face:g}"]
    names = [] if name is None else ["--name", name]
    alike = [] if alike_by is None else ["--alike-by", alike_by]
    return [*names, "--detector", chosen.detector, "--weights", chosen.weights, *flips, *sizes, *alike]
