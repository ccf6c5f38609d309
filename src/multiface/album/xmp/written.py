"""What MultiFace itself has put into a packet, noted there as `multiface:Written`: only that may it take out again.

Each value is noted as one text: the property's usual name, a space and the value, such as "dc:subject Anna"; of a
region its numbers too, "mwg-rs:Regions 0.5 0.4 0.1 0.2 Anna". A region that somebody has since moved or given another
name is no longer ours. Programs that write a sidecar anew keep properties they do not know (exiftool, exiv2); one that
loses the note leaves names that stay, none that are lost.
"""

import math
from collections.abc import Collection, Iterable

from multiface.album.xmp.names import PREFIXES, REGIONS, WRITTEN
from multiface.album.xmp.rdf import add_texts, array_for, items, remove, remove_property, texts
from multiface.album.xmp.region_reading import MOST_REGIONS
from multiface.album.xmp.regions import Area
from multiface.album.xmp.tree import Element, Name

WrittenRegion = tuple[str, Area]
_SAME_NUMBER = 1e-5
"""digiKam writes numbers back with six digits."""


def written_texts(rdf: Element, name: Name) -> set[str]:
    """The values that MultiFace has put into an array of texts."""
    return {value for label, value in _noted(rdf) if label == _label(name)}


def written_regions(rdf: Element) -> list[WrittenRegion]:
    """The regions that MultiFace has put there."""
    regions = []
    for label, value in _noted(rdf):
        parts = value.split(" ", 4)
        if label != _label(REGIONS) or len(parts) != 5:
            continue
        try:
            x, y, w, h = map(float, parts[:4])
        except ValueError:
            continue
        regions.append((parts[4], Area(x, y, w, h)))
    return regions[:MOST_REGIONS]


def is_ours(name: str | None, area: Area | None, written: Collection[WrittenRegion]) -> bool:
    """Whether a region is one of those noted, unchanged."""
    return any(name == noted and area is not None and same_area(area, other) for noted, other in written)


def same_area(one: Area, other: Area) -> bool:
    """Whether two areas differ by nothing but rounding."""
    pairs = ((one.x, other.x), (one.y, other.y), (one.w, other.w), (one.h, other.h))
    return all(math.isclose(a, b, rel_tol=0, abs_tol=_SAME_NUMBER) for a, b in pairs)


def numbers(area: Area) -> list[str]:
    """x, y, w, h as they are written: a hundredth of a pixel of 10,000."""
    return [f"{value:.6f}" for value in (area.x, area.y, area.w, area.h)]


def note(rdf: Element, regions: Iterable[WrittenRegion], values: dict[Name, list[str]]) -> None:
    """Note what is ours now. values: of each array of texts."""
    lines = [" ".join([_label(REGIONS), *numbers(area), name]) for name, area in regions]
    lines += [f"{_label(name)} {value}" for name, some in values.items() for value in some]
    if lines == (texts(rdf, WRITTEN) or []):
        return
    if not lines:
        remove_property(rdf, WRITTEN)
        return
    array = array_for(rdf, WRITTEN, PREFIXES, "Bag")
    for item in items(array):
        remove(array, item)
    add_texts(array, lines)


def _noted(rdf: Element) -> list[tuple[str, str]]:
    return [(label, value) for label, _, value in (line.partition(" ") for line in texts(rdf, WRITTEN) or [])]


def _label(name: Name) -> str:
    return f"{PREFIXES[name[0]]}:{name[1]}"
