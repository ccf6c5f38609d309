"""Regions in a packet: MWG's list and Microsoft's, as elements and as what they say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from multiface.album.xmp.names import MPREG, MPRI, MS_REGIONS, MWG, REGIONS, ST_AREA, ST_DIM
from multiface.album.xmp.rdf import array_in, field_element, field_text, fields, found, items
from multiface.album.xmp.regions import Area
from multiface.album.xmp.tree import Element
from multiface.errors import InputError
from multiface.images.box import overlap

MOST_REGIONS = 2_000
_SAME_FACE = 0.5
"""Two areas that overlap this much are one face, which digiKam writes in both forms."""
_IGNORED = "f" * 16
"""Microsoft's name of a face that nobody wants named."""


@dataclass(frozen=True, slots=True, eq=False)
class XmpRegion:
    """A region of MWG's list. name: None without one. area: None where it is no rectangle. face: whether it is of a
    person, not of a pet, a focus point or a bar code. array, item: where it stands.
    """

    name: str | None
    area: Area | None
    face: bool
    array: Element
    item: Element


def applied_to(rdf: Element) -> tuple[float, float] | None:
    """Width and height of the picture that MWG's regions are numbers of; None where they are not stated."""
    place = found(rdf, REGIONS)
    if place is None or not isinstance(place[1], Element):
        return None
    stated = field_element(fields(place[1]), (MWG, "AppliedToDimensions"))
    if stated is None:
        return None
    members = fields(stated)
    width, height = (_number(field_text(members, (ST_DIM, side))) for side in "wh")
    return (width, height) if width > 0 and height > 0 else None


def region_list(rdf: Element) -> Element | None:
    """The array of MWG's regions."""
    place = found(rdf, REGIONS)
    if place is None or not isinstance(place[1], Element):
        return None
    holder = field_element(fields(place[1]), (MWG, "RegionList"))
    return None if holder is None else array_in(holder)


def mwg_regions(rdf: Element, name: str) -> list[XmpRegion]:
    """All regions of MWG's list. name: what messages call the packet. Raises InputError for too many."""
    array = region_list(rdf)
    if array is None:
        return []
    applied = applied_to(rdf)
    return [_mwg(array, item, applied) for item in _limited(items(array), name)]


def faces_in(rdf: Element, name: str) -> list[tuple[str | None, Area]]:
    """Names and areas of all people, MWG's first, then those that only Microsoft's form has. Raises InputError."""
    faces = [(one.name, one.area) for one in mwg_regions(rdf, name) if one.face and one.area is not None]
    by_name: dict[str | None, list[Area]] = {}
    for person, area in faces:
        by_name.setdefault(person, []).append(area)
    for person, area in _microsoft(rdf, name):
        if all(overlap(area.corners, other.corners) < _SAME_FACE for other in by_name.get(person, ())):
            faces.append((person, area))
    return faces


def _mwg(array: Element, item: Element, applied: tuple[float, float] | None) -> XmpRegion:
    members = fields(item)
    kind = field_text(members, (MWG, "Type"))
    area = field_element(members, (MWG, "Area"))
    return XmpRegion(
        _name(field_text(members, (MWG, "Name"))),
        None if area is None else _area(area, applied),
        kind is None or kind.strip() in ("", "Face"),
        array,
        item,
    )


def _area(element: Element, applied: tuple[float, float] | None) -> Area | None:
    members = fields(element)
    x, y, w, h = (_number(field_text(members, (ST_AREA, part))) for part in "xywh")
    if field_text(members, (ST_AREA, "unit")) == "pixel":
        if applied is None:
            return None
        x, y, w, h = x / applied[0], y / applied[1], w / applied[0], h / applied[1]
    return Area(x, y, w, h) if all(map(math.isfinite, (x, y, w, h))) and w > 0 and h > 0 else None


def _microsoft(rdf: Element, name: str) -> Iterator[tuple[str | None, Area]]:
    place = found(rdf, MS_REGIONS)
    holder = (
        field_element(fields(place[1]), (MPRI, "Regions"))
        if place and isinstance(place[1], Element)
        else None
    )
    array = None if holder is None else array_in(holder)
    for item in [] if array is None else _limited(items(array), name):
        members = fields(item)
        person = _name(field_text(members, (MPREG, "PersonDisplayName")))
        numbers = [_number(part) for part in (field_text(members, (MPREG, "Rectangle")) or "").split(",")]
        if (
            len(numbers) == 4
            and all(map(math.isfinite, numbers))
            and min(numbers[2:]) > 0
            and person != _IGNORED
        ):
            x, y, w, h = numbers
            yield person, Area(x + w / 2, y + h / 2, w, h)


def _limited(found_items: list[Element], name: str) -> list[Element]:
    if len(found_items) > MOST_REGIONS:
        raise InputError(f"{name}: has {len(found_items):,} regions, over the {MOST_REGIONS:,} allowed")
    return found_items


def _name(text: str | None) -> str | None:
    return text if text is not None and text.strip() else None


def _number(text: str | None) -> float:
    """The number in a text, NaN if it holds none; ExifTool and old Lightrooms also write fractions."""
    try:
        above, _, below = (text or "").partition("/")
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return math.nan
