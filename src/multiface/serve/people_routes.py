"""People and their faces: listed by page, enrolled, changed, merged, removed; changes and undo."""

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from multiface.gallery import Gallery, Person
from multiface.recognition import Recognizer
from multiface.serve.access import Access
from multiface.serve.pictures import pictures_of
from multiface.serve.problems import Problem
from multiface.serve.work import Work

Document = dict[str, Any]
MOST = 200
"""People on one page."""


class PersonChange(BaseModel):
    """What is to be known of a person; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(None, max_length=1000)
    external_id: str | None = Field(None, max_length=1000)
    note: str | None = Field(None, max_length=10_000)
    groups: list[str] | None = Field(None, max_length=1000)
    cover: int | None = None


class MergeRequest(BaseModel):
    """Who becomes part of the person."""

    model_config = ConfigDict(extra="forbid")
    person: str = Field(description="The id of the other person, who is gone then.", max_length=100)


def people_routes(recognizer: Recognizer, gallery: Gallery, access: Access, work: Work) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["people"])
    read, write = Depends(access.needs("people:read")), Depends(access.needs("people:write"))

    @router.get("/people", dependencies=[read], summary="People, by name")
    def people(
        limit: int = Query(50, ge=1, le=MOST),
        cursor: str | None = Query(None, max_length=2000),
        q: str | None = Query(None, max_length=200),
        group: str | None = Query(None, max_length=200),
    ) -> Document:
        """One page. cursor: `next` of the page before. q: a part of the name. group: only its members."""
        page = gallery.people_page(limit, _after(cursor), q, group)
        return {
            "people": [_person(one) for one in page],
            "next": _cursor(page[-1]) if len(page) == limit else None,
        }

    @router.post("/people", dependencies=[write], status_code=201, summary="A new person, by pictures")
    async def enroll(
        request: Request, name: str = Query(max_length=1000), force: bool = False, another: bool = False
    ) -> JSONResponse:
        """Enrol pictures of one person under a name. Of several with one name: another=true, or the person's own faces.

        201 with what was refused; 422 where no picture could be used.
        """
        return await _enrolled(request, name, force, another)

    @router.get("/people/{person}", dependencies=[read], summary="One person")
    def person(person: str) -> Response:
        """With an ETag, for If-Match."""
        return _with_tag(gallery.person(person))

    @router.patch("/people/{person}", dependencies=[write], summary="Change what is known")
    def change(person: str, wanted: PersonChange, request: Request, another: bool = False) -> Response:
        """If-Match may hold the ETag of the person as it was read: 412 if somebody else was quicker."""
        before = gallery.person(person)
        match = request.headers.get("if-match")
        if match is not None and match != "*" and match != _tag(before):
            raise Problem(412, "changed_meanwhile", "the person was changed since it was read; read it again")
        if wanted.name is not None and wanted.name != before.name:
            gallery.rename(before.id, wanted.name, another=another)
        rest = wanted.model_dump(exclude={"name"}, exclude_none=True)
        if rest:
            gallery.edit(before.id, **rest)
        return _with_tag(gallery.person(before.id))

    @router.delete("/people/{person}", dependencies=[write], summary="Remove a person for good")
    def remove(person: str) -> Document:
        """With all vectors, faces in the album and changes; only the id is kept, so that no import brings it back."""
        one = gallery.person(person)
        removed = gallery.remove(one.id)
        return {
            "removed": one.id,
            "templates": removed.templates,
            "faces": removed.faces,
            "purged": removed.purged,
        }

    @router.post(
        "/people/{person}/faces", dependencies=[write], status_code=201, summary="More pictures of a person"
    )
    async def add_faces(request: Request, person: str, force: bool = False) -> JSONResponse:
        """Enrol pictures; as for a new person."""
        return await _enrolled(request, gallery.person(person).id, force, False)

    @router.get("/people/{person}/faces", dependencies=[read], summary="The templates of a person")
    def faces(person: str) -> Document:
        """Facts about each, without its vector."""
        return {
            "faces": [
                {
                    "face": one.id,
                    "source": one.source,
                    "added": one.added,
                    "box": [round(side, 1) for side in one.facts.box],
                    "width": one.facts.width,
                    "height": one.facts.height,
                }
                for one in gallery.templates(person)
            ]
        }

    @router.post("/people/{person}/merge", dependencies=[write], summary="Two people are one")
    def merge(person: str, other: MergeRequest) -> Document:
        """The person keeps name, note and cover; the other one is gone. It can be undone."""
        kept, gone = gallery.person(person), gallery.person(other.person)
        moved = gallery.merge(kept.id, gone.id)
        return {
            "person": kept.id,
            "merged": gone.id,
            "moved": moved,
            "undo": gallery.changes(kept.id, 1)[0].id,
        }

    @router.get("/changes", dependencies=[read], summary="What was done, newest first")
    def changes(
        person: str | None = Query(None, max_length=1000), limit: int = Query(100, ge=1, le=MOST)
    ) -> Document:
        """The last 30 days."""
        return {
            "changes": [
                {
                    "change": one.id,
                    "made": one.made,
                    "kind": one.kind,
                    "people": list(one.people),
                    "undone": one.undone,
                    "can_be_undone": one.can_be_undone,
                }
                for one in gallery.changes(person, limit)
            ]
        }

    @router.post("/changes/{change}/undo", dependencies=[write], summary="Undo a change")
    def undo(change: int) -> Document:
        """409 if it was undone, or a later change stands in the way."""
        undone = gallery.undo(change)
        return {"undone": undone.id, "kind": undone.kind, "people": list(undone.people)}

    async def _enrolled(request: Request, who: str, force: bool, another: bool) -> JSONResponse:
        pictures = await pictures_of(request)
        done = await work.run(lambda: recognizer.enroll(who, list(pictures), force, another))
        refused = [{"index": _number(called) - 1, "reason": reason} for called, reason in done.refused]
        if not done.person:
            raise Problem(422, "no_usable_picture", "; ".join(one["reason"] for one in refused))  # type: ignore[misc]
        return JSONResponse(
            {
                "person": done.person,
                "added": done.added,
                "already_there": done.already_there,
                "refused": refused,
                "notes": list(done.notes),
            },
            201,
            {"Location": f"/v1/people/{done.person}"},
        )

    return router


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


def _with_tag(one: Person) -> Response:
    return JSONResponse(_person(one), headers={"ETag": _tag(one)})


def _tag(one: Person) -> str:
    text = json.dumps(_person(one), sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'


def _cursor(one: Person) -> str:
    return f"{one.number}:{one.name}"


def _after(cursor: str | None) -> tuple[str, int] | None:
    """Behind whom a page begins. Raises Problem (422)."""
    if cursor is None:
        return None
    number, colon, name = cursor.partition(":")
    if not colon or not number.isdecimal() or len(number) > 18:
        raise Problem(422, "bad_cursor", "cursor is `next` of the page before")
    return name, int(number)
