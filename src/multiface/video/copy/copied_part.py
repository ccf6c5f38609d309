"""Which part of a source its copy holds.

Times: what is at t in the source's container is at t - `Cut.origin` in the copy, rounded to the track's own clock.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of the source the copy holds, in seconds of the container's clock.

    origin: what becomes 0. begin: tracks start here; None for where they start by themselves. end: and end here.
    """

    origin: Fraction
    begin: Fraction | None
    end: Fraction | None

    def holds(self, start: Fraction, length: Fraction) -> bool:
        """Whether anything of what lasts from `start` for `length` seconds is in it."""
        if self.end is not None and start >= self.end:
            return False
        return self.begin is None or start >= self.begin or start + length > self.begin

    def until(self, end: Fraction) -> Fraction:
        """The end, in the container's clock, of what lasts until `end` in the source."""
        return end if self.end is None else min(end, self.end)
