"""The faults that `.ci/mutants` tries, and what became of them. Runs in the environment of cosmic-ray."""

import ast
import random
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome

Position = tuple[int, int]


def draw(session: WorkDB, number: int, seed: int) -> None:
    """Keep so many of the faults, the same ones each time; none in a type, which no test can see."""
    items = sorted(
        (item for item in session.work_items if not _is_in_a_type(item.mutations[0])),
        key=lambda item: _place(item.mutations[0]),
    )
    chosen = random.Random(seed).sample(items, min(number, len(items)))
    session.clear()
    session.add_work_items(chosen)


def show(session: WorkDB) -> None:
    """The survivors, as differences, and a count."""
    results = dict(session.results)
    outcomes = [result.test_outcome for result in results.values()]
    counts = Counter("no test" if outcome is None else outcome.value for outcome in outcomes)
    for item in session.work_items:
        result = results.get(item.job_id)
        if result is not None and result.test_outcome is TestOutcome.SURVIVED:
            sys.stdout.write(f"{result.diff}\n")
    sys.stdout.write(f"{len(session.work_items)} faults: {dict(counts)}\n")


def _place(fault: MutationSpec) -> tuple[str, str, int]:
    return str(fault.module_path), fault.operator_name, fault.occurrence


def _is_in_a_type(fault: MutationSpec) -> bool:
    return any(start <= fault.start_pos and fault.end_pos <= end for start, end in _types(fault.module_path))


@cache
def _types(path: Path) -> tuple[tuple[Position, Position], ...]:
    """Where annotations begin and end: line from 1, column from 0."""

    def all_of(tree: ast.AST) -> Iterator[ast.expr | None]:
        for node in ast.walk(tree):
            match node:
                case ast.AnnAssign(annotation=annotation) | ast.arg(annotation=annotation):
                    yield annotation
                case ast.FunctionDef(returns=returns):
                    yield returns

    found = [node for node in all_of(ast.parse(path.read_text(encoding="utf-8"))) if node is not None]
    return tuple(
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)) for node in found
    )


if __name__ == "__main__":
    what, file, *numbers = sys.argv[1:]
    with use_db(file) as opened:
        if what == "draw":
            draw(opened, int(numbers[0]), int(numbers[1]))
        else:
            show(opened)
