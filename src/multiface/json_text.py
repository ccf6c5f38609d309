"""JSON that somebody else may have written.

Open to every room, as `errors` is. Python's reader gives up on deep nesting with a RecursionError, which would pass as
a fault of the program.
"""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError where it is none, or nested too deeply to be one of ours."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists or objects are nested too deeply") from None
