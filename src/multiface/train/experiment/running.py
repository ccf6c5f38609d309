"""All runs of an experiment, several at once, each in a process with one thread; what is done stays.

Tuning comes first. What it chose stands in `tuned.json` in the experiment's folder, and judging follows. Until then
other rates, margins and scales may be tried in the same folder; afterwards the choice stands. The folder also holds
`experiment.json`: what the runs there belong to, so that no other experiment goes on in it.
"""

import dataclasses
import hashlib
import json
import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from multiface.atomic_write import write_whole
from multiface.errors import DataSetError, InputError, UsageError
from multiface.json_text import document_of, parse_json
from multiface.progress import Progress
from multiface.regular_file import read_regular
from multiface.train.experiment.one_run import RunResult, carry_out, read_result
from multiface.train.experiment.people import People, divide
from multiface.train.experiment.plan import Choice, Experiment, Run
from multiface.train.kept_pictures import keep_crops, keep_pictures
from multiface.train.training_set import open_training_set
from multiface.train.validation import ValidationSet, open_validation_set

IDENTITY, TUNED = "experiment.json", "tuned.json"


def run_all(
    experiment: Experiment,
    out: Path,
    jobs: int,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress = lambda *_: None,
    device: str = "cpu",
    tune_only: bool = False,
) -> bool:
    """Carries out what is not done yet, `jobs` runs at once; whether all is done now.

    tune_only: all is done when the arms are tuned, and nothing is judged.
    device: cpu, or cuda: process k then takes GPU number k modulo their number. progress: runs done, and all.
    Raises UsageError for a folder with another experiment or jobs < 1, and what a run raises.
    """
    if jobs < 1:
        raise UsageError(f"--jobs must be at least 1, not {jobs}")
    open_sets(experiment)  # so that what is missing or broken is told before anything runs
    _claim(experiment, out)
    tuning = experiment.tuning_runs()
    total = len(tuning) + len(experiment.judged_runs({arm.name: arm.choices[0] for arm in experiment.arms}))
    if not _carry_out(experiment, out, tuning, jobs, stop, lambda done: progress(done, total), device):
        return False
    chosen = choose(experiment, out)
    _keep_to_the_choice(experiment, out, chosen)
    write_whole(
        out / TUNED, json.dumps({name: document_of(one) for name, one in chosen.items()}, indent=1).encode()
    )
    if tune_only:
        return True
    judged = experiment.judged_runs(chosen)
    return _carry_out(
        experiment, out, judged, jobs, stop, lambda done: progress(len(tuning) + done, total), device
    )


def choose(experiment: Experiment, out: Path) -> dict[str, Choice]:
    """For each arm the choice with the largest area under the ROC of the tuning pairs, averaged over seeds.

    Raises InputError for an arm that learned with no choice.
    """
    areas: dict[tuple[str, Choice], list[float]] = {}
    for run in experiment.tuning_runs():
        result = read_result(out / run.name)
        if result is not None:
            areas.setdefault((run.arm, run.choice), []).append(result.sets[0].area if result.sets else -1.0)
    found = {}
    for arm in experiment.arms:
        best = arm.choices[0]
        if len(arm.choices) > 1:
            best = max(arm.choices, key=lambda one: float(np.mean(areas[arm.name, one])))
            if float(np.mean(areas[arm.name, best])) < 0:
                raise InputError(
                    f"arm {arm.name}: did not learn at any rate, margin and scale that were tried",
                    hint="give it lower rates",
                )
        found[arm.name] = best
    return found


def chosen_before(experiment: Experiment, out: Path) -> dict[str, Choice] | None:
    """What tuning has chosen; None before it is done."""
    file = out / TUNED
    if not file.is_file():
        return None
    stored = parse_json(read_regular(file))
    return {arm.name: Choice(**stored[arm.name]) for arm in experiment.arms}


def open_sets(experiment: Experiment) -> tuple[ValidationSet, ...]:
    """The packs that arms are judged on. Raises UsageError without one, DataSetError for a broken one."""
    if not experiment.judge:
        raise UsageError("nothing to judge by", hint="give --judge PACK.bin, or judge = [...] in the file")
    sets = tuple(open_validation_set(Path(one), None) for one in experiment.judge)
    return sets if experiment.shrink == 1 else tuple(keep_crops(one, experiment.shrink) for one in sets)


def open_people(experiment: Experiment) -> People:
    """Who is learned from and who is tuned on, for all runs."""
    tuning = experiment.tuning
    pictures = open_training_set(experiment.data)
    people = divide(pictures, experiment.least_pictures, tuning.people, tuning.pairs)
    if experiment.shrink == 1:
        return people
    return People(
        keep_pictures(people.learned, experiment.shrink), keep_crops(people.tuned, experiment.shrink)
    )


def _claim(experiment: Experiment, out: Path) -> None:
    """Seeds may be added to an experiment that has begun, and what is tried in tuning may change; nothing else."""
    arms = tuple(dataclasses.replace(arm, choices=()) for arm in experiment.arms)
    tuning = dataclasses.replace(experiment.tuning, rates=(), margins=(), scales=())
    same = dataclasses.replace(experiment, seeds=1, against="", data=(), judge=(), arms=arms, tuning=tuning)
    digest = hashlib.sha256(json.dumps(document_of(same), sort_keys=True).encode()).hexdigest()
    file = out / IDENTITY
    if file.is_file():
        if parse_json(read_regular(file)).get("experiment") != digest:
            raise UsageError(
                f"{out}: holds runs of an experiment with other settings",
                path=out,
                hint="choose another --out",
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out}: is a folder with other things in it", path=out, hint="choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"experiment": digest}).encode())
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror})", path=out) from error


def _keep_to_the_choice(experiment: Experiment, out: Path, chosen: Mapping[str, Choice]) -> None:
    """Raises UsageError where runs were judged with another choice: whoever has seen them must not choose anew."""
    before = chosen_before(experiment, out)
    if before is None or before == chosen or not results(experiment, out, before):
        return
    arms = ", ".join(name for name, choice in chosen.items() if before[name] != choice)
    raise UsageError(
        f"{out}: tuning now chooses otherwise for {arms}, but runs have been judged already",
        path=out,
        hint="give back the rates, margins and scales that were tried before, or choose another --out",
    )


def _carry_out(
    experiment: Experiment,
    out: Path,
    runs: Sequence[Run],
    jobs: int,
    stop: Callable[[], bool],
    progress: Callable[[int], None],
    device: str,
) -> bool:
    waiting = [run for run in runs if read_result(out / run.name) is None]
    done = len(runs) - len(waiting)
    progress(done)
    if not waiting:
        return True
    # Spawned, since torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    given: Any = context.Queue()
    told: Any = context.Queue()
    stopping = context.Event()
    processes = min(jobs, len(waiting))
    for run in (*waiting, *[None] * processes):
        given.put(run)
    devices = [device]
    if device == "cuda":
        devices = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    workers = [
        context.Process(
            target=_work,
            args=(experiment, str(out), given, told, stopping, os.getpid(), devices[number % len(devices)]),
            name="experiment",
            daemon=True,
        )
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    failed = None
    try:
        while any(worker.is_alive() for worker in workers) or not told.empty():
            if stop():
                stopping.set()
            try:
                message = told.get(timeout=0.2)
            except queue.Empty:
                continue
            if message is None:
                done += 1
                progress(done)
            else:
                failed = failed or message
                stopping.set()
    finally:
        stopping.set()
        given.cancel_join_thread()
        for worker in workers:
            worker.join()
    if failed is not None:
        kind, text = failed
        raise {"UsageError": UsageError, "DataSetError": DataSetError}.get(kind, InputError)(text)
    left = [run.name for run in waiting if read_result(out / run.name) is None]
    if left and not stop():
        raise InputError(
            f"a process of the experiment ended before its run ({left[0]}) was done: perhaps for lack of memory",
            hint="run the command again with fewer --jobs",
        )
    return not left


def _work(
    experiment: Experiment, out: str, given: Any, told: Any, stopping: Any, parent: int, device: str
) -> None:
    """A process: runs until none is left, the experiment is stopped, or whoever started it is gone."""
    for number in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    torch.set_num_threads(1)
    name = ""

    def stop() -> bool:
        return bool(stopping.is_set()) or os.getppid() != parent

    try:
        people = open_people(experiment)
        judged = open_sets(experiment)
        while not stop():
            run: Run | None = given.get()
            if run is None:
                return
            name = run.name
            if carry_out(experiment, run, Path(out) / run.name, people, judged, stop, device) is not None:
                told.put(None)
    except Exception as error:
        text = str(error) if isinstance(error, InputError | UsageError) else traceback.format_exc()
        told.put((type(error).__name__, f"{name}: {text}" if name else text))


def results(experiment: Experiment, out: Path, chosen: Mapping[str, Choice]) -> dict[str, RunResult]:
    """The judged runs that are done, by name."""
    found = {run.name: read_result(out / run.name) for run in experiment.judged_runs(chosen)}
    return {name: result for name, result in found.items() if result is not None}
