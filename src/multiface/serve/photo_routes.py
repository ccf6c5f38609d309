"""Photos and films: found by who is in them, shown, faces drawn into them. Albums: folders and their scans."""

import hashlib
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.responses import JSONResponse, Response

from multiface.album import Album, Hit
from multiface.album.documents import face_document, hit_document
from multiface.errors import NotInGallery, UsageError
from multiface.gallery import Gallery, album_pictures
from multiface.gallery.changes import last_of, recorded
from multiface.gallery.person_ids import ID_PATTERN
from multiface.images import open_picture
from multiface.images.jpeg import jpeg_bytes
from multiface.images.path_text import path_of_text
from multiface.serve.access import Access
from multiface.serve.cursors import LARGEST_ROW, Limit, PairCursor, after_pair
from multiface.serve.job_routes import accepted
from multiface.serve.jobs import Jobs
from multiface.serve.problems import Problem
from multiface.serve.request_body import RequestBody
from multiface.serve.stranger_routes import WhoItIs, face_of
from multiface.serve.work import Work

Document = dict[str, Any]
Number = Annotated[int, Path(ge=1, le=LARGEST_ROW)]
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$"
PersonId = Annotated[str, Field(pattern=ID_PATTERN)]
People = Annotated[list[PersonId] | None, Query(max_length=50)]
Day = Annotated[str | None, Query(pattern=_TIME, description="A day or a local time, ISO 8601.")]


class Drawn(WhoItIs):
    """A face drawn by hand; box: x0, y0, x1, y1 in pixels of the upright picture."""

    box: Annotated[tuple[float, float, float, float], Field(strict=False)]

    def who(self) -> str:
        """The person, or "" for nobody said. Raises Problem (422) for both."""
        return "" if self.person is None and self.name is None else super().who()


class NewAlbum(RequestBody):
    """A folder on the server's disk."""

    folder: str = Field(min_length=1, max_length=4000, pattern="^[^\\x00]+$")


def photo_routes(
    album: Album, gallery: Gallery, access: Access, work: Work, jobs: Jobs, route: type[APIRoute]
) -> APIRouter:
    """The routes. Where files lie is told to administrators alone."""
    router = APIRouter(prefix="/v1", tags=["albums"], route_class=route)
    read, write = Depends(access.needs("pictures:read")), Depends(access.needs("people:write"))
    admin = Depends(access.needs("admin"))

    def find(people: list[str], limit: int, cursor: str | None, **wanted: Any) -> Document:
        found = album.find(*people, most=limit, after=after_pair(cursor), **wanted)
        full = len(found) == limit
        return {
            "photos": [_photo(hit) for hit in found],
            "next": f"{found[-1].picture}:{found[-1].taken}" if full else None,
        }

    @router.get("/photos", dependencies=[read], summary="Find photos and films")
    def photos(
        person: People = None,
        without: People = None,
        any_of: Annotated[bool, Query(alias="any", description="One of the people is enough.")] = False,
        only: bool = False,
        unknown: bool = False,
        since: Day = None,
        until: Day = None,
        limit: Limit = 50,
        cursor: PairCursor = None,
    ) -> Document:
        """Oldest first. person: ids of people who are in them. only: nobody else is. unknown: somebody unknown is."""
        return find(
            person or [], limit, cursor,
            without=without or [], only=only, unknown=unknown, since=since, until=until, any_of=any_of,
        )  # fmt: skip

    @router.get("/people/{person}/photos", dependencies=[read], summary="Photos and films of a person")
    def of_person(
        person: Annotated[str, Path(pattern=ID_PATTERN)], limit: Limit = 50, cursor: PairCursor = None
    ) -> Document:
        """Oldest first."""
        return find([person], limit, cursor)

    def photo_of(number: int) -> Hit:
        found = album.photo(number)
        if found is None:
            raise NotInGallery(f"there is no photo {number} in the album")
        return found

    @router.get("/photos/{photo:int}", dependencies=[read], summary="A photo or film with its faces")
    def photo(photo: Number) -> Document:
        """Without the paths of its files."""
        return _photo(photo_of(photo))

    @router.get("/photos/{photo:int}/picture", dependencies=[read], summary="A photo, upright")
    async def picture(photo: Number, side: int = Query(1600, ge=64, le=4096)) -> Response:
        """JPEG, with a longest side of at most `side` pixels. Films have no picture."""
        content = await work.run(lambda: _shown(photo_of(photo), side))
        return Response(content, media_type="image/jpeg")

    @router.post("/photos/{photo:int}/faces", dependencies=[write], status_code=201, summary="Draw a face")
    async def draw(photo: Number, wanted: Drawn) -> Document:
        """A face that was not found, and who it is if you say so."""
        who = wanted.who()

        def job() -> Document:
            path = _file(photo_of(photo))
            with recorded() as made:
                face = album.mark(path, wanted.box, who or None, another=wanted.another)
                undo = last_of(made)
            return face_document(face_of(album, face)) | {"undo": undo}

        return await work.run(job)

    @router.get("/albums", dependencies=[admin], summary="List the folders of the album")
    def albums() -> Document:
        """Each with its number of known files."""
        with gallery.database.reading() as connection:
            folders = album_pictures.folders(connection)
        return {
            "albums": [
                {
                    "album": _album_id(one.folder),
                    "folder": one.folder,
                    "photos": one.photos,
                    "films": one.films,
                    "scanned": one.scanned,
                }
                for one in folders
            ]
        }

    @router.post("/albums", dependencies=[admin], status_code=202, summary="Scan a folder")
    def scan(wanted: NewAlbum) -> JSONResponse:
        """A job. Scanning again searches only new and changed files."""
        folder = FilePath(wanted.folder)
        if not folder.is_absolute():
            raise UsageError(
                f"{wanted.folder}: is not a whole path",
                path=wanted.folder,
                hint="give all of it, from / on",
            )
        if not folder.is_dir():
            raise NotInGallery(f"{wanted.folder}: there is no such folder on the server", path=wanted.folder)
        return accepted(jobs.ask("album_scan", {"folder": str(folder)}))

    @router.post(
        "/albums/{album_id}/scan", dependencies=[admin], status_code=202, summary="Scan a folder again"
    )
    def scan_again(album_id: Annotated[str, Path(max_length=100)]) -> JSONResponse:
        """A job."""
        return accepted(jobs.ask("album_scan", {"folder": folder_of(album_id)}))

    @router.delete("/albums/{album_id}", dependencies=[admin], summary="Forget a folder")
    def forget(album_id: Annotated[str, Path(max_length=100)]) -> Document:
        """With the faces of its photos and what was said of them; the files stay. It cannot be undone."""
        return {"forgotten": album.forget(path_of_text(folder_of(album_id)))}

    @router.post("/photos/names", dependencies=[admin], status_code=202, summary="Write XMP sidecars")
    def write_names() -> JSONResponse:
        """A job: the names beside the photos, as other programs read them. Photos themselves are not written."""
        return accepted(jobs.ask("names_export", {}))

    def folder_of(album_id: str) -> str:
        with gallery.database.reading() as connection:
            known = album_pictures.scanned_folders(connection)
        found = [one for one in known if _album_id(one) == album_id]
        if not found:
            raise NotInGallery(f"there is no album {album_id}")
        return found[0]

    return router


def _photo(hit: Hit) -> Document:
    return hit_document(hit) | {"files": len(hit.paths)}


def _album_id(folder: str) -> str:
    return f"a_{hashlib.sha256(folder.encode()).hexdigest()[:16]}"


def _file(hit: Hit) -> FilePath:
    """A file of the photo that is there. Raises Problem (404)."""
    found = next((path for path in map(path_of_text, hit.paths) if FilePath(path).is_file()), None)
    if found is None:
        raise Problem(
            404, "file_vanished", "the file of this photo is not there any more; scan the album again"
        )
    return FilePath(found)


def _shown(hit: Hit, side: int) -> bytes:
    if hit.film:
        raise Problem(404, "a_film", "a film has no picture; its faces have")
    return jpeg_bytes(open_picture(_file(hit)).pixels, side)
