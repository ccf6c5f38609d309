"""What a run tells, for trackers of experiments: the lines of its `metrics.jsonl` as they come.

That file is the interface (log.py has its lines). A tracker reads it from a process of its own: training imports
nothing of it, and a tracker that hangs or fails costs no step. This file needs no PyTorch.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiface.errors import InputError
from multiface.json_text import parse_json
from multiface.regular_file import open_regular

METRICS = "metrics.jsonl"
LAST = "last.safetensors"
"""Written when all steps of a run are done, after its last line."""
SECONDS = 1.0
"""Between two looks at the file."""


def follow(run: str | Path, wait: bool = True) -> Iterator[dict[str, Any]]:
    """The lines of a run's log, each once and in order; with `wait` also those still to come, until all steps are done.

    What a resumed run does again is not told again. A run that was stopped is waited for, since it may be resumed: end
    that with Ctrl-C, or give wait=False.
    Raises InputError for a log that cannot be read, and without `wait` also where there is none.
    """
    log = _Log(Path(run) / METRICS)
    told: set[tuple[object, ...]] = set()
    while True:
        finished = (
            not wait or (Path(run) / LAST).is_file()
        )  # before the lines are read, or the last could be missed
        for event in log.new(must_exist=not wait):
            key = tuple(event.get(name) for name in ("kind", "step", "set", "picture"))
            if key not in told:
                told.add(key)
                yield event
        if finished:
            return
        time.sleep(SECONDS)


@dataclass(slots=True)
class _Log:
    """A log that grows. file: number of the file that was read; a resume writes another one, without the steps that
    are done again. offset: what of it was read.
    """

    path: Path
    file: int = 0
    offset: int = 0

    def new(self, must_exist: bool) -> list[dict[str, Any]]:
        """The lines since the last call; of another file, all of them."""
        try:
            with open_regular(self.path) as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self.file or status.st_size < self.offset:
                    self.file, self.offset = status.st_ino, 0
                file.seek(self.offset)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]  # a line that is being written comes next time
            self.offset += len(whole)
            return [parse_json(line) for line in whole.splitlines()]
        except FileNotFoundError as error:
            if not must_exist:
                return []
            raise InputError(f"{self.path}: there is no log of a run", path=self.path) from error
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})", path=self.path) from error
        except ValueError as error:
            raise InputError(f"{self.path}: has a line that is not JSON ({error})", path=self.path) from error
