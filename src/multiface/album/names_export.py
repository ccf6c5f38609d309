"""The names of an album for other programs: an XMP sidecar beside each photo that shows somebody known.

Only what is certain enough for a name is written, and what somebody said by hand. A face that others have named
differently in the sidecar keeps their name. Films get no sidecar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from multiface.album.questions import Hit
from multiface.album.xmp import Region, Stored, embed_xmp, write_sidecar
from multiface.album.xmp.people import with_people
from multiface.album.xmp.sidecars import sidecars
from multiface.errors import MultifaceError, UsageError
from multiface.images.header import read_header
from multiface.images.path_text import path_of_text, path_text
from multiface.progress import Progress


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What `Album.export_names` did.

    written: photos or sidecars that say something new. unchanged: those that said so already. kept: names that were not
    written, since others have named the face differently: the photo and the name. failed: photos and why.
    """

    written: int
    unchanged: int
    kept: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]


def export_names(
    hits: Sequence[Hit], *, into_pictures: bool = False, progress: Progress | None = None
) -> ExportReport:
    """Write the names in these photos, beside each of their files; photos of nobody only where we wrote before."""
    written = unchanged = 0
    kept, failed = list[tuple[str, str]](), list[tuple[str, str]]()
    photos = [(path_of_text(path), hit) for hit in hits if not hit.film for path in hit.paths]
    for done, (path, hit) in enumerate(photos):
        if progress is not None:
            progress(done, len(photos))
        regions = _regions(hit)
        try:
            if not regions and not into_pictures and not sidecars(path):
                continue
            changed, left_out = _embedded(path, regions) if into_pictures else _beside(path, regions)
        except MultifaceError as error:
            where = path_text(path)
            failed.append((where, str(error).removeprefix(f"{where}:").strip()))
            continue
        written += changed
        unchanged += not changed
        kept += [(path_text(path), region.name or "") for region in left_out]
    return ExportReport(written, unchanged, tuple(kept), tuple(failed))


def _regions(hit: Hit) -> list[Region]:
    """The named faces, as far as they lie in the photo; detectors may see a little beyond its edge."""
    regions = []
    for face in hit.faces:
        x0, y0, x1, y1 = face.box
        box = (max(0.0, x0), max(0.0, y0), min(float(hit.width), x1), min(float(hit.height), y1))
        if face.name is not None and not face.ignored and box[0] < box[2] and box[1] < box[3]:
            regions.append(Region(face.name, box))
    return regions


def _beside(path: Path, regions: Sequence[Region]) -> tuple[bool, tuple[Region, ...]]:
    result = write_sidecar(path, regions)
    return result.changed, result.left_out


def _embedded(path: Path, regions: Sequence[Region]) -> tuple[bool, tuple[Region, ...]]:
    header = read_header(path)
    if header.xmp is None and not regions:
        return False, ()
    stored = Stored(header.width, header.height, header.orientation)
    people = with_people(header.xmp, regions, stored, str(path))
    if people.changed and not embed_xmp(path, people.packet):
        raise UsageError(f"{path}: nothing was written", path=path)
    return people.changed, people.left_out
