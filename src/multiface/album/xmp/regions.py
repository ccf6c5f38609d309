"""Regions: where a person is in a picture, and the two forms in which XMP writes that.

MultiFace's boxes are in pixels of the upright picture. XMP's regions are numbers 0..1 of the *stored* picture, before
EXIF's orientation turns it: MWG's guidance (5.9) ties a region to "the actual image bits stored within the file";
digiKam (`TagRegion::adjustToOrientation` after reading) and Immich (`orientRegionInfo`) turn regions by EXIF when they
read them, osxphotos turns Apple's back before it writes them, and Lightroom does not know its own again when somebody
else has turned them (PhotoStation-Upload-Lr-Plugin#13). Programs that leave this out are what users complain of:
pigallery2#515 #979, Damselfly#352, immich#13740. So it is taken here, for Microsoft's form as well.

One exception when reading: `mwg-rs:AppliedToDimensions` is the size of the picture that the regions are numbers of. If
a picture lies on its side and this is the size of the upright one, so are the regions.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from multiface.errors import UsageError
from multiface.images.box import Box

_SAME_SHAPE = 0.02
"""Aspect ratios that differ by less than this share are of one picture, scaled and rounded."""

_LEAST = 1e-6
"""What is narrower than this share of the picture is no region."""

# Where EXIF's orientation takes a point of the stored picture, x and y in 0..1.
_UPRIGHT: dict[int, Callable[[float, float], tuple[float, float]]] = {
    1: lambda x, y: (x, y),
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}
_BACK = {6: 8, 8: 6}
"""Turns by a quarter undo each other, all others themselves."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where somebody is. name: None for somebody unnamed. box: x0, y0, x1, y1 in pixels of the upright picture."""

    name: str | None
    box: Box


@dataclass(frozen=True, slots=True)
class Stored:
    """How a picture is stored. width, height: in pixels, before it is turned. orientation: EXIF's, 1..8.

    Raises UsageError for a size below 1 or another orientation.
    """

    width: int
    height: int
    orientation: int = 1

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.orientation not in _UPRIGHT:
            raise UsageError(
                "a picture has at least one pixel and an orientation of 1 to 8, got "
                f"{self.width} x {self.height}, orientation {self.orientation}"
            )

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (self.height, self.width) if self.orientation > 4 else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class Area:
    """MWG's form of a box: x, y of its centre, w, h, each a share of the picture's width or height."""

    x: float
    y: float
    w: float
    h: float

    @property
    def corners(self) -> Box:
        """x0, y0, x1, y1 as shares."""
        return self.x - self.w / 2, self.y - self.h / 2, self.x + self.w / 2, self.y + self.h / 2


def area_of(box: Box, stored: Stored) -> Area:
    """A box as MWG writes it, cut to the picture. Raises UsageError if nothing of it lies in the picture."""
    width, height = stored.upright_size
    shares = (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
    cut = _cut(shares)
    if cut is None:
        raise UsageError(f"the box {box} has no part in the upright picture of {width} x {height} pixels")
    return _area(_turned(cut, _BACK.get(stored.orientation, stored.orientation)))


def box_of(area: Area, stored: Stored) -> Box | None:
    """The box of an area in MWG's form, cut to the picture; None if nothing of it lies there or it is no area."""
    cut = _cut(area.corners)
    if cut is None:
        return None
    width, height = stored.upright_size
    x0, y0, x1, y1 = _turned(cut, stored.orientation)
    return x0 * width, y0 * height, x1 * width, y1 * height


def as_drawn(stored: Stored, applied: tuple[float, float] | None) -> Stored:
    """The picture that regions are numbers of: the upright one, if it lies on its side and only that has the shape of
    mwg-rs:AppliedToDimensions (width, height); otherwise the stored one.
    """
    upright = Stored(*stored.upright_size)
    if stored.orientation < 5 or applied is None or _alike(applied, stored) or not _alike(applied, upright):
        return stored
    return upright


def is_other_shape(stored: Stored, applied: tuple[float, float] | None) -> bool:
    """Whether the picture was cut since its regions were drawn, so that they may be beside what they meant."""
    return applied is not None and not _alike(applied, as_drawn(stored, applied))


def _alike(applied: tuple[float, float], stored: Stored) -> bool:
    return abs(math.log(applied[0] / applied[1] * stored.height / stored.width)) < _SAME_SHAPE


def _cut(shares: Box) -> Box | None:
    if not all(map(math.isfinite, shares)):
        return None
    x0, y0, x1, y1 = (min(max(share, 0.0), 1.0) for share in shares)
    return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= _LEAST else None


def _turned(shares: Box, orientation: int) -> Box:
    turn = _UPRIGHT[orientation]
    one, other = turn(*shares[:2]), turn(*shares[2:])
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


def _area(shares: Box) -> Area:
    x0, y0, x1, y1 = shares
    return Area((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
