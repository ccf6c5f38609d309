"""`evaluate` and `calibrate`: how good, and which threshold for which error rate."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.cli.settings import Settings
from multiface.errors import UsageError


def evaluate(
    sets: Annotated[
        list[Path],
        typer.Argument(
            help="LFW folders (NAME/NAME_0001.jpg and pairs.txt), .bin packs, or folders of packs.",
            show_default=False,
        ),
    ],
    detector: options.Detector = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            help="Name, ONNX file or run; repeat it to compare (default: sface).",
            show_default=False,
        ),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="With mirror images (default: folders as the weights gain by it, packs both).",
            show_default=False,
        ),
    ] = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    as_json: options.Json = False,
) -> None:
    """Accuracy in ten folds, TAR at FAR, with intervals; every pair is scored."""
    from multiface.cli.evaluation import evaluated
    from multiface.evaluate.report import to_document, to_table

    speaker = Speaker(as_json)
    settings = Settings.here()
    chosen = [
        options.choose(settings, detector, name, flip, threads, engine, min_face)
        for name in weights or (None,)
    ]
    done = list(evaluated(speaker, sets, chosen, flip))
    results = [one.result for one in done]
    speaker.result(to_table(results, [one.label for one in done]))
    document = to_document(results)
    for entry, one in zip(document["sets"], done, strict=True):
        entry.update(one.facts)
    speaker.document(document)


def calibrate(
    folder: Annotated[
        Path,
        typer.Argument(
            help="LFW, or any folder with a folder of pictures for each person.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="File (default: your own calibrations).", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What the set is called.", show_default=False)
    ] = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    as_json: options.Json = False,
) -> None:
    """Measure which threshold gives which error rate, for a detector, weights and choice of flips."""
    import numpy as np

    from multiface.atomic_write import write_whole
    from multiface.cli.evaluation import flip_of, portraits_of
    from multiface.datasets.people import portraits_by_person
    from multiface.decision.fitting import fit_calibration

    speaker = Speaker(as_json)
    chosen = options.choose(Settings.here(), detector, weights, flip, threads, engine, min_face)
    if out is not None:
        _make_place(out)
    pictures = portraits_by_person(folder)
    portraits, embedder = portraits_of(speaker, chosen, [picture.path for picture in pictures], strict=False)
    found = np.ones(len(pictures), bool)
    found[[*portraits.without_face, *(number for number, _ in portraits.broken)]] = False
    for _, reason in portraits.broken:
        speaker.note(f"left out: {reason}")
    if portraits.without_face:
        speaker.note(f"left out: {len(portraits.without_face)} pictures without a face")
    flip = flip_of(chosen, embedder)
    calibration = fit_calibration(
        portraits.embeddings[found],
        np.array([picture.person for picture in pictures])[found],
        detector=chosen.detector,
        weights=embedder.name,
        fingerprint=embedder.fingerprint,
        flip=flip,
        set_name=name or folder.resolve().name,
        made_by=shlex.join(
            ["multiface", "calibrate", folder.resolve().name, *_shown_options(chosen, flip, name)]
        ),
    )
    flips = "flip" if flip else "noflip"
    file = (
        out or chosen.store / "calibrations" / f"{chosen.detector}-{embedder.fingerprint[:16]}-{flips}.json"
    )
    _make_place(file)
    try:
        write_whole(file, calibration.to_json().encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})") from error
    for row in calibration.verify:
        speaker.result(
            f"false-match rate {row.rate:.2g}: similarity {row.threshold:.4f} "
            f"(95 % interval {row.low:.2g} to {row.high:.2g})"
        )
    speaker.result(f"{calibration.source}; written to {file}")
    speaker.document({"file": str(file), "source": calibration.source})


def _make_place(file: Path) -> None:
    """Make the folder of a file that will be written. Raises UsageError where there can be no such file."""
    if file.is_dir():
        raise UsageError(f"{file}: is a folder; wanted the name of a file")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})") from error


def _shown_options(chosen: options.Chosen, flip: bool, name: str | None) -> list[str]:
    """The options behind a calibration: all that changes its numbers or its words."""
    from multiface.faces.opening import MIN_FACE

    flips = ["--flip" if flip else "--no-flip"]
    sizes = [] if chosen.min_face == MIN_FACE else ["--min-face", f"{chosen.min_face:g}"]
    names = [] if name is None else ["--name", name]
    return [*names, "--detector", chosen.detector, "--weights", chosen.weights, *flips, *sizes]
