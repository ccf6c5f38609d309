"""Draw the faults of a room for `.ci/mutants`: PLACE/faults.json. Runs in the environment of cosmic-ray."""

import ast
import difflib
import json
import random
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.modules import find_modules
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec

Position = tuple[int, int]


def draw(source: Path, place: Path, number: int, seed: int) -> None:
    """So many of the faults of a file or folder, the same ones each time; none in a type, which no test can see."""
    with use_db(str(place / "session.sqlite")) as session:
        init(sorted(find_modules([source])), session, {})
        every = sorted((item.mutations[0] for item in session.work_items), key=_position)
    seen = [fault for fault in every if not _is_in_a_type(fault)]
    chosen = random.Random(seed).sample(seen, min(number, len(seen)))
    faults = [made for fault in sorted(chosen, key=_position) if (made := _written(fault)) is not None]
    (place / "faults.json").write_text(json.dumps(faults, indent=1), encoding="utf-8")


def _position(fault: MutationSpec) -> tuple[str, str, int]:
    return str(fault.module_path), fault.operator_name, fault.occurrence


def _written(fault: MutationSpec) -> dict[str, str | int] | None:
    """path, from the root of the tree; line, from 1; source: the whole file with the fault; diff: what it changes.

    None where cosmic-ray cannot make it: `except` with a dotted name or several.
    """
    path = str(fault.module_path)
    whole = fault.module_path.read_text(encoding="utf-8")
    try:
        faulty = mutate_code(
            whole, get_operator(fault.operator_name)(**fault.operator_args), fault.occurrence
        )
    except AttributeError:
        return None
    changes = difflib.unified_diff(whole.splitlines(), faulty.splitlines(), path, path, n=1, lineterm="")
    return {"path": path, "line": fault.start_pos[0], "source": faulty, "diff": "\n".join(changes)}


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
    draw(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
