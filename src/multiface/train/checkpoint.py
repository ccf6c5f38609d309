"""Checkpoints: one safetensors file for each, with everything from which a run goes on as if it had never
stopped.

Tensors: `network.*`, `head.*` (centres whole, whatever the number of processes), `momentum.network.*`,
`momentum.head.*`, `average.*`; of AdamW also `squares.*` and `optimiser.steps`. The file's metadata holds one JSON
document, `multiface.checkpoint`: a `Position`.
Random numbers need nothing: order, augmentation and dropout are functions of seed and position.

The first process alone writes and reads; the others send it their centres, and are sent theirs, in pieces (see
heads/shards.py). So no process ever holds the whole head, and no other process needs to see the run folder. A
checkpoint is written beside its name, then renamed; older ones are deleted after that. Nothing is pickled.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from multiface.atomic_write import whole_file
from multiface.errors import InputError, WeightsError
from multiface.json_text import document_of, parse_json, record_from
from multiface.train.agreement import share_tensor, tell
from multiface.train.average import Average
from multiface.train.building import check_weights
from multiface.train.heads.sharded import ShardedHead
from multiface.train.heads.shards import fill_shards, parts_of_shards
from multiface.train.optimiser import MEMORIES, memories, remember, set_steps, steps_of, take_memory
from multiface.train.processes import Place
from multiface.train.step import Learner
from multiface.train.tensor_file import Entry, TensorFile, in_file_order, write_tensors

KEY = "multiface.checkpoint"
FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d{9})\.safetensors")
_CENTRES = "head.centres"
_STEPS = "optimiser.steps"
_DRAWN = "draws"
"""Of sampled heads in checkpoints of earlier versions; now seed and step alone say which classes take part."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is.

    step: steps done. pictures, classes: of the training set. best: the highest score so far, None before the
    first validation. unusable: numbers of the pictures that were skipped. scale, growth: of the fp16 loss
    scale. labels: digest of the training set's labels, "" in checkpoints of earlier versions. teacher: fingerprint
    of what is learned from, "" without one.
    """

    step: int
    pictures: int
    classes: int
    best: float | None
    unusable: tuple[int, ...]
    scale: float
    growth: int
    labels: str = ""
    teacher: str = ""

    def to_json(self) -> str:
        """As JSON; inverse of `from_json`."""
        return json.dumps(document_of(self))

    @staticmethod
    def from_json(text: str) -> "Position":
        """Raises ValueError where the text is none of `to_json`."""
        return record_from(parse_json(text), Position)


def save_checkpoint(
    run: Path, learner: Learner, average: Average | None, progress: Position, keep: int
) -> None:
    """Writes a checkpoint, then deletes all but the newest `keep`. Every process must call it; the first writes.

    Raises InputError, in the first process, where it cannot be written (a full disk): those there were are then
    still there.
    """
    entries = entries_of(learner, average)
    if learner.place.first:
        write_checkpoint(run, entries, progress, keep)
    else:
        for entry in entries:
            for _ in entry.parts:  # sends what is asked for
                pass


def entries_of(learner: Learner, average: Average | None) -> list[Entry]:
    """All tensors of a checkpoint in the order of the file; those of other processes' centres come when their turn
    is. In other processes than the first, what goes through a part is sent there.
    """
    head, place = learner.head, learner.place
    shape = (head.config.slices, head.config.classes, head.config.row_size)
    sharded: dict[str, Tensor] = {_CENTRES: head.centres}
    for name, memory in memories(learner.optimiser, head.centres).items():
        sharded[f"{name}.{_CENTRES}"] = memory
    entries = [
        Entry(name, shard.dtype, shape, parts_of_shards(shard, head.config.classes, _group(learner)))
        for name, shard in sharded.items()
    ]
    for name, tensor in equal_everywhere(learner, average).items():
        entries.append(Entry.of(name, tensor) if place.first else Entry(name, tensor.dtype, (), ()))
    return in_file_order(entries)


def write_checkpoint(run: Path, entries: Iterable[Entry], progress: Position, keep: int) -> Path:
    """Writes entries, which must be in the order of the file, as a checkpoint. Errors as in `save_checkpoint`."""
    folder = run / FOLDER
    path = folder / f"step-{progress.step:09d}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            write_tensors(file, list(entries), {KEY: progress.to_json()})
    except OSError as error:
        there = checkpoints(run)
        kept = f"{there[-1].name} is still there: make room and resume" if there else "there is none yet"
        raise InputError(
            f"{path}: the checkpoint cannot be written ({error.strerror or error}); {kept}", path=path
        ) from error
    for old in checkpoints(run)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(run: Path) -> tuple[Path, ...]:
    """The checkpoints of a run folder, the oldest first."""
    folder = run / FOLDER
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return tuple(folder / name for name in names if _NAME.fullmatch(name))


def open_checkpoint(path: Path) -> tuple[TensorFile, Position]:
    """The file, to be closed by the caller, and the progress. Raises WeightsError where it is broken or something
    else.
    """
    file = TensorFile(path)
    try:
        return file, Position.from_json(file.metadata[KEY])
    except (KeyError, ValueError) as error:
        file.close()
        raise WeightsError(
            f"{path}: is not a checkpoint of a run ({type(error).__name__}: {error})", path=path
        ) from error


def restore(learner: Learner, average: Average | None, file: TensorFile | None, name: str) -> None:
    """Fill a learner (and the average) from a checkpoint; `name` is how errors call it. Every process must call it;
    `file` is None in all but the first, which reads and sends.

    Raises WeightsError, and changes nothing, where it belongs to another network or head.
    """
    place, head = learner.place, learner.head
    shapes = _told_shapes(place, file)
    check_weights(learner.network, _below("network.", shapes), name)
    _check_head(learner, _below("head.", shapes), name)
    if average is not None:
        check_weights(average.network, _below("average.", shapes), name)

    def read(key: str, like: Tensor) -> Tensor:
        return share_tensor(place, None if file is None else file.whole(key), shapes[key], like.dtype)

    with torch.no_grad():
        for key, tensor in equal_everywhere(learner, average).items():
            if key in shapes:
                tensor.copy_(read(key, tensor))
        _fill(head.centres, learner, file, _CENTRES)
        for name in MEMORIES:
            for key, parameter in _whole_parameters(learner):
                if f"{name}.{key}" in shapes:
                    remember(learner.optimiser, parameter, name, read(f"{name}.{key}", parameter))
            if f"{name}.{_CENTRES}" in shapes:
                memory = torch.empty_like(head.centres)
                _fill(memory, learner, file, f"{name}.{_CENTRES}")
                take_memory(learner.optimiser, head.centres, name, memory)
        if _STEPS in shapes:
            set_steps(learner.optimiser, read(_STEPS, torch.tensor(0.0)))


def equal_everywhere(learner: Learner, average: Average | None) -> dict[str, Tensor]:
    """What each process has whole, by its name in checkpoints: the tensors themselves, not copies."""
    found = {f"network.{name}": value for name, value in learner.network.state_dict().items()}
    found |= {f"head.{name}": value for name, value in learner.head.state_dict().items() if name != "centres"}
    for key, parameter in _whole_parameters(learner):
        for name, memory in memories(learner.optimiser, parameter).items():
            found[f"{name}.{key}"] = memory
    steps = steps_of(learner.optimiser)
    if steps is not None:
        found[_STEPS] = steps
    if average is not None:
        found |= {f"average.{name}": value for name, value in average.network.state_dict().items()}
    return found


def _whole_parameters(learner: Learner) -> Iterator[tuple[str, nn.Parameter]]:
    """What learns and each process has whole, by its name in checkpoints."""
    for name, parameter in learner.network.named_parameters():
        yield f"network.{name}", parameter
    if learner.head.threshold is not None:
        yield "head.threshold", learner.head.threshold


def _fill(shard: Tensor, learner: Learner, file: TensorFile | None, name: str) -> None:
    rows = None if file is None else partial(file.rows, name)
    fill_shards(shard, learner.head.config.classes, _group(learner), rows)


def _told_shapes(place: Place, file: TensorFile | None) -> dict[str, tuple[int, ...]]:
    """Names and shapes in the first process's file."""
    told = tell(place, None if file is None else json.dumps(file.shapes))
    return {name: tuple(shape) for name, shape in parse_json(told).items()}


def _check_head(learner: Learner, found: Mapping[str, tuple[int, ...]], name: str) -> None:
    config = learner.head.config
    wanted = {
        "centres": (config.slices, config.classes, config.row_size),
        "margin_state": tuple(learner.head.margin_state.shape),
    }
    if learner.head.threshold is not None:
        wanted["threshold"] = (config.slices,)
    for key in (*wanted, *found):
        if key == _DRAWN:
            continue
        if found.get(key) != wanted.get(key):
            raise WeightsError(
                f"{name}: does not fit the head of the recipe: {key} is {found.get(key, 'nothing')}, wanted "
                f"{wanted.get(key, 'nothing')}"
            )


def _group(learner: Learner) -> dist.ProcessGroup | None:
    return learner.head.group if isinstance(learner.head, ShardedHead) else None


T = TypeVar("T")


def _below(prefix: str, state: Mapping[str, T]) -> dict[str, T]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
