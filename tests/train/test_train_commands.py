"""The commands `train` and `weights export` as a user types them, in this process."""

import itertools
import json
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from multiface.cli.train_commands import _alone, export_weights, train
from multiface.errors import UsageError, WeightsError
from multiface.train.recipe import load_recipe
from multiface.weights.store import Store
from tests.train.conftest import face, jpeg
from tests.train.several import forked

app = typer.Typer()
app.command()(train)
app.command()(export_weights)

TINY = """
[network]
width = 0.1
embedding = 16
[schedule]
epochs = 2
[run]
batch = 6
"""


def done(*arguments: object, exit_code: int = 0) -> dict[str, object]:
    """The JSON document of a command."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.stderr
    document: dict[str, object] = json.loads(result.stdout)
    return document


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIFACE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MULTIFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_train_stop_resume_and_export(tmp_path: Path, records: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    run = tmp_path / "run"
    command = ["train", "tiny.toml", "--data", records, "--out", run, "-w", 0, "--threads", 1, "--seed", 4,
               "--head", "arcface", "--spheres", 2, "--lr", 0.01, "-e", 3, "--max-steps", 4]  # fmt: skip
    first = done(*command)
    assert (first["step"], first["steps"], first["finished"]) == (4, 15, False)
    store = Store(tmp_path / "store", tmp_path / "cache")
    early = store.embedder(str(run)).spec  # inside the first epoch, before anything was measured
    kept = load_recipe(str(run / "recipe.toml"))
    assert kept.head.slices == 2 and kept.run.seed == 4 and kept.schedule.epochs == 3
    assert kept.data.folders == (str(records),)

    with pytest.raises(UsageError, match="--resume"):
        done(*command)
    again = done("train", "--resume", "--out", run, "--threads", 1)  # its recipe is in the folder
    assert again["finished"] and again["step"] == 15
    with pytest.raises(UsageError, match="other settings"):
        done("train", "--resume", "--out", run, "--lr", 0.5)

    exported = done("export-weights", run, "--out", tmp_path / "net.onnx")
    assert (
        exported["dimension"] == 16
        and exported["colour"] == "rgb"
        and float(str(exported["cosine"])) > 0.9999
    )
    spec = store.embedder(str(tmp_path / "net.onnx")).spec
    assert spec == store.embedder(str(run)).spec == early and spec.dimension == 16
    with pytest.raises(UsageError, match="says which network it is"):
        done("export-weights", run, "--out", tmp_path / "net.onnx", "--net", "ir")


def test_a_folder_a_person_of_crops_and_the_rate_finder(
    tmp_path: Path, faces: list[tuple[int, bytes]]
) -> None:
    for number, (person, data) in enumerate(faces):
        folder = tmp_path / "people" / f"p{person}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(data)
    (tmp_path / "tiny.toml").write_text(TINY)
    found = done(
        "train", "tiny.toml", "--data", "people", "--out", "run", "-w", 0, "--threads", 1, "--find-lr"
    )
    assert 1e-9 < float(str(found["suggested"])) < 1 and (tmp_path / "run" / "rates.png").is_file()
    (tmp_path / "again").mkdir()
    for folder in (tmp_path / "people").iterdir():
        (tmp_path / "again" / folder.name).symlink_to(folder)
    two = done("train", "tiny.toml", "--data", "people", "--data", "again", "--out", "run", "-w", 0,
               "--threads", 1, "--max-steps", 1)  # fmt: skip
    assert two["steps"] == 20


def test_the_rate_finder_begins_with_the_weights_to_start_from(tmp_path: Path, records: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    command = ["train", "tiny.toml", "--data", records, "--out", "run", "-w", 0, "--threads", 1, "--find-lr"]
    with pytest.raises(WeightsError, match=r"none\.safetensors: there is no such file"):
        done(*command, "--start", "none.safetensors")
    assert not (tmp_path / "run").exists()


def _align(root: Path, times: Path) -> None:
    with _alone(root):
        began = time.monotonic()
        time.sleep(0.3)
        with times.open("a") as file:
            file.write(f"{began} {time.monotonic()}\n")


def test_processes_of_a_machine_align_one_after_the_other(tmp_path: Path) -> None:
    """Before they join; each then finds done what another did. They write the same files, so never at once."""
    times = tmp_path / "times"
    assert forked(3, tmp_path / "said", lambda _: _align(tmp_path / "crops" / "people", times)) == [""] * 3
    spans = sorted(tuple(map(float, line.split())) for line in times.read_text().splitlines())
    assert len(spans) == 3 and all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_odd_files_end_no_run_and_a_folder_given_twice_counts_once(
    tmp_path: Path, faces: list[tuple[int, bytes]]
) -> None:
    for number, (person, data) in enumerate(faces):
        folder = tmp_path / "people" / f"p{person}" / ("deep" if number % 2 else ".")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jfif").write_bytes(data)
    first = min((tmp_path / "people").iterdir())
    (first / "0.jpe").write_bytes(b"no picture")
    (tmp_path / "people" / "nobody").mkdir()
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "link").symlink_to("people")
    command = [
        "train",
        "tiny.toml",
        "--data",
        "people",
        "--data",
        "link",
        "-w",
        "0",
        "--threads",
        "1",
        "--json",
        "--no-quiet",
    ]
    result = CliRunner().invoke(app, [*command, "--out", "run"])
    assert result.exit_code == 3, (result.stderr, result.exception)
    document = json.loads(result.stdout)
    assert document["finished"] and document["unusable"] == 1
    assert f"{len(faces) + 1} pictures of {len({p for p, _ in faces})} people" in result.stderr
    assert "people: given twice, counted once" in result.stderr
    assert "such as nobody" in result.stderr


def test_photos_and_lfw_are_aligned_once(tmp_path: Path, shared: Path) -> None:
    """Real photos of two people to learn from, and an LFW folder of twenty pairs of two people to measure
    on.
    """
    people = tmp_path / "people"
    people.mkdir()
    for source in sorted((shared / "data" / "photos" / "people").iterdir())[:2]:
        (people / source.name).mkdir()
        for photo in sorted(source.iterdir())[:2]:
            (people / source.name / photo.name).write_bytes(photo.read_bytes())
    files = {
        p.name: sorted(p.glob("*.jpg")) for p in sorted((shared / "data" / "lfw").iterdir()) if p.is_dir()
    }
    many = next(name for name, found in files.items() if len(found) >= 5)
    other = next(name for name, found in files.items() if len(found) >= 2 and name != many)
    numbers = {
        name: [int(f.stem[-4:]) for f in files[name]][: 5 if name == many else 2] for name in (many, other)
    }
    lines = ["1\t10", *(f"{many}\t{i}\t{j}" for i, j in itertools.combinations(numbers[many], 2))]
    lines += [f"{many}\t{i}\t{other}\t{j}" for i in numbers[many] for j in numbers[other]]
    lfw = tmp_path / "lfw"
    for name in (many, other):
        (lfw / name).mkdir(parents=True)
        for number in numbers[name]:
            file = f"{name}_{number:04d}.jpg"
            (lfw / name / file).write_bytes((shared / "data" / "lfw" / name / file).read_bytes())
    (lfw / "pairs.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "tiny.toml").write_text(TINY.replace("batch = 6", "batch = 2"))
    command = [
        "train",
        "tiny.toml",
        "--data",
        people,
        "--out",
        tmp_path / "run",
        "-w",
        0,
        "--threads",
        1,
        "--lr",
        0.001,
    ]
    result = done(*command, "--validate", lfw)
    assert result["finished"] and 0 <= float(str(result["best"])) <= 1
    crops = [path.relative_to(tmp_path / "cache" / "crops").parts for path in tmp_path.glob("cache/**/*.jpg")]
    assert sum(parts[0].startswith("lfw-") for parts in crops) == 7
    assert {parts[2] for parts in crops if parts[0].startswith("people-")} == {
        p.name for p in people.iterdir()
    }


def test_without_data_the_command_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --data FOLDER"):
        done("train", "--out", tmp_path / "run")


def test_export_in_fewer_bits(tmp_path: Path, records: Path) -> None:
    """float16 with and without crops, int8 with the crops of a training set; what does not go together is refused."""
    (tmp_path / "tiny.toml").write_text(TINY)
    done("train", "tiny.toml", "--data", records, "--out", "run", "-w", 0, "--lr", 0.01, "--max-steps", 3)
    half = done("export-weights", "run", "--out", "half.onnx", "--bits", "float16")
    assert half["bits"] == "float16" and half["bytes"] == (tmp_path / "half.onnx").stat().st_size
    (tmp_path / "people").mkdir()
    for person in range(2):
        (tmp_path / "people" / str(person)).mkdir()
        for number in range(20):
            file = tmp_path / "people" / str(person) / f"{number}.jpg"
            file.write_bytes(jpeg(face(person, number)))
    small = done("export-weights", "run", "--out", "int8.onnx", "--bits", "int8", "--data", "people")
    loss = small["loss"]
    assert isinstance(loss, dict) and loss["crops"] == 20 and 0.5 < loss["smallest"] <= loss["mean"] <= 1
    assert Store(tmp_path / "store", tmp_path / "cache").embedder("int8.onnx").spec.dimension == 16
    for arguments, said in (
        (["--bits", "int8"], "needs crops to calibrate its scales on"),
        (["--bits", "int4"], "there are float32, float16, int8"),
        (["--data", "people"], "float32 is exported as it is"),
    ):
        with pytest.raises(UsageError, match=said):
            done("export-weights", "run", "--out", "none.onnx", *arguments)
    assert not (tmp_path / "none.onnx").exists()
