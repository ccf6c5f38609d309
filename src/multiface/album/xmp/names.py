"""The namespaces and properties of XMP that say who is in a picture. All addresses are names, nothing is fetched.

Sources: MWG "Guidelines for handling image metadata" 2.0, 5.9; IPTC Photo Metadata; Microsoft's "People Tagging
Overview"; ExifTool's tables; what digiKam (`dmetadata_tags.cpp`, `dmetadata_faces.cpp`) reads and writes.
"""

from typing import NamedTuple

MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
ST_AREA = "http://ns.adobe.com/xmp/sType/Area#"
ST_DIM = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
MP = "http://ns.microsoft.com/photo/1.2/"
MPRI = "http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
MPREG = "http://ns.microsoft.com/photo/1.2/t/Region#"
DC = "http://purl.org/dc/elements/1.1/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
MICROSOFT = "http://ns.microsoft.com/photo/1.0/"
ALSO_KNOWN_AS = {"http://ns.microsoft.com/photo/1.0": MICROSOFT}
"""ExifTool writes Microsoft's address without the slash that Windows and digiKam end it with."""
OURS = "urn:multiface:xmp/"
"""Ends in a slash, as exiv2 wants of each namespace."""

PREFIXES = {
    MWG: "mwg-rs",
    ST_AREA: "stArea",
    ST_DIM: "stDim",
    DC: "dc",
    IPTC_EXT: "Iptc4xmpExt",
    DIGIKAM: "digiKam",
    LIGHTROOM: "lr",
    MICROSOFT: "MicrosoftPhoto",
    OURS: "multiface",
}
"""As everybody writes them."""

REGIONS = (MWG, "Regions")
MS_REGIONS = (MP, "RegionInfo")
SUBJECT = (DC, "subject")
PERSONS = (IPTC_EXT, "PersonInImage")
WRITTEN = (OURS, "Written")
"""What MultiFace has put into the packet: an array of texts, the property's name and a space before each value."""

PEOPLE = "People"
"""The tag under which digiKam keeps people."""


class Hierarchy(NamedTuple):
    """An array of tags with the tags above them. kind: of the array. sign: between a tag and the one below it."""

    name: tuple[str, str]
    kind: str
    sign: str


HIERARCHIES = (
    Hierarchy((DIGIKAM, "TagsList"), "Seq", "/"),
    Hierarchy((MICROSOFT, "LastKeywordXMP"), "Bag", "/"),
    Hierarchy((LIGHTROOM, "hierarchicalSubject"), "Bag", "|"),
)
