"""Undoing one change, inside the caller's transaction.

A change is undone as far as what it made is still there: a template that was removed since stays removed, one that was
moved on stays where it is, and a person who has got other templates since stays.
"""

from collections.abc import Callable

from multiface.arrays import vector_from
from multiface.errors import GalleryConflict, NotInGallery
from multiface.gallery import (
    album_faces,
    album_strangers,
    changes,
    folder_rows,
    people_rows,
    stranger_rows,
    template_rows,
)
from multiface.gallery.album_strangers import AlbumStranger, Before
from multiface.gallery.changes import Change
from multiface.gallery.clock import utc_now
from multiface.gallery.contents import NewTemplate, Person, PictureFacts, VectorOrigin
from multiface.gallery.people_changes import Edit, known_of, set_known
from multiface.gallery.service import camera_events
from multiface.gallery.sql import Connection
from multiface.gallery.stranger_rows import View
from multiface.json_text import record_from


def undo(connection: Connection, number: int, origin: VectorOrigin, place: str) -> Change:
    """Undo the change of this id, and write that down as a change; the change that was undone.

    Raises GalleryError if there is no such change, if it was undone already, or if a later change stands in the way.
    """
    change = changes.change(connection, number)
    if change is None:
        raise NotInGallery(
            f"{place}: there is no change {number}",
            hint="`multiface people changes` lists them. They are kept for "
            f"{changes.KEPT_DAYS} days, and what was done to a person who is removed goes with the person",
        )
    if change.undone is not None:
        raise GalleryConflict(f"{place}: change {number} was undone at {change.undone}")
    ways: dict[str, Callable[[Connection, Change, VectorOrigin, str], None]] = {
        "enrol": _enrol,
        "rename": _rename,
        "edit": _edit,
        "merge": _merge,
        "split": _split,
        "name": _name,
        "album": _album,
    }
    if change.kind not in ways:
        raise GalleryConflict(f"{place}: change {number} ({change.kind}) cannot be undone")
    if not change.can_be_undone:
        raise GalleryConflict(
            f"{place}: change {number} ({change.kind}) cannot be undone: the gallery was embedded again with other "
            "weights since, and the vectors that it kept were of the old ones"
        )
    _refuse_if_changed_since(connection, change, place)
    ways[change.kind](connection, change, origin, place)
    album_faces.refuse_contradiction(connection, place)
    changes.mark_undone(connection, number)
    changes.record(connection, "undo", change.people, {"change": number})
    return change


def _refuse_if_changed_since(connection: Connection, change: Change, place: str) -> None:
    """Raises GalleryConflict where something else was said of the same faces or strangers of the album since."""
    if change.kind not in ("album", "name"):
        return
    faces, strangers = _about(change)
    for later in changes.later(connection, change.id):
        if later.can_be_undone and any(
            mine & theirs for mine, theirs in zip((faces, strangers), _about(later), strict=True)
        ):
            raise GalleryConflict(
                f"{place}: what change {change.id} says of the album was changed again by change {later.id}",
                hint="undo that first",
            )


def _about(change: Change) -> tuple[set[int], set[int]]:
    """The faces and the strangers of the album that a change is about."""
    facts = change.facts
    if change.kind == "merge":  # of people, with their faces
        return set(facts.get("faces", ())), set()
    if change.kind == "name":
        return {row[0] for row in facts.get("faces", ())}, {facts["stranger"]["row"][0]}
    if change.kind == "album":
        faces = {row[0] for row in facts["faces"]} | set(facts.get("drawn", ()))
        return faces | {face for face, _ in facts["not"]}, {row[0] for row in facts["strangers"]}
    return set(), set()


def _enrol(connection: Connection, change: Change, _origin: VectorOrigin, _place: str) -> None:
    for template in change.facts["templates"]:
        folder_rows.remove_template(connection, template, with_person=False)
    _remove_empty(connection, change.facts["made"])


def _rename(connection: Connection, change: Change, _origin: VectorOrigin, place: str) -> None:
    person = _still(connection, change.facts["person"], change, place)
    if person.name != change.facts["new"]:
        raise GalleryConflict(
            f"{place}: {change.facts['new']!r} was renamed to {person.name!r} since",
            hint="undo that first",
            name=person.name,
        )
    people_rows.rename(connection, person.number, change.facts["old"])


def _edit(connection: Connection, change: Change, _origin: VectorOrigin, place: str) -> None:
    person = _still(connection, change.facts["person"], change, place)
    old, new, now = change.facts["old"], change.facts["new"], known_of(person) | {"name": person.name}
    changed = [what for what in old if old[what] != new[what]]
    if any(now[what] != new[what] for what in changed):
        raise GalleryConflict(
            f"{place}: {person.name!r} was changed again since", hint="undo that first", name=person.name
        )
    back = {what: old[what] for what in changed}
    if back.get("cover") and template_rows.person_of(connection, back["cover"]) != person.number:
        back["cover"] = 0
    if "groups" in back:
        back["groups"] = tuple(back["groups"])
    if "name" in back:
        people_rows.rename(connection, person.number, back.pop("name"))
    set_known(connection, person, Edit(**back), place)


def _merge(connection: Connection, change: Change, _origin: VectorOrigin, place: str) -> None:
    kept = _still(connection, change.facts["into"], change, place)
    gone = change.facts["from"]
    if people_rows.person_of_id(connection, gone["id"]) is not None:
        raise GalleryConflict(
            f"{place}: {gone['name']!r} ({gone['id']}) is there again already", name=gone["name"]
        )
    person = people_rows.add_person(connection, gone["name"], gone["id"], gone["created"])
    mine = set(template_rows.ids_of(connection, kept.number))
    back = [template for template in change.facts["templates"] if template in mine]
    template_rows.move_templates(connection, back, person.number)
    faces = set(album_faces.of_person(connection, kept.number))
    camera_events.give_back(connection, kept.number, person.id, person.number)
    album_faces.hand_over(
        connection, [face for face in change.facts.get("faces", ()) if face in faces], person.number
    )
    for face in change.facts.get("not", ()):
        album_faces.unbar(connection, face, kept.number)
        if album_faces.face(connection, face) is not None:
            album_faces.bar(connection, face, person.number)
    cover = gone["cover"] if gone["cover"] in back else 0
    known = Edit(gone["external_id"] or None, gone["note"], tuple(gone["groups"]), cover)
    set_known(connection, person, known, place)
    people_rows.set_groups(connection, kept.number, set(kept.groups) - set(change.facts["groups"]))
    if kept.cover in back:
        people_rows.set_cover(connection, kept.number, None)


def _split(connection: Connection, change: Change, _origin: VectorOrigin, place: str) -> None:
    person = _still(connection, change.facts["person"], change, place)
    other = _still(connection, change.facts["to"], change, place)
    mine = set(template_rows.ids_of(connection, other.number))
    back = [template for template in change.facts["templates"] if template in mine]
    template_rows.move_templates(connection, back, person.number)
    if other.cover in back:
        people_rows.set_cover(connection, other.number, None)
    if change.facts["made"]:
        _remove_empty(connection, [other.id])


def _name(connection: Connection, change: Change, origin: VectorOrigin, _place: str) -> None:
    album = _still_there(connection, change.facts.get("faces", []), change.people[0])
    _enrol(connection, change, origin, _place)
    facts, (picture, *vectors) = change.facts["stranger"], changes.blobs(connection, change.id)
    stranger_rows.put_back(connection, facts["row"], picture)
    camera_events.unname_stranger(connection, facts["row"][0])
    for view, vector in zip(facts["views"], vectors, strict=True):
        stranger_rows.add_view(connection, facts["row"][0], View(vector_from(vector), *view), origin)
    if "album" in change.facts:
        made, ignored = change.facts["album"]
        album_strangers.put(connection, AlbumStranger(facts["row"][0], made, ignored))
        album_strangers.put_back(connection, album)


def _album(connection: Connection, change: Change, origin: VectorOrigin, place: str) -> None:
    _enrol(connection, change, origin, place)
    for face, person in change.facts["not"]:
        one = people_rows.person_of_id(connection, person)
        if one is not None:
            album_faces.unbar(connection, face, one.number)
    for face, person in change.facts.get("unbarred", ()):
        one = people_rows.person_of_id(connection, person)
        if one is not None and album_faces.face(connection, face) is not None:
            album_faces.bar(connection, face, one.number)
    known = album_strangers.all_of_them(connection)
    for number, made, ignored in change.facts["strangers"]:
        if number in known:  # a camera may have met the stranger since
            made = known[number].made
        if stranger_rows.stranger(connection, number) is None:
            crop = (
                next((album_faces.crop_of(connection, row[0]) for row in change.facts["faces"]), None) or b""
            )
            now = utc_now()
            stranger_rows.put_back(connection, (number, now, now, now, 0, 0.0), crop)
            made = True
        album_strangers.put(connection, AlbumStranger(number, made, ignored))
    for template, row in zip(change.facts["removed"], changes.blobs(connection, change.id), strict=True):
        _add_again(connection, template, row, origin)
    for face in change.facts.get("drawn", ()):
        album_faces.drop(connection, face)
    album_strangers.put_back(connection, change.facts["faces"])


def _add_again(connection: Connection, template: changes.Facts, vector: bytes, origin: VectorOrigin) -> None:
    """Give a person a template back that was removed."""
    person = people_rows.person_of_id(connection, template["person"])
    if person is not None:
        facts = record_from(template["facts"], PictureFacts)
        new = NewTemplate(vector_from(vector), template["digest"], template["source"], facts)
        template_rows.add_new_templates(connection, person, [new], origin)


def _still_there(connection: Connection, rows: Before, public_id: str) -> Before:
    """Those of the faces that are this person's still."""
    person = people_rows.person_of_id(connection, public_id)
    mine = set(() if person is None else album_faces.of_person(connection, person.number, by_hand=True))
    return [row for row in rows if row[0] in mine]


def _still(connection: Connection, person: str, change: Change, place: str) -> Person:
    found = people_rows.person_of_id(connection, person)
    if found is None:
        raise GalleryConflict(
            f"{place}: change {change.id} is about {person}, who is not in it any more; if the person was merged "
            "into another, undo that first"
        )
    return found


def _remove_empty(connection: Connection, people: list[str]) -> None:
    """Remove those of the people who have no template."""
    for public_id in people:
        person = people_rows.person_of_id(connection, public_id)
        if person is not None and not person.templates:
            people_rows.remove_person(connection, person.number)
