"""Processes meet, take their time to prepare, join, and end together when one of them fails."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from multiface.errors import InputError, UsageError
from multiface.train import meeting, watch
from multiface.train.launchers import Launch
from multiface.train.meeting import meet
from multiface.train.processes import Place
from tests.train.several import forked, free_port, joined

SECONDS = 15.0
"""Within which all must have ended; PyTorch's own limits are ten and thirty minutes."""


def ended(ends: list[str], since: float) -> list[str]:
    assert time.monotonic() - since < SECONDS
    return ends


def test_preparing_may_take_longer_than_a_collective_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "COLLECTIVE", timedelta(seconds=1))
    port = free_port()

    def one(rank: int) -> None:
        with meet(Launch(rank, 2, rank, "127.0.0.1", port)) as met:
            time.sleep(2.5 * rank)
            with met.joined("cpu") as place:
                told = torch.ones(1)
                dist.all_reduce(told, group=place.group)
                assert told.item() == 2

    assert forked(2, tmp_path, one) == ["", ""]


def test_one_that_fails_while_preparing_ends_those_that_wait_for_it(tmp_path: Path) -> None:
    port = free_port()

    def one(rank: int) -> None:
        with meet(Launch(rank, 3, rank, "127.0.0.1", port)) as met:
            if rank == 1:
                raise UsageError("there is no such folder")
            with met.joined("cpu"):
                pass

    since = time.monotonic()
    other = "InputError: process 1 failed: there is no such folder"
    assert ended(forked(3, tmp_path, one), since) == [
        other,
        "UsageError: there is no such folder",
        other,
    ]


@pytest.mark.parametrize("rank", [0, 2])
def test_one_that_fails_ends_those_that_wait_in_a_collective(tmp_path: Path, rank: int) -> None:
    def one(place: Place) -> None:
        if place.rank == rank:
            time.sleep(0.5)
            raise ValueError("broken")
        dist.all_reduce(torch.ones(1), group=place.group)

    since = time.monotonic()
    ends = ended(joined(3, tmp_path, one), since)
    assert ends.pop(rank) == "ValueError: broken"
    assert ends == [f"InputError: process {rank} failed: ValueError: broken"] * 2


def test_one_that_fails_ends_those_that_cannot_be_woken(tmp_path: Path) -> None:
    """As a GPU's collective: nothing tells the waiting thread that the other one is gone."""

    def one(place: Place) -> None:
        if place.rank == 1:
            raise UsageError("broken")
        time.sleep(600)

    since = time.monotonic()
    ends = ended(joined(2, tmp_path, one), since)
    assert ends == [f"exit code {watch.FAILED}", "UsageError: broken"]
    assert (tmp_path / "0.txt").read_text() == "error: process 1 failed: broken\n"


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_is_killed_ends_the_other(tmp_path: Path, rank: int) -> None:
    def one(place: Place) -> None:
        if place.rank == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.all_reduce(torch.ones(1), group=place.group)

    since = time.monotonic()
    ends = ended(joined(2, tmp_path, one), since)
    assert ends.pop(rank) == f"signal {signal.SIGKILL.value}"
    assert ends[0].startswith(("InputError: the first process is gone", "RuntimeError", "DistBackendError"))


def test_one_without_a_sign_of_life_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENT", 2.0)
    monkeypatch.setattr(watch, "GRACE", 1.0)

    def one(place: Place) -> None:
        if place.rank == 1:
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)

    since = time.monotonic()
    ends = ended(joined(2, tmp_path, one), since)
    assert ends == [f"exit code {watch.FAILED}", f"signal {signal.SIGKILL.value}"]
    assert "process 1 failed: it has given no sign of life for 2 s" in (tmp_path / "0.txt").read_text()


def test_one_that_never_comes_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FIND", timedelta(seconds=1))
    monkeypatch.setattr(watch, "GRACE", 1.0)
    with (
        pytest.raises(InputError, match="process 1 of 2 did not come within 1 s: was it started"),
        meet(Launch(0, 2, None, "127.0.0.1", free_port())) as met,
        met.joined("cpu"),
    ):
        pass


def test_a_meeting_point_that_nobody_keeps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FIND", timedelta(seconds=1))
    port = free_port()
    with (
        pytest.raises(
            InputError, match=f"process 1 of 2 cannot reach the first one at 127.0.0.1 port {port}"
        ),
        meet(Launch(1, 2, None, "127.0.0.1", port)),
    ):
        pass


def test_gpus_are_shared_out_by_the_number_on_the_machine() -> None:
    def launch(rank: int, local: int | None) -> Launch:
        return Launch(rank, 16, local, "node", 1)

    assert [meeting._gpu(launch(8 + k, k), 8) for k in range(8)] == list(range(8))
    assert meeting._gpu(launch(11, 3), 1) == 0  # each sees its own only
    assert meeting._gpu(launch(11, None), 8) == 3
    with pytest.raises(UsageError, match=r"number 4 of its machine .from 0., which has 4 GPUs"):
        meeting._gpu(launch(4, 4), 4)
