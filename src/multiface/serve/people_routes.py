"""People and their faces: listed by page, enrolled, changed, merged, removed; changes and undo."""

import hashlib
import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from multiface.album import Album
from multiface.errors import NotInGallery
from multiface.gallery import Change, Gallery, Person, album_pictures, people_changes, people_rows
from multiface.gallery import changes as change_rows
from multiface.gallery.changes import last_of
from multiface.gallery.names import clean_name
from multiface.gallery.person_copy import person_copy
from multiface.gallery.person_ids import ID_PATTERN, is_id
from multiface.gallery.service import camera_events
from multiface.recognition import Enrolment, Recognizer
from multiface.serve.access import Access, Caller
from multiface.serve.cursors import LARGEST_ROW, Limit, PairCursor, RowId, after_pair
from multiface.serve.kept import kept_of
from multiface.serve.people_alike import alike_pairs
from multiface.serve.pictures import pictures_of
from multiface.serve.problems import Problem
from multiface.serve.recognition_routes import GroupName, Groups
from multiface.serve.request_body import RequestBody
from multiface.serve.work import Work

Document = dict[str, Any]
_OF_PEOPLE = ("enrol", "rename", "edit", "merge", "split")
"""Kinds of changes that are about enrolled people and nobody else."""


class PersonChange(RequestBody):
    """What to change about a person; omitted fields stay as they are."""

    name: str | None = Field(None, min_length=1, max_length=200)
    external_id: str | None = Field(None, max_length=2000)
    note: str | None = Field(None, max_length=2000)
    groups: list[GroupName] | None = Field(None, max_length=1000)
    cover: int | None = Field(None, ge=0, le=LARGEST_ROW)


class SplitRequest(RequestBody):
    """Faces, and the name of the person they belong to."""

    faces: list[RowId] = Field(min_length=1, max_length=10_000)
    name: str = Field(min_length=1, max_length=200)
    another: bool = False


class MergeRequest(RequestBody):
    """The other person."""

    person: str = Field(description="The id of the other person, who ceases to exist.", pattern=ID_PATTERN)


def people_routes(
    recognizer: Recognizer,
    gallery: Gallery,
    album: Album,
    access: Access,
    work: Work,
    route: type[APIRoute],
) -> APIRouter:
    """The routes. A key for groups of people finds nobody else, and whom it enrols is in its groups."""
    router = APIRouter(prefix="/v1", tags=["people"], route_class=route)
    reading = Annotated[Caller, Depends(access.needs("people:read", by_group=True))]
    writing = Annotated[Caller, Depends(access.needs("people:write", by_group=True))]

    def seen(caller: Caller, who: str) -> Person:
        """The person of an id, if the caller may know. Raises NotInGallery."""
        if not is_id(who):
            raise NotInGallery("a person is asked for by id; GET /v1/people?q=NAME finds the ids of a name")
        return visible(caller, gallery.person(who))

    def visible(caller: Caller, person: Person) -> Person:
        if not caller.sees(person.groups):
            raise NotInGallery(f"there is no person {person.id}")
        return person

    @router.get("/people", summary="List people")
    def people(
        caller: reading,
        limit: Limit = 50,
        cursor: PairCursor = None,
        q: str | None = Query(None, max_length=200),
        group: Groups = None,
    ) -> Document:
        """One page, by name. cursor: `next` of the previous page. q: part of the name. group: only members of one of
        these.
        """
        page = gallery.people_page(limit, after_pair(cursor), q, caller.groups_among(group or ()))
        return {
            "people": [_person(one) for one in page],
            "next": _cursor(page[-1]) if len(page) == limit else None,
        }

    @router.post("/people", status_code=201, summary="Enrol a person")
    async def enroll(
        request: Request,
        caller: writing,
        name: str = Query(min_length=1, max_length=200),
        force: bool = False,
        another: bool = False,
    ) -> JSONResponse:
        """Enrol pictures under a name: of the person who has it, or of a new one. another: of a new one even if
        somebody has the name. If several people have it, send the pictures to `/v1/people/ID/faces`.

        201 lists what was refused; 422 if no picture could be used.
        """
        if is_id(name.strip()):
            raise Problem(
                422, "name_is_an_id", "a new person has a name; send pictures to /v1/people/ID/faces"
            )
        who = name
        if caller.groups and not another:
            named = await run_in_threadpool(gallery.named, name)
            own = [one.id for one in named if caller.sees(one.groups)]
            if len(own) > 1:
                raise Problem(409, "ambiguous_name", f"several people have this name: {', '.join(own)}")
            who, another = (own[0], False) if own else (name, True)
        return made(await enrolled(request, who, force, another, caller.groups))

    @router.get("/alike", summary="The most similar people")
    def alike(caller: reading, limit: int = Query(10, ge=1, le=100)) -> Document:
        """Pairs of people, most similar first, with the similarity at which one would be taken for the other."""
        matrix = gallery.matrix(caller.groups)
        return {"pairs": alike_pairs(matrix, recognizer.calibration, recognizer.rate, limit)}

    @router.get("/people/{person}", summary="One person")
    def person(caller: reading, person: str) -> Response:
        """With an ETag, for If-Match."""
        return _with_tag(seen(caller, person))

    @router.patch("/people/{person}", summary="Change a person")
    def change(
        caller: writing, person: str, wanted: PersonChange, request: Request, another: bool = False
    ) -> Response:
        """If-Match may hold the ETag of the person as it was read: 412 if it was changed since."""
        who = seen(caller, person).id
        known = people_changes.wanted_edit(wanted.external_id, wanted.note, wanted.groups, wanted.cover)
        name = None if wanted.name is None else clean_name(wanted.name)
        with gallery.database.writing() as connection, change_rows.recorded() as made:
            before = _unchanged(visible(caller, people_rows.found(connection, who, gallery.place)), request)
            if wanted.groups is not None:
                caller.groups_among(set(wanted.groups) ^ set(before.groups))
            after = people_changes.edit(connection, who, known, gallery.place, name, another=another)
        return _with_tag(after, {"undo": last_of(made)})

    @router.delete("/people/{person}", summary="Remove a person for good")
    def remove(caller: writing, person: str) -> Document:
        """With all vectors, album faces and changes; only the id is kept, so that no import brings the person back."""
        one = seen(caller, person)
        removed = gallery.remove(one.id)
        return {
            "removed": one.id,
            "templates": removed.templates,
            "faces": removed.faces,
            "purged": removed.purged,
        }

    @router.post("/people/{person}/faces", status_code=201, summary="Add pictures of a person")
    async def add_faces(request: Request, caller: writing, person: str, force: bool = False) -> JSONResponse:
        """As for a new person."""
        one = await run_in_threadpool(seen, caller, person)
        return made(await enrolled(request, one.id, force, False, ()))

    @router.get("/people/{person}/faces", summary="The templates of a person")
    def faces(caller: reading, person: str) -> Document:
        """Facts about each, without the vector."""
        return {
            "faces": [
                {
                    "face": one.id,
                    "source": _last_part(one.source),
                    "added": one.added,
                    "box": [round(side, 1) for side in one.facts.box],
                    "width": one.facts.width,
                    "height": one.facts.height,
                }
                for one in gallery.templates(seen(caller, person).id)
            ]
        }

    @router.post("/people/{person}/merge", summary="Merge two people")
    def merge(caller: writing, person: str, other: MergeRequest, request: Request) -> Document:
        """This person keeps name, note and cover; the other one ceases to exist. It can be undone. If-Match as for
        PATCH.
        """
        kept, gone = seen(caller, person).id, seen(caller, other.person).id
        with gallery.database.writing() as connection, change_rows.recorded() as made:
            for who in (gone, kept):
                one = visible(caller, people_rows.found(connection, who, gallery.place))
            _unchanged(one, request)
            moved = people_changes.merge(connection, kept, gone, gallery.place)
        return {"person": kept, "merged": gone, "moved": moved, "undo": last_of(made)}

    @router.post("/people/{person}/split", summary="Split a person")
    def split(caller: writing, person: str, wanted: SplitRequest) -> Document:
        """The templates go to the person with the given name, who is made if need be. It can be undone."""
        one = seen(caller, person)
        with change_rows.recorded() as made:
            other = gallery.split(
                one.id,
                wanted.faces,
                wanted.name,
                another=wanted.another or bool(caller.groups),
                groups=caller.groups,
            )
        return {"person": one.id, "to": other.id, "undo": last_of(made)}

    @router.get("/people/{person}/kept", summary="What is kept about a person")
    def kept(caller: reading, person: str) -> Document:
        """Everything that removing the person deletes, and for how long it is kept."""
        one = seen(caller, person)
        with gallery.database.reading() as connection:
            return {"places": kept_of(connection, one)}

    @router.get("/people/{person}/export", summary="Export a person")
    def export(caller: Annotated[Caller, Depends(access.needs("pictures:read"))], person: str) -> Response:
        """A ZIP file with all facts, vectors and pictures, to give to the person. It holds biometric data."""
        one = seen(caller, person)
        if not caller.may("people:read"):
            raise Problem(403, "scope_missing", "this needs a key with the scope people:read, too")
        headers = {"Content-Disposition": f'attachment; filename="{one.id}.zip"'}
        return Response(person_copy(gallery, one.id), media_type="application/zip", headers=headers)

    @router.get("/people/{person}/last_seen", summary="Where a person was last seen")
    def last_seen(caller: reading, person: str) -> Document:
        """In the album, by when pictures were taken, and by each camera. cameras: null for keys without events:read."""
        one = seen(caller, person)
        with gallery.database.reading() as connection:
            photo = album_pictures.last_of_person(connection, one.number)
            cameras = camera_events.last_seen(connection, one.number)
        return {
            "album": None if photo is None else {"photo": photo[0], "taken": photo[1]},
            "cameras": [asdict(camera) for camera in cameras] if caller.may("events:read") else None,
        }

    @router.get("/groups", summary="List groups of people")
    def groups(caller: reading) -> Document:
        """By name, each with its number of people."""
        with gallery.database.reading() as connection:
            found = people_rows.groups(connection)
        return {"groups": [{"group": name, "people": count} for name, count in found if caller.sees((name,))]}

    @router.get("/changes", summary="List changes")
    def changes(
        caller: reading,
        person: str | None = Query(None, pattern=ID_PATTERN),
        limit: Limit = 100,
    ) -> Document:
        """Those of the last 30 days, newest first. A key for groups of people must name a person."""
        if person is None and caller.groups:
            raise Problem(403, "person_wanted", "with a key for groups of people, name a person: ?person=ID")
        if person is not None and caller.groups:
            seen(caller, person)
        return {
            "changes": [
                {
                    "change": one.id,
                    "made": one.made,
                    "kind": one.kind,
                    # Ids of others, such as of a folder's people, are nothing for a key for groups.
                    "people": [person] if caller.groups else list(one.people),
                    "undone": one.undone,
                    "can_be_undone": one.can_be_undone,
                }
                for one in gallery.changes(person, limit)
            ]
        }

    @router.post("/changes/{change:int}/undo", summary="Undo a change")
    def undo(caller: writing, change: Annotated[int, Path(ge=1, le=LARGEST_ROW)]) -> Document:
        """409 if it was undone already or a later change stands in the way."""
        if caller.groups:
            with gallery.database.reading() as connection:
                about = change_rows.change(connection, change)
            if about is not None:
                may_undo(caller, about)
        undone = album.undo(change)
        return {"undone": undone.id, "kind": undone.kind, "people": list(undone.people)}

    def may_undo(caller: Caller, about: Change) -> None:
        """Raises NotInGallery, Problem (403) unless it is about people of the caller, before and after, alone."""
        if about.kind not in _OF_PEOPLE or not about.people:
            raise Problem(
                403, "everybody", "a key for groups of people cannot undo this: it is about everybody"
            )
        gone = about.facts["from"] if about.kind == "merge" else {}
        if gone and not caller.sees(gone["groups"]):
            raise NotInGallery(f"there is no change {about.id}")
        for one in about.people:
            if one != gone.get("id"):
                seen(caller, one)
        if about.kind == "edit":
            old, new = (set(about.facts[when]["groups"]) for when in ("old", "new"))
            caller.groups_among(old ^ new)

    async def enrolled(
        request: Request, who: str, force: bool, another: bool, groups: tuple[str, ...]
    ) -> Document:
        work.check()
        pictures = await pictures_of(request)

        def job() -> tuple[Enrolment, int | None]:
            with change_rows.recorded() as made:
                return recognizer.enroll(who, list(pictures), force, another, groups), last_of(made)

        done, undo = await work.run(job)
        refused = [{"index": _number(called) - 1, "reason": reason} for called, reason in done.refused]
        if not done.person:
            raise Problem(422, "no_usable_picture", "; ".join(str(one["reason"]) for one in refused))
        return {
            "person": done.person,
            "added": done.added,
            "already_there": done.already_there,
            "refused": refused,
            "notes": list(done.notes),
            "undo": undo,
        }

    def made(answer: Document) -> JSONResponse:
        return JSONResponse(answer, 201, {"Location": f"/v1/people/{answer['person']}"})

    return router


def _last_part(source: str) -> str:
    """Where a template is from, without the folders of the server."""
    return source.replace("\\", "/").rstrip("/").rpartition("/")[2] or source


def _unchanged(before: Person, request: Request) -> Person:
    """The person. Raises Problem (412) if it is not what If-Match says."""
    match = request.headers.get("if-match")
    if match is not None and match != "*" and match != _tag(before):
        raise Problem(412, "changed_meanwhile", "the person was changed since you read it; read it again")
    return before


def _number(called: object) -> int:
    """Of "picture 2" the 2."""
    return int(str(called).rpartition(" ")[2])


def _person(one: Person) -> Document:
    return {
        "person": one.id,
        "name": one.name,
        "templates": one.templates,
        "created": one.created,
        "external_id": one.external_id,
        "note": one.note,
        "groups": list(one.groups),
        "cover": one.cover,
    }


def _with_tag(one: Person, more: Document | None = None) -> Response:
    return JSONResponse(_person(one) | (more or {}), headers={"ETag": _tag(one)})


def _tag(one: Person) -> str:
    text = json.dumps(_person(one), sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'


def _cursor(one: Person) -> str:
    return f"{one.number}:{one.name}"
