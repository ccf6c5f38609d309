"""`evaluate` and `calibrate`: how good, and which threshold for which error rate."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.cli.settings import Settings

if TYPE_CHECKING:
    from multiface.evaluate.measure import Portraits
    from multiface.faces.embedder import Embedder


def evaluate(
    sets: Annotated[list[Path], typer.Argument(help="LFW folders (NAME/NAME_0001.jpg and pairs.txt).", show_default=False)],
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    as_json: options.Json = False,
) -> None:
    """Accuracy in ten folds, TAR at FAR, with intervals; every pair is scored."""
    from multiface.datasets.lfw import LfwFolder
    from multiface.evaluate.protocol import PairSet, evaluate_pairs, score_pairs
    from multiface.evaluate.report import to_document, to_table

    speaker = Speaker(as_json)
    chosen = options.choose(Settings.here(), detector, weights, flip, threads, engine, min_face)
    results, extras = [], []
    for root in sets:
        folder = LfwFolder.open(root)
        start = time.monotonic()
        portraits, embedder = _portraits(speaker, chosen, folder.paths)
        seconds = time.monotonic() - start
        pairs = PairSet.from_lfw(folder.pairs, root.resolve().name)
        results.append(evaluate_pairs(score_pairs(portraits.embeddings, pairs), pairs))
        without = [str(folder.paths[k].relative_to(root)) for k in portraits.without_face]
        second = [str(folder.paths[k].relative_to(root)) for k in portraits.second_looks]
        speaker.note(
            f"{root}: {len(folder.paths):,} pictures in {seconds:.0f} s; in {len(without)} no face was found and the "
            f"middle was used{': ' + ', '.join(without) if without else ''}"
        )
        extras.append(
            {
                "pictures": len(folder.paths),
                "seconds": round(seconds, 1),
                "without_face": without,
                "second_looks": second,
                "detector": chosen.detector,
                "weights": embedder.name,
                "fingerprint": embedder.fingerprint,
                "flip": chosen.flip,
            }
        )
    speaker.result(to_table(results))
    document = to_document(results)
    for entry, extra in zip(document["sets"], extras, strict=True):
        entry.update(extra)
    speaker.document(document)


def calibrate(
    folder: Annotated[
        Path, typer.Argument(help="LFW, or any folder with a folder of pictures for each person.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="File (default: your own calibrations).", show_default=False)
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What the set is called.", show_default=False)] = None,
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

    from multiface.datasets.people import portraits_by_person
    from multiface.decision.fitting import fit_calibration
    from multiface.errors import UsageError
    from multiface.weights.atomic_write import write_whole

    speaker = Speaker(as_json)
    chosen = options.choose(Settings.here(), detector, weights, flip, threads, engine, min_face)
    pictures = portraits_by_person(folder)
    portraits, embedder = _portraits(speaker, chosen, [picture.path for picture in pictures])
    found = np.ones(len(pictures), bool)
    found[list(portraits.without_face)] = False
    if not found.all():
        speaker.note(f"{np.count_nonzero(~found)} pictures without a face are left out")
    calibration = fit_calibration(
        portraits.embeddings[found],
        np.array([picture.person for picture in pictures])[found],
        detector=chosen.detector,
        weights=embedder.name,
        fingerprint=embedder.fingerprint,
        flip=chosen.flip,
        set_name=name or folder.resolve().name,
        made_by=shlex.join(["multiface", "calibrate", folder.resolve().name, *_shown_options(chosen)]),
    )
    flips = "flip" if chosen.flip else "noflip"
    file = out or chosen.store / "calibrations" / f"{chosen.detector}-{embedder.fingerprint[:16]}-{flips}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, calibration.to_json().encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})") from error
    for row in calibration.verify:
        speaker.result(
            f"false-match rate {row.rate:.2g}: similarity {row.threshold:.4f} (95 % interval {row.low:.2g} to {row.high:.2g})"
        )
    speaker.result(f"{calibration.source}; written to {file}")
    speaker.document({"file": str(file), "source": calibration.source})


def _portraits(
    speaker: Speaker, chosen: options.Chosen, paths: Sequence[Path]
) -> "tuple[Portraits, Embedder]":
    """Embeddings of portraits: as many workers as the thread budget, each with networks of one thread."""
    from multiface.evaluate.measure import embed_portraits
    from multiface.faces.opening import open_detector, open_embedder
    from multiface.weights.session import Engine

    files = chosen.files()
    single = Engine(chosen.engine, 1)
    detector = open_detector(files, chosen.detector, single, chosen.min_face)
    embedder = open_embedder(files, chosen.weights, single)
    workers = chosen.engine_value().thread_count
    with speaker.progress("pictures") as progress:
        portraits = embed_portraits(paths, detector, embedder, chosen.flip, workers, progress)
    return portraits, embedder


def _shown_options(chosen: options.Chosen) -> list[str]:
    flips = [] if chosen.flip else ["--no-flip"]
    return ["--detector", chosen.detector, "--weights", chosen.weights, *flips]
