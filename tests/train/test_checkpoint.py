"""Checkpoints under bad conditions: a full disk, damage, other architectures."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from multiface.datasets.identities import identities_from_records
from multiface.errors import InputError, WeightsError
from multiface.train.checkpoint import (
    Position,
    checkpoints,
    read_checkpoint,
    restore,
    save_checkpoint,
    whole_state,
)
from multiface.train.loop import build_learner, train
from multiface.train.processes import Place
from multiface.train.recipe import Recipe

PROGRESS = Position(7, 30, 6, 0.9, (3, 4), 65536.0, 2)


def place() -> Place:
    return Place(torch.device("cpu"))


def test_what_is_saved_is_read_back_and_old_ones_go(tmp_path: Path) -> None:
    for step in range(5):
        state = {"network.a": torch.full((2, 3), float(step))}
        save_checkpoint(tmp_path, state, Position(step, 1, 2, None, (), 0.0, 0), keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-000000003.safetensors",
        "step-000000004.safetensors",
    ]
    path = save_checkpoint(tmp_path, {"network.a": torch.ones(3)}, PROGRESS, keep=1)
    state, progress = read_checkpoint(path)
    assert progress == PROGRESS and torch.equal(state["network.a"], torch.ones(3))
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    """The largest file that this process may write is made small, in a process of its own: writes then
    fail.
    """
    small, large = {"network.a": torch.ones(3)}, {"network.a": torch.ones(100_000)}
    old = save_checkpoint(tmp_path, small, PROGRESS, keep=1)
    before = old.read_bytes()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            save_checkpoint(tmp_path, large, Position(8, 30, 6, None, (), 0.0, 0), keep=1)
        except InputError as error:
            (tmp_path / "error").write_text(str(error))
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    said = (tmp_path / "error").read_text()
    assert "step-000000008.safetensors: the checkpoint cannot be written" in said
    assert "step-000000007.safetensors is still there: make room and resume" in said
    assert old.read_bytes() == before and list(old.parent.iterdir()) == [old]


def test_a_run_on_a_full_disk_stops_and_goes_on_to_the_same_end(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(schedule={"epochs": 2.0}, validation={"every": 9.0})
    pictures = identities_from_records(records)
    run = tmp_path / "run"
    child = os.fork()
    if child == 0:
        steps = 0

        def stop() -> bool:
            nonlocal steps
            steps += 1
            if steps == 5:  # the disk fills up between the first checkpoint (step 3) and the second (step 6)
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            return False

        try:
            train(recipe, run, pictures, [], place(), stop=stop)
        except InputError as error:
            os._exit(0 if "step-000000003.safetensors is still there" in str(error) else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    train(recipe, run, pictures, [], place(), resume=True)
    train(recipe, tmp_path / "whole", pictures, [], place())
    first, second = (read_checkpoint(checkpoints(folder)[-1])[0] for folder in (run, tmp_path / "whole"))
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "step-000000001.safetensors"
    with pytest.raises(WeightsError, match="no such file"):
        read_checkpoint(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(path)
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match="is no checkpoint of a run"):
        read_checkpoint(path)
    save_file({"a": torch.ones(2)}, path, {"multiface.checkpoint": json.dumps({"step": 1})})
    with pytest.raises(WeightsError, match="is no checkpoint of a run"):
        read_checkpoint(path)


def test_a_checkpoint_of_another_architecture_is_refused_and_changes_nothing(
    records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    pictures = identities_from_records(records)
    learner, _ = build_learner(tiny_recipe(), pictures, place())
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    for other in ({"network": {"embedding": 32}}, {"network": {"width": 0.4}}, {"head": {"slices": 4}}):
        different, _ = build_learner(tiny_recipe(run={"seed": 9}, **other), pictures, place())
        state = whole_state(different, None)
        assert state is not None
        kind = "head" if "head" in other else "network"
        with pytest.raises(WeightsError, match=f"some.file: does not fit the {kind} of the recipe"):
            restore(learner, None, state, "some.file")
        if kind == "network":
            now = learner.network.state_dict()
            assert all(torch.equal(now[name], value) for name, value in before.items())
