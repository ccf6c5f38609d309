"""One run of an experiment: from its recipe to the scores of the pairs that it is measured on.

A run's folder holds `recipe.toml` and `metrics.jsonl` of the training, and, once it is done, `result.json` and
`scores.npz`: the cosine of each pair, float32, a row for each set. Weights and checkpoints are deleted then. A run that
was stopped goes on from its checkpoint.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from multiface.arrays import Doubles
from multiface.atomic_write import write_whole
from multiface.errors import InputError
from multiface.json_text import document_of, parse_json, record_from
from multiface.regular_file import read_regular, read_regular_text
from multiface.train.experiment.people import People, with_wrong_labels
from multiface.train.experiment.plan import Experiment, Run
from multiface.train.export import read_trained
from multiface.train.follow import LAST, METRICS
from multiface.train.loop import Limits, train
from multiface.train.processes import Place
from multiface.train.validation import ValidationSet, measure

RESULT, SCORES = "result.json", "scores.npz"
_NOT_KEPT = ("checkpoints", "tensorboard", "best.onnx", "best.safetensors", LAST)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Of one set. accuracy: of ten folds. area: under the ROC. Both 0..1."""

    name: str
    accuracy: float
    area: float


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to. diverged: why it could not learn, "" where it did; then there are no measurements.

    sets: of a tuning run, the tuning pairs; of a judged one, the packs. curve: (epoch, area under the ROC of the tuning
    pairs) on the way, the last at the end. seconds: of this call.
    """

    run: Run
    diverged: str
    sets: tuple[Measurement, ...]
    curve: tuple[tuple[float, float], ...]
    seconds: float


def carry_out(
    experiment: Experiment,
    run: Run,
    folder: Path,
    people: People,
    judged: Sequence[ValidationSet],
    stop: Callable[[], bool],
    device: str = "cpu",
) -> RunResult | None:
    """Trains and measures; None where `stop` came before the end.

    Raises what training raises, but for a loss that is no number any more: that is a result.
    """
    began = time.monotonic()
    recipe = experiment.recipe_of(run)
    pictures = with_wrong_labels(people.learned, run.noise, run.seed)
    place = Place(torch.device(device))
    try:
        outcome = train(recipe, folder, pictures, [people.tuned], place, True, Limits(), stop)
    except InputError as error:
        if not list(folder.glob("diverged-step-*")):
            raise
        for left in folder.glob("diverged-step-*"):
            left.unlink()
        return _done(folder, RunResult(run, str(error).split(".")[0], (), (), time.monotonic() - began), [])
    if not outcome.finished:
        return None
    network = read_trained(folder / LAST).network.to(place.device)
    found = [
        measure(network, one, recipe.data.colour, recipe.validation.flip, place)
        for one in ([people.tuned] if run.tuning else judged)
    ]
    sets = tuple(Measurement(one.result.name, one.result.accuracy, one.result.auc) for one in found)
    result = RunResult(run, "", sets, curve_of(folder), time.monotonic() - began)
    return _done(folder, result, [one.scores for one in found])


def read_result(folder: Path) -> RunResult | None:
    """The result of a run, None where it is not done."""
    file = folder / RESULT
    if not file.is_file():
        return None
    try:
        return record_from(parse_json(read_regular(file)), RunResult)
    except ValueError as error:
        raise InputError(
            f"{file}: is not the result of a run ({error})", path=file, hint="delete the folder"
        ) from error


def read_scores(folder: Path) -> list[Doubles]:
    """The cosines of the pairs of each set, float64 (n,)."""
    with np.load(folder / SCORES, allow_pickle=False) as file:
        return [file[f"set_{number}"].astype(np.float64) for number in range(len(file.files))]


def curve_of(folder: Path) -> tuple[tuple[float, float], ...]:
    """(epoch, accuracy on the tuning pairs) of the validations in a run's log."""
    lines = [parse_json(line) for line in read_regular_text(folder / METRICS).splitlines()]
    epochs = {line["step"]: line["epoch"] for line in lines if line["kind"] == "train"}
    last = max(epochs)
    return tuple(
        (round(epochs.get(line["step"], line["step"] * epochs[last] / last), 3), line["accuracy"])
        for line in lines
        if line["kind"] == "validation"
    )


def loss_curve(folder: Path) -> tuple[tuple[float, float], ...]:
    """(epoch, loss a slice) of the steps in a run's log."""
    lines = [parse_json(line) for line in read_regular_text(folder / METRICS).splitlines()]
    return tuple(
        (line["epoch"], float(np.mean(line["loss_slices"] or [line["loss"]])))
        for line in lines
        if line["kind"] == "train"
    )


def _done(folder: Path, result: RunResult, scores: Sequence[Doubles]) -> RunResult:
    with (folder / SCORES).open("wb") as file:
        arrays = {f"set_{number}": one.astype(np.float32) for number, one in enumerate(scores)}
        np.savez(file, **arrays)  # type: ignore[arg-type]
    write_whole(folder / RESULT, json.dumps(document_of(result)).encode())
    for name in _NOT_KEPT:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return result
