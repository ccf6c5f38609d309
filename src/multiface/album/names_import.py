"""Names that other programs gave to faces in photos (XMP regions): they become hand work of the album.

A region is the face that it overlaps; where none was found, the region is drawn. What MultiFace wrote itself is no
news. A face that somebody has named in the album keeps that name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from multiface.album.questions import Hit, HitFace
from multiface.album.xmp import Region, read_regions
from multiface.errors import MultifaceError, UsageError
from multiface.gallery.names import clean_name
from multiface.images.box import Box, overlap
from multiface.images.path_text import path_of_text, path_text
from multiface.progress import Progress

_SAME = 0.25
"""Intersection over union: regions are often drawn around the whole head."""
_COPY = 0.9
"""Intersection over union of one region in two copies of a photo."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What `Album.import_names` did.

    named: faces that have the name now. known: those that had it by hand. drawn: regions without a face of ours.
    people: names that were new. kept: faces that somebody has named otherwise here: the photo, their name, the name
    here. failed: photos and why.
    """

    named: int
    known: int
    drawn: int
    people: tuple[str, ...]
    kept: tuple[tuple[str, str, str], ...]
    failed: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Found:
    """What the photos say. named: faces by name. regions: drawn ones, (photo, box, name)."""

    named: dict[str, list[int]] = field(default_factory=dict)
    regions: list[tuple[Path, Box, str]] = field(default_factory=list)
    known: int = 0
    kept: list[tuple[str, str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def names_in(hits: Sequence[Hit], progress: Progress | None = None) -> Found:
    """What other programs say of these photos."""
    found = Found()
    for done, hit in enumerate(hits):
        if progress is not None:
            progress(done, len(hits))
        if hit.film:
            continue
        photo = _Photo(hit)
        for path in hit.paths:
            try:
                regions = read_regions(path_of_text(path)).regions
            except MultifaceError as error:
                found.failed.append((path, str(error).removeprefix(f"{path}:").strip()))
                continue
            taken = set[int]()
            for region in regions:
                _sort_in(found, path_of_text(path), photo, region, taken)
    return found


@dataclass(frozen=True, slots=True)
class _Photo:
    """What the files of a photo, of which there may be copies, have said so far: names by face, and drawn regions."""

    hit: Hit
    names: dict[int, str] = field(default_factory=dict)
    regions: list[tuple[Box, str]] = field(default_factory=list)

    def shows(self, name: str, face: HitFace | None) -> bool:
        """Whether another face of the photo has the name by hand, or gets it."""
        by_hand = {one.id: one.name or "" for one in self.hit.faces if one.by_hand and one.name is not None}
        others = {number for number, other in {**self.names, **by_hand}.items() if other == name}
        return bool(others - {-1 if face is None else face.id}) or name in (
            other for _, other in self.regions
        )


def _sort_in(found: Found, path: Path, photo: _Photo, region: Region, taken: set[int]) -> None:
    try:
        name = clean_name(region.name or "")
    except UsageError:
        return
    face = _face_at(photo.hit, region.box, taken)
    if face is not None:
        taken.add(face.id)
    if face is None and any(overlap(box, region.box) >= _COPY for box, _ in photo.regions):
        return  # a copy of the photo said so
    if face is not None and face.by_hand and face.name == name:
        found.known += 1
    elif face is not None and face.by_hand and face.name is not None:
        found.kept.append((path_text(path), name, face.name))
    elif photo.shows(name, face):
        found.failed.append(
            (path_text(path), f"{name} is on two faces, and one person cannot be two faces in a photo")
        )
    elif face is None:
        photo.regions.append((region.box, name))
        found.regions.append((path, region.box, name))
    elif photo.names.setdefault(face.id, name) == name:
        if face.id not in found.named.setdefault(name, []):
            found.named[name].append(face.id)
    else:
        found.kept.append((path_text(path), name, photo.names[face.id]))


def _face_at(hit: Hit, box: Box, taken: set[int]) -> HitFace | None:
    """The face that a region shows: the one it overlaps most."""
    best = max(
        (face for face in hit.faces if face.id not in taken),
        key=lambda face: overlap(face.box, box),
        default=None,
    )
    return best if best is not None and overlap(best.box, box) >= _SAME else None


def take_up(
    found: Found,
    name_faces: Callable[[Sequence[int], str], object],
    draw: Callable[[Path, Box, str], object],
) -> tuple[int, int]:
    """Name the faces and draw the regions; how many of each. What fails is told, the rest is done."""
    named = drawn = 0
    for name, faces in found.named.items():
        try:
            name_faces(faces, name)
            named += len(faces)
        except MultifaceError as error:
            found.failed.append((name, str(error)))
    for path, box, name in found.regions:
        try:
            draw(path, box, name)
            drawn += 1
        except MultifaceError as error:
            found.failed.append((path_text(path), str(error)))
    return named, drawn
