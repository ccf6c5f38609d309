"""The people of a picture put into a packet, with all that others wrote kept.

Names go where the field looks for them: MWG's regions, dc:subject, Iptc4xmpExt:PersonInImage, and under "People" into
the hierarchies of digiKam, Microsoft and Lightroom. Three habits of readers decide the rest:
- digiKam and Immich take keywords from the first list that they find, TagsList before dc:subject. A hierarchy that is
  not there is therefore begun only where it hides no keyword of others.
- "/" and "|" part tags from those above them; a name that holds one stays out of that hierarchy.
- digiKam stops reading regions at one without a name, so people without a name are not written.
Readers also take a property from the sidecar before the picture itself. A new sidecar therefore begins with what the
picture's own XMP says in the properties above.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from multiface.album.xmp.names import (
    HIERARCHIES,
    MS_REGIONS,
    PEOPLE,
    PERSONS,
    PREFIXES,
    REGIONS,
    SUBJECT,
    WRITTEN,
)
from multiface.album.xmp.parsing import parse
from multiface.album.xmp.rdf import (
    add_texts,
    append,
    array_for,
    found,
    items,
    new_description,
    new_document,
    prefixes_in,
    rdf_of,
    remove,
    remove_property,
    texts,
    value_of,
)
from multiface.album.xmp.region_reading import applied_to, mwg_regions, region_list
from multiface.album.xmp.region_writing import add_regions
from multiface.album.xmp.regions import Area, Region, Stored, area_of, as_drawn
from multiface.album.xmp.tree import Document, Element, Name, serialised, xml_text
from multiface.album.xmp.written import (
    WrittenRegion,
    is_ours,
    note,
    same_area,
    written_regions,
    written_texts,
)
from multiface.errors import InputError
from multiface.images.box import overlap

_SAME_FACE = 0.5
"""Regions that overlap this much are of one face."""


@dataclass(frozen=True, slots=True)
class PeoplePacket:
    """packet: the XMP, whole; empty if there was none and nobody is to be named. changed: whether it says something
    new. left_out: regions that were not written, because others have given that face another name.
    """

    packet: bytes
    changed: bool
    left_out: tuple[Region, ...]


def with_people(
    packet: bytes | None, regions: Sequence[Region], stored: Stored, name: str, inside: bytes | None = None
) -> PeoplePacket:
    """A packet that names these people and no others that MultiFace named before.

    packet: what is there; None for nothing. inside: the picture's own XMP, for a new packet; passed over if it cannot
    be read. regions: in pixels of the upright picture; those without a name are passed
    over, what XML cannot hold in a name becomes U+FFFD. name: what messages call the packet. Raises InputError for a
    packet that cannot be read, UsageError for a box that lies outside the picture.
    """
    if packet is None and not any(_named(region) for region in regions):
        return PeoplePacket(b"", False, ())
    document = _begun(inside) if packet is None else parse(packet, name)
    rdf = rdf_of(document, name)
    before = serialised(document)
    own, there, left_out = _place(rdf, regions, stored, name)
    names = list(dict.fromkeys(there))
    hides_none = not any(_of_others(rdf, one) for one in (SUBJECT, *(two.name for two in HIERARCHIES)))
    values = {
        SUBJECT: _keep(rdf, SUBJECT, "Bag", names, True),
        PERSONS: _keep(rdf, PERSONS, "Bag", names, True),
    }
    for hierarchy in HIERARCHIES:
        tags = [f"{PEOPLE}{hierarchy.sign}{one}" for one in names if hierarchy.sign not in one]
        begun = hides_none or bool(texts(rdf, hierarchy.name))
        values[hierarchy.name] = _keep(rdf, hierarchy.name, hierarchy.kind, tags, begun)
    note(rdf, own, values)
    after = serialised(document)
    changed = packet is None or after != before
    return PeoplePacket(after if changed else packet or b"", changed, tuple(left_out))


def _begun(inside: bytes | None) -> Document:
    document = new_document()
    if inside is None:
        return document
    with contextlib.suppress(InputError):
        rdf = rdf_of(parse(inside, ""), "")
        for name in (REGIONS, MS_REGIONS, SUBJECT, PERSONS, *(one.name for one in HIERARCHIES), WRITTEN):
            place = found(rdf, name)
            if place is not None:
                copied = new_description(rdf_of(document, ""), prefixes_in(place[1]))
                if isinstance(place[1], Element):
                    append(copied, place[1])
                else:
                    copied.attributes.append(place[1])
    return document


def _of_others(rdf: Element, name: Name) -> set[str]:
    return set(texts(rdf, name) or []) - written_texts(rdf, name)


def _named(region: Region) -> bool:
    return region.name is not None and bool(region.name.strip())


def _place(
    rdf: Element, regions: Sequence[Region], stored: Stored, packet: str
) -> tuple[list[WrittenRegion], list[str], list[Region]]:
    """Bring MWG's list up to date: the regions of ours that are there now, the names that hold, what was left out."""
    written = written_regions(rdf)
    applied = applied_to(rdf)
    there_now = mwg_regions(rdf, packet)
    only_ours = there_now and all(is_ours(one.name, one.area, written) for one in there_now)
    if only_ours and applied != (stored.width, stored.height):
        remove_property(rdf, REGIONS)  # the picture's size has changed
        applied, there_now = None, []
    drawn = as_drawn(stored, applied)
    wanted = [(xml_text(one.name or ""), area_of(one.box, drawn), one) for one in regions if _named(one)]
    own: list[WrittenRegion] = []
    others: list[tuple[str, Area]] = []
    gone = False
    for one in there_now:
        if not is_ours(one.name, one.area, written):
            if one.face and one.name is not None and one.area is not None:
                others.append((one.name, one.area))
            continue
        match = next((w for w in wanted if one.area and w[0] == one.name and same_area(w[1], one.area)), None)
        if match is None:
            remove(one.array, one.item)
            gone = True
        else:
            wanted.remove(match)
            own.append(match[:2])
    there = [name for name, _ in own]
    left_out = []
    fresh = []
    for name, area, region in wanted:
        on_it = {other for other, place in others if overlap(area.corners, place.corners) >= _SAME_FACE}
        if on_it and name not in on_it:
            left_out.append(region)
            continue
        there.append(name)
        if not on_it:
            fresh.append((name, area))
    if fresh:
        add_regions(rdf, fresh, stored, packet)
    array = region_list(rdf)
    if gone and array is not None and not items(array):
        remove_property(rdf, REGIONS)
    # In the callers' order, so that the same people give the same packet.
    order = [xml_text(one.name or "") for one in regions]
    return own + fresh, sorted(there, key=order.index), left_out


def _keep(rdf: Element, name: Name, kind: str, wanted: list[str], begun: bool) -> list[str]:
    """Bring an array of texts up to date; which of its values are ours then. begun: whether it may be added to."""
    ours = written_texts(rdf, name)
    there = texts(rdf, name) or []
    gone = [value for value in there if value in ours and value not in wanted]
    fresh = [value for value in wanted if value not in there] if begun else []
    if gone or fresh:
        array = array_for(rdf, name, PREFIXES, kind)
        for item in items(array):
            if value_of(item) in gone:
                remove(array, item)
        add_texts(array, fresh)
        if not items(array):
            remove_property(rdf, name)
    return [value for value in wanted if value in fresh or (value in ours and value in there)]
