"""A run's log as it grows, through a resume, and into the trackers themselves: MLflow and Weights & Biases, offline."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from multiface.datasets.identities import identities_from_records
from multiface.errors import InputError
from multiface.train import follow as following
from multiface.train.follow import follow
from multiface.train.loop import Limits, train
from multiface.train.processes import Place
from multiface.train.recipe import Recipe

CPU = Place(torch.device("cpu"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, records: Path) -> Path:
    """A finished run of two steps."""
    from multiface.train.recipe import recipe_from_toml

    folder = tmp_path_factory.mktemp("followed") / "run"
    tiny = "[data]\nworkers = 0\n[network]\nwidth = 0.1\nembedding = 16\n[schedule]\nepochs = 1\n"
    recipe = recipe_from_toml(tiny + "[optimiser]\nrate = 0.01\n[run]\nbatch = 15\nlog_every = 1\n")
    assert train(recipe, folder, identities_from_records(records), [], CPU).finished
    return folder


def steps(events: list[dict[str, Any]]) -> list[int]:
    return [event["step"] for event in events if event["kind"] == "train"]


def test_a_finished_run_is_told_at_once_and_the_log_is_unchanged(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert list(follow(run)) == lines and steps(lines) == [1, 2]
    assert list(follow(str(run), wait=False)) == lines


def test_a_run_is_followed_while_it_stops_and_resumes(
    tmp_path: Path, records: Path, tiny_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From before its first line: each step once, though steps 4 and 5 are done twice."""
    monkeypatch.setattr(following, "SECONDS", 0.01)
    found: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: found.extend(follow(tmp_path / "run")), daemon=True)
    reader.start()
    recipe, pictures = tiny_recipe(run={"log_every": 1}), identities_from_records(records)
    train(recipe, tmp_path / "run", pictures, [], CPU, limits=Limits(5))
    time.sleep(0.1)
    (
        tmp_path / "run" / "checkpoints" / "step-000000005.safetensors"
    ).unlink()  # so that it goes on behind step 3
    assert train(recipe, tmp_path / "run", pictures, [], CPU, resume=True).finished
    reader.join(10)
    assert not reader.is_alive() and steps(found) == list(range(1, 16))


def test_half_a_line_is_left_until_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SECONDS", 0.0)
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(b'{"kind": "train", "step": 1}\n{"kind": "tr')
    events = follow(tmp_path)
    assert next(events)["step"] == 1
    assert [event["step"] for event in follow(tmp_path, wait=False)] == [1]
    with log.open("ab") as file:
        file.write(b'ain", "step": 2}\n')
    assert next(events)["step"] == 2


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no log of a run"):
        list(follow(tmp_path, wait=False))
    (tmp_path / "metrics.jsonl").write_text("nonsense\n")
    with pytest.raises(InputError, match="not JSON"):
        list(follow(tmp_path))


WATCHED = """
import json, sys
asked = []
sys.addaudithook(lambda name, given: asked.append((name, given)) if name.startswith("socket.") else None)


def tell(**found):
    hosts = [given[0] for name, given in asked if name == "socket.getaddrinfo"]
    hosts += [given[1][0] for name, given in asked if name == "socket.connect" and isinstance(given[1], tuple)]
    print(json.dumps(found | {"elsewhere": [one for one in map(str, hosts) if one not in ("127.0.0.1", "localhost")]}))
"""


def tracked(script: str, folder: Path) -> dict[str, Any]:
    """What a script tells, run in a process of its own whose Python may ask nobody elsewhere."""
    file = folder / "script.py"
    file.write_text(WATCHED + script)
    done = subprocess.run(
        [sys.executable, str(file)],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["elsewhere"] == []
    return found


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="needs mlflow or mlflow-skinny")
def test_mlflow_has_what_the_run_told(run: Path, tmp_path: Path) -> None:
    script = f"""
import os
os.environ |= {{"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}}  # mlflow-skinny has no database
import mlflow
from multiface.train.follow import follow

mlflow.set_tracking_uri("file:mlruns")
with mlflow.start_run() as tracked:
    for event in follow({str(run)!r}):
        numbers = {{name: value for name, value in event.items() if isinstance(value, float)}}
        mlflow.log_metrics(numbers, step=event["step"])
history = mlflow.MlflowClient().get_metric_history(tracked.info.run_id, "loss")
tell(losses=[[one.step, one.value] for one in history])
"""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    told = [[line["step"], line["loss"]] for line in lines if line["kind"] == "train"]
    assert sorted(tracked(script, tmp_path)["losses"]) == told


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs wandb")
def test_wandb_offline_has_what_the_run_told(run: Path, tmp_path: Path) -> None:
    script = f"""
import os
os.environ |= {{"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}}
import wandb
from multiface.train.follow import follow

with wandb.init(project="faces") as tracked:
    for event in follow({str(run)!r}):
        tracked.log({{name: value for name, value in event.items() if isinstance(value, float)}}, step=event["step"])
tell()
"""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    tracked(script, tmp_path)
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    content = kept.read_bytes()  # records in which numbers are text
    assert [line["loss"] for line in lines if repr(line["loss"]).encode() not in content] == []
