"""What somebody says of faces in an album: who it is, who not, what belongs together. It lasts, and can be undone.

Each function is one transaction with one row in the change log; `refresh` decides the rest anew afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multiface.arrays import Floats, vector_bytes
from multiface.errors import GalleryConflict, NotInGallery, UsageError
from multiface.gallery import (
    Crop,
    Gallery,
    NewTemplate,
    Person,
    PictureFacts,
    album_faces,
    album_pictures,
    album_strangers,
    changes,
    people_rows,
    stranger_rows,
    template_rows,
)
from multiface.gallery.album_faces import AlbumFace, Standing
from multiface.gallery.album_strangers import KEPT, AlbumStranger
from multiface.gallery.album_views import view_digest
from multiface.gallery.clock import utc_now
from multiface.gallery.names import clean_name
from multiface.gallery.person_ids import is_id
from multiface.gallery.sql import Connection
from multiface.json_text import document_of


def name_faces(gallery: Gallery, faces: Sequence[int], who: str, another: bool = False) -> Person:
    """Say who some faces show; those that are good enough become templates of the person, who is made if need be.

    who: a name or an id. another: make another person of this name even if somebody has it. Raises GalleryError if
    there is no such face or id, or another face of the same photo is this person by hand.
    """
    by_id = is_id(who.strip())
    name = who.strip() if by_id else clean_name(who)
    with gallery.database.writing() as connection:
        found = [_face(gallery, connection, number) for number in faces]
        if by_id:
            known: Person | None = people_rows.found(connection, name, gallery.place)
        else:
            known = None if another else people_rows.one_of_name(connection, name, gallery.place)
        person = known or people_rows.add_person(connection, name)
        before = album_strangers.before(connection, faces)
        templates, unbarred, removed = list[int](), list[list[int | str]](), list[_Removed]()
        for face, (_, owner, _, by_hand, _) in zip(found, before, strict=True):
            album_faces.refuse_twice(connection, face, person.number, person.name, gallery.place)
            if (
                owner is not None and by_hand and owner != person.id
            ):  # what was made of the face for another goes
                other = people_rows.found(connection, str(owner), gallery.place)
                removed += _remove_templates(gallery, connection, face, other)
            new = _template(gallery, connection, face)
            if new is not None:
                templates += template_rows.add_new_templates(connection, person, [new], gallery.origin)
            if album_faces.unbar(connection, face.id, person.number):
                unbarred.append([face.id, person.id])
            album_faces.set_standing(connection, face.id, Standing(person=person.number, by_hand=True))
        made = [] if known else [person.id]
        _record(connection, "name", [person.id], before, templates, made, removed=removed, unbarred=unbarred)
    return person


def drop_drawn(gallery: Gallery, face: int) -> None:
    """Take back a face that was drawn just now, as if it had never been."""
    with gallery.database.writing() as connection:
        album_faces.drop(connection, face)
        drawn = (one for one in changes.changes(connection, 10) if one.facts.get("drawn") == [face])
        for change in drawn:
            changes.forget(connection, change.id)


def not_person(gallery: Gallery, faces: Sequence[int], who: str) -> None:
    """Say that faces are not a person's, for ever; templates that were made of them go."""
    with gallery.database.writing() as connection:
        found = [_face(gallery, connection, number) for number in sorted(set(faces))]
        person = people_rows.found(connection, who, gallery.place)
        before = album_strangers.before(connection, [face.id for face in found])
        barred, removed = list[list[int | str]](), list[_Removed]()
        for face in found:
            if album_faces.bar(connection, face.id, person.number):
                barred.append([face.id, person.id])
            removed += _remove_templates(gallery, connection, face, person)
            if face.standing.person == person.number:
                album_faces.set_standing(connection, face.id, Standing())
        _record(connection, "not", [person.id], before, [], [], barred, removed=removed)


def merge_groups(gallery: Gallery, into: int, from_: int) -> None:
    """Say that two groups of unknown faces are one person; the first keeps its number."""
    if into == from_:
        raise UsageError(f"merge: group {into} cannot be merged with itself", hint="give two groups")
    with gallery.database.writing() as connection:
        groups = [_group(gallery, connection, number) for number in (into, from_)]
        both = [album_faces.faces_of_stranger(connection, number) for number in (into, from_)]
        _refuse_one_photo(gallery, both[0], both[1])
        faces = [face.id for faces in both for face in faces]
        before = album_strangers.before(connection, faces)
        for face in faces:
            album_faces.set_standing(connection, face, Standing(stranger=into, by_hand=True))
        _record(connection, "merge", [], before, [], [], strangers=groups)


def split_faces(gallery: Gallery, faces: Sequence[int]) -> int:
    """Say that some faces of a group are another person than the rest; the number of the new group."""
    with gallery.database.writing() as connection:
        found = [_face(gallery, connection, number) for number in faces]
        groups = {face.standing.stranger for face in found}
        (group,) = groups if len(groups) == 1 else (None,)
        if not found or group is None:
            raise UsageError(
                "split: name faces of one group", hint="`multiface album people` shows groups and faces"
            )
        own = _group(gallery, connection, group)
        everything = [face.id for face in album_faces.faces_of_stranger(connection, group)]
        rest = sorted(set(everything) - set(faces))
        if not rest:
            raise UsageError(f"split: these are all faces of group {group}")
        before = album_strangers.before(connection, everything)
        now = utc_now()
        crop = album_faces.crop_of(connection, found[0].id) or b""
        number = stranger_rows.add_stranger(connection, now, KEPT, 0.0, crop)
        album_strangers.put(connection, AlbumStranger(number, True, False))
        for face in rest:
            album_faces.set_standing(connection, face, Standing(stranger=group, by_hand=True))
        for face in faces:
            album_faces.set_standing(connection, face, Standing(stranger=number, by_hand=True))
        _record(connection, "split", [], before, [], [], strangers=[own])
    return number


def ignore(
    gallery: Gallery, *, groups: Sequence[int] = (), faces: Sequence[int] = (), ignored: bool = True
) -> None:
    """Say that groups of unknown faces and their new photos, or single faces, are of no interest; or that they are."""
    with gallery.database.writing() as connection:
        strangers = [_group(gallery, connection, number) for number in groups]
        found = [_face(gallery, connection, number) for number in faces]
        found = [face for face in found if face.standing.ignored != ignored]
        before = album_strangers.before(connection, [face.id for face in found])
        for one in strangers:
            album_strangers.put(connection, AlbumStranger(one.number, one.made, ignored))
        for face in found:
            album_faces.set_standing(connection, face.id, Standing(by_hand=ignored, ignored=ignored))
        _record(connection, "ignore", [], before, [], [], strangers=strangers)


def _record(
    connection: Connection,
    did: str,
    people: Sequence[str],
    before: album_strangers.Before,
    templates: Sequence[int],
    made: Sequence[str],
    barred: Sequence[Sequence[int | str]] = (),
    strangers: Sequence[AlbumStranger] = (),
    removed: Sequence["_Removed"] = (),
    unbarred: Sequence[Sequence[int | str]] = (),
) -> None:
    """Write the change down, and which faces have to be decided anew: also those that stay in the groups."""
    about = {str(row[1]) for row in before if row[1] is not None} | set(people)
    about |= {str(one.facts["person"]) for one in removed}
    facts = {
        "did": did,
        "faces": before,
        "templates": list(templates),
        "made": list(made),
        "not": [list(one) for one in barred],
        "strangers": [[one.number, one.made, one.ignored] for one in strangers],
        "removed": [one.facts for one in removed],
        "unbarred": [list(one) for one in unbarred],
    }
    changes.record(connection, "album", about, facts, [one.vector for one in removed])
    groups = {int(row[2]) for row in before if row[2] is not None}
    left = [face.id for group in groups for face in album_faces.faces_of_stranger(connection, group)]
    album_strangers.changed_by_hand(connection, [*(int(str(row[0])) for row in before), *left])


@dataclass(frozen=True, slots=True)
class _Removed:
    """A template that was removed: what bringing it back needs, and the vector's bytes."""

    facts: changes.Facts
    vector: bytes


def _face(gallery: Gallery, connection: Connection, number: int) -> AlbumFace:
    found = album_faces.face(connection, number)
    if found is None:
        raise NotInGallery(
            f"{gallery.place}: there is no face {number} in the album",
            hint="`multiface album find --json` shows the numbers",
        )
    return found


def _group(gallery: Gallery, connection: Connection, number: int) -> AlbumStranger:
    found = album_strangers.all_of_them(connection).get(number)
    if found is None:
        raise NotInGallery(
            f"{gallery.place}: there is no group {number} in the album",
            hint="`multiface album people` lists them",
        )
    return found


def _template(gallery: Gallery, connection: Connection, face: AlbumFace) -> NewTemplate | None:
    """A face as a template; None for one that is too poor to compare with."""
    vector = album_faces.vector_of(connection, face.id)
    if vector is None or face.fault is not None:
        return None
    width, height = album_pictures.size_of(connection, face.picture)
    facts = PictureFacts(width, height, face.box, 1.0, gallery.origin.detector, 0, 1)
    kept = album_faces.crop_of(connection, face.id)
    crop = None if kept is None else Crop(kept, aligned=not face.drawn)
    return NewTemplate(vector, _digest(connection, face, vector), f"face {face.id} of the album", facts, crop)


def _digest(connection: Connection, face: AlbumFace, vector: Floats) -> str:
    """Of a photo the file's, as for pictures that are enrolled; a film has many faces in one place."""
    if face.seconds is None:
        return album_pictures.digest_of(connection, face.picture)
    return view_digest(album_faces.crop_of(connection, face.id), vector)


def _remove_templates(
    gallery: Gallery, connection: Connection, face: AlbumFace, person: Person
) -> list[_Removed]:
    """Remove the templates of a person that were made of a face; what is needed to bring them back."""
    vector = album_faces.vector_of(connection, face.id)
    if vector is None:
        return []
    as_view = view_digest(album_faces.crop_of(connection, face.id), vector)
    as_face = _template(gallery, connection, face)
    removed = list[_Removed]()
    for template in template_rows.templates(connection, person.number, gallery.origin):
        same = (
            as_face is not None
            and template.source_digest == as_face.source_digest
            and as_face.facts.same_face(template.facts)
        )
        if same or template.source_digest == as_view:
            connection.execute("DELETE FROM template WHERE id = ?", (template.id,))
            facts = {
                "person": person.id,
                "digest": template.source_digest,
                "source": template.source,
                "facts": document_of(template.facts),
            }
            removed.append(_Removed(facts, vector_bytes(template.vector)))
    return removed


def _refuse_one_photo(gallery: Gallery, one: Sequence[AlbumFace], other: Sequence[AlbumFace]) -> None:
    """Raises GalleryConflict where two groups have a face in one photo."""
    photos = {face.picture: face.id for face in one if face.seconds is None}
    for face in other:
        if face.seconds is None and face.picture in photos:
            raise GalleryConflict(
                f"{gallery.place}: faces {photos[face.picture]} and {face.id} are in one photo, and one person cannot "
                "be two faces in a photo"
            )
