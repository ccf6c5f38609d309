"""Try the faults of a room for `.ci/mutants`: `try_mutants.py PLACE MODULES TEST...` in the copy of the tree.

PLACE holds faults.json, reached (which test runs which line, by coverage), seconds.json (of each test) and, after the
first run, outcomes.json. MODULES, separated by commas, are imported once; each run of tests is a fork of this process.
"""

import ast
import importlib
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from coverage import CoverageData

# Hypothesis is imported already, and need not be rewritten; schemathesis takes a second, and nothing here needs it.
OPTIONS = ["-xq", "-pno:cacheprovider", "-pno:schemathesis", "-Wignore::pytest.PytestAssertRewriteWarning"]
EQUIVALENT = Path(__file__).with_name("mutants-equivalent.txt")


def attempt(place: Path, tests: list[str]) -> None:
    """Try each fault that was not tried yet, with the tests that reach it; then each survivor of before, with all.

    One that no test reaches, or none of its file's own name where it is reached while importing alone, is not tried
    the first time.
    """
    reached = CoverageData(str(place / "reached"))
    reached.read()
    seconds: dict[str, float] = json.loads((place / "seconds.json").read_text(encoding="utf-8"))
    faults = json.loads((place / "faults.json").read_text(encoding="utf-8"))
    outcomes = place / "outcomes.json"
    known: dict[str, str] = json.loads(outcomes.read_text(encoding="utf-8")) if outcomes.exists() else {}
    # Just after they were measured the fast quarter will do.
    trial = tests if known else sorted(seconds, key=seconds.__getitem__)[: len(seconds) // 4]
    if _run(trial, 60 + 6 * sum(seconds.values()), place) != 0:
        sys.exit(f"the tests fail without any fault: see {place / 'output'}")
    left = [number for number in range(len(faults)) if known.get(str(number)) != "killed"]
    for number in sorted(left, key=lambda number: str(number) in known):
        fault = faults[number]
        path = Path(fault["path"])
        near = _reaching(reached, path, fault["line"])
        if near == {""}:  # While importing alone: the tests of the file's own name.
            near = {test for test in seconds if f"/test_{path.stem}.py" in test}
        # A fault of a file that has nothing to do with PostgreSQL is seen without it.
        slow = "postgres" not in path.name
        chosen = sorted(near & seconds.keys(), key=lambda test: (slow and "postgres" in test, seconds[test]))
        whole = path.read_bytes()
        path.write_text(fault["source"], encoding="utf-8")
        try:
            code = 0
            if chosen and str(number) not in known:
                code = _run(chosen, 60 + 6 * sum(seconds[test] for test in chosen), place)
            # Also where no test ran, since the fault has changed the names of the tests.
            if str(number) in known or code in (
                pytest.ExitCode.USAGE_ERROR,
                pytest.ExitCode.NO_TESTS_COLLECTED,
            ):
                code = _run(tests, 60 + 6 * sum(seconds.values()), place)
        finally:
            path.write_bytes(whole)
        known[str(number)] = "survived" if code == 0 else "killed"
        outcomes.write_text(json.dumps(known), encoding="utf-8")
        sys.stdout.write(f"{number + 1} of {len(faults)}: {known[str(number)]}, {path}:{fault['line']}\n")
        sys.stdout.flush()
    _show(faults, known)


def _reaching(reached: CoverageData, path: Path, at: int) -> set[str]:
    """The tests that run a line of the smallest statement around a line; "" is the time before and between them."""
    tests_of = reached.contexts_by_lineno(str(path.resolve()))
    first, last = min(
        (
            (node.lineno, node.end_lineno or node.lineno)
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.stmt) and node.lineno <= at <= (node.end_lineno or node.lineno)
        ),
        key=lambda lines: lines[1] - lines[0],
        default=(at, at),
    )
    return {test for line in range(first, last + 1) for test in tests_of.get(line, [])}


def _run(tests: list[str], limit: float, place: Path) -> int:
    """The exit code of pytest; -9 where it took longer than so many seconds. All that it started is ended."""
    child = os.fork()
    if child == 0:
        os.setsid()
        output = os.open(place / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = int(pytest.main([*OPTIONS, f"--basetemp={place / 'tmp'}", *tests]))
        sys.stdout.flush()
        os._exit(code)
    end = time.monotonic() + limit
    ended, status = 0, int(signal.SIGKILL)
    try:
        while not ended and time.monotonic() < end:
            time.sleep(0.02)
            ended, status = os.waitpid(child, os.WNOHANG)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if not ended:
            _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _show(faults: list[dict[str, str]], known: dict[str, str]) -> None:
    """The survivors that are not listed as equivalent, as differences, and a count."""
    entries = [set(entry.splitlines()) for entry in EQUIVALENT.read_text(encoding="utf-8").split("\n\n")]
    counts: Counter[str] = Counter()
    for number, fault in enumerate(faults):
        outcome = known[str(number)]
        lines = fault["diff"].splitlines()[2:]
        # A fault that only leaves lines out is known by those.
        new = _changed(lines, "+") or _changed(lines, "-")
        if outcome == "survived" and any(new | {fault["path"]} <= entry for entry in entries):
            outcome = "equivalent"
        if outcome == "survived":
            sys.stdout.write(f"{fault['diff']}\n")
        counts[outcome] += 1
    sys.stdout.write(f"{len(faults)} faults: {dict(counts)}\n")


def _changed(lines: list[str], sign: str) -> set[str]:
    """The lines of a difference with this sign, as the list of equivalent faults has them."""
    return {f"{sign} {line[1:].strip()}" for line in lines if line.startswith(sign) and line[1:].strip()}


if __name__ == "__main__":
    # Ends the process by an exception, so that the faulty file is put back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    for module in sys.argv[2].split(","):
        importlib.import_module(module)
    attempt(Path(sys.argv[1]), sys.argv[3:])
