"""How a file's name is written in a message: always printable, also where the name is not valid UTF-8."""

import os


def path_text(path: str | os.PathLike[str]) -> str:
    r"""The path as text that any terminal and log takes; undecodable bytes appear as `\udc..`."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")
