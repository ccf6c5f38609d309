"""Requests about people: the methods of `Gallery`. People are named by id."""

from collections.abc import Sequence
from typing import Any

from multiface.client import answers
from multiface.client.call import Call, Document, Page, parameters, quoted, several
from multiface.gallery import Change, Person

PAGE = 200


def people_page(
    *, cursor: str | None = None, part: str | None = None, groups: str | Sequence[str] = ()
) -> Call[Page[Person]]:
    """One page of people by name. part: of the name. groups: only members of one of these."""
    return Call(
        "GET",
        "/v1/people",
        lambda document: Page([answers.person(one) for one in document["people"]], document["next"]),
        parameters(limit=PAGE, cursor=cursor, q=part, group=several(groups)),
    )


def person(person: str) -> Call[Person]:
    """The person of an id. Raises NotInGallery."""
    return Call("GET", f"/v1/people/{quoted(person)}", answers.person)


def rename(person: str, new: str, another: bool = False) -> Call[Person]:
    """Give a person another name. another: even if somebody has it."""
    return Call(
        "PATCH",
        f"/v1/people/{quoted(person)}",
        answers.person,
        parameters(another=another),
        {"name": new},
        writes=True,
    )


def edit(
    person: str,
    external_id: str | None = None,
    note: str | None = None,
    groups: Sequence[str] | None = None,
    cover: int | None = None,
) -> Call[Person]:
    """Change what is known of a person besides the name: what is not None; see `Gallery.edit`."""
    wanted = {
        "external_id": external_id,
        "note": note,
        "groups": None if groups is None else list(groups),
        "cover": cover,
    }
    body = {name: value for name, value in wanted.items() if value is not None}
    return Call("PATCH", f"/v1/people/{quoted(person)}", answers.person, body=body, writes=True)


def merge(into: str, from_: str) -> Call[int | None]:
    """Two people are one, who keeps the first one's name; the change, to undo it."""
    return Call("POST", f"/v1/people/{quoted(into)}/merge", _undo, body={"person": from_}, writes=True)


def split(person: str, faces: Sequence[int], name: str, another: bool = False) -> Call[str]:
    """Some of a person's faces are those of the person of another name; that person's id."""
    return Call(
        "POST",
        f"/v1/people/{quoted(person)}/split",
        lambda document: str(document["to"]),
        body={"faces": list(faces), "name": name, "another": another},
        writes=True,
    )


def remove(person: str) -> Call[Document]:
    """Remove a person for good; how many `templates` and `faces` went."""
    return Call("DELETE", f"/v1/people/{quoted(person)}", dict, writes=True)


def kept(person: str) -> Call[list[Document]]:
    """What is kept of a person, place by place: `place`, `count`, `days`."""
    return Call("GET", f"/v1/people/{quoted(person)}/kept", lambda document: list(document["places"]))


def export(person: str) -> Call[bytes]:
    """Everything that is kept of a person, as the bytes of a ZIP file."""
    return Call("GET", f"/v1/people/{quoted(person)}/export", bytes, raw=True)


def groups() -> Call[dict[str, int]]:
    """The groups of people, each with how many are in it."""
    return Call(
        "GET", "/v1/groups", lambda document: {one["group"]: one["people"] for one in document["groups"]}
    )


def changes(person: str | None = None, most: int = 100) -> Call[list[Change]]:
    """The last changes, newest first; all, or those about one person."""
    return Call(
        "GET",
        "/v1/changes",
        lambda document: [answers.change(one) for one in document["changes"]],
        parameters(person=person, limit=most),
    )


def undo(change: int) -> Call[str]:
    """Undo a change; its kind. Raises GalleryConflict, NotInGallery."""
    return Call("POST", f"/v1/changes/{change}/undo", lambda document: str(document["kind"]), writes=True)


def _undo(document: Any) -> int | None:
    change = document["undo"]
    return None if change is None else int(change)
