"""sha256 of files, as lower-case hex."""

import hashlib
import re
from pathlib import Path

from multiface.errors import UsageError
from multiface.regular_file import open_regular


def sha256_of(path: Path) -> str:
    """sha256 of a file's content, 64 lower-case hex digits. Raises OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_sha256(text: str) -> str:
    """`text` in lower case if it is a sha256 in hex. Raises UsageError."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise UsageError(f"a sha256 is 64 hex digits, not {text!r}")
    return text.lower()
