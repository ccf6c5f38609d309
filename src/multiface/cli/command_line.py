"""What stands on the command line, told before its options are read: for errors that come before or between them."""

import sys


def stands_there(option: str) -> bool:
    """Whether an option such as `--json` is given, before any `--`."""
    return option in _options()


def without(option: str) -> list[str]:
    """All arguments but an option that every command takes, wherever it stands before any `--`."""
    options = _options()
    return [word for word in options if word != option] + sys.argv[1 + len(options) :]


def _options() -> list[str]:
    arguments = sys.argv[1:]
    return arguments[: arguments.index("--")] if "--" in arguments else arguments
