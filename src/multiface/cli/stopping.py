"""Ctrl-C, SIGTERM and SIGHUP (the terminal was closed). Handlers are put back at the end of a block; outside the main
thread nothing is changed, and a signal that is ignored, as under `nohup`, stays ignored.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_ENDING = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@contextmanager
def signals_are_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that files are closed and temporary ones deleted."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        # Shells and supervisors may send both: what tidies up must not be cut off.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(_ENDING, stop):
        yield


@contextmanager
def stop_on_signals(at_once: Callable[[], None] | None = None) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C, SIGTERM or SIGHUP asks the block to stop, a second one ends it at once.

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

    with _handled([signal.SIGINT, *_ENDING], stop):
        yield lambda: asked


@contextmanager
def _handled(
    numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, handler)
        for number in numbers
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
