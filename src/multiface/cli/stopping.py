"""Ctrl-C and SIGTERM while frames are worked on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 130
"""Exit code of a run that was stopped before its end."""


@contextmanager
def sigterm_is_ctrl_c() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that files are closed. For the main thread; else nothing changes."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled((signal.SIGTERM,), stop):
        yield


@contextmanager
def ends_the_source(close: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM closes the source, so that what was decided is still told; a second one ends at once.

    close: of the source; runs in a thread of its own. Gives a function that tells whether a signal came.
    """
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        threading.Thread(target=close, name="close the source", daemon=True).start()

    with _handled((signal.SIGINT, signal.SIGTERM), stop):
        yield lambda: asked


@contextmanager
def _handled(
    numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
