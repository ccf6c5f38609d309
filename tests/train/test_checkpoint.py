"""Checkpoints under bad conditions: a full disk, damage, other architectures."""

import io
import json
import os
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as save_with_library

from multiface.datasets.identities import identities_from_records
from multiface.errors import InputError, WeightsError
from multiface.train.checkpoint import (
    Position,
    checkpoints,
    open_checkpoint,
    restore,
    save_checkpoint,
    write_checkpoint,
)
from multiface.train.loop import build_learner, train
from multiface.train.processes import Place
from multiface.train.recipe import Recipe
from multiface.train.tensor_file import Entry, TensorFile, in_file_order, write_tensors
from tests.train.whole_checkpoint import read_checkpoint

PROGRESS = Position(7, 30, 6, 0.9, (3, 4), 65536.0, 2)


def save(run: Path, state: dict[str, torch.Tensor], progress: Position, keep: int) -> Path:
    entries = in_file_order(Entry.of(name, value) for name, value in state.items())
    return write_checkpoint(run, entries, progress, keep)


def place() -> Place:
    return Place(torch.device("cpu"))


def test_what_is_saved_is_read_back_and_old_ones_go(tmp_path: Path) -> None:
    for step in range(5):
        state = {"network.a": torch.full((2, 3), float(step))}
        save(tmp_path, state, Position(step, 1, 2, None, (), 0.0, 0), keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-000000003.safetensors",
        "step-000000004.safetensors",
    ]
    path = save(tmp_path, {"network.a": torch.ones(3)}, PROGRESS, keep=1)
    state, progress = read_checkpoint(path)
    assert progress == PROGRESS and torch.equal(state["network.a"], torch.ones(3))
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    """The largest file that this process may write is made small, in a process of its own: writes then
    fail.
    """
    small, large = {"network.a": torch.ones(3)}, {"network.a": torch.ones(100_000)}
    old = save(tmp_path, small, PROGRESS, keep=1)
    before = old.read_bytes()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            save(tmp_path, large, Position(8, 30, 6, None, (), 0.0, 0), keep=1)
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
        open_checkpoint(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match="cannot be read"):
        open_checkpoint(path)
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match="is not a checkpoint of a run"):
        open_checkpoint(path)
    save_file({"a": torch.ones(2)}, path, {"multiface.checkpoint": json.dumps({"step": 1})})
    with pytest.raises(WeightsError, match="is not a checkpoint of a run"):
        open_checkpoint(path)


def test_a_checkpoint_of_another_architecture_is_refused_and_changes_nothing(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    pictures = identities_from_records(records)
    learner, _ = build_learner(tiny_recipe(), pictures, place())
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    for other in ({"network": {"embedding": 32}}, {"network": {"width": 0.4}}, {"head": {"slices": 4}}):
        different, _ = build_learner(tiny_recipe(run={"seed": 9}, **other), pictures, place())
        run = tmp_path / "-".join(other)
        save_checkpoint(run, different, None, PROGRESS, keep=1)
        kind = "head" if "head" in other else "network"
        with (
            TensorFile(checkpoints(run)[-1]) as file,
            pytest.raises(WeightsError, match=f"some.file: does not fit the {kind} of the recipe"),
        ):
            restore(learner, None, file, "some.file")
        now = learner.network.state_dict()
        assert all(torch.equal(now[name], value) for name, value in before.items())


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_files_are_those_of_the_library_byte_for_byte_and_read_in_rows(data: st.DataObject) -> None:
    """Outside oracle: safetensors itself, whichever types and shapes; and what it wrote is read in pieces."""
    types = [
        torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool,
    ]  # fmt: skip
    names = data.draw(st.lists(st.text("ab.é", min_size=1, max_size=4), min_size=1, max_size=6, unique=True))
    state = {}
    for name in names:
        shape = data.draw(st.lists(st.integers(0, 4), max_size=3))
        state[name] = (100 * torch.rand(shape)).to(data.draw(st.sampled_from(types)))
    wanted = save_with_library(state, {"multiface": 'a "text"\n'})
    entries = in_file_order(Entry.of(name, value) for name, value in state.items())
    made = io.BytesIO()
    write_tensors(made, entries, {"multiface": 'a "text"\n'})
    assert made.getvalue() == wanted
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(wanted)
        with TensorFile(Path(file.name)) as opened:
            for name, value in state.items():
                assert torch.equal(opened.whole(name), value) and opened.whole(name).dtype == value.dtype
                if value.ndim == 3 and value.numel():
                    rows = value.reshape(-1, value.shape[2])
                    assert torch.equal(opened.rows(name, 1, len(rows) - 1), rows[1:])


def test_a_file_that_is_cut_while_it_is_read_is_said_to_be(tmp_path: Path) -> None:
    path = save(tmp_path, {"network.a": torch.ones(1000)}, PROGRESS, keep=1)
    with TensorFile(path) as file:
        os.truncate(path, path.stat().st_size - 8)
        with pytest.raises(WeightsError, match="it was cut while it was read"):
            file.whole("network.a")
