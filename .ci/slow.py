"""A pytest plugin that notes the tests which take more than a second of processor time: `just slow` runs it.

A test's children count, so nothing else may run in its process: no xdist. What was noted stands in tests/slow.txt,
which `tests/conftest.py` reads.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

SECONDS = 1.0
NOTED = Path(__file__).resolve().parents[1] / "tests" / "slow.txt"

_slow: set[str] = set()


def _processor_seconds() -> float:
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    before = _processor_seconds()
    ran = yield
    if _processor_seconds() - before > SECONDS:
        _slow.add(item.nodeid.partition("[")[0])
    return ran


def pytest_sessionfinish(exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK:
        NOTED.write_text("".join(f"{one}\n" for one in sorted(_slow)), encoding="utf-8")
