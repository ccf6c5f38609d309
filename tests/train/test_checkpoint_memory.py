"""No process holds the whole head, neither when a checkpoint is written nor when it is read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from multiface.train.building import build_head, build_network, head_config
from multiface.train.checkpoint import Position, checkpoints, open_checkpoint, restore, save_checkpoint
from multiface.train.heads.margins import CosFace
from multiface.train.heads.shards import PIECE
from multiface.train.optimiser import build_optimiser, groups, memories, remember
from multiface.train.processes import Place
from multiface.train.recipe import HeadSettings, NetworkConfig, OptimiserConfig
from multiface.train.step import Learner
from tests.train.several import joined
from tests.train.whole_checkpoint import read_checkpoint

CLASSES, SIZE = 150_000, 256
WHOLE = 2 * CLASSES * SIZE * 4
"""Bytes of all centres and their momentum: 307 MB."""
SHARD = WHOLE // 4
"""Of one process's centres, or of their momentum."""
ALLOWED = 8 * PIECE
"""What may be on its way beside what stays: 67 MB, less than a shard."""
RESET = Path("/proc/self/clear_refs")


def learner_of(place: Place, seed: int) -> Learner:
    network = build_network(NetworkConfig(width=0.1, embedding=SIZE))
    config = head_config(HeadSettings(CosFace(), slices=2), SIZE, CLASSES)
    head = build_head(config, 1.0, seed, place.group)
    settings = OptimiserConfig()
    optimiser = build_optimiser(groups(network, head, settings, 1.0), settings)
    return Learner(network, head, optimiser, None, place)


def kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def peak_of(work: Callable[[], None]) -> int:
    """The most memory in bytes that something took beyond what there was before, mapped files included."""
    RESET.write_text("5")  # proc(5): the highest resident size starts anew
    before = kilobytes("VmRSS")
    work()
    return 1024 * (kilobytes("VmHWM") - before)


def test_two_processes_save_and_load_a_head_that_neither_of_them_holds(tmp_path: Path) -> None:
    if not RESET.exists():
        pytest.skip("needs Linux's /proc/self/clear_refs")
    progress = Position(7, 30, CLASSES, None, (), 0.0, 0)

    def save(place: Place) -> None:
        learner = learner_of(place, 1)
        shard = learner.head.centres
        remember(learner.optimiser, shard, "momentum", (place.rank + 1) * shard.detach())
        peak = peak_of(lambda: save_checkpoint(tmp_path / "run", learner, None, progress, 1))
        (tmp_path / f"saved-{place.rank}").write_text(json.dumps(peak))

    def load(place: Place) -> None:
        learner = learner_of(place, 2)
        file = open_checkpoint(checkpoints(tmp_path / "run")[-1])[0] if place.first else None
        peak = peak_of(lambda: restore(learner, None, file, "it"))
        (tmp_path / f"loaded-{place.rank}").write_text(json.dumps(peak))
        momentum = memories(learner.optimiser, learner.head.centres).get("momentum")
        assert momentum is not None
        assert torch.equal(momentum, (place.rank + 1) * learner.head.centres)
        torch.save(learner.head.centres[:, :3].detach(), tmp_path / f"rows-{place.rank}.pt")

    assert joined(2, tmp_path / "said", save) == ["", ""]
    assert joined(2, tmp_path / "said", load) == ["", ""]
    peaks = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*ed-?")}
    assert len(peaks) == 4
    for name, peak in peaks.items():
        own = SHARD if name.startswith("loaded") else 0  # the momentum, which was not there before
        assert peak < own + ALLOWED < WHOLE / 2, peaks
    state, _ = read_checkpoint(checkpoints(tmp_path / "run")[-1])
    assert state["head.centres"].shape == (2, CLASSES, SIZE // 2)
    for rank in (0, 1):
        rows = torch.load(tmp_path / f"rows-{rank}.pt", weights_only=True)
        start = rank * CLASSES // 2
        assert torch.equal(rows, state["head.centres"][:, start : start + 3])
        moved = (rank + 1) * state["head.centres"][:, start : start + 3]
        assert torch.equal(moved, state["momentum.head.centres"][:, start : start + 3])
