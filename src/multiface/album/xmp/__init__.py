"""Names of people in photos as XMP, as other programs write and read them."""

from multiface.album.xmp.embedding import embed_xmp
from multiface.album.xmp.reading import PictureXmp, read_regions
from multiface.album.xmp.regions import Region, Stored
from multiface.album.xmp.writing import WrittenSidecar, write_sidecar

__all__ = [
    "PictureXmp",
    "Region",
    "Stored",
    "WrittenSidecar",
    "embed_xmp",
    "read_regions",
    "write_sidecar",
]
