"""The picture by which a person is shown, in SQL."""

from multiface.gallery.sql import Connection

_COVER = """
    SELECT crop.picture FROM crop JOIN template ON template.id = crop.template_id
    JOIN person ON person.id = template.person_id
    WHERE person.public_id = ? ORDER BY (person.cover = template.id) DESC, template.id LIMIT 1
"""
_BEST_FACE = """
    SELECT album_face.crop FROM album_face JOIN person ON person.id = album_face.person_id
    WHERE person.public_id = ? AND album_face.crop IS NOT NULL
        AND EXISTS (SELECT 1 FROM album_file WHERE album_file.picture_id = album_face.picture_id)
    ORDER BY album_face.quality DESC LIMIT 1
"""


def cover_of(connection: Connection, person: str) -> bytes | None:
    """The crop of the person's cover, or of the first template that has one, or of the best face in the album.

    person: the id. None where no crop is kept.
    """
    for sql in (_COVER, _BEST_FACE):
        row = connection.execute(sql, (person,)).fetchone()
        if row is not None:
            return bytes(row[0])
    return None
