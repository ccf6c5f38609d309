"""An error that no command foresaw: one line, exit code 70, and a traceback for whoever mends it.

The traceback goes into a file of the user's state folder that only its owner can read, since paths and names may stand
in it; with `--debug` it goes to standard error instead. Nothing heavy is imported: what failed may be an import.
"""

import json
import os
import sys
import traceback
from pathlib import Path

INTERNAL = 70
"""Exit code of an error of the program or the machine (EX_SOFTWARE of sysexits.h); never an answer."""

STOPPED = 130
"""Exit code of a run that was stopped before its end."""

KEPT = 20
"""Tracebacks that stay; the oldest ones go."""


def end_code(error: BaseException, *, debug: bool, as_json: bool) -> int:
    """Say what went wrong and where its traceback is; the exit code."""
    if was_interrupted(error):
        return STOPPED
    kind = type(error).__name__
    message = f"{kind}: {error}" if str(error) else kind
    try:
        _say(f"error: internal: {message}; {_placed(error, debug)}", kind, as_json)
    except (OSError, ValueError, AttributeError):
        pass  # nobody can be told: the code alone has to do
    finally:
        let_go_of_output()
    return INTERNAL


def was_interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is at the bottom of it: libraries make other errors of it while they are imported."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, KeyboardInterrupt):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def keep(text: str, folder: Path) -> Path:
    """The file of a traceback, in a folder that is made if need be; both for their owner only. Raises OSError."""
    import secrets
    import time

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"error-{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(3)}.txt"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    for old in sorted(folder.glob("error-*.txt"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _placed(error: BaseException, debug: bool) -> str:
    """Where the traceback is, in words."""
    try:
        text = "".join(traceback.format_exception(error))
        if debug:
            sys.stderr.write(text)
            return "its traceback is above"
        from multiface.weights.places import default_errors_folder

        return f"its traceback is in {keep(text, default_errors_folder())} (--debug shows it)"
    except Exception as trouble:  # a full or read-only disk, no home, no memory: the first error counts
        return f"its traceback could not be kept ({type(trouble).__name__}), --debug shows it"


def _say(line: str, kind: str, as_json: bool) -> None:
    from multiface.visible import visible

    sys.stderr.write(visible(line) + "\n")
    sys.stderr.flush()
    if as_json:
        document = {"error": {"kind": kind, "message": visible(line).removeprefix("error: ")}}
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


def let_go_of_output() -> None:
    """Python writes what is left for standard output at its end, and would end with another code if it could not."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            except (OSError, ValueError, AttributeError):
                continue
