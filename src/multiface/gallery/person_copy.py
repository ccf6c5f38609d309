"""Everything that a gallery keeps of one person, as a ZIP file to hand out: facts, vectors, pictures, where and when.

`person.json` holds the facts: the person, templates, faces in the album (without the server's folders), events
of cameras, and changes.
`templates.npy` is float32 (t, d), in the order of the templates; `faces.npy` the vectors of the faces that have one.
`templates/ID.jpg` and `faces/ID.jpg` are the small pictures that are kept.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np

from multiface.arrays import Floats
from multiface.gallery import album_faces, album_pictures, changes, people_rows, template_rows
from multiface.gallery.gallery import Gallery
from multiface.gallery.service import camera_events
from multiface.gallery.sql import Connection
from multiface.json_text import document_of

Document = dict[str, Any]


def person_copy(gallery: Gallery, who: str) -> bytes:
    """The ZIP file. who: a name or an id. Raises GalleryError, AmbiguousName as `Gallery.person`."""
    content = io.BytesIO()
    with (
        gallery.database.reading() as connection,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        person = people_rows.found(connection, who, gallery.place)
        templates = template_rows.templates(connection, person.number, gallery.origin)
        faces = _faces(connection, person.number)
        facts = {
            "person": person.id,
            **{name: value for name, value in document_of(person).items() if name not in ("id", "number")},
            "vectors": document_of(gallery.origin),
            "templates": [
                {
                    "template": one.id,
                    "source": _last_part(one.source),
                    "sha256": one.source_digest,
                    "added": one.added,
                    **document_of(one.facts),
                }
                for one in templates
            ],
            "faces": [document for document, _ in faces],
            "camera_events": [one.document() for one in camera_events.of_person(connection, person.number)],
            "changes": [
                {"change": one.id, "made": one.made, "kind": one.kind, "undone": one.undone}
                for one in changes.changes(connection, 1 << 31, person.id)
            ],
        }
        archive.writestr("person.json", json.dumps(facts, ensure_ascii=False, indent=1))
        archive.writestr("templates.npy", _array([one.vector for one in templates], gallery.origin.dimension))
        vectors = [vector for _, vector in faces if vector is not None]
        archive.writestr("faces.npy", _array(vectors, gallery.origin.dimension))
        for template in templates:
            crop = template_rows.crop(connection, template.id)
            if crop is not None:
                archive.writestr(f"templates/{template.id}.jpg", crop.picture)
        for document, _ in faces:
            picture = album_faces.crop_of(connection, document["face"])
            if picture is not None:
                archive.writestr(f"faces/{document['face']}.jpg", picture)
    return content.getvalue()


def _faces(connection: Connection, person: int) -> list[tuple[Document, Floats | None]]:
    found: list[tuple[Document, Floats | None]] = []
    ids = album_faces.of_person(connection, person)
    faces = [face for face in (album_faces.face(connection, number) for number in ids) if face is not None]
    taken = album_faces.taken(connection, {face.picture for face in faces})
    places = album_pictures.places(connection, {face.picture for face in faces})
    for face in faces:
        vector = album_faces.vector_of(connection, face.id)
        document: Document = {
            "face": face.id,
            "photo": face.picture,
            "taken": taken[face.picture][0],
            "files": sorted({_last_part(path) for path in places.get(face.picture, ())}),
            "box": list(face.box),
            "seconds": face.seconds,
            "by_hand": face.standing.by_hand,
            "has_vector": vector is not None,
        }
        found.append((document, vector))
    return found


def _array(vectors: list[Floats], dimension: int) -> bytes:
    content = io.BytesIO()
    array = np.stack(vectors) if vectors else np.zeros((0, dimension), np.float32)
    np.lib.format.write_array(content, array.astype("<f4"), allow_pickle=False)
    return content.getvalue()


def _last_part(path: str) -> str:
    """Without the folders."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path
