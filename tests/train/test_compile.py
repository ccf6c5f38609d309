"""A compiled network learns what one that is not compiled learns, resumes, and leaves ordinary weights."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.errors import UsageError
from multiface.train.checkpoint import checkpoints
from multiface.train.loop import Limits, build_learner, train
from multiface.train.processes import Place
from multiface.train.recipe import NetworkConfig, Recipe, recipe_from_toml, recipe_to_toml
from multiface.train.step import add_gradients
from tests.train.several import joined
from tests.train.whole_checkpoint import read_checkpoint

CPU = Place(torch.device("cpu"))
# PyTorch's compiler imports, and warns of, an older one of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")

TINY = {"name": "plain", "width": 0.25, "embedding": 16}


@pytest.fixture(scope="module")
def pictures(records: Path) -> IdentitySet:
    return identities_from_records(records)


def tiny(tiny_recipe: Callable[..., Recipe], compiled: bool) -> Recipe:
    """A network of three convolutions, which compiles in seconds."""
    return tiny_recipe(network=TINY, run={"compile": compiled, "log_every": 1})


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "train"]


def test_it_learns_the_same_resumes_and_its_weights_are_ordinary_ones(
    tmp_path: Path, pictures: IdentitySet, tiny_recipe: Callable[..., Recipe]
) -> None:
    plain, compiled = tiny(tiny_recipe, False), tiny(tiny_recipe, True)

    # One gradient: sums of up to 9 * 64 products, and over 8 * 56 * 56 pixels, in another order. An error of 1e-7 of a
    # term each, so 1e-5 of the largest of a layer is far, and a wrong formula is further.
    gradients = []
    torch.manual_seed(0)
    crops, labels = torch.randn(8, 3, 112, 112), torch.arange(8) % pictures.classes
    for recipe in (plain, compiled):
        learner, _ = build_learner(recipe, pictures, CPU)
        learner.network.train()
        loss, _ = add_gradients(learner, crops, labels)
        gradients.append([loss, *(p.grad for p in learner.network.parameters()), learner.head.centres.grad])
    for one, other in zip(*gradients, strict=True):
        assert one is not None and other is not None
        assert (one - other).abs().max() <= 1e-5 * one.abs().max()

    assert counters["stats"]["unique_graphs"] == 1  # it was compiled, and in one piece

    # A run: the same sums at the start; what is learned from them drifts as slowly as from another memory format.
    for name, recipe in (("plain", plain), ("compiled", compiled)):
        assert train(recipe, tmp_path / name, pictures, [], CPU).finished
    ours, theirs = losses(tmp_path / "compiled"), losses(tmp_path / "plain")
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    assert ours == pytest.approx(theirs, rel=1e-2)

    # Resumed, and resumed without compiling.
    cut = tmp_path / "cut"
    train(compiled, cut, pictures, [], CPU, limits=Limits(max_steps=6))
    middle, _ = read_checkpoint(checkpoints(cut)[-1])
    assert not [name for name in middle if "_orig_mod" in name]
    train(compiled, cut, pictures, [], CPU, resume=True, limits=Limits(max_steps=9))
    assert losses(cut) == pytest.approx(ours[:9], rel=1e-5)
    assert train(plain, cut, pictures, [], CPU, resume=True).finished
    assert losses(cut) == pytest.approx(ours, rel=1e-2)
    assert "compile = False (was True)" in (cut / "metrics.jsonl").read_text()

    of_run = [load_file(tmp_path / name / "last.safetensors") for name in ("plain", "compiled")]
    assert of_run[0].keys() == of_run[1].keys()
    assert all(of_run[0][key].shape == of_run[1][key].shape for key in of_run[0])


def test_two_processes_learn_what_they_learn_without_it(
    tmp_path: Path, pictures: IdentitySet, tiny_recipe: Callable[..., Recipe]
) -> None:
    """Gradients of a compiled network come all at once; the buckets that carry them set off all the same."""
    # Compiled here, if it has not been: the processes find the code in PyTorch's cache, within their minute.
    learner, _ = build_learner(tiny(tiny_recipe, True), pictures, CPU)
    learner.network.train()
    add_gradients(learner, torch.zeros(8, 3, 112, 112), torch.arange(8) % pictures.classes)
    for name, compiled in (("plain", False), ("compiled", True)):
        # Eight pictures a process.
        recipe = tiny_recipe(network=TINY, run={"compile": compiled, "log_every": 1, "batch": 16})

        def work(place: Place, recipe: Recipe = recipe, run: Path = tmp_path / name) -> None:
            torch._dynamo.reset()  # what the process it came from has compiled
            counters.clear()
            train(recipe, run, pictures, [], place, limits=Limits(max_steps=4))
            assert counters["stats"]["unique_graphs"] == int(recipe.run.compile)

        assert joined(2, tmp_path / f"words-{name}", work) == ["", ""]
    ours, theirs = losses(tmp_path / "compiled"), losses(tmp_path / "plain")
    assert len(ours) == 4 and ours[0] == pytest.approx(theirs[0], rel=1e-5)
    assert ours == pytest.approx(theirs, rel=1e-2)
    states = [read_checkpoint(checkpoints(tmp_path / name)[-1])[0] for name in ("plain", "compiled")]
    assert states[0].keys() == states[1].keys()
    for key, values in states[0].items():
        assert torch.allclose(values.double(), states[1][key].double(), rtol=1e-2, atol=1e-3), key


def test_without_a_compiler_the_error_says_what_to_install(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    (tmp_path / "compiled.toml").write_text(recipe_to_toml(tiny(tiny_recipe, True)))
    command = [sys.executable, "-m", "multiface", "train", str(tmp_path / "compiled.toml")]
    command += ["--data", str(records), "--out", str(tmp_path / "run"), "-q"]
    nowhere = {"CXX": "/nonexistent/g++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "cannot compile the network here" in done.stderr and "g++ python3-dev" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_does_not_go_together_with_activation_checkpoints() -> None:
    with pytest.raises(UsageError, match="do not go together"):
        recipe_from_toml("[run]\ncompile = true\nactivation_checkpoints = true\n")
    assert NetworkConfig() == recipe_from_toml("[run]\ncompile = true\n").network
