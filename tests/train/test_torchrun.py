"""The command under torchrun: two processes, one checkpoint, and a resume by one process."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from multiface.train.checkpoint import checkpoints
from multiface.train.recipe import Recipe, recipe_to_toml
from tests.train.whole_checkpoint import read_checkpoint

SCRIPT = "import typer\nfrom multiface.cli.train_commands import train\ntyper.run(train)\n"


def test_two_processes_then_one(tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe]) -> None:
    """Sampled classes (Partial FC) too: one process goes on with what two have learned."""
    recipe = tiny_recipe(
        data={"folders": (str(records),)}, head={"sample_rate": 0.7}, validation={"every": 9.0},
        run={"checkpoint_every": 2}, optimiser={"average": 0.9},
    )  # fmt: skip
    (tmp_path / "tiny.toml").write_text(recipe_to_toml(recipe))
    (tmp_path / "script.py").write_text(SCRIPT)
    run = tmp_path / "run"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, str(tmp_path / "script.py"), str(tmp_path / "tiny.toml"), "--out", str(run)]
    done = subprocess.run(
        [*command, "--max-steps", "3", "--device", "cpu", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["step"] == 3
    state, progress = read_checkpoint(checkpoints(run)[-1])
    assert progress.step == 3 and state["head.centres"].shape == (2, 6, 8)
    assert state["momentum.head.centres"].shape == (2, 6, 8)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3]

    again = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), "--out", str(run), "--resume", "--max-steps", "5"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr[-3000:]
    state, progress = read_checkpoint(checkpoints(run)[-1])
    assert progress.step == 5
