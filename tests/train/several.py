"""Several real processes of a run: forks of this one, which has PyTorch already, joined by gloo."""

import os
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from multiface.train.launchers import Launch
from multiface.train.meeting import meet
from multiface.train.processes import Place

SECONDS = 60


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def forked(processes: int, folder: Path, work: Callable[[int], object]) -> list[str]:
    """Runs work(rank) in a process each; what each ended with: "" or the error's class and text.

    What they print goes to folder/RANK.txt. A process that is killed ends with its signal.
    """
    folder.mkdir(parents=True, exist_ok=True)
    children = []
    for rank in range(processes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
            child = os.fork()
        if child == 0:
            _child(rank, folder, work)
        children.append(child)
    ends = []
    until = time.monotonic() + SECONDS
    for rank, child in enumerate(children):
        while (found := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > until:
                for one in children[rank:]:
                    os.kill(one, signal.SIGKILL)
            time.sleep(0.01)
        status = found[1]
        if os.WIFSIGNALED(status):
            ends.append(f"signal {os.WTERMSIG(status)}")
        elif os.WEXITSTATUS(status) == 0:
            ends.append("")
        else:
            error = folder / f"{rank}.error"
            ends.append(error.read_text() if error.exists() else f"exit code {os.WEXITSTATUS(status)}")
    return ends


def joined(processes: int, folder: Path, work: Callable[[Place], object]) -> list[str]:
    """`forked` with a Place in a group of gloo, by the way that the command takes."""
    port = free_port()

    def one(rank: int) -> None:
        launch = Launch(rank, processes, rank, "127.0.0.1", port)
        with meet(launch) as meeting, meeting.joined("cpu") as place:
            work(place)

    return forked(processes, folder, one)


def _child(rank: int, folder: Path, work: Callable[[int], object]) -> None:
    code = 1
    try:
        output = os.open(folder / f"{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = os.fdopen(1, "w", buffering=1)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        torch.set_num_threads(1)
        warnings.resetwarnings()
        warnings.simplefilter("error", FutureWarning)
        work(rank)
        code = 0
    except BaseException as error:
        traceback.print_exc()
        (folder / f"{rank}.error").write_text(f"{type(error).__name__}: {error}")
    finally:
        sys.stderr.flush()
        os._exit(code)
