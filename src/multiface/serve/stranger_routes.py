"""Unknown people and single faces: listed, named, merged, split, ignored. Faces corrected by hand."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.responses import Response

from multiface.album import Album, HitFace, UnknownGroup
from multiface.album.documents import face_document, group_document
from multiface.errors import NotInGallery
from multiface.gallery import Gallery
from multiface.gallery.changes import last_of, recorded
from multiface.gallery.person_ids import ID_PATTERN
from multiface.serve.access import Access
from multiface.serve.cursors import LARGEST_ROW, Limit, NumberCursor, RowId, numbered_page
from multiface.serve.problems import Problem
from multiface.serve.request_body import RequestBody

Document = dict[str, Any]
Number = Annotated[int, Path(ge=1, le=LARGEST_ROW)]
Faces = Annotated[int, Query(ge=1, le=10_000)]
SHOWN = 60
"""Faces of a stranger in a list, if nothing else is asked for."""


class WhoItIs(RequestBody):
    """A person by id, or by name: the person with this name, or a new one."""

    person: str | None = Field(None, pattern=ID_PATTERN)
    name: str | None = Field(None, min_length=1, max_length=200)
    another: bool = Field(False, description="Make another person of this name even if somebody has it.")

    def who(self) -> str:
        """Raises Problem (422) unless one of both is given."""
        if (self.person is None) == (self.name is None):
            raise Problem(422, "who", "give `person` (an id) or `name`")
        return self.person or self.name or ""


class OtherStranger(RequestBody):
    """The other stranger."""

    stranger: int = Field(ge=1, le=LARGEST_ROW)


class Ignored(RequestBody):
    """Whether to ignore somebody."""

    ignored: bool = True


class SomeFaces(RequestBody):
    """Ids of faces."""

    faces: list[RowId] = Field(min_length=1, max_length=10_000)


class NotThePerson(SomeFaces):
    """Faces, and who they are not."""

    person: str = Field(pattern=ID_PATTERN)


class FaceChange(RequestBody):
    """What to correct about a face: who it is, who it is not, or whether to ignore it. One of these."""

    person: str | None = Field(None, pattern=ID_PATTERN)
    name: str | None = Field(None, min_length=1, max_length=200)
    another: bool = False
    not_: str | None = Field(None, alias="not", pattern=ID_PATTERN, description="The id of who it is not.")
    ignored: bool | None = None


def stranger_routes(album: Album, gallery: Gallery, access: Access, route: type[APIRoute]) -> APIRouter:
    """The routes. Each change decides the rest of the album anew at once, and can be undone."""
    router = APIRouter(prefix="/v1", tags=["strangers"], route_class=route)
    read, write = Depends(access.needs("pictures:read")), Depends(access.needs("people:write"))

    @router.get("/strangers", dependencies=[read], summary="List unknown people")
    def strangers(
        limit: Limit = 50,
        cursor: NumberCursor = None,
        ignored: bool = False,
        faces: Faces = SHOWN,
    ) -> Document:
        """Groups of unknown faces in photos and films, the most useful to name first. ignored: the ignored ones
        instead. faces: at most this many of each, best first; `all_faces` counts all.
        """
        found = [group for group in album.groups() if group.ignored == ignored]
        page, following = numbered_page(found, cursor, limit)
        return {
            "strangers": [_shown(group, faces) for group in page],
            "all": len(found),
            "next": following,
        }

    @router.get("/strangers/singles", dependencies=[read], summary="List unknown faces in no group")
    def singles(limit: Limit = 50, cursor: NumberCursor = None) -> Document:
        """Best pictures first."""
        found = album.single_faces()
        page, following = numbered_page(found, cursor, limit)
        return {"faces": [face_document(face) for face in page], "all": len(found), "next": following}

    @router.get("/strangers/met", dependencies=[read], summary="List strangers seen by cameras and in films")
    def met() -> Document:
        """By number, those of albums too."""
        return {
            "strangers": [
                {
                    "stranger": one.number,
                    "sightings": one.sightings,
                    "first_seen": one.first_seen,
                    "last_seen": one.last_seen,
                    "kept_until": one.kept_until,
                }
                for one in gallery.strangers.list()
            ]
        }

    @router.get("/strangers/{stranger:int}", dependencies=[read], summary="An unknown person with all faces")
    def stranger(stranger: Number) -> Document:
        """As the list has it."""
        return _shown(_group(album, stranger), None)

    @router.get(
        "/strangers/{stranger:int}/alike", dependencies=[read], summary="Unknown people who may be the same"
    )
    def alike(stranger: Number, limit: Limit = 50, faces: Faces = SHOWN) -> Document:
        """Most similar first, ignored ones too, each with `similarity` (cosine)."""
        return {
            "strangers": [
                _shown(one.group, faces) | {"similarity": round(one.similarity, 6)}
                for one in album.alike_groups(stranger)[:limit]
            ]
        }

    @router.get(
        "/strangers/{stranger:int}/picture", dependencies=[read], summary="The best picture of a stranger"
    )
    def picture(stranger: Number) -> Response:
        """JPEG."""
        return Response(gallery.strangers.picture(stranger), media_type="image/jpeg")

    @router.post("/strangers/{stranger:int}/name", dependencies=[write], summary="Name a stranger")
    def name(stranger: Number, wanted: WhoItIs) -> Document:
        """All faces of the stranger go to the person."""
        who = wanted.who()
        with recorded() as made:
            if wanted.another:
                faces = [face.id for face in _group(album, stranger).faces]
                person = album.name_faces(faces, who, another=True)
            else:
                person = album.name(stranger, who)
        return {"person": person.id, "name": person.name, "undo": last_of(made)}

    @router.post("/strangers/{stranger:int}/merge", dependencies=[write], summary="Merge two strangers")
    def merge(stranger: Number, other: OtherStranger) -> Document:
        """The first keeps its number."""
        with recorded() as made:
            album.merge(stranger, other.stranger)
        return {"stranger": stranger, "merged": other.stranger, "undo": last_of(made)}

    @router.post("/strangers/{stranger:int}/split", dependencies=[write], summary="Split a stranger")
    def split(stranger: Number, wanted: SomeFaces) -> Document:
        """Some faces become a new stranger."""
        _all_of(album, stranger, wanted.faces)
        with recorded() as made:
            number = album.split(wanted.faces)
        return {"stranger": number, "from": stranger, "undo": last_of(made)}

    @router.post("/strangers/{stranger:int}/ignore", dependencies=[write], summary="Ignore a stranger")
    def ignore(stranger: Number, wanted: Ignored) -> Document:
        """In new photos too. ignored=false takes it back."""
        with recorded() as made:
            album.ignore(groups=[stranger], ignored=wanted.ignored)
        return {"stranger": stranger, "ignored": wanted.ignored, "undo": last_of(made)}

    @router.delete("/strangers/{stranger:int}", dependencies=[write], summary="Remove a stranger for good")
    def remove(stranger: Number) -> Document:
        """With picture, vectors and album faces. It cannot be undone."""
        return {"removed": stranger, "purged": gallery.strangers.remove(stranger)}

    @router.patch("/faces/{face:int}", dependencies=[write], summary="Correct a face")
    def correct(face: Number, wanted: FaceChange) -> Document:
        """Say who it is (`person` or `name`), who it is not (`not`), or whether to ignore it (`ignored`)."""
        said = [wanted.person or wanted.name, wanted.not_, wanted.ignored]
        if sum(one is not None for one in said) != 1:
            raise Problem(422, "one_thing", "give one of `person`, `name`, `not` and `ignored`")
        with recorded() as made:
            if wanted.not_ is not None:
                album.not_person(face, wanted.not_)
            elif wanted.ignored is not None:
                album.ignore(faces=[face], ignored=wanted.ignored)
            else:
                who = WhoItIs(person=wanted.person, name=wanted.name, another=wanted.another).who()
                album.name_faces([face], who, another=wanted.another)
        return face_document(face_of(album, face)) | {"undo": last_of(made)}

    @router.post("/faces/name", dependencies=[write], summary="Name several faces")
    def name_several(wanted: SomeFaces, who: Annotated[WhoItIs, Query()]) -> Document:
        """In one change."""
        with recorded() as made:
            person = album.name_faces(wanted.faces, who.who(), another=who.another)
        return {"person": person.id, "name": person.name, "undo": last_of(made)}

    @router.post("/faces/not", dependencies=[write], summary="Say whose several faces are not")
    def not_several(wanted: NotThePerson) -> Document:
        """Permanently, in one change."""
        with recorded() as made:
            album.not_person(wanted.faces, wanted.person)
        return {"faces": wanted.faces, "not": wanted.person, "undo": last_of(made)}

    @router.post("/faces/ignore", dependencies=[write], summary="Ignore several faces")
    def ignore_several(wanted: SomeFaces) -> Document:
        """In one change, such as all unknown faces of a photo."""
        with recorded() as made:
            album.ignore(faces=wanted.faces)
        return {"faces": wanted.faces, "undo": last_of(made)}

    return router


def _group(album: Album, stranger: int) -> UnknownGroup:
    """Raises NotInGallery."""
    found = next((group for group in album.groups() if group.number == stranger), None)
    if found is None:
        raise NotInGallery(f"there is no stranger {stranger} in the album")
    return found


def _shown(group: UnknownGroup, faces: int | None) -> Document:
    """With so many faces; None for all."""
    document = group_document(group)
    return document | {"faces": document["faces"][:faces], "all_faces": len(group.faces)}


def face_of(album: Album, face: int) -> HitFace:
    """The face of this id as answers have it. Raises NotInGallery."""
    found = [one for hit in album.pictures_of([face]) for one in hit.faces if one.id == face]
    if not found:
        raise NotInGallery(f"there is no face {face} in the album")
    return found[0]


def _all_of(album: Album, stranger: int, faces: list[int]) -> None:
    if not set(faces) <= {face.id for face in _group(album, stranger).faces}:
        raise Problem(422, "other_faces", f"these are not all faces of stranger {stranger}")
