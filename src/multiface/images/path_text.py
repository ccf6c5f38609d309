"""How a file's name is written in a message: always printable, also where the name is not valid UTF-8."""

import os
import re
from pathlib import Path

_ESCAPED = re.compile(r"\\(udc[89a-f][0-9a-f])")


def path_text(path: str | os.PathLike[str]) -> str:
    r"""The path as text that any terminal and log takes; undecodable bytes appear as `\udc..`."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")


def path_of_text(text: str) -> Path:
    """The file that `path_text` wrote so: where there is none of that very name, the undecodable bytes are put back."""
    path = Path(text)
    if not _ESCAPED.search(text) or os.path.lexists(path):
        return path
    return Path(_ESCAPED.sub(lambda found: chr(int(found[1][1:], 16)), text))
