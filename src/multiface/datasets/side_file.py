"""A file beside a set that says one thing of each of its pictures, a line each."""

from pathlib import Path

from multiface.errors import DataSetError
from multiface.regular_file import read_regular_text


def side_lines(path: Path) -> list[str] | None:
    """The lines, without spaces around them; None where there is no such file.

    Raises DataSetError where it cannot be read.
    """
    if not path.exists():
        return None
    try:
        return [line.strip() for line in read_regular_text(path).splitlines()]
    except (OSError, ValueError) as error:
        raise DataSetError(f"{path}: cannot be read ({error})", path=path) from error
