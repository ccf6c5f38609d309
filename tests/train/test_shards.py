"""Tar shards and Parquet files are learned from as record files and folders of the same pictures are."""

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from multiface.train.loop import train
from multiface.train.processes import Place
from multiface.train.recipe import Recipe
from multiface.train.training_set import open_training_set
from tests.datasets.shard_files import write_parquet, write_samples
from tests.train.test_train_commands import TINY, app


@pytest.fixture
def places(tmp_path: Path, records: Path, faces: list[tuple[int, bytes]]) -> dict[str, str]:
    """The same pictures in the same order, in four layouts."""
    (tmp_path / "shards").mkdir()
    for number, (person, data) in enumerate(faces):
        file = tmp_path / "people" / f"p{person}" / f"{number:03}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    samples = [(f"{number:06}", f"p{person}", data) for number, (person, data) in enumerate(faces)]
    for shard in range(3):
        write_samples(tmp_path / "shards" / f"train-{shard:03}.tar", samples[10 * shard : 10 * shard + 10])
    people, pictures = zip(*faces, strict=True)
    write_parquet(tmp_path / "faces.parquet", people, pictures, [f"p{k}" for k in range(6)])
    return {
        "records": str(records),
        "people": str(tmp_path / "people"),
        "shards": str(tmp_path / "shards"),
        "range": str(tmp_path / "shards" / "train-{000..002}.tar"),
        "parquet": str(tmp_path / "faces.parquet"),
    }


@pytest.mark.parametrize("layout", ["people", "shards", "range", "parquet"])
@pytest.mark.parametrize("workers", [0, 2])
def test_losses_are_those_of_record_files(
    layout: str, workers: int, places: dict[str, str], tmp_path: Path, tiny_recipe: Callable[..., Recipe]
) -> None:
    recipe = tiny_recipe(data={"workers": workers}, run={"log_every": 1}, schedule={"epochs": 2})

    def losses(place: str, run: str) -> list[float]:
        train(recipe, tmp_path / run, open_training_set([place]), [], Place(torch.device("cpu")))
        lines = [json.loads(line) for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        return [line["loss"] for line in lines if line["kind"] == "train"]

    wanted = losses(places["records"], "one")
    assert len(wanted) == 8
    assert losses(places[layout], "two") == wanted


def test_shards_of_pictures_in_any_order_and_a_resume(
    tmp_path: Path, faces: list[tuple[int, bytes]], tiny_recipe: Callable[..., Recipe]
) -> None:
    """Stopped and resumed from shards ends with the bits of a run that went through."""
    mixed = list(faces)
    random.Random(3).shuffle(mixed)
    shard = write_samples(tmp_path / "a.tar", [(str(k), p, data) for k, (p, data) in enumerate(mixed)])
    recipe, place = tiny_recipe(schedule={"epochs": 2}), Place(torch.device("cpu"))
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls == 3

    train(recipe, tmp_path / "one", open_training_set([str(shard)]), [], place)
    train(recipe, tmp_path / "two", open_training_set([str(shard)]), [], place, stop=stop)
    done = train(recipe, tmp_path / "two", open_training_set([str(shard)]), [], place, resume=True)
    assert done.finished
    files = [tmp_path / run / "last.safetensors" for run in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_command_packs_parquet_files_once(
    tmp_path: Path, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTIFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)

    def run(data: str, out: str) -> str:
        command = [
            "train",
            "tiny.toml",
            "--data",
            data,
            "-w",
            "0",
            "--threads",
            "1",
            "--out",
            out,
            "--lr",
            "0.01",
        ]
        result = CliRunner().invoke(app, [*command, "--no-quiet"])
        assert result.exit_code == 0, (result.stderr, result.exception)
        assert "30 pictures of 6 people" in result.stderr
        lines = [json.loads(line) for line in (tmp_path / out / "metrics.jsonl").read_text().splitlines()]
        return str([line["loss"] for line in lines if line["kind"] == "train"])

    wanted = run(places["records"], "one")
    assert run(places["parquet"], "two") == wanted
    (packed,) = (tmp_path / "cache" / "crops").glob("records-*/train.rec")
    made = packed.stat().st_mtime_ns
    assert run(places["parquet"], "three") == wanted
    assert packed.stat().st_mtime_ns == made
    assert run(places["range"], "four") == wanted
    assert len(list((tmp_path / "cache" / "crops").glob("records-*/train.rec"))) == 1


def test_recipes_name_shards(places: dict[str, str], tiny_recipe: Callable[..., Recipe]) -> None:
    recipe = tiny_recipe()
    several = dataclasses.replace(recipe.data, folders=(places["range"], places["parquet"]))
    assert len(open_training_set(several.folders)) == 60
