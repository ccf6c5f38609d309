"""A plugin of pytest for `.ci/mutants`: coverage learns which test runs, and REACHED_SECONDS how long each took."""

import json
import os
from collections import defaultdict
from pathlib import Path

import coverage
import pytest

_seconds: defaultdict[str, float] = defaultdict(float)


def _context(name: str) -> None:
    measured = coverage.Coverage.current()
    assert measured is not None
    measured.switch_context(name)


def pytest_runtest_logstart(nodeid: str) -> None:
    _context(nodeid)


def pytest_runtest_logfinish() -> None:
    _context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not report.skipped:
        _seconds[report.nodeid] += report.duration


def pytest_sessionfinish() -> None:
    Path(os.environ["REACHED_SECONDS"]).write_text(json.dumps(_seconds), encoding="utf-8")
