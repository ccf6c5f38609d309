"""A training run, top to bottom: one visible loop.

A run folder holds `recipe.toml` (complete), `metrics.jsonl`, `tensorboard/`, `checkpoints/`, `best.onnx` and
`best.safetensors` (the best on the first validation set; without one, the last), `last.safetensors`.

What a run does follows from recipe and data alone. Stopped anywhere (a signal, a crash, `kill -9`) and
resumed, it ends on a processor with the same bits as if it had never stopped: random numbers are functions of
seed and position, and what is done again after the last checkpoint is done in the same way. Letters as in
step.py.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from multiface.arrays import Pixels
from multiface.datasets.identities import IdentitySet
from multiface.errors import DataSetError, InputError, UsageError, WeightsError
from multiface.train.average import Average
from multiface.train.batches import Batch, Share, batches, check_share
from multiface.train.beginning import check_agreement, load_beginning, start_run
from multiface.train.building import Network, build_head, build_network, head_config
from multiface.train.checkpoint import Position, save_checkpoint
from multiface.train.compiled import compiled_feature_map
from multiface.train.crops import decode_pixels
from multiface.train.distil import Teacher
from multiface.train.export import TrainedNetwork, export, input_spec, write_safetensors
from multiface.train.log import RunLog
from multiface.train.loss_scale import LossScale
from multiface.train.optimiser import build_optimiser, groups, set_rate
from multiface.train.processes import Place, seed_start, seed_step
from multiface.train.recipe import Recipe
from multiface.train.schedule import rate_factor_of_step, steps_of_run
from multiface.train.slice_losses import SliceLosses
from multiface.train.step import (
    Learner,
    add_gradients,
    finish_step,
    freeze,
    set_mode,
    to_input,
)
from multiface.train.tracing import Trace
from multiface.train.training_set import check_labels
from multiface.train.validation import ValidationSet, measure
from multiface.visible import log_of

EXPORT_CROPS = 8
"""Training pictures on which an exported network is checked."""
LEAST_SCALE = 2.0**-10
"""An fp16 gradient scaler below this has found no scale at which gradients are finite."""

_log = log_of(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run tells while it goes: steps done and to do, the step's loss and rate, faces a second, and
    seconds left.
    """

    step: int
    steps: int
    loss: float
    rate: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. finished: whether all its steps are done. best: score on the first set, None without
    one.

    unusable: pictures that were skipped.
    """

    finished: bool
    step: int
    steps: int
    best: float | None
    unusable: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How far this call goes. max_steps: stop when so many steps of the run are done. profile: write a trace
    of a few steps to trace-RANK.json in the run folder, for the viewers of PyTorch's profiler."""

    max_steps: int | None = None
    profile: bool = False


def train(
    recipe: Recipe,
    run: Path,
    pictures: IdentitySet,
    sets: Sequence[ValidationSet],
    place: Place,
    resume: bool = False,
    limits: Limits = Limits(),
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Report], None] = lambda _: None,
    teacher: Teacher | None = None,
) -> Outcome:
    """Trains until the recipe's end, `limits`, or `stop`; then a checkpoint is there.

    resume: go on from the newest checkpoint of the run folder, or begin where there is none yet.
    teacher: what `distil.open_teacher` gives for the recipe.
    Raises UsageError for settings that do not go together or a folder with another run; DataSetError,
    WeightsError for broken files; InputError where the loss is no number any more, or the disk is full.
    """
    settings, batch = recipe.run, recipe.run.batch
    share = Share(batch, settings.accumulate, place.rank, place.processes)
    check_share(share)
    check_labels(pictures)
    if recipe.distil.teacher and teacher is None:
        raise UsageError(f"distil: the teacher {recipe.distil.teacher} must be opened and handed over")
    taught_by = "" if teacher is None else teacher.fingerprint
    beginning = start_run(recipe, run, pictures, place, resume, taught_by)
    progress = beginning.position
    steps = steps_of_run(recipe.schedule, len(pictures), batch)
    last = steps if limits.max_steps is None else min(steps, limits.max_steps)

    # What learns.
    learner, average = build_learner(recipe, pictures, place)
    slices = SliceLosses(learner.head)
    average = load_beginning(recipe, run, beginning, pictures, learner, average)
    if learner.scale is not None and progress.step:
        learner.scale = LossScale(progress.scale, progress.growth)
    check_agreement(recipe, pictures, sets, learner, average, range(progress.step, last), taught_by)
    set_mode(learner.network, recipe.start)
    learner.head.train()

    # What is learned from.
    on_gpu = place.device.type == "cuda"
    stream = batches(
        pictures,
        recipe.augment,
        share,
        settings.seed,
        range(progress.step, last),
        recipe.data.workers,
        on_gpu,
    )
    every = max(1, round(recipe.validation.every * len(pictures) / batch))
    crops = _export_crops(pictures) if place.first else np.empty(0, np.uint8)
    log = RunLog(run, progress.step) if place.first else None
    if log is not None and beginning.changed:
        log.resumed(progress.step, beginning.changed)
        _log.warning("%s: goes on with %s", run, "; ".join(beginning.changed))
    unusable = dict.fromkeys(progress.unusable)
    best = progress.best
    asked = False
    clock, seen, shown = time.monotonic(), 0, time.monotonic()
    trace = Trace(run / f"trace-{place.rank}.json" if limits.profile else None, place.device)

    step = progress.step
    try:
        while step < last and not asked:
            trace.before(step - progress.step)

            # Forward and backward, part by part.
            seed_step(settings.seed, step, place.rank)
            factor = rate_factor_of_step(recipe.schedule, step, len(pictures), batch)
            set_rate(learner.optimiser, recipe.optimiser.rate * factor)
            losses, parts = [], []
            for number in range(settings.accumulate):
                part = next(stream)
                parts.append(part)
                given = to_input(part.pixels, place.device, recipe.data.colour, settings.channels_last)
                labels = part.labels.to(place.device, non_blocking=True)
                taught = None if teacher is None else teacher.features(part.pixels, place.device)
                part_loss, embedded = add_gradients(
                    learner, given, labels, settings.accumulate, number, share.sizes, taught
                )
                losses.append(part_loss)

            # Over processes, and into the weights.
            told = finish_step(learner, torch.stack(losses).mean(), stop())
            loss, norm, asked = told.loss, told.norm, told.stop
            scale_lost = learner.scale is not None and learner.scale.value < LEAST_SCALE
            if not math.isfinite(loss) or scale_lost or (learner.scale is None and not told.learned):
                raise _diverged(run, step, place, parts, loss, norm)
            if average is not None:
                average.update(step)
            step += 1
            seen += batch

            # What is told.
            for one in (one for part in parts for one in part.unusable):
                if one.picture not in unusable:
                    unusable[one.picture] = None
                    if log is not None:
                        log.skipped(step, one.picture, one.reason)
            now = time.monotonic()
            speed = seen / max(now - clock, 1e-9)
            rate = recipe.optimiser.rate * factor
            if now - shown > 0.2 or step == last:
                report(Report(step, steps, loss, rate, speed, (last - step) * batch / speed))
                shown = now
            if step % settings.log_every == 0 or step == last:
                of_slices = slices.of(embedded, labels, share.sizes)
                if log is not None:
                    log.train(step, step * batch / len(pictures), loss, of_slices, rate, norm, speed)

            # Measured, and kept.
            measured_network = learner.network if average is None else average.network
            if step % every == 0 or step == steps:
                paused = time.monotonic()
                score = _validate(recipe, measured_network, sets, place, log, step, best)
                if place.first and (score is None or best is None or score > best):
                    _keep(run, "best", recipe, measured_network, crops)
                best = score if best is None or (score is not None and score > best) else best
                if place.first and step == steps:
                    _keep(run, "last", recipe, measured_network, crops)
                clock += time.monotonic() - paused
            if step % settings.checkpoint_every == 0 or step == last or asked:
                _save(run, learner, average, step, progress, best, unusable, settings.keep)
            trace.after(step - progress.step - 1)
        # Stopped before anything was measured: the run is weights all the same.
        if place.first and step < steps and best is None:
            try:
                _keep(run, "best", recipe, learner.network if average is None else average.network, crops)
            except WeightsError as error:  # the checkpoint is there, and the run can go on
                _log.warning("%s: cannot be used as weights yet: %s", run, error)
    finally:
        trace.close()
        if log is not None:
            log.close()
    return Outcome(step >= steps, step, steps, best, len(unusable))


def build_learner(recipe: Recipe, pictures: IdentitySet, place: Place) -> tuple[Learner, Average | None]:
    """All that learns, with the first weights of the recipe's seed; and the average where the recipe has
    one.
    """
    seed_start(recipe.run.seed)
    network = build_network(recipe.network).to(place.device)
    if recipe.run.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze(network, recipe.start)
    config = head_config(recipe.head, network.embedding_size, pictures.classes)
    head = build_head(config, recipe.head.sample_rate, recipe.run.seed, place.group).to(place.device)
    of = groups(network, head, recipe.optimiser, recipe.start.backbone_rate)
    learner = Learner(
        network=network,
        head=head,
        optimiser=build_optimiser(of, recipe.optimiser),
        scale=LossScale() if recipe.run.precision == "fp16" else None,
        place=place,
        precision=recipe.run.precision,
        activation_checkpoints=recipe.run.activation_checkpoints,
        clip=recipe.optimiser.clip,
        distil=recipe.distil,
        compiled=compiled_feature_map(network) if recipe.run.compile else None,
    )
    average = Average(network, recipe.optimiser.average) if recipe.optimiser.average else None
    return learner, average


def _save(
    run: Path,
    learner: Learner,
    average: Average | None,
    step: int,
    before: Position,
    best: float | None,
    unusable: dict[int, None],
    keep: int,
) -> None:
    scale = learner.scale
    progress = dataclasses.replace(
        before,
        step=step,
        best=best,
        unusable=tuple(unusable),
        scale=0.0 if scale is None else scale.value,
        growth=0 if scale is None else scale.growth,
    )
    save_checkpoint(run, learner, average, progress, keep)


def _validate(
    recipe: Recipe,
    network: Network,
    sets: Sequence[ValidationSet],
    place: Place,
    log: RunLog | None,
    step: int,
    best: float | None,
) -> float | None:
    """The score of the first set, accuracy; None without sets."""
    scores = []
    for number, one in enumerate(sets):
        measured = measure(network, one, recipe.data.colour, recipe.validation.flip, place)
        scores.append(measured.result.accuracy)
        if log is not None:
            log.validation(step, measured, number == 0 and (best is None or scores[0] > best))
    return scores[0] if scores else None


def _keep(run: Path, name: str, recipe: Recipe, network: Network, crops: Pixels) -> None:
    copy = build_network(recipe.network)
    copy.load_state_dict({key: value.cpu() for key, value in network.state_dict().items()})
    trained = TrainedNetwork(copy.eval(), recipe.network, input_spec(recipe.data.colour, copy.embedding_size))
    try:
        write_safetensors(run / f"{name}.safetensors", trained)
    except OSError as error:
        raise InputError(
            f"{run}: {name}.safetensors cannot be written ({error.strerror or error})", path=run
        ) from error
    if name == "best":
        export(run / "best.onnx", trained, crops)


def _diverged(
    run: Path, step: int, place: Place, parts: Sequence[Batch], loss: float, norm: float
) -> InputError:
    """Saves the faces of the step, and says where."""
    run.mkdir(parents=True, exist_ok=True)  # of another machine, perhaps
    file = run / f"diverged-step-{step:09d}-process-{place.rank}.npz"
    np.savez(
        file,
        pixels=np.concatenate([part.pixels.numpy() for part in parts]),
        labels=np.concatenate([part.labels.numpy() for part in parts]),
        samples=np.concatenate([part.samples for part in parts]),
    )
    return InputError(
        f"step {step}: the loss is {loss:g} and the gradients' norm {norm:g}, which cannot be learned from; "
        "the weights were "
        f"not changed by it. Its faces are in {file} (pixels, labels, and epoch and number of each "
        "picture). A lower "
        "rate, a longer warm-up or `clip` under [optimiser] mostly helps",
        path=file,
    )


def _export_crops(pictures: IdentitySet) -> Pixels:
    """The first usable pictures of the set."""
    crops: list[Pixels] = []
    for number in range(len(pictures)):
        try:
            crops.append(decode_pixels(pictures.read(number)))
        except DataSetError:
            continue
        if len(crops) == EXPORT_CROPS:
            break
    if not crops:
        raise DataSetError("no picture of the training set can be used")
    return np.stack(crops)
