"""The password of a stream, from somewhere else than the command line, which other users of the machine can read.

An address names the user alone (`rtsp://ann@door/live`); the password comes from a file, the variable
MULTIFACE_STREAM_PASSWORD, or a question at the terminal, in this order.
"""

import re
import sys
from getpass import getpass
from pathlib import Path
from urllib.parse import quote

from multiface.cli.settings import Settings
from multiface.errors import UsageError
from multiface.regular_file import read_given_text

_USER_ALONE = re.compile(r"(\s*[A-Za-z][A-Za-z0-9+.-]*://[^/?#@:]+)@(.*)", re.DOTALL)


def with_password(address: str, settings: Settings, file: Path | None) -> str:
    """The address with the password in it. What is no address, names no user or has a password is given back as it is.

    file: holds the password in its first line. Raises UsageError where it cannot be read, or is for nothing.
    """
    parts = _USER_ALONE.fullmatch(address)
    if parts is None:
        if file is not None:
            raise UsageError(
                "--password-file is for an address that names a user without a password, such as rtsp://USER@HOST/PATH"
            )
        return address
    password = _first_line(file) if file is not None else settings.stream_password
    if password is None:
        if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
            return address
        password = getpass("Password of the stream: ", sys.stderr)
    return f"{parts[1]}:{quote(password, safe='')}@{parts[2]}"


def _first_line(path: Path) -> str:
    try:
        password = read_given_text(path).partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--password-file {path}: cannot be read ({error})", path=path) from error
    if not password:
        raise UsageError(f"--password-file {path}: its first line is empty; wanted the password", path=path)
    return password
