"""The command `multiface`, also as `python -m multiface`: the outermost net under the command line.

Exit code 1 is an answer ("no"), and Python's own code for a crash: here a crash is 70, and Ctrl-C is 130 from the first
import on. Only the standard library is imported before that holds.
"""

import atexit
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

ADDRESS_SPACE = 256 << 20
"""Bytes that must be free: with less, OpenBLAS ends the process by itself, with exit code 1, when NumPy is loaded."""


def run() -> None:
    """Entry point of the command `multiface`."""
    try:
        code = _code()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _stop)  # the command is over: nothing is left that could be closed
        if code == 130:
            atexit._run_exitfuncs()
    except KeyboardInterrupt:  # one more, while the command ends
        code = 130
    if code == 130:
        # Python ends by the signal itself, and not with 130, if Ctrl-C ever came inside an exec(), as of a dataclass.
        os._exit(130)
    sys.exit(code)


def _code() -> int | str | None:
    """Run the command; its exit code."""
    code: int | str | None = 0
    sys.unraisablehook = _unraisable
    try:
        _load()
        from multiface.cli.main import run as command

        command()
    except SystemExit as ended:
        code = ended.code
        if isinstance(ended.__context__, BrokenPipeError) and not ended.__suppress_context__:
            code = _pipe_broke(ended.__context__)  # typer makes 1 of any pipe that breaks, a socket's too
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            # Everything is closed: nothing more is to be stopped.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = _failed(error)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError as error:
        code = code if isinstance(error, BrokenPipeError) else _failed(error)
    return code


def _load() -> None:
    """Import the command line; Ctrl-C meanwhile ends the process at once, as there is nothing to close yet."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where Ctrl-C is ignored, as in the background
        signal.signal(signal.SIGINT, _stop)
    try:
        _require_address_space()
        import multiface.cli.main
    finally:
        signal.signal(signal.SIGINT, before)
    assert multiface.cli.main


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(130)


def _unraisable(failure: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C that came where Python lets no exception out, as in a callback of the import system, comes once more."""
    if isinstance(failure.exc_value, KeyboardInterrupt):
        threading.Timer(0.01, _interrupt).start()
    else:
        sys.__unraisablehook__(failure)


def _interrupt() -> None:
    """Ctrl-C for the main thread, whose waiting it ends."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _require_address_space() -> None:
    """Raises MemoryError where less than `ADDRESS_SPACE` can be had."""
    if sys.platform == "win32":
        return
    import mmap

    try:
        mmap.mmap(-1, ADDRESS_SPACE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ).close()
    except OSError as error:
        raise MemoryError(f"less than {ADDRESS_SPACE >> 20} MiB of memory may be used") from error


def _pipe_broke(error: BrokenPipeError) -> int:
    """What a command says goes through a `Speaker`, which knows its answer; help is typer's (`--help | head`)."""
    from multiface.cli.command_line import stands_there
    from multiface.cli.internal_error import let_go_of_output

    if not stands_there("--help"):
        return _failed(error)
    let_go_of_output()
    return 0


def _failed(error: BaseException) -> int:
    from multiface.cli.command_line import stands_there
    from multiface.cli.internal_error import end_code

    return end_code(error, debug=stands_there("--debug"), as_json=stands_there("--json"))


if __name__ == "__main__":
    run()
