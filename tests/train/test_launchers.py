"""Which process of how many the environment says this is, and what is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from multiface.datasets.identities import identities_from_records
from multiface.errors import UsageError
from multiface.train.checkpoint import checkpoints
from multiface.train.launchers import Launch, launch_of
from multiface.train.loop import Limits, train
from multiface.train.processes import Place
from multiface.train.recipe import Recipe, load_recipe
from tests.train.several import free_port
from tests.train.whole_checkpoint import read_checkpoint

MEET = {"MASTER_ADDR": "node7", "MASTER_PORT": "1234"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, (3, 8, 1)),
        ({"RANK": "3", "WORLD_SIZE": "8"}, (3, 8, None)),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "16", "SLURM_LOCALID": "2"}, (5, 16, 2)),
        (
            {
                "OMPI_COMM_WORLD_RANK": "0",
                "OMPI_COMM_WORLD_SIZE": "2",
                "OMPI_COMM_WORLD_LOCAL_RANK": "0",
            },
            (0, 2, 0),
        ),
        ({"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1"}, (1, 2, 1)),
        # Whoever sets RANK and WORLD_SIZE means this run: torchrun inside a task of Slurm.
        (
            {
                "RANK": "9",
                "WORLD_SIZE": "16",
                "LOCAL_RANK": "1",
                "SLURM_PROCID": "1",
                "SLURM_NTASKS": "2",
            },
            (9, 16, 1),
        ),
    ],
)
def test_a_process_knows_its_number(given: dict[str, str], wanted: tuple[int, int, int | None]) -> None:
    assert launch_of({**given, **MEET}) == Launch(*wanted, "node7", 1234)
    assert launch_of({**given, "MASTER_ADDR": "node7"}) == Launch(*wanted, "node7", 29500)


def test_torchrun_keeps_the_meeting_point_and_counts_its_attempts() -> None:
    given = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "2"}
    launch = launch_of({"RANK": "0", "WORLD_SIZE": "2", **given, **MEET})
    assert launch == Launch(0, 2, None, "node7", 1234, hosted=True, attempt="2")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"RANK": "0", "WORLD_SIZE": "1"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"},
        {"SLURM_PROCID": "0"},
        {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"},
        {"RANK": "0", "WORLD_SIZE": "1", "SLURM_NTASKS": "8"},
        {"PMI_RANK": ""},
    ],
)
def test_a_single_process_is_one(given: dict[str, str]) -> None:
    assert launch_of(given) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"SLURM_PROCID": "0", "SLURM_NTASKS": "8"},
            r"Slurm started 8 processes, but MASTER_ADDR does not say where they meet; export MASTER_PORT=29500 "
            r'MASTER_ADDR=\$\(scontrol show hostnames "\$SLURM_JOB_NODELIST" \| head -n 1\); srun --ntasks=8 ',
        ),
        ({"SLURM_NTASKS": "8"}, r"holds 8 tasks here, but did not start .*; .*srun --ntasks=8"),
        (
            {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"},
            r"mpirun -np 4 -x MASTER_ADDR=HOST -x MASTER_PORT=29500 multiface train",
        ),
        ({"PMI_RANK": "1", "PMI_SIZE": "4"}, r"mpirun -np 4 -env MASTER_ADDR HOST -env MASTER_PORT 29500"),
        ({"RANK": "1", "WORLD_SIZE": "4"}, r"MASTER_ADDR=HOST MASTER_PORT=29500 before each command"),
        ({"RANK": "1"}, "RANK is set and WORLD_SIZE is not"),
        ({"WORLD_SIZE": "4"}, "WORLD_SIZE is set and RANK is not"),
        ({"RANK": "4", "WORLD_SIZE": "4", **MEET}, "RANK is 4, but there are only 4 processes, from 0 on"),
        ({"RANK": "x", "WORLD_SIZE": "4", **MEET}, "RANK is 'x', wanted a whole number of at least 0"),
        ({"RANK": "1", "WORLD_SIZE": "0"}, "WORLD_SIZE is '0', wanted a whole number of at least 1"),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "-1"}, "MASTER_PORT is '-1'"),
    ],
)
def test_processes_that_would_not_find_each_other_are_refused_with_the_line_that_works(
    given: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        launch_of(given)


COMMAND = "import typer; from multiface.cli.train_commands import train; typer.run(train)"
OPTIONS = ["--device", "cpu", "--json", "--threads", "1"]


def two_tasks(folder: Path, *words: str) -> list[str]:
    """The command as srun would start it twice, each with a run folder of its own; what they printed."""
    port = str(free_port())
    tasks = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words, *OPTIONS, "--out", str(folder / f"run{number}")],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "SLURM_PROCID": str(number),
                "SLURM_NTASKS": "2",
                "SLURM_LOCALID": str(number),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [task.communicate(timeout=90) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    return [out for out, _ in said]


def test_two_tasks_of_a_launcher_other_than_torchrun_are_one_run(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    """One run of two processes, not two runs that each believe to be the first; resumed by the recipe and the
    checkpoint in the first one's folder, which the second does not see."""
    recipe = tiny_recipe(data={"folders": (str(records),)}, validation={"every": 9.0})
    begun = identities_from_records(records)
    train(recipe, tmp_path / "run0", begun, [], Place(torch.device("cpu")), limits=Limits(2))
    said = two_tasks(tmp_path, "--resume", "--max-steps", "4")
    assert json.loads(said[0])["step"] == 4 and said[1] == ""
    path = checkpoints(tmp_path / "run0")[-1]
    assert read_checkpoint(path)[1].step == 4 and not (tmp_path / "run1").exists()
    assert load_recipe(str(tmp_path / "run0" / "recipe.toml")) == recipe
