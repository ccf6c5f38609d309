"""A face that was not found, drawn by hand into a photo of the album."""

from pathlib import Path

import numpy as np

from multiface.arrays import Floats
from multiface.errors import GalleryConflict, NotInGallery, UsageError
from multiface.faces.analysis import Analyser
from multiface.gallery import Gallery, album_faces, album_pictures, changes
from multiface.gallery.album_faces import NewFace
from multiface.gallery.contents import CROP_SIDE
from multiface.images import load_picture
from multiface.images.box import Box, overlap
from multiface.images.jpeg import jpeg_bytes
from multiface.images.path_text import path_text
from multiface.plain_number import plain_number
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.recognition.picture_faults import picture_faults

_AROUND = 1.0
"""So many widths around the box are searched: detectors need to see what is around a face."""
_INSIDE = 0.2
"""Intersection over union above which a face that was found is the one that was drawn."""


def mark_face(gallery: Gallery, analyser: Analyser, threshold: GalleryThreshold, path: Path, box: Box) -> int:
    """Write a drawn face down; its id. See `Album.mark`."""
    x0, y0, x1, y1 = (plain_number(side, "a side of the box") for side in box)
    image = load_picture(path)
    height, width = image.shape[:2]
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise UsageError(
            f"{path_text(path)}: the box {x0:g}, {y0:g}, {x1:g}, {y1:g} is not in {width} x {height}",
            path=path,
        )
    margin = _AROUND * max(x1 - x0, y1 - y0)
    left, top = int(max(0, x0 - margin)), int(max(0, y0 - margin))
    part = np.ascontiguousarray(image[top : int(np.ceil(y1 + margin)), left : int(np.ceil(x1 + margin))])
    analysis = analyser.analyse([part])[0]
    drawn = image[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))]
    crop = jpeg_bytes(np.ascontiguousarray(drawn), CROP_SIDE)
    new = NewFace((x0, y0, x1, y1), None, 1.0, 0.0, "drawn by hand", True, None, crop, True)
    inside = _inside(analysis.faces.boxes + np.array([left, top, left, top], np.float32), (x0, y0, x1, y1))
    if inside is not None:
        fault = picture_faults(threshold.calibration.limits, analysis.quality)[inside]
        new = NewFace(
            new.box,
            None,
            float(analysis.faces.scores[inside]),
            float(analysis.quality.norm[inside]),
            None if fault is None else fault.words,
            fault is not None and fault.alone,
            analysis.embeddings[inside],
            new.crop,
            True,
        )
    with gallery.database.writing() as connection:
        picture = album_pictures.picture_at(
            connection, path_text(path.resolve().parent), path_text(path.name)
        )
        if picture is None:
            raise NotInGallery(
                f"{path_text(path)}: is not in the album",
                hint=f"`multiface album scan {path_text(path.parent)}` adds it",
                path=path,
            )
        for face in album_faces.faces_of(connection, [picture]).get(picture, ()):
            if face.box == new.box:
                raise GalleryConflict(
                    f"{path_text(path)}: this face is in the album already, as face {face.id}", path=path
                )
        number = album_faces.add_face(connection, picture, new, gallery.origin)
        facts = {
            "did": "mark", "faces": [], "templates": [], "made": [], "not": [], "strangers": [], "removed": [],
            "drawn": [number],
        }  # fmt: skip
        changes.record(connection, "album", [], facts)
    return number


def _inside(boxes: Floats, box: Box) -> int | None:
    """The face that is most in the box, by overlap; None where none is. boxes: float32 (n, 4)."""
    shares = [overlap((one[0], one[1], one[2], one[3]), box) for one in boxes.tolist()]
    best = max(range(len(shares)), key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] > _INSIDE else None
