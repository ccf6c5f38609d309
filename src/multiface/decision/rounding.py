"""Numbers of a calibration as they are written."""

import math


def rounded(number: float) -> float:
    """Five significant digits: more would pretend."""
    if number == 0:
        return 0.0
    return round(float(number), 4 - math.floor(math.log10(abs(number))))
