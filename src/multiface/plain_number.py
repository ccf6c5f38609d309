"""One number, where a caller may have given anything. Open to every room."""

import math
import numbers

from multiface.errors import UsageError


def plain_number(value: object, what: str) -> float:
    """The value as a float; infinite if its size is beyond one. Raises UsageError for all but a single number.

    what: the argument, as messages call it.
    """
    if not isinstance(value, numbers.Real):
        raise UsageError(f"{what} must be a number, not {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        return math.inf
