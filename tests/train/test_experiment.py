"""Experiments: who is learned from, what a run is, that what is done stays, and the table against outside formulas."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from multiface.cli.main import app
from multiface.datasets.bin_pack import write_bin
from multiface.datasets.identities import identities_from_records
from multiface.errors import DataSetError, UsageError
from multiface.train.experiment.one_run import RESULT, carry_out, read_result, read_scores
from multiface.train.experiment.outcome import differences, outcomes_of
from multiface.train.experiment.people import divide, with_wrong_labels
from multiface.train.experiment.plan import Choice, Experiment, load_experiment
from multiface.train.experiment.report import write_report
from multiface.train.experiment.running import TUNED, choose, open_people, open_sets, results, run_all

FILE = """
recipe = "recipe.toml"
data = ["records"]
judge = ["judged.bin"]
seeds = 2
against = "one"
shrink = 4
[tuning]
people = 5
pairs = 40
rates = [0.05, 0.2]
[levels]
"network.embedding" = [16, 8]
noise = [0, 0.25]
[arms.one]
[arms.two.head]
slices = 2
[arms.two.tuning]
rates = [0.1]
"""
RECIPE = """
[network]
name = "plain"
width = 0.25
[head]
kind = "cosface"
scale = 16
[optimiser]
rate = 0.1
[schedule]
epochs = 2
shape = "cosine"
[run]
batch = 8
log_every = 2
checkpoint_every = 2
"""


def jpegs(person: int, count: int) -> list[bytes]:
    """Pictures of a person: a smooth pattern with noise of each picture's own."""
    import io

    from PIL import Image

    found = []
    base = np.random.default_rng(person).integers(0, 256, (6, 6, 3), np.uint8)
    for picture in range(count):
        noise = np.random.default_rng(1000 * person + picture).integers(-40, 41, (6, 6, 3))
        small = Image.fromarray(np.clip(base.astype(int) + noise, 0, 255).astype(np.uint8))
        file = io.BytesIO()
        small.resize((112, 112), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        found.append(file.getvalue())
    return found


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory,
    write_records: Callable[[Path, list[tuple[int, bytes]]], Path],
) -> Path:
    """A folder with an experiment: records of 12 people, a pack of 8 others with its names."""
    folder = tmp_path_factory.mktemp("experiment")
    write_records(folder / "records", [(p, one) for p in range(12) for one in jpegs(p, 4)])
    others = {p: jpegs(p, 4) for p in range(50, 58)}
    pictures, same, names = [], [], []
    for number in range(80):
        a = 50 + number % 8
        b = a if number % 2 == 0 else 50 + (number + 3) % 8
        pictures += [others[a][number // 8 % 4], others[b][(number // 8 + 1) % 4]]
        same.append(a == b)
        names += [f"p{a}", f"p{b}"]
    write_bin(folder / "judged.bin", pictures, same)
    (folder / "judged.people").write_text("\n".join(names) + "\n")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "few.toml").write_text(FILE)
    return folder


@pytest.fixture(scope="module")
def experiment(place: Path) -> Experiment:
    return load_experiment(place / "few.toml")


@pytest.fixture(scope="module")
def done(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, Path]:
    """The experiment with all its runs done, in this process."""
    out = tmp_path_factory.mktemp("done") / "out"
    people, sets = open_people(experiment), open_sets(experiment)
    for run in experiment.tuning_runs():
        carry_out(experiment, run, out / run.name, people, sets, lambda: False)
    for run in experiment.judged_runs(choose(experiment, out)):
        carry_out(experiment, run, out / run.name, people, sets, lambda: False)
    assert run_all_without_a_process(experiment, out)
    return experiment, out


def run_all_without_a_process(experiment: Experiment, out: Path) -> bool:
    """`run_all` on a folder in which all is done; the folder is claimed as it would have been at the start."""
    moved = out.with_name("moved")
    out.rename(moved)
    assert not run_all(experiment, out, 1, stop=lambda: True)
    for one in moved.iterdir():
        one.rename(out / one.name) if not (out / one.name).exists() else None
    return run_all(experiment, out, 1)


def test_runs_are_arms_times_levels_times_seeds(experiment: Experiment) -> None:
    tuning = experiment.tuning_runs()
    assert [run.arm for run in tuning] == ["one", "one"]  # the other has nothing to choose from
    judged = experiment.judged_runs({"one": Choice(0.05, None), "two": Choice(0.1, None)})
    assert len(judged) == 2 * 4 * 2
    assert len({run.name for run in judged}) == 16
    assert not {run.seed for run in judged} & {run.seed for run in tuning}
    # All arms at all levels with the first seed come first.
    assert len({run.seed for run in judged[:8]}) == 1


def test_a_recipe_of_a_run_has_the_arms_changes_the_level_and_the_choice(experiment: Experiment) -> None:
    run = experiment.judged_runs({"one": Choice(0.05, None), "two": Choice(0.1, 0.3)})[3]
    recipe = experiment.recipe_of(run)
    assert run.arm == "two" and run.noise == 0.25
    assert (recipe.head.slices, recipe.network.embedding, recipe.optimiser.rate) == (2, 16, 0.1)
    assert recipe.head.margin == dataclasses.replace(recipe.head.margin, margin=0.3)
    assert recipe.run.seed == run.seed
    assert recipe.head.scale == 16 and recipe.schedule.epochs == 2  # the base's
    run = experiment.judged_runs({"one": Choice(0.05, None, 8.0), "two": Choice(0.1, None)})[0]
    assert run.arm == "one" and experiment.recipe_of(run).head.scale == 8


def scaled(place: Path, tmp_path: Path, scales: str) -> Experiment:
    """The experiment with scales to try, and nothing else."""
    (tmp_path / "recipe.toml").write_text(RECIPE)
    text = FILE.replace("rates = [0.05, 0.2]", f"scales = {scales}").replace("rates = [0.1]", "scales = [4]")
    (tmp_path / "scaled.toml").write_text(text)
    made = load_experiment(tmp_path / "scaled.toml")
    return dataclasses.replace(made, data=(str(place / "records"),), judge=(str(place / "judged.bin"),))


def test_scales_are_tried_each_with_each_rate_and_margin(place: Path, tmp_path: Path) -> None:
    made = scaled(place, tmp_path, "[8, 24]\nrates = [0.1, 0.2]\nmargins = [0.1]")
    assert [run.choice for run in made.tuning_runs() if run.arm == "one"] == [
        Choice(0.1, 0.1, 8.0), Choice(0.1, 0.1, 24.0), Choice(0.2, 0.1, 8.0), Choice(0.2, 0.1, 24.0)
    ]  # fmt: skip
    assert {run.choice.scale for run in made.tuning_runs() if run.arm == "two"} == {4.0}
    assert {made.recipe_of(run).head.scale for run in made.tuning_runs()} == {4.0, 8.0, 24.0}
    assert len({run.name for run in made.tuning_runs()}) == len(made.tuning_runs())


def test_a_scale_of_nothing_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="scales must be above 0"):
        scaled(place, tmp_path, "[0, 8]")


def test_another_grid_may_be_tried_until_something_is_judged(place: Path, tmp_path: Path) -> None:
    """What was tried stays in the table; a choice that runs were judged with stays the choice."""
    out = tmp_path / "out"
    few = {"seeds": 1, "levels": ()}
    first = dataclasses.replace(scaled(place, tmp_path, "[8, 24]"), **few)
    assert run_all(first, out, 1, tune_only=True)
    assert not (out / "judged").exists()
    tried = {run.choice.scale: read_result(out / run.name) for run in first.tuning_runs()}
    best = max(tried, key=lambda scale: tried[scale].sets[0].area)  # type: ignore[union-attr, arg-type, return-value]
    assert json.loads((out / TUNED).read_text())["one"]["scale"] == best
    document = write_report(first, out, "first")
    assert document["judged_runs"]["done"] == 0

    second = dataclasses.replace(scaled(place, tmp_path, f"[{best}, 1000]"), **few)
    assert run_all(second, out, 1)
    document = write_report(second, out, "second")
    (one,) = [arm for arm in document["arms"] if arm["arm"] == "one"]
    # At an edge of all that was tried, not of the last grid alone.
    assert one["choice"]["scale"] in (best, 1000.0)
    assert one["at_edge"] == (("scale",) if one["choice"]["scale"] in (8, 1000) else ())
    lines = [line.split(",") for line in (out / "tuning.csv").read_text().splitlines()]
    assert {line[3] for line in lines[1:]} == {"8.0", "24.0", "1000.0"}

    other = next(scale for scale in (8.0, 24.0, 1000.0) if scale != one["choice"]["scale"])
    third = dataclasses.replace(scaled(place, tmp_path, f"[{other}]"), **few)
    with pytest.raises(UsageError, match=r"one, but runs have been judged already"):
        run_all(third, out, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 2", "sedes = 2", "sedes"),
        ('against = "one"', 'against = "three"', "three"),
        ("slices = 2", "slices = 3", "divide"),
        ("noise = [0, 0.25]", "noise = [0, 1.5]", "noise"),
        ('"network.embedding" = [16, 8]', '"network.embeding" = [16]', "embeding"),
        ("[arms.two.head]", "[arms.two.haed]", "haed"),
        ("rates = [0.1]", "rate = [0.1]", "rate"),
        ("people = 5", "people = 0", "people"),
        ("shrink = 4", "shrink = 3", "shrink"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    place: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    assert FILE.count(old) == 1
    (tmp_path / "wrong.toml").write_text(FILE.replace(old, new))
    with pytest.raises(UsageError, match=message):
        open_sets(
            dataclasses.replace(load_experiment(tmp_path / "wrong.toml"), judge=(str(place / "judged.bin"),))
        )


def test_people_who_are_tuned_on_are_never_learned_from(place: Path) -> None:
    pictures = identities_from_records(place / "records")
    people = divide(pictures, 3, 5, 1000)
    learned = {people.learned.read(i) for i in range(len(people.learned))}
    assert people.learned.classes == 7 and len(learned) == 28
    tuned = people.tuned.faces.pictures  # type: ignore[attr-defined]
    assert not learned & {tuned.read(i) for i in range(len(tuned))}
    assert int(people.tuned.pairs.issame.sum()) == 5 * 6  # all pairs of the same person
    assert divide(pictures, 3, 5, 1000).learned.read(0) == people.learned.read(0)


def test_pairs_to_tune_on_are_what_they_say(place: Path) -> None:
    pictures = identities_from_records(place / "records")
    tuned = divide(pictures, 1, 5, 20).tuned
    by_file = {pictures.read(i): int(pictures.labels[i]) for i in range(len(pictures))}
    shown = [by_file[tuned.faces.pictures.read(i)] for i in range(len(tuned.faces))]  # type: ignore[attr-defined]
    pairs = tuned.pairs
    for left, right, same in zip(pairs.left, pairs.right, pairs.issame, strict=True):
        assert left != right and (shown[left] == shown[right]) == same
    assert int(pairs.issame.sum()) == 20 and len(pairs) == 40
    assert set(pairs.fold.tolist()) == set(range(10))


def test_too_few_people_are_refused(place: Path) -> None:
    with pytest.raises(DataSetError, match="too few"):
        divide(identities_from_records(place / "records"), 1, 11, 100)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_wrong_labels_are_as_many_as_said_and_always_of_somebody_else(place: Path, share: float) -> None:
    pictures = identities_from_records(place / "records")
    noisy = with_wrong_labels(pictures, share, 7)
    assert int((noisy.labels != pictures.labels).sum()) == round(share * 48)
    assert noisy.labels.min() >= 0 and noisy.labels.max() < 12
    assert np.array_equal(with_wrong_labels(pictures, share, 7).labels, noisy.labels)
    if share:
        assert not np.array_equal(with_wrong_labels(pictures, share, 8).labels, noisy.labels)


def test_every_wrong_label_is_as_likely() -> None:
    from multiface.datasets.identities import IdentitySet

    pictures = IdentitySet(np.zeros(40_000, np.int64), 5, None)  # type: ignore[arg-type]
    counts = np.bincount(with_wrong_labels(pictures, 0.5, 0).labels, minlength=5)
    assert counts[0] == 20_000
    assert np.abs(counts[1:] - 5000).max() < 250


def test_a_done_run_keeps_scores_and_no_weights(done: tuple[Experiment, Path]) -> None:
    experiment, out = done
    left = {path.name for path in out.rglob("*") if path.is_file()}
    assert left == {RESULT, "scores.npz", "metrics.jsonl", "recipe.toml", TUNED, "experiment.json"}
    run = experiment.tuning_runs()[0]
    result = read_result(out / run.name)
    assert result is not None and result.run == run and not result.diverged
    assert result.curve[-1][0] == pytest.approx(2, abs=0.3)


def test_tuning_takes_the_largest_area(done: tuple[Experiment, Path]) -> None:
    experiment, out = done
    people = open_people(experiment)
    areas = {
        run.choice.rate: roc_auc_score(people.tuned.pairs.issame, read_scores(out / run.name)[0])
        for run in experiment.tuning_runs()
    }
    assert choose(experiment, out)["one"].rate == max(areas, key=lambda rate: areas[rate])
    assert choose(experiment, out)["two"].rate == 0.1
    assert json.loads((out / TUNED).read_text())["two"] == {"rate": 0.1, "margin": None, "scale": None}


def test_the_table_is_what_literal_formulas_give(done: tuple[Experiment, Path]) -> None:
    experiment, out = done
    document = write_report(experiment, out, "few")
    (pairs,) = [one.pairs for one in open_sets(experiment)]
    runs = results(experiment, out, choose(experiment, out))
    assert len(runs) == 16
    areas = [
        roc_auc_score(pairs.issame, read_scores(out / name)[0])
        for name, one in runs.items()
        if one.run.arm == "two"
    ]
    (two,) = [one for one in document["arms"] if one["arm"] == "two"]
    assert two["area"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert two["runs"] == 8 and two["diverged"] == 0

    accuracies = {arm["arm"]: arm["accuracy"] for arm in document["arms"]}
    (overall,) = [
        one["result"]
        for one in document["differences"]
        if (one["where"], one["measure"]) == ("all", "accuracy")
    ]
    assert overall["difference"] == pytest.approx(accuracies["two"] - accuracies["one"], abs=1e-9)
    assert overall["runs"] == 8
    (noisy,) = [
        one["result"]
        for one in document["differences"]
        if (one["where"], one["measure"]) == ("noise=0.25", "accuracy")
    ]
    assert noisy["runs"] == 4
    by_arm = {
        arm: np.mean([r.sets[0].accuracy for r in runs.values() if r.run.arm == arm and r.run.noise == 0.25])
        for arm in ("one", "two")
    }
    assert noisy["difference"] == pytest.approx(by_arm["two"] - by_arm["one"], abs=1e-6)


def test_an_arm_that_diverged_somewhere_is_compared_where_both_learned(done: tuple[Experiment, Path]) -> None:
    experiment, out = done
    runs = results(experiment, out, choose(experiment, out))
    lost = next(name for name, one in runs.items() if one.run.arm == "two")
    runs[lost] = dataclasses.replace(runs[lost], diverged="step 3: the loss is nan", sets=(), curve=())
    sets = [one.pairs for one in open_sets(experiment)]
    found = outcomes_of(out, runs, sets)
    made = {one.where: one.result.runs for one in differences(experiment, runs, found, sets, "one")}
    assert made["all"] == 7


def test_the_page_stands_alone(done: tuple[Experiment, Path]) -> None:
    experiment, out = done
    write_report(experiment, out, "few & <more>")
    page = (out / "report.html").read_text()
    assert "<script" not in page and "few &amp; &lt;more&gt;" in page
    assert page.count("<svg") == 4
    for chart in out.glob("*.svg"):
        ET.parse(chart)
    assert len((out / "runs.csv").read_text().splitlines()) == 17
    tuned = [line.split(",") for line in (out / "tuning.csv").read_text().splitlines()]
    assert [line[:5] for line in tuned[1:]] == [["one", "0.05", "", "", "0"], ["one", "0.2", "", "", "0"]]


def test_a_loss_that_is_no_number_is_a_result(experiment: Experiment, tmp_path: Path) -> None:
    run = dataclasses.replace(experiment.tuning_runs()[0], choice=Choice(1e30, None))
    result = carry_out(experiment, run, tmp_path / "run", open_people(experiment), (), lambda: False)
    assert result is not None and "step" in result.diverged and result.sets == ()
    assert read_result(tmp_path / "run") == result
    assert not list((tmp_path / "run").glob("diverged*"))


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(experiment: Experiment, tmp_path: Path) -> None:
    people = open_people(experiment)
    run = experiment.tuning_runs()[0]
    asked = iter([False, False, False])
    stopped = carry_out(experiment, run, tmp_path / "a", people, (), lambda: next(asked, True))
    assert stopped is None and not (tmp_path / "a" / RESULT).exists()
    carry_out(experiment, run, tmp_path / "a", people, (), lambda: False)
    carry_out(experiment, run, tmp_path / "b", people, (), lambda: False)
    assert np.array_equal(read_scores(tmp_path / "a")[0], read_scores(tmp_path / "b")[0])


def test_another_experiment_does_not_go_on_in_the_folder(
    done: tuple[Experiment, Path], tmp_path: Path
) -> None:
    experiment, out = done
    other = dataclasses.replace(experiment, least_pictures=2)
    with pytest.raises(UsageError, match="other settings"):
        run_all(other, out, 1)
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UsageError, match="other things"):
        run_all(experiment, tmp_path, 1)


def test_the_command_reports_and_compares_with_another_arm(
    done: tuple[Experiment, Path], place: Path
) -> None:
    _, out = done
    arguments = ["experiment", str(place / "few.toml"), "--out", str(out), "--report", "--json"]
    shown = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert [one["arm"] for one in shown["differences"] if one["where"] == "all"] == ["two", "two"]
    assert shown["judged_runs"] == {"done": 16, "planned": 16}
    turned = json.loads(CliRunner().invoke(app, [*arguments, "--against", "two"]).stdout)
    assert (
        turned["differences"][0]["result"]["difference"] == -shown["differences"][0]["result"]["difference"]
    )


def test_a_killed_experiment_goes_on_and_what_was_done_stays(place: Path, tmp_path: Path) -> None:
    """Real processes: the command is killed when one run is done, started again, and ends."""
    text = FILE.replace("seeds = 2", "seeds = 1").replace("[16, 8]", "[16]").replace("[0, 0.25]", "[0]")
    text = text.replace("rates = [0.05, 0.2]", "")  # nothing to tune
    for name in ("recipe.toml", "records", "judged.bin", "judged.people"):
        (tmp_path / name).symlink_to(place / name)
    (tmp_path / "short.toml").write_text(text)
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "multiface",
        "experiment",
        str(tmp_path / "short.toml"),
        "--out",
        str(out),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    first = subprocess.Popen([*command, "-j", "1", "-q"], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not list(out.rglob(RESULT)) and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = {path: path.stat().st_mtime_ns for path in out.rglob(RESULT)}
    assert before
    done = subprocess.run(
        [*command, "-j", "2", "--json"], env=environment, capture_output=True, text=True, check=True
    )
    document = json.loads(done.stdout)
    assert document["judged_runs"] == {"done": 2, "planned": 2}
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
