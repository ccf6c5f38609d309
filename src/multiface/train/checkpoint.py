"""Checkpoints: one safetensors file for each, with everything from which a run goes on as if it had never
stopped.

Tensors: `network.*`, `head.*` (centres whole, whatever the number of processes), `momentum.network.*`,
`momentum.head.centres`, `average.*`. The file's metadata holds one JSON document, `multiface.checkpoint`: a
`Position`.
Random numbers need nothing: order, augmentation and dropout are functions of seed and position.

A checkpoint is written beside its name, then renamed; older ones are deleted after that. Nothing is pickled.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from multiface.atomic_write import write_whole
from multiface.errors import InputError, WeightsError
from multiface.json_text import document_of, parse_json, record_from
from multiface.regular_file import open_regular
from multiface.train.average import Average
from multiface.train.building import load_weights
from multiface.train.heads.head import Head
from multiface.train.heads.sharded import ShardedHead, gather_shards, own_shard
from multiface.train.optimiser import momentum_of, set_momentum
from multiface.train.step import Learner

KEY = "multiface.checkpoint"
FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d{9})\.safetensors")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is.

    step: steps done. pictures, classes: of the training set. best: the highest score so far, None before the
    first validation. unusable: numbers of the pictures that were skipped. scale, growth: of the fp16 gradient
    scaler.
    """

    step: int
    pictures: int
    classes: int
    best: float | None
    unusable: tuple[int, ...]
    scale: float
    growth: int

    def to_json(self) -> str:
        """As JSON; inverse of `from_json`."""
        return json.dumps(document_of(self))

    @staticmethod
    def from_json(text: str) -> "Position":
        """Raises ValueError where the text is none of `to_json`."""
        return record_from(parse_json(text), Position)


def whole_state(learner: Learner, average: Average | None) -> dict[str, Tensor] | None:
    """All tensors of a checkpoint in the first process, None in others; every process must call it."""
    head = learner.head
    momentum = momentum_of(learner.optimiser, head.centres)
    if isinstance(head, ShardedHead):
        of_head = head.whole_state()
        if momentum is not None:
            momentum = gather_shards(momentum, head.config.classes, head.group)
        if of_head is None:
            return None
    else:
        of_head = dict(head.state_dict())
    state = {f"network.{name}": value for name, value in learner.network.state_dict().items()}
    state |= {f"head.{name}": value for name, value in of_head.items()}
    for name, parameter in learner.network.named_parameters():
        own = momentum_of(learner.optimiser, parameter)
        if own is not None:
            state[f"momentum.network.{name}"] = own
    if momentum is not None:
        state["momentum.head.centres"] = momentum
    if average is not None:
        state |= {f"average.{name}": value for name, value in average.network.state_dict().items()}
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}


def save_checkpoint(run: Path, state: Mapping[str, Tensor], progress: Position, keep: int) -> Path:
    """Writes a checkpoint, then deletes all but the newest `keep`.

    Raises InputError where it cannot be written (a full disk): those there were are then still there.
    """
    folder = run / FOLDER
    path = folder / f"step-{progress.step:09d}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, save(dict(state), {KEY: progress.to_json()}))
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


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Position]:
    """Tensors on the CPU, and the progress. Raises WeightsError where the file is broken or something
    else.
    """
    tensors, metadata = read_tensors(path)
    try:
        return tensors, Position.from_json(metadata[KEY])
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"{path}: is no checkpoint of a run ({type(error).__name__}: {error})", path=path
        ) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file. Raises WeightsError."""
    try:
        open_regular(path).close()  # safetensors would wait at a pipe
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: there is no such file", path=path) from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: cannot be read ({error}); a checkpoint that is damaged may be deleted, and the run "
            "goes on from "
            "the one before",
            path=path,
        ) from error


def restore(learner: Learner, average: Average | None, state: Mapping[str, Tensor], name: str) -> None:
    """Fill a learner (and the average) with the tensors of a checkpoint; `name` is how errors call it.

    Raises WeightsError where they belong to another network or head.
    """
    load_weights(learner.network, _below("network.", state), name)
    of_head = _below("head.", state)
    head = learner.head
    if isinstance(head, ShardedHead):
        head.load_whole_state(of_head)
    else:
        _load_head(head, of_head, name)
    for key, parameter in learner.network.named_parameters():
        if f"momentum.network.{key}" in state:
            set_momentum(learner.optimiser, parameter, state[f"momentum.network.{key}"])
    if "momentum.head.centres" in state:
        momentum = state["momentum.head.centres"]
        if isinstance(head, ShardedHead):
            momentum = own_shard(momentum, head.group)
        set_momentum(learner.optimiser, head.centres, momentum)
    if average is not None:
        load_weights(average.network, _below("average.", state), name)


def _load_head(head: Head, state: dict[str, Tensor], name: str) -> None:
    for key, value in head.state_dict().items():
        if key not in state or state[key].shape != value.shape:
            found = tuple(state[key].shape) if key in state else "nothing"
            raise WeightsError(
                f"{name}: does not fit the head of the recipe: {key} is {found}, wanted {tuple(value.shape)}"
            )
    head.load_state_dict({key: state[key] for key in head.state_dict()})


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
