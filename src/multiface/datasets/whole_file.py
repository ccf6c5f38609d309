"""Files that appear whole or not at all: written beside under a hidden name, then renamed.

The hidden name is always the same one, so what a killed run left behind is written over by the next. It also
means that one run at a time may write a folder.
"""

from pathlib import Path

from multiface.regular_file import read_regular


def write_beside(path: Path, content: bytes) -> None:
    """`content` as `path`, replacing what is there in one step. The folder must exist. Raises OSError.

    Nothing is forced onto the disk: sets have millions of pictures, and after a power cut the next run finds
    the files whose sizes are wrong.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def same_size(path: Path, content: bytes) -> bool:
    """Whether `path` is a file as long as `content`."""
    try:
        return path.stat().st_size == len(content) and path.is_file()
    except OSError:
        return False


def same_bytes(path: Path, content: bytes) -> bool:
    """Whether `path` is a file that holds `content`."""
    return same_size(path, content) and read_regular(path) == content
