"""Who is in a picture by its XMP: sidecars and what is inside the file, as the field writes it.

Each property is taken from the first place that has it: `photo.jpg.xmp`, then `photo.xmp`, then the picture itself. A
sidecar without regions (darktable's, say) so hides none that are inside the picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from multiface.album.xmp.names import HIERARCHIES, MS_REGIONS, PERSONS, REGIONS, SUBJECT
from multiface.album.xmp.parsing import LARGEST, parse
from multiface.album.xmp.rdf import found, rdf_of, texts
from multiface.album.xmp.region_reading import applied_to, faces_in
from multiface.album.xmp.regions import Region, Stored, as_drawn, box_of, is_other_shape
from multiface.album.xmp.sidecars import sidecars
from multiface.album.xmp.tree import Element
from multiface.album.xmp.written import is_ours, written_regions
from multiface.errors import InputError, about
from multiface.images.header import read_header
from multiface.images.path_text import path_text
from multiface.regular_file import open_regular

_Value = TypeVar("_Value")
_Regions = tuple[tuple[Region, ...], tuple[Region, ...], bool]


@dataclass(frozen=True, slots=True)
class PictureXmp:
    """What XMP says of a picture.

    regions: people that others have marked, also those without a name; the same face once. own: those that MultiFace
    itself has written: no news to it. other_shape: the picture was cut since its regions were drawn, so that they may
    lie beside the faces. keywords: without order above each other. tags: each from the topmost down to the keyword
    itself, such as ("People", "Anna"). persons: names without a place. sources: the files that were read.
    """

    regions: tuple[Region, ...]
    own: tuple[Region, ...]
    other_shape: bool
    keywords: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    persons: tuple[str, ...]
    sources: tuple[Path, ...]


def read_regions(picture: Path) -> PictureXmp:
    """What the sidecars of a picture and the XMP inside it say of people.

    XMP inside is read from JPEG (the main packet), PNG, TIFF, WebP, AVIF and HEIC. Raises InputError, which names the
    file, for XMP that is not well-formed, has a document type, or is over the limits on size, depth and regions; for a
    picture that cannot be read as `read_header` does.
    """
    header = read_header(picture)
    stored = Stored(header.width, header.height, header.orientation)
    packets: list[tuple[Path, Element]] = []
    for path in sidecars(picture):
        packets.append((path, _tree(read_packet(path), path)))
    if header.xmp is not None:
        packets.append((picture, _tree(header.xmp, picture)))
    nothing: _Regions = ((), (), False)
    regions, own, other_shape = _first(packets, lambda path, rdf: _regions(path, rdf, stored), nothing)
    return PictureXmp(
        regions,
        own,
        other_shape,
        _first(packets, lambda _, rdf: _texts(rdf, SUBJECT), ()),
        _tags([rdf for _, rdf in packets]),
        _first(packets, lambda _, rdf: _texts(rdf, PERSONS), ()),
        tuple(path for path, _ in packets),
    )


def read_packet(sidecar: Path) -> bytes:
    """The bytes of a sidecar. Raises InputError if it cannot be read or is larger than any sidecar should be."""
    name = path_text(sidecar)
    try:
        with open_regular(sidecar) as file:
            packet = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error})", path=sidecar) from error
    if len(packet) > LARGEST:
        raise InputError(f"{name}: is over the {LARGEST:,} bytes allowed for a sidecar", path=sidecar)
    return packet


def _tree(packet: bytes, path: Path) -> Element:
    with about(path):
        return rdf_of(parse(packet, path_text(path)), path_text(path))


def _first(
    packets: Sequence[tuple[Path, Element]],
    of: Callable[[Path, Element], _Value | None],
    none: _Value,
) -> _Value:
    """The first answer that is not None."""
    for path, rdf in packets:
        value = of(path, rdf)
        if value is not None:
            return value
    return none


def _regions(path: Path, rdf: Element, stored: Stored) -> _Regions | None:
    if found(rdf, REGIONS) is None and found(rdf, MS_REGIONS) is None:
        return None
    applied = applied_to(rdf)
    drawn = as_drawn(stored, applied)
    written = written_regions(rdf)
    both: tuple[list[Region], list[Region]] = ([], [])
    with about(path):
        for name, area in faces_in(rdf, path_text(path)):
            box = box_of(area, drawn)
            if box is not None:
                both[is_ours(name, area, written)].append(Region(name, box))
    return tuple(both[0]), tuple(both[1]), is_other_shape(stored, applied)


def _texts(rdf: Element, name: tuple[str, str]) -> tuple[str, ...] | None:
    values = texts(rdf, name)
    return None if values is None else tuple(dict.fromkeys(value for value in values if value.strip()))


def _tags(packets: Sequence[Element]) -> tuple[tuple[str, ...], ...]:
    """The tags of all hierarchies, each from the first packet that has it; those that agree once."""
    tags: dict[tuple[str, ...], None] = {}
    for hierarchy in HIERARCHIES:
        for rdf in packets:
            values = _texts(rdf, hierarchy.name)
            if values is not None:
                tags.update(dict.fromkeys(tuple(value.split(hierarchy.sign)) for value in values))
                break
    return tuple(tags)
