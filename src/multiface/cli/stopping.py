"""Ctrl-C and SIGTERM. Handlers are put back at the end of a block; outside the main thread nothing is changed."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def sigterm_is_ctrl_c() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that files are closed."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled((signal.SIGTERM,), stop):
        yield


@contextmanager
def stop_on_signals(at_once: Callable[[], None] | None = None) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM asks the block to stop, a second one ends it at once.

    at_once: called with the first signal, in a thread of its own (to close a source that is waited for). Gives a
    function that tells whether a signal came.
    """
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        if at_once is not None:
            threading.Thread(target=at_once, name="stop at once", daemon=True).start()

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
