"""`experiment`: the same training with one thing changed, several seeds each, with the interval of every difference.

PyTorch is imported only when the command runs.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from multiface.cli import options
from multiface.cli.console import Speaker
from multiface.cli.internal_error import STOPPED
from multiface.cli.stopping import stop_on_signals
from multiface.cli.train_commands import Data, need_torch
from multiface.errors import UsageError


def experiment(
    file: Annotated[Path, typer.Argument(help="The experiment, a TOML file.", show_default=False)],
    data: Data = None,
    judge: Annotated[
        list[Path] | None,
        typer.Option(
            "--judge", help="Pack (.bin) that all arms are judged on; repeatable.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs and the report.")] = Path(
        "experiment"
    ),
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", help="Runs at once, a thread each (default: all processors).", show_default=False
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="cpu or cuda (default: GPUs if there are any).", show_default=False),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="Compare with this arm (default: the file's).", show_default=False),
    ] = None,
    tune_only: Annotated[
        bool, typer.Option("--tune", help="Only tune; other values may then still be tried.")
    ] = False,
    report_only: Annotated[
        bool, typer.Option("--report", help="Run nothing; report what is done so far.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Train arms x seeds and compare them; the same command resumes, and keeps what is done."""
    need_torch()
    import torch

    from multiface.train.experiment.plan import load_experiment
    from multiface.train.experiment.report import tell, write_report
    from multiface.train.experiment.running import run_all

    speaker = Speaker(as_json, quiet)
    plan = load_experiment(file)
    if data:
        plan = replace(plan, data=tuple(str(folder.resolve()) for folder in data))
    if judge:
        plan = replace(plan, judge=tuple(str(one.resolve()) for one in judge))
    if against is not None:
        if against not in [arm.name for arm in plan.arms]:
            raise UsageError(f"--against {against}: the arms are {', '.join(arm.name for arm in plan.arms)}")
        plan = replace(plan, against=against)
    if device not in (None, "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UsageError(f"--device {device}: wanted cpu, or cuda where there is a GPU")
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    finished = False
    if not report_only:
        with stop_on_signals() as stop, speaker.progress("runs") as progress:
            finished = run_all(plan, out, jobs or os.cpu_count() or 1, stop, progress, place, tune_only)
    document = write_report(plan, out, file.stem)
    for thing in tell(document):
        speaker.result(thing)
    speaker.document(document)
    if not finished and not report_only:
        raise typer.Exit(STOPPED)
