"""What a command says, and where: results to standard output, everything else to standard error.

| said | plain | `--quiet` | `--json` | `--json --no-quiet` |
|---|---|---|---|---|
| results, to people | standard output | standard output | no | standard error |
| the document | no | no | standard output | standard output |
| notes, progress | standard error | no | no | standard error |
| warnings, errors | standard error | standard error | standard error | standard error |

A note says how the answer came about; a warning says why it may be wrong or incomplete. Progress bars appear only on a
terminal, and only after two seconds. When the reader of standard output goes away (`| head`), the command ends with
exit code 0, or with that of its answer (`Speaker.answer`).
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from rich.console import Console, RenderableType
from rich.markup import escape

from multiface.cli.internal_error import let_go_of_output
from multiface.progress import Progress
from multiface.visible import visible, visible_json

TrainingProgress = Callable[[int, int, float, float], None]

Thing = TypeVar("Thing")

BAR_AFTER_SECONDS = 2.0
FILE_WIDTH = 160
_SIGNS = 15


class _Console(Console):
    """Rich's console, which by itself would end with exit code 1, here the word for "no"."""

    def __init__(self, stderr: bool, reader_gone: Callable[[], NoReturn]) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True)
        self._reader_gone = reader_gone

    def on_broken_pipe(self) -> None:
        self._reader_gone()


def _console(stderr: bool, reader_gone: Callable[[], NoReturn]) -> Console:
    """A console as wide as its terminal; into a file, as wide as tables need."""
    console = _Console(stderr, reader_gone)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    return console


class Speaker:
    """The voice of one command. quiet: no notes and no progress; None for quiet exactly with JSON."""

    def __init__(self, as_json: bool, quiet: bool | None = None) -> None:
        self.answer = 0
        """Exit code of the answer that is being told, for when its reader goes away."""
        self.as_json = as_json
        """Whether a document is wanted."""
        self._quiet = as_json if quiet is None else quiet
        self._said = set[str]()
        self._notes = _console(True, self._reader_gone)
        self._results = self._notes if as_json else _console(False, self._reader_gone)

    def result(self, thing: RenderableType) -> None:
        """Show a result to people. Text is one line, taken as it is, without markup; what is unsafe is made visible."""
        if self.as_json and self._quiet:
            return
        self._results.print(escape(visible(thing)) if isinstance(thing, str) else thing)

    def result_once(self, text: str) -> None:
        """Show a line that would be the same for each of several things before the first of them alone."""
        if text not in self._said:
            self._said.add(text)
            self.result(text)

    def note(self, text: str) -> None:
        """Say how the result came about: what was passed over, turned, assumed. One line, like a result."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Say why the result may be wrong or incomplete. One line, like a result."""
        self._notes.print(escape(visible(text)), style="yellow")

    def error(self, error: object) -> None:
        """Say what could not be done."""
        self.warn(f"error: {error}")

    def document(self, value: Any) -> None:
        """The JSON document; silent without `--json`."""
        if self.as_json:
            text = visible_json(json.dumps(_short(value), ensure_ascii=False, allow_nan=False)) + "\n"
            try:
                # UTF-8 whatever the locale.
                sys.stdout.flush()
                sys.stdout.buffer.write(text.encode())
                sys.stdout.flush()
            except BrokenPipeError:
                self._reader_gone()

    def _reader_gone(self) -> NoReturn:
        let_go_of_output()
        raise SystemExit(self.answer) from None  # so the entry point tells it from a crash

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """A progress bar on a terminal: a function to be called with what is done and how much there is."""
        with self._bar(what) as bar:
            yield lambda done, total: bar(done, total, what, "")

    @contextmanager
    def stages(self) -> Iterator[Callable[[str], Progress]]:
        """One bar for stages of a job that follow each other: a function that gives the progress of a stage by name."""
        with self._bar("") as bar:
            yield lambda what: lambda done, total: bar(done, total, what, "")

    def each(self, what: str, things: Sequence[Thing]) -> Iterator[Thing]:
        """The things one by one, with a progress bar."""
        with self.progress(what) as progress:
            for done, thing in enumerate(things):
                progress(done, len(things))
                yield thing

    @contextmanager
    def frames(self) -> Iterator[Progress]:
        """The same for frames, with their rate; None for how many there are where that is not known."""
        start, first = time.monotonic(), None

        def show(done: int, total: int | None) -> None:
            nonlocal first
            first = done if first is None else first
            passed = max(time.monotonic() - start, 1e-3)
            bar(done, total, "frames", f"{(done - first) / passed:.1f} a second")

        with self._bar("frames") as bar:
            yield show

    @contextmanager
    def training(self) -> Iterator[TrainingProgress]:
        """The same for steps of training, with their loss and pictures a second."""
        with self._bar("training") as bar:
            yield lambda step, steps, loss, rate: bar(step, steps, f"loss {loss:.3f}", f"{rate:,.0f} img/s")

    @contextmanager
    def _bar(self, what: str) -> Iterator[Callable[[int, int | None, str, str], None]]:
        """A function to be called with what is done, how much there is, a description and a speed."""
        if self._quiet or not self._notes.is_terminal:
            yield lambda _done, _total, _description, _speed: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import (
            Progress as Bar,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            TextColumn("[progress.remaining]left:"),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=self._notes, transient=True) as bar:
            task = bar.add_task(what, visible=False, total=None, speed="")
            start = time.monotonic()

            def show(done: int, total: int | None, description: str, speed: str) -> None:
                bar.update(
                    task,
                    completed=done,
                    total=total,
                    description=description,
                    visible=time.monotonic() - start > BAR_AFTER_SECONDS,
                    speed=speed,
                )

            yield show


def _short(value: Any) -> Any:
    """The same document; a number of more than 15 signs gets six digits, or nine from 1,000 on (times): the rest is the
    noise of arithmetic.
    """
    if isinstance(value, float):
        return float(f"{value:.{6 if abs(value) < 1000 else 9}g}") if len(repr(value)) > _SIGNS else value
    if isinstance(value, dict):
        return {key: _short(entry) for key, entry in value.items()}
    return [_short(entry) for entry in value] if isinstance(value, list | tuple) else value


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 face", "2 faces"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
