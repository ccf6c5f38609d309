"""What a command says, and where: results to standard output, everything else to standard error.

With `--json` standard output carries one JSON document and nothing else; the words for people then go to standard
error too. Progress bars appear only on a terminal, and only after two seconds.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape

Progress = Callable[[int, int], None]

BAR_AFTER_SECONDS = 2.0


class Speaker:
    """The voice of one command."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._notes = Console(stderr=True, highlight=False, soft_wrap=True)
        self._results = self._notes if as_json else Console(highlight=False, soft_wrap=True)

    def result(self, thing: RenderableType) -> None:
        """Show a result to people. Text is taken as it is, without markup."""
        self._results.print(escape(thing) if isinstance(thing, str) else thing)

    def note(self, text: str) -> None:
        """Say something beside the result: what was skipped, turned, assumed."""
        self._notes.print(escape(text), style="yellow")

    def document(self, value: Any) -> None:
        """The JSON document; silent without `--json`."""
        if self._as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
            sys.stdout.flush()

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """A progress bar on a terminal: a function to be called with what is done and how much there is."""
        if not self._notes.is_terminal:
            yield lambda done, total: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as Bar,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=self._notes, transient=True) as bar:
            task = bar.add_task(what, visible=False, total=None)
            start = time.monotonic()

            def show(done: int, total: int) -> None:
                late = time.monotonic() - start > BAR_AFTER_SECONDS
                bar.update(task, completed=done, total=total, visible=late)

            yield show
