"""A gallery that is being embedded again with other weights, in SQL, inside the caller's transaction.

`reembedding` has one row while that goes on: whose vectors are being made. They wait in `reembedded_template`,
`reembedded_face` (of the album) and `reembedded_stranger`, where no search looks, and go away with their template, face
or stranger. `take_over` puts them in the place of the old ones.
"""

import hashlib
from dataclasses import dataclass

from multiface.arrays import Floats, vector_bytes, vector_from
from multiface.gallery import (
    album_faces,
    album_strangers,
    changes,
    origin_rows,
    stranger_rows,
    template_rows,
)
from multiface.gallery.clock import utc_now
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import Crop, PictureFacts, VectorOrigin
from multiface.gallery.sql import Connection
from multiface.gallery.stranger_rows import View


@dataclass(frozen=True, slots=True)
class Reembedding:
    """How far a gallery is that is being embedded again.

    origin: whose vectors are being made. started: UTC, ISO. templates, faces (of the album), strangers: how many have a
    new vector. total: how many there are of all three that have a vector.
    """

    origin: VectorOrigin
    started: str
    templates: int
    faces: int
    strangers: int
    total: int

    @property
    def done(self) -> int:
        """How many have a new vector."""
        return self.templates + self.faces + self.strangers


@dataclass(frozen=True, slots=True)
class OldFace:
    """A face of the album that has no new vector yet.

    facts: where it is in its picture; None in a film. crop: as is kept of it.
    """

    id: int
    facts: PictureFacts | None
    crop: Crop | None


@dataclass(frozen=True, slots=True)
class OldTemplate:
    """A template that has no new vector yet.

    digest: sha256 of its picture. person, name: the id and name of who has it. source, facts: as in
    `contents.Template`.
    """

    id: int
    digest: str
    person: str
    name: str
    source: str
    facts: PictureFacts


def being_made(connection: Connection) -> VectorOrigin | None:
    """Whose vectors are being made; None where nothing is under way."""
    row = connection.execute(
        "SELECT fingerprint, weights, detector, dimension, flip FROM reembedding"
    ).fetchone()
    try:
        return None if row is None else origin_rows.origin_of(row)
    except (TypeError, ValueError) as error:
        raise BadContent("it is damaged: what it is being embedded again with cannot be read") from error


def state(connection: Connection) -> Reembedding | None:
    """How far it is; None where nothing is under way."""
    origin = being_made(connection)
    if origin is None:
        return None
    (started,) = connection.execute("SELECT started FROM reembedding").fetchone()
    counts = connection.execute(
        """
        SELECT (SELECT count(*) FROM reembedded_template), (SELECT count(*) FROM reembedded_face),
            (SELECT count(*) FROM reembedded_stranger),
            (SELECT count(*) FROM template) + (SELECT count(*) FROM album_face WHERE vector IS NOT NULL)
                + (SELECT count(*) FROM stranger)
        """
    ).fetchone()
    return Reembedding(origin, str(started), *map(int, counts))


def begin(connection: Connection, origin: VectorOrigin) -> None:
    """Write down that vectors of this origin are being made."""
    connection.execute(
        """
        INSERT INTO reembedding (id, fingerprint, weights, detector, dimension, flip, started)
        VALUES (1, ?, ?, ?, ?, ?, ?)
        """,
        (*origin_rows.values(origin), utc_now()),
    )


def end(connection: Connection) -> None:
    """Forget all new vectors, and that they were being made."""
    for table in ("reembedded_template", "reembedded_face", "reembedded_stranger", "reembedding"):
        connection.execute(f"DELETE FROM {table}")


def waiting_templates(connection: Connection) -> dict[int, str]:
    """The ids of templates without a new vector, rising, and the digests of their pictures."""
    rows = connection.execute(
        """
        SELECT template.id, template.source_digest
        FROM template LEFT JOIN reembedded_template ON reembedded_template.template_id = template.id
        WHERE reembedded_template.template_id IS NULL ORDER BY template.id
        """
    )
    return {int(number): str(digest) for number, digest in rows.fetchall()}


def waiting_faces(connection: Connection) -> dict[int, str]:
    """The ids of faces of the album with an old vector and no new one, and the digests of their pictures."""
    rows = connection.execute(
        """
        SELECT album_face.id, album_picture.digest
        FROM album_face JOIN album_picture ON album_picture.id = album_face.picture_id
            LEFT JOIN reembedded_face ON reembedded_face.face_id = album_face.id
        WHERE album_face.vector IS NOT NULL AND reembedded_face.face_id IS NULL ORDER BY album_face.id
        """
    )
    return {int(number): str(digest) for number, digest in rows.fetchall()}


def waiting_strangers(connection: Connection) -> dict[int, str]:
    """The numbers of strangers without a new vector of the picture they have now, and the sha256 of that picture."""
    rows = connection.execute(
        """
        SELECT stranger.id, picture, picture_digest
        FROM stranger LEFT JOIN reembedded_stranger ON reembedded_stranger.stranger_id = stranger.id
        ORDER BY stranger.id
        """
    )
    digests = ((int(number), hashlib.sha256(picture).hexdigest(), made) for number, picture, made in rows)
    return {number: digest for number, digest, made in digests if digest != made}


def old_template(connection: Connection, number: int) -> OldTemplate | None:
    """The template of this id; None where it was removed."""
    row = connection.execute(
        f"""
        SELECT template.id, source_digest, public_id, name, source, {template_rows.FACTS}
        FROM template JOIN person ON person.id = template.person_id WHERE template.id = ?
        """,
        (number,),
    ).fetchone()
    if row is None:
        return None
    number, digest, person, name, source, *facts = row
    return OldTemplate(
        int(number), str(digest), str(person), str(name), str(source), template_rows.facts_of(facts)
    )


def old_face(connection: Connection, number: int) -> OldFace | None:
    """The face of the album of this id; None where it is gone."""
    row = connection.execute(
        """
        SELECT width, height, x0, y0, x1, y1, score, film, drawn, crop
        FROM album_face JOIN album_picture ON album_picture.id = album_face.picture_id WHERE album_face.id = ?
        """,
        (number,),
    ).fetchone()
    if row is None:
        return None
    width, height, x0, y0, x1, y1, score, film, drawn, crop = row
    box = (float(x0), float(y0), float(x1), float(y1))
    facts = None if film else PictureFacts(int(width), int(height), box, float(score), "", 0, 1)
    return OldFace(number, facts, None if not crop else Crop(bytes(crop), aligned=not drawn))


def known_places(connection: Connection, digest: str) -> list[tuple[str, str]]:
    """Folders and paths in them where a picture of this content was when they were imported or scanned last."""
    rows = connection.execute(
        """
        SELECT folder, path FROM folder_picture WHERE digest = ?
        UNION
        SELECT folder, name FROM album_file JOIN album_picture ON album_picture.id = album_file.picture_id
        WHERE digest = ? ORDER BY 1, 2
        """,
        (digest, digest),
    )
    return [(str(folder), str(path)) for folder, path in rows.fetchall()]


def keep_template(connection: Connection, number: int, vector: Floats, *, from_crop: bool) -> None:
    """Keep the new vector of a template, unless the template was removed. from_crop: made of its crop."""
    if template_rows.person_of(connection, number) is not None:
        connection.execute(
            """
            INSERT INTO reembedded_template (template_id, vector, from_crop) VALUES (?, ?, ?)
            ON CONFLICT (template_id) DO UPDATE SET vector = excluded.vector, from_crop = excluded.from_crop
            """,
            (number, vector_bytes(vector), int(from_crop)),
        )


def made_from_crops(connection: Connection) -> int:
    """How many of the new vectors of templates were made of crops."""
    (count,) = connection.execute("SELECT count(*) FROM reembedded_template WHERE from_crop = 1").fetchone()
    return int(count)


def forget_made_from_crops(connection: Connection) -> None:
    """Forget the new vectors that were made of crops, where the pictures may be found now."""
    connection.execute("DELETE FROM reembedded_template WHERE from_crop = 1")


def keep_face(connection: Connection, number: int, vector: Floats) -> None:
    """Keep the new vector of a face of the album, unless the face is gone."""
    if album_faces.face(connection, number) is not None:
        connection.execute(
            """
            INSERT INTO reembedded_face (face_id, vector) VALUES (?, ?)
            ON CONFLICT (face_id) DO UPDATE SET vector = excluded.vector
            """,
            (number, vector_bytes(vector)),
        )


def vector_in_album(connection: Connection, stranger: int) -> Floats | None:
    """The new vector of a stranger's best face in the album; None where there is none."""
    row = connection.execute(
        """
        SELECT reembedded_face.vector FROM album_face JOIN reembedded_face ON face_id = album_face.id
        WHERE stranger_id = ? ORDER BY quality DESC, album_face.id LIMIT 1
        """,
        (stranger,),
    ).fetchone()
    return None if row is None else vector_from(bytes(row[0]))


def keep_stranger(
    connection: Connection, number: int, digest: str, size: tuple[int, int], vector: Floats
) -> None:
    """Keep the new vector of a stranger, made from the picture of this sha256, unless the stranger was removed.

    size: width and height of the picture.
    """
    if stranger_rows.stranger(connection, number) is not None:
        connection.execute(
            """
            INSERT INTO reembedded_stranger (stranger_id, picture_digest, width, height, vector) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (stranger_id) DO UPDATE SET picture_digest = excluded.picture_digest,
                width = excluded.width, height = excluded.height, vector = excluded.vector
            """,
            (number, digest, *size, vector_bytes(vector)),
        )


def take_over(connection: Connection, origin: VectorOrigin) -> None:
    """Put the new vectors in the place of the old ones. Every template and stranger must have one.

    A stranger has one vector then. Faces of the album without a new one have none, and all are decided anew. What was
    kept with changes to undo them goes, as it holds old vectors.
    """
    connection.execute(
        """
        UPDATE template SET vector = reembedded_template.vector
        FROM reembedded_template WHERE reembedded_template.template_id = template.id
        """
    )
    connection.execute("UPDATE album_face SET vector = NULL")
    connection.execute(
        """
        UPDATE album_face SET vector = reembedded_face.vector
        FROM reembedded_face WHERE reembedded_face.face_id = album_face.id
        """
    )
    album_strangers.stale(connection)
    connection.execute("DELETE FROM stranger_view")
    rows = connection.execute(
        "SELECT stranger_id, picture_digest, width, height, vector FROM reembedded_stranger ORDER BY stranger_id"
    ).fetchall()
    for number, digest, width, height, vector in rows:
        known = stranger_rows.stranger(connection, number)
        assert known is not None  # the new vector goes away with the stranger
        view = View(vector_from(vector), 0.0, known.quality, digest, width, height, known.last_seen)
        stranger_rows.add_view(connection, number, view, origin)
    origin_rows.replace_origin(connection, origin)
    changes.forget_vectors(connection)
    end(connection)
