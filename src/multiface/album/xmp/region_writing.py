"""New regions in a packet's list, which is made where there is none."""

from collections.abc import Sequence

from multiface.album.xmp.names import MWG, PREFIXES, REGIONS, ST_AREA, ST_DIM
from multiface.album.xmp.rdf import (
    RDF,
    append,
    field_element,
    fields,
    found,
    new_description,
    structure,
)
from multiface.album.xmp.region_reading import region_list
from multiface.album.xmp.regions import Stored
from multiface.album.xmp.tree import Attribute, Element
from multiface.album.xmp.written import WrittenRegion, numbers
from multiface.errors import InputError

_APPLIED = (MWG, "AppliedToDimensions")
_LIST = (MWG, "RegionList")
_USED = {PREFIXES[address]: address for address in (MWG, ST_AREA, ST_DIM)}


def add_regions(rdf: Element, regions: Sequence[WrittenRegion], stored: Stored, packet: str) -> None:
    """Put faces at the end of MWG's list. stored: for mwg-rs:AppliedToDimensions, where it is not stated. packet: what
    messages call it. Raises InputError for a property of another form than MWG's.
    """
    array = region_list(rdf)
    if array is None:
        array = _new_list(rdf, stored, packet)
    for name, area in regions:
        parts = [*zip("xywh", numbers(area), strict=True), ("unit", "normalized")]
        box = structure((MWG, "Area"), PREFIXES[MWG], [_field(ST_AREA, *part) for part in parts])
        face = [_field(MWG, "Name", name), _field(MWG, "Type", "Face"), box]
        append(array, structure((RDF, "li"), array.prefix, face))


def _new_list(rdf: Element, stored: Stored, packet: str) -> Element:
    place = found(rdf, REGIONS)
    if place is None:
        regions = structure(REGIONS, PREFIXES[MWG], [])
        append(new_description(rdf, _USED), regions)
        inside = regions
    else:
        regions = place[1] if isinstance(place[1], Element) else Element(REGIONS)
        inside = next((one for one in regions.elements if one.name == (RDF, "Description")), regions)
    members = fields(regions)
    if isinstance(place and place[1], Attribute) or _LIST in members or regions.text.strip():
        raise InputError(
            f"{packet}: its mwg-rs:Regions has a form that nothing can be added to",
            hint="remove that property",
        )
    if place is not None and inside is regions and regions.attribute((RDF, "parseType")) is None:
        regions.attributes.append(Attribute((RDF, "parseType"), "rdf", "Resource"))
    if field_element(members, _APPLIED) is None:
        size = (("w", str(stored.width)), ("h", str(stored.height)), ("unit", "pixel"))
        append(inside, structure(_APPLIED, PREFIXES[MWG], [_field(ST_DIM, *part) for part in size]))
    array = Element((RDF, "Bag"), rdf.prefix or "rdf")
    holder = Element(_LIST, PREFIXES[MWG])
    append(holder, array)
    append(inside, holder)
    return array


def _field(address: str, name: str, value: str) -> Element:
    return Element((address, name), PREFIXES[address], children=[value])
