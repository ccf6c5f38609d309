"""Processes whose machines share no disk: the first one decides where a run goes on and sends what is needed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from multiface.datasets.bin_pack import write_bin
from multiface.datasets.identities import IdentitySet, identities_from_records
from multiface.train.agreement import agree, share_tensor, tell
from multiface.train.checkpoint import checkpoints
from multiface.train.loop import Limits, train
from multiface.train.processes import Place
from multiface.train.recipe import Recipe
from multiface.train.validation import open_validation_set
from tests.train.several import joined
from tests.train.whole_checkpoint import read_checkpoint

LAST = 6


def run_in_two(
    folder: Path, recipe: Recipe, pictures: IdentitySet, steps: int, resume: bool = False
) -> list[str]:
    """Two processes, each with a run folder of its own: folder/0 and folder/1; what each ended with."""

    def one(place: Place) -> None:
        train(recipe, folder / str(place.rank), pictures, [], place, resume=resume, limits=Limits(steps))

    return joined(2, folder / "said", one)


@pytest.fixture
def recipe(tiny_recipe: Callable[..., Recipe]) -> Recipe:
    """With sampled classes, whose samples too must be those of the run that was never stopped."""
    return tiny_recipe(optimiser={"average": 0.9}, validation={"every": 9.0}, head={"sample_rate": 0.7})


@pytest.fixture(scope="module")
def pictures(records: Path) -> IdentitySet:
    return identities_from_records(records)


def test_a_resume_goes_on_where_the_first_process_stands_whatever_the_other_folders_hold(
    tmp_path: Path, recipe: Recipe, pictures: IdentitySet, tiny_recipe: Callable[..., Recipe]
) -> None:
    """To the bit as the run that was never stopped: with an empty second folder, with one of an older step, and
    with one of another run that is further on."""
    assert run_in_two(tmp_path / "whole", recipe, pictures, LAST) == ["", ""]
    assert run_in_two(tmp_path / "cut", recipe, pictures, 4) == ["", ""]
    assert checkpoints(tmp_path / "cut" / "0") and not checkpoints(tmp_path / "cut" / "1")
    other = tmp_path / "other"
    different = tiny_recipe(run={"seed": 9}, optimiser={"average": 0.9}, validation={"every": 9.0})
    train(different, other, pictures, [], Place(torch.device("cpu")), limits=Limits(5))
    wanted, progress = read_checkpoint(checkpoints(tmp_path / "whole" / "0")[-1])
    for name, second in (("none", None), ("other", other)):
        folder = tmp_path / name
        shutil.copytree(tmp_path / "cut" / "0", folder / "0")
        if second is not None:
            shutil.copytree(second, folder / "1")
        assert run_in_two(folder, recipe, pictures, LAST, resume=True) == ["", ""], name
        found, position = read_checkpoint(checkpoints(folder / "0")[-1])
        assert position == progress and position.step == LAST
        assert [key for key in wanted if not torch.equal(wanted[key], found[key])] == [], name


def test_processes_that_are_not_of_the_same_run_all_end_with_what_differs(
    tmp_path: Path, recipe: Recipe, pictures: IdentitySet
) -> None:
    relabelled = IdentitySet(pictures.labels[::-1].copy(), pictures.classes, pictures)
    faster = replace(recipe, optimiser=replace(recipe.optimiser, rate=0.1))
    moved = replace(recipe, data=replace(recipe.data, folders=("elsewhere",)))
    torch.manual_seed(3)

    def two(second: Recipe, others: IdentitySet, steps: int) -> list[str]:
        def one(place: Place) -> None:
            mine = (recipe, pictures, 1) if place.first else (second, others, steps)
            train(mine[0], tmp_path / "run", mine[1], [], place, limits=Limits(mine[2]))

        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return joined(2, tmp_path / "said", one)

    same = "start all of them with the same command, version, recipe and data"
    assert (
        two(recipe, relabelled, 1)
        == [
            "UsageError: the processes do not belong to the same run: process 1 differs from process 0 in labels; "
            f"{same}"
        ]
        * 2
    )
    for changes in ((faster, pictures, 1), (recipe, pictures, 2)):
        what = "recipe" if changes[0] is faster else "first and last step"
        ends = two(*changes)
        assert all(f"process 1 differs from process 0 in {what}" in end for end in ends), ends
        assert not checkpoints(tmp_path / "run")
    assert two(moved, pictures, 1) == ["", ""]


def test_another_validation_set_in_one_process_is_found_before_the_first_step(
    tmp_path: Path, recipe: Recipe, pictures: IdentitySet, faces: list[tuple[int, bytes]]
) -> None:
    """It may lie elsewhere; of another size, processes would wait for each other in the middle of a run."""
    for name, pairs in (("a", 20), ("b", 20), ("c", 22)):
        (tmp_path / name).mkdir()
        files = [faces[k % len(faces)][1] for k in range(2 * pairs)]
        write_bin(tmp_path / name / "own.bin", files, [k % 2 == 0 for k in range(pairs)])

    def two(second: str) -> list[str]:
        def one(place: Place) -> None:
            sets = [open_validation_set(tmp_path / ("a", second)[place.rank] / "own.bin", None)]
            train(recipe, tmp_path / f"run-{second}", pictures, sets, place, limits=Limits(1))

        return joined(2, tmp_path / "said", one)

    assert two("b") == ["", ""]
    ends = two("c")
    assert all("process 1 differs from process 0 in validation sets" in end for end in ends), ends


def test_other_first_weights_in_one_process_are_found_before_the_first_step(
    tmp_path: Path, pictures: IdentitySet, tiny_recipe: Callable[..., Recipe]
) -> None:
    """Weights to start from that lie under the same name on both machines and are not the same."""
    base = Place(torch.device("cpu"))
    for name, seed in (("a", 1), ("b", 2)):
        train(tiny_recipe(run={"seed": seed}), tmp_path / name, pictures, [], base, limits=Limits(1))

    def one(place: Place) -> None:
        weights = str(tmp_path / "ab"[place.rank])
        mine = tiny_recipe(start={"weights": weights, "centres_from_pictures": False})
        train(mine, tmp_path / "run", pictures, [], place, limits=Limits(1))

    ends = joined(2, tmp_path / "said", one)
    assert all("process 1 differs from process 0 in weights" in end for end in ends), ends


def test_what_the_first_process_tells_and_what_all_agree_on(tmp_path: Path) -> None:
    def one(place: Place) -> None:
        assert tell(place, "grüße" if place.first else "nothing") == "grüße"
        assert tell(place, "") == ""
        own = torch.arange(4.0).double() if place.first else None
        shared = share_tensor(place, own, (4,), torch.float64)
        assert shared.tolist() == [0, 1, 2, 3] and shared.dtype == torch.float64
        agree(place, {"a": "1", "b": "2"})
        save_file({"shared": shared}, tmp_path / f"{place.rank}.safetensors")
        agree(place, {"a": "1", "b": str(place.rank), "c": str(place.rank // 2)})

    wanted = "processes 1, 2 differ from process 0 in b; process 2 differs from process 0 in c"
    ends = joined(3, tmp_path, one)
    assert all(wanted in end for end in ends), ends
