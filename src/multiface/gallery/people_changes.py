"""Changes to people, each with its row in the change log, inside the caller's transaction.

`place` is the gallery as messages begin. Errors as in `Gallery`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from multiface.errors import GalleryConflict, NotInGallery, UsageError
from multiface.gallery import album_faces, changes, folder_rows, people_rows, template_rows
from multiface.gallery.contents import NewTemplate, Person, VectorOrigin
from multiface.gallery.names import clean_name, clean_text
from multiface.gallery.service import camera_events, kept_answers
from multiface.gallery.sql import Connection


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be known of a person besides the name; what is None stays. "", () and 0 stand for nothing."""

    external_id: str | None = None
    note: str | None = None
    groups: tuple[str, ...] | None = None
    cover: int | None = None


def enrol(
    connection: Connection,
    who: str,
    new: Sequence[NewTemplate],
    origin: VectorOrigin,
    place: str,
    *,
    by_id: bool,
    another: bool,
    groups: Collection[str] = (),
) -> tuple[Person, int]:
    """Give templates to the person of an id or a name, who is made if need be; how many were not there yet.

    groups: of a person who is made.
    """
    if by_id:
        known: Person | None = people_rows.found(connection, who, place)
    else:
        known = None if another else people_rows.one_of_name(connection, who, place)
    person = known or people_rows.add_person(connection, who)
    if known is None:
        people_rows.set_groups(connection, person.number, groups)
    added = template_rows.add_new_templates(connection, person, new, origin)
    record_enrolment(connection, added, [] if known else [person.id], [person.id])
    return person, len(added)


def record_enrolment(
    connection: Connection, templates: Sequence[int], made: Sequence[str], people: Collection[str]
) -> None:
    """Write down which templates were added, and who was made for them."""
    if templates or made:
        changes.record(connection, "enrol", people, {"templates": list(templates), "made": list(made)})


def rename(connection: Connection, who: str, name: str, place: str, *, another: bool) -> None:
    """Give a person another name."""
    person = people_rows.found(connection, who, place)
    set_name(connection, person, name, place, another=another)
    if person.name != name:
        changes.record(
            connection, "rename", [person.id], {"person": person.id, "old": person.name, "new": name}
        )


def set_name(connection: Connection, person: Person, name: str, place: str, *, another: bool) -> None:
    """Write a person's name down."""
    others = [one for one in people_rows.people_of_name(connection, name) if one.id != person.id]
    if others and not another:
        raise GalleryConflict(
            f"{place}: {name!r} is in it already ({people_rows.described(others)})",
            hint="choose another "
            "name, merge the two if they are one person, or say that two people have this name (--another)",
            name=name,
        )
    if person.name != name:
        people_rows.rename(connection, person.number, name)


def wanted_edit(
    external_id: str | None, note: str | None, groups: Iterable[str] | None, cover: int | None
) -> Edit:
    """What `Gallery.edit` was asked for, its texts in their normal form. Raises UsageError."""
    if cover is not None and not (isinstance(cover, int) and 0 <= cover < 1 << 63):
        raise UsageError(f"cover is the id of a template, or 0, not {cover!r}")
    return Edit(
        None if external_id is None else clean_text("external id", external_id),
        None if note is None else clean_text("note", note),
        None if groups is None else tuple(clean_name(group) for group in groups),
        cover,
    )


def edit(
    connection: Connection,
    who: str,
    wanted: Edit,
    place: str,
    name: str | None = None,
    *,
    another: bool = False,
) -> Person:
    """Change what is known of a person, the name too if one is given, in one change; the person as it is then.

    another: even if somebody else has the name.
    """
    before = people_rows.found(connection, who, place)
    if name is not None:
        set_name(connection, before, name, place, another=another)
    set_known(connection, before, wanted, place)
    after = people_rows.found(connection, before.id, place)
    old, new = known_of(before), known_of(after)
    if after.name != before.name:
        old, new = old | {"name": before.name}, new | {"name": after.name}
    if old != new:
        changes.record(connection, "edit", [before.id], {"person": before.id, "old": old, "new": new})
    return after


def set_known(connection: Connection, person: Person, wanted: Edit, place: str) -> None:
    """Write down what is known of a person."""
    if wanted.external_id is not None:
        other = people_rows.person_of_external_id(connection, wanted.external_id)
        if other is not None and other.id != person.id:
            raise GalleryConflict(
                f"{place}: the external id {wanted.external_id!r} is that of {other.name!r} ({other.id}); it stands "
                "for one person",
                name=other.name,
            )
        people_rows.set_external_id(connection, person.number, wanted.external_id or None)
    if wanted.note is not None:
        people_rows.set_note(connection, person.number, wanted.note)
    if wanted.groups is not None:
        people_rows.set_groups(connection, person.number, wanted.groups)
    if wanted.cover is not None:
        if wanted.cover and template_rows.person_of(connection, wanted.cover) != person.number:
            raise NotInGallery(f"{place}: {person.name!r} has no template {wanted.cover}", name=person.name)
        people_rows.set_cover(connection, person.number, wanted.cover or None)


def known_of(person: Person) -> changes.Facts:
    """What is known of a person besides the name, as `Edit` takes it."""
    return {
        "external_id": person.external_id or "",
        "note": person.note,
        "groups": list(person.groups),
        "cover": person.cover or 0,
    }


def merge(connection: Connection, into: str, from_: str, place: str) -> int:
    """Give all templates of `from_` to `into` and remove `from_`; how many there were."""
    kept = people_rows.found(connection, into, place)
    gone = people_rows.found(connection, from_, place)
    if kept.id == gone.id:
        raise UsageError(
            f"merge: {kept.name!r} cannot be merged with itself", hint="name two people", name=kept.name
        )
    moved = template_rows.ids_of(connection, gone.number)
    faces = album_faces.of_person(connection, gone.number)
    template_rows.move_templates(connection, moved, kept.number)
    album_faces.hand_over(connection, faces, kept.number)
    album_faces.refuse_contradiction(connection, place)
    barred = album_faces.barred_from(connection, gone.number)
    barred = [face for face in barred if album_faces.bar(connection, face, kept.number)]
    people_rows.set_groups(connection, kept.number, (*kept.groups, *gone.groups))
    camera_events.hand_over(connection, gone.number, kept.number)
    people_rows.remove_person(connection, gone.number)
    facts = {
        "into": kept.id,
        "groups": [group for group in gone.groups if group not in kept.groups],
        "from": {"id": gone.id, "name": gone.name, "created": gone.created, **known_of(gone)},
        "templates": moved,
        "faces": faces,
        "not": barred,
    }
    changes.record(connection, "merge", [kept.id, gone.id], facts)
    return len(moved)


def split(
    connection: Connection,
    who: str,
    templates: Sequence[int],
    name: str,
    place: str,
    *,
    another: bool,
    groups: Collection[str] = (),
) -> Person:
    """Give some templates of a person to another person, of whom there may be none yet; that person.

    groups: of a person who is made.
    """
    person = people_rows.found(connection, who, place)
    own = template_rows.ids_of(connection, person.number)
    foreign = sorted(set(templates) - set(own))
    if foreign:
        raise NotInGallery(f"{place}: {person.name!r} has no template {foreign[0]}", name=person.name)
    if not set(own) - set(templates):
        raise UsageError(
            f"split: {person.name!r} would be left without a template",
            hint="rename the person instead",
            name=person.name,
        )
    if not templates:
        raise UsageError("split: wanted at least one template")
    known = None if another else people_rows.one_of_name(connection, name, place)
    if known is not None and known.id == person.id:
        raise UsageError(
            f"split: {name!r} is the person's own name",
            hint="say that it is another person (--another)",
            name=name,
        )
    other = known or people_rows.add_person(connection, name)
    if known is None:
        people_rows.set_groups(connection, other.number, groups)
    template_rows.move_templates(connection, templates, other.number)
    facts = {"person": person.id, "to": other.id, "made": known is None, "templates": sorted(set(templates))}
    changes.record(connection, "split", [person.id, other.id], facts)
    return people_rows.found(connection, other.id, place)


def remove(connection: Connection, who: str, place: str) -> tuple[Person, int]:
    """Remove a person for good, with all vectors and all that is known about the person; as it was before, and how
    many faces in the album went.
    """
    person = people_rows.found(connection, who, place)
    faces = album_faces.remove_person(connection, person.number)
    ids = changes.forget_person(connection, person.id)
    camera_events.forget_person(connection, person.number, ids)
    kept_answers.forget_people(connection, ids)
    people_rows.remove_person(connection, person.number)
    folder_rows.forget_refusals(connection, person.name)
    return person, faces
