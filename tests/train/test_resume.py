"""Stopped anywhere and resumed equals never stopped, to the bit: real processes, killed with SIGKILL in a
step.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from multiface.cli.stopping import stop_on_signals
from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.errors import DataSetError, UsageError, WeightsError
from multiface.train.beginning import start_run
from multiface.train.checkpoint import KEY, checkpoints
from multiface.train.loop import Limits, Outcome, train
from multiface.train.processes import Place, seed_step
from multiface.train.recipe import Recipe, load_recipe, recipe_to_toml
from multiface.weights.store import Store
from tests.train.whole_checkpoint import read_checkpoint

STEPS = 15
"""4 epochs of 30 pictures in batches of 8; checkpoints at 3, 6, ..., 15; an epoch is 3.75 steps."""

COMMAND = "import typer; from multiface.cli.train_commands import train; typer.run(train)"


def run_training(
    recipe: Recipe, run: Path, records: Path, stop: Callable[[], bool] = lambda: False, **settings: Any
) -> Outcome:
    pictures = identities_from_records(records)
    return train(recipe, run, pictures, [], Place(torch.device("cpu")), stop=stop, **settings)


def killed_in_step(recipe: Recipe, run: Path, records: Path, step: int) -> None:
    """Resumes the run in a process of its own that is killed inside step `step` of this call (from 1)."""
    child = os.fork()
    if child == 0:
        calls = 0

        def stop() -> bool:  # the loop asks once a step, between the gradients and the update
            nonlocal calls
            calls += 1
            if calls == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return False

        try:
            run_training(recipe, run, records, stop, resume=True)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def lines(run: Path) -> list[dict[str, Any]]:
    """What the log says, but for the speed."""
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in found:
        line.pop("images_per_second", None)
    return found


def assert_equal_runs(a: Path, b: Path) -> None:
    last = [checkpoints(run)[-1] for run in (a, b)]
    (first, first_progress), (second, second_progress) = (read_checkpoint(path) for path in last)
    assert first_progress == second_progress
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    for name in ("best.safetensors", "last.safetensors", "best.onnx", "recipe.toml"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    assert lines(a) == lines(b)


def test_killed_and_resumed_equals_never_stopped(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(
        optimiser={"average": 0.99, "clip": 5.0}, run={"accumulate": 2}, validation={"every": 2.0}
    )
    outcome = run_training(recipe, tmp_path / "whole", records)
    assert (outcome.finished, outcome.step, outcome.steps) == (True, STEPS, STEPS)
    assert len(lines(tmp_path / "whole")) == STEPS // 2 + 1

    cut = tmp_path / "cut"
    for step in (2, 5, 1, 6):  # before any checkpoint, between two, right behind one, ...
        killed_in_step(recipe, cut, records, step)
    assert checkpoints(cut)
    outcome = run_training(recipe, cut, records, resume=True)
    assert outcome.finished
    assert_equal_runs(tmp_path / "whole", cut)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_run_that_is_stopped_before_anything_was_measured_is_weights_all_the_same(
    average: float, tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(optimiser={"average": average})
    outcome = run_training(recipe, tmp_path / "run", records, stop=lambda: True)
    assert (outcome.finished, outcome.step) == (False, 1)
    kept = load_file(tmp_path / "run" / "best.safetensors")
    state, _ = read_checkpoint(checkpoints(tmp_path / "run")[-1])
    source = "average." if average else "network."
    of_network = {key.removeprefix(source): value for key, value in state.items() if key.startswith(source)}
    assert of_network.keys() and all(torch.equal(kept[key], value) for key, value in of_network.items())
    assert Store(tmp_path / "store", tmp_path / "cache").embedder(str(tmp_path / "run")).spec.dimension


def test_two_runs_of_a_seed_are_equal_and_of_two_seeds_not(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_training(tiny_recipe(run={"seed": seed}), tmp_path / name, records, limits=Limits(4))
    states = {name: read_checkpoint(checkpoints(tmp_path / name)[-1])[0] for name in "abc"}
    assert all(torch.equal(states["a"][key], states["b"][key]) for key in states["a"])
    assert not torch.equal(states["a"]["head.centres"], states["c"]["head.centres"])


def test_dropout_of_a_step_hangs_on_seed_step_and_process_alone() -> None:
    def drawn(seed: int, step: int, rank: int) -> tuple[float, ...]:
        seed_step(seed, step, rank)
        return tuple(torch.rand(3).tolist())

    places = [(seed, step, rank) for seed in (0, 1) for step in (0, 1, 2**33) for rank in (0, 1)]
    first = [drawn(*place) for place in places]
    assert [drawn(*place) for place in reversed(places)] == first[::-1]
    assert len(set(first)) == len(places)


def test_a_signal_is_asked_for_once_and_the_second_one_ends_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        with stop_on_signals() as stop:
            assert not stop()
            signal.raise_signal(number)
            assert stop()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "sigterm"])
def test_a_signal_to_all_processes_ends_the_command_behind_a_step_with_a_checkpoint(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe], number: signal.Signals
) -> None:
    """A terminal and a job scheduler signal the workers too."""
    recipe = tiny_recipe(data={"folders": (str(records),), "workers": 1}, schedule={"epochs": 1000.0},
                         run={"checkpoint_every": 100_000})  # fmt: skip
    (tmp_path / "tiny.toml").write_text(recipe_to_toml(recipe))
    run = tmp_path / "run"
    arguments = [
        sys.executable,
        "-c",
        COMMAND,
        str(tmp_path / "tiny.toml"),
        "--out",
        str(run),
        "--threads",
        "1",
    ]
    with subprocess.Popen(
        [*arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        until = time.monotonic() + 60
        while not (run / "metrics.jsonl").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    step = json.loads(out)["step"]
    _, progress = read_checkpoint(checkpoints(run)[-1])
    assert 0 < progress.step == step < 3750

    # The same command goes on from there.
    whole = run_training(recipe, tmp_path / "whole", records, limits=Limits(step + 2))
    run_training(recipe, run, records, limits=Limits(step + 2), resume=True)
    assert whole.step == step + 2
    states = [load_file(checkpoints(folder)[-1]) for folder in (tmp_path / "whole", run)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_what_cannot_be_resumed_is_refused(
    tmp_path: Path,
    records: Path,
    faces: list[tuple[int, bytes]],
    write_records: Callable[[Path, list[tuple[int, bytes]]], Path],
    tiny_recipe: Callable[..., Recipe],
) -> None:
    recipe, run = tiny_recipe(), tmp_path / "run"
    run_training(recipe, run, records, limits=Limits(3))
    with pytest.raises(UsageError, match="add --resume"):
        run_training(recipe, run, records)
    with pytest.raises(UsageError, match="other settings"):
        run_training(tiny_recipe(optimiser={"rate": 0.01}), run, records, resume=True)
    fewer = write_records(tmp_path / "fewer", faces[:-1])
    with pytest.raises(DataSetError, match="30 pictures of 6 people, the data now has 29"):
        run_training(recipe, run, fewer, resume=True)

    path = checkpoints(run)[-1]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"step-000000003.safetensors: cannot be read"):
        run_training(recipe, run, records, resume=True)
    path.write_bytes(whole)
    wider = tiny_recipe(network={"width": 0.5})
    (run / "recipe.toml").write_text(recipe_to_toml(wider))
    with pytest.raises(WeightsError, match="does not fit the network"):
        run_training(wider, run, records, resume=True)


def test_what_changes_nothing_of_what_is_learned_may_change_and_is_told(
    tmp_path: Path,
    records: Path,
    faces: list[tuple[int, bytes]],
    write_records: Callable[[Path, list[tuple[int, bytes]]], Path],
    tiny_recipe: Callable[..., Recipe],
) -> None:
    """Resumed with every such setting changed, from moved data, the run ends with the bits of one that was not
    (parts of a step add up by rounding, so `accumulate` is changed in a run of its own)."""
    before = {"validation": {"sets": ("old/pack.bin",), "every": 9.0}, "data": {"folders": (str(records),)}}
    after = {
        "validation": {"sets": ("new/pack.bin",), "every": 8.0},
        "data": {"folders": ("moved",), "workers": 1},
        "run": {"log_every": 1, "keep": 3, "checkpoint_every": 4, "activation_checkpoints": True},
    }
    moved = write_records(tmp_path / "moved", faces)
    run_training(tiny_recipe(**before), tmp_path / "whole", records, limits=Limits(6))
    run_training(tiny_recipe(**before), tmp_path / "cut", records, limits=Limits(3))
    run_training(tiny_recipe(**after), tmp_path / "cut", moved, limits=Limits(6), resume=True)
    (whole, _), (cut, _) = (read_checkpoint(checkpoints(tmp_path / name)[-1]) for name in ("whole", "cut"))
    assert [name for name in whole if not torch.equal(whole[name], cut[name])] == []
    assert load_recipe(str(tmp_path / "cut" / "recipe.toml")) == tiny_recipe(**after)
    (line,) = [line for line in lines(tmp_path / "cut") if line["kind"] == "resumed"]
    assert line["step"] == 3 and "[run] keep = 3 (was 2)" in line["changed"] and len(line["changed"]) == 8

    run_training(tiny_recipe(run={"accumulate": 2}), tmp_path / "cut", records, limits=Limits(7), resume=True)
    assert read_checkpoint(checkpoints(tmp_path / "cut")[-1])[1].step == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"run": {"batch": 6}},
        {"run": {"seed": 6}},
        {"run": {"precision": "bf16"}},
        {"optimiser": {"clip": 1.0}},
        {"schedule": {"epochs": 5.0}},
        {"augment": {"flip": 0.0}},
        {"data": {"colour": "bgr"}},
        {"head": {"scale": 8.0}},
        {"network": {"squeeze_excitation": True}},
    ],
    ids=lambda changes: "-".join(next(iter(changes.values()))),
)
def test_what_changes_what_is_learned_is_refused_and_named(
    changes: dict[str, dict[str, object]], tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    run_training(tiny_recipe(), tmp_path / "run", records, limits=Limits(1))
    kept = (tmp_path / "run" / "recipe.toml").read_bytes()
    ((section, values),) = changes.items()
    (name,) = values
    with pytest.raises(UsageError, match=rf"other settings .*\[{section}\] {name} = .* \(was .*\)"):
        run_training(tiny_recipe(**changes), tmp_path / "run", records, resume=True)
    assert (tmp_path / "run" / "recipe.toml").read_bytes() == kept


def test_a_checkpoint_that_counts_its_draws_is_resumed(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    """As versions wrote it in which a sampled head counted what it had drawn: `head.draws`, which is left aside."""
    run_training(tiny_recipe(), tmp_path / "whole", records)
    run_training(tiny_recipe(), tmp_path / "run", records, limits=Limits(3))
    path = checkpoints(tmp_path / "run")[-1]
    state, progress = read_checkpoint(path)
    save_file(state | {"head.draws": torch.tensor(3)}, path, {KEY: progress.to_json()})
    assert run_training(tiny_recipe(), tmp_path / "run", records, resume=True).finished
    last = [read_checkpoint(checkpoints(tmp_path / name)[-1])[0] for name in ("whole", "run")]
    assert last[0].keys() == last[1].keys()
    assert [name for name in last[0] if not torch.equal(last[0][name], last[1][name])] == []

    save_file(state | {"head.others": torch.tensor(3)}, path, {KEY: replace(progress, step=99).to_json()})
    path.rename(path.with_name("step-000000099.safetensors"))
    with pytest.raises(
        WeightsError, match=r"does not fit the head of the recipe: others is \(\), wanted nothing"
    ):
        run_training(tiny_recipe(), tmp_path / "run", records, resume=True)


def test_other_labels_are_refused_though_there_are_as_many(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    pictures = identities_from_records(records)
    here = Place(torch.device("cpu"))
    train(tiny_recipe(), tmp_path / "run", pictures, [], here, limits=Limits(1))
    turned = IdentitySet(pictures.labels[::-1].copy(), pictures.classes, pictures)
    with pytest.raises(DataSetError, match="stood in another order or belonged to others"):
        train(tiny_recipe(), tmp_path / "run", turned, [], here, resume=True)


def test_a_best_score_of_another_pack_counts_no_more_and_that_of_a_moved_one_does(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    pictures = identities_from_records(records)
    here = Place(torch.device("cpu"))

    def after(name: str, flip: bool) -> float | None:
        recipe = tiny_recipe(validation={"sets": (name,), "every": 9.0, "flip": flip})
        return start_run(recipe, tmp_path / "run", pictures, here, resume=True).position.best

    first = tiny_recipe(validation={"sets": ("a/own.bin",), "every": 9.0})
    train(first, tmp_path / "run", pictures, [], here, limits=Limits(1))
    path = checkpoints(tmp_path / "run")[-1]
    state, progress = read_checkpoint(path)
    save_file(state, path, {KEY: replace(progress, best=0.75).to_json()})
    assert after("b/own.bin", False) == 0.75
    assert after("b/own.bin", True) is None
    assert after("b/other.bin", True) is None
