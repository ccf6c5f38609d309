"""The calibrations that come with the package, those a user has made, and which of them is in force.

Calibrations are JSON files; those of the package lie in `decision/calibrations/`, a user's in a folder of the
store, NAME.json each. A user's is in force only where somebody asked for it: by name, or by `in_force.json`
in that folder, which names one for a detector, an embedder (by fingerprint) and a choice of flips. Otherwise
the package's own is taken: that of the embedder and the flips, and among these that of the detector.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from multiface.atomic_write import write_whole
from multiface.decision.calibration import Calibration, read_calibration
from multiface.errors import InputError, NotAvailable, UsageError
from multiface.file_name import file_name, is_file_name
from multiface.json_text import parse_json
from multiface.regular_file import read_regular_text

SHIPPED = Path(__file__).parent / "calibrations"
IN_FORCE = "in_force.json"
UNDO = "`multiface calibrate --undo` goes back to the package's own"


@dataclass(frozen=True, slots=True)
class ChosenCalibration:
    """A calibration, and how its detector differs from the one in use (None where it does not).

    name: of a user's own; None for one of the package.
    """

    calibration: Calibration
    caveat: str | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class OwnCalibration:
    """A calibration file of the user's.

    in_force: whether it decides, for what it was measured on. problem: why it cannot be read, None where it can.
    """

    name: str
    calibration: Calibration | None
    in_force: bool
    problem: str | None

    def __str__(self) -> str:
        if self.in_force:
            return f"calibration {self.name}: in force ({UNDO})" + (
                f"; cannot be read: {self.problem}" if self.problem else ""
            )
        return f"calibration {self.name}: there but not in force" + (
            f"; cannot be read: {self.problem}" if self.problem else ""
        )


def choose_calibration(
    folder: Path | None,
    *,
    detector: str,
    weights: str,
    fingerprint: str,
    flip: bool,
    wanted: str | Calibration | None = None,
) -> ChosenCalibration:
    """The calibration for this detector, embedder and choice of flips.

    folder: of the user's own; None or absent for none. wanted: one that is asked for, of these by its name; it wins
    over the one in force. Where only another detector was calibrated with these weights, that calibration is used with
    a caveat: the vectors are of the same network, but crops by other landmarks are a little different.

    Raises NotAvailable when there is none for the embedder; UsageError for a name that is not there or belongs
    to other vectors; InputError for a broken file.
    """
    if wanted is None and folder is not None:
        wanted = _choices(folder).get(_key(detector, fingerprint, flip))
    if wanted is not None:
        name = None if isinstance(wanted, Calibration) else wanted
        own = wanted if isinstance(wanted, Calibration) else _named(folder, wanted)
        if (own.fingerprint, own.flip) != (fingerprint, flip):
            raise UsageError(
                f"the calibration {'given' if name is None else name} is of {own.weights} {_flips(own.flip)}, "
                f"not of {weights} {_flips(flip)}",
                name=name,
            )
        return ChosenCalibration(own, _caveat(own, weights, detector), name)
    fitting = [
        calibration
        for path in sorted(SHIPPED.glob("*.json"))
        if (calibration := read_calibration(path)).fingerprint == fingerprint and calibration.flip == flip
    ]
    if fitting:
        best = next((one for one in fitting if one.detector == detector), fitting[0])
        return ChosenCalibration(best, _caveat(best, weights, detector))
    raise NotAvailable(
        f"no calibration is known for the weights {weights} ({_flips(flip)}), so no error rate can be stated",
        name=weights,
        hint="make one from pictures of at least 100 people: "
        f"multiface calibrate FOLDER --weights {weights} --detector {detector}{'' if flip else ' --no-flip'} --use",
    )


def own_calibrations(folder: Path) -> tuple[OwnCalibration, ...]:
    """All calibrations of the user's, by name, and which are in force. Raises InputError for `in_force.json`."""
    choices = _choices(folder)
    found = []
    for name in sorted({*(path.stem for path in _files(folder)), *choices.values()}):
        calibration, problem = None, None
        try:
            calibration = read_calibration(folder / f"{name}.json")
        except InputError as error:
            problem = str(error)
        in_force = name in choices.values()
        if calibration is not None:
            key = _key(calibration.detector, calibration.fingerprint, calibration.flip)
            in_force = choices.get(key) == name
        found.append(OwnCalibration(name, calibration, in_force, problem))
    return tuple(found)


def use_calibration(folder: Path, name: str) -> None:
    """Put a calibration in force for its detector, embedder and flips. Raises UsageError, InputError, OSError."""
    own = _named(folder, name)
    _write(folder, _choices(folder) | {_key(own.detector, own.fingerprint, own.flip): name})


def undo_calibration(folder: Path, *, detector: str, fingerprint: str, flip: bool) -> str | None:
    """Go back to the package's own; the name of the one that was in force, None for none. Raises OSError."""
    choices = _choices(folder)
    name = choices.pop(_key(detector, fingerprint, flip), None)
    if name is not None:
        _write(folder, choices)
    return name


def refuse_taken(folder: Path, name: str, detector: str, fingerprint: str, flip: bool, set_name: str) -> None:
    """Raise UsageError where a calibration cannot have this name: it is no file name, or another has it."""
    path = folder / f"{file_name(name, '--name')}.json"
    if path.name == IN_FORCE:
        raise UsageError(
            f"--name {name}: cannot name a calibration's file, since it is another file's", name=name
        )
    if not path.exists():
        return
    try:
        there = read_calibration(path)
        same = (there.detector, there.fingerprint, there.flip, there.set_name) == (
            detector,
            fingerprint,
            flip,
            set_name,
        )
    except InputError:
        same = False
    if not same:
        raise UsageError(
            f"{path}: another calibration has this name",
            path=path,
            hint="choose one with --name, or delete the file",
            name=name,
        )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.json") if path.name != IN_FORCE]


def _key(detector: str, fingerprint: str, flip: bool) -> str:
    return f"{detector} {fingerprint} {'flip' if flip else 'noflip'}"


def _flips(flip: bool) -> str:
    return "with flips" if flip else "without flips"


def _caveat(calibration: Calibration, weights: str, detector: str) -> str | None:
    if calibration.detector == detector:
        return None
    return (
        f"thresholds for {weights} were measured with the detector {calibration.detector}, not "
        f"{detector}; `multiface calibrate` with your detector makes them exact"
    )


def _named(folder: Path | None, name: str) -> Calibration:
    if folder is None or not is_file_name(name) or not (folder / f"{name}.json").is_file():
        known = [] if folder is None else sorted(path.stem for path in _files(folder))
        raise UsageError(
            f"there is no calibration {name!r}; there {'are' if known else 'is'} {', '.join(known) or 'none'}",
            name=name,
            hint=f"`multiface calibrate` makes one; {UNDO}",
        )
    return read_calibration(folder / f"{name}.json")


def _choices(folder: Path) -> dict[str, str]:
    path = folder / IN_FORCE
    try:
        values = parse_json(read_regular_text(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error})", path=path, hint="delete it to use the package's own"
        ) from error
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and is_file_name(name) for name in values.values()
    ):
        raise InputError(
            f"{path}: not a table of names", path=path, hint="delete it to use the package's own"
        )
    return values


def _write(folder: Path, choices: dict[str, str]) -> None:
    write_whole(folder / IN_FORCE, (json.dumps(choices, indent=1) + "\n").encode())
