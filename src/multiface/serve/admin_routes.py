"""What an administrator does: keys, the audit log, backups, facts about the service."""

from dataclasses import asdict
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.responses import FileResponse, JSONResponse

from multiface.errors import NotInGallery
from multiface.gallery import Gallery
from multiface.gallery.names import clean_text
from multiface.gallery.service import access_keys, audit
from multiface.recognition import Recognizer
from multiface.serve.access import Access
from multiface.serve.cursors import LARGEST_ROW, Limit
from multiface.serve.job_kinds import SUFFIX
from multiface.serve.job_routes import accepted
from multiface.serve.jobs import Jobs
from multiface.serve.people_alike import Strictness
from multiface.serve.recognition_routes import GroupName
from multiface.serve.request_body import RequestBody
from multiface.serve.serve_settings import ServeSettings
from multiface.version import __version__

Document = dict[str, Any]
Scope = Annotated[str, Field(json_schema_extra={"enum": list(access_keys.SCOPES)})]
_COUNTED = ("person", "template", "stranger", "album_face", "album_picture")


class NewKey(RequestBody):
    """What a key is for."""

    name: str = Field(min_length=1, max_length=1000)
    scopes: list[Scope] = Field(min_length=1, max_length=20)
    days: int | None = Field(None, ge=1, le=36500, description="Until it expires; nothing for never.")
    groups: list[GroupName] = Field(default_factory=list, max_length=100)


def admin_routes(
    recognizer: Recognizer,
    gallery: Gallery,
    access: Access,
    jobs: Jobs,
    settings: ServeSettings,
    route: type[APIRoute],
) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["system"], route_class=route)
    admin = Depends(access.needs("admin"))
    sure = Strictness(recognizer.calibration, recognizer.rate)

    @router.get("/keys", dependencies=[admin], summary="List keys")
    def keys() -> Document:
        """Expired and revoked ones too; never their text."""
        with gallery.database.reading() as connection:
            return {"keys": [asdict(one) for one in access_keys.keys(connection)]}

    @router.post("/keys", dependencies=[admin], status_code=201, summary="Make a key")
    def new_key(wanted: NewKey) -> Document:
        """The text of the key is in this answer only."""
        name = clean_text("name", wanted.name)
        with gallery.database.writing() as connection:
            key, text = access_keys.new_key(connection, name, list(wanted.scopes), wanted.days, wanted.groups)
        return {**asdict(key), "key": text}

    @router.delete("/keys/{key}", dependencies=[admin], summary="Revoke a key")
    def revoke(key: Annotated[str, Path(max_length=100)]) -> Document:
        """It is refused from the next request on; its streams end within seconds."""
        with gallery.database.writing() as connection:
            access_keys.revoke_key(connection, key, gallery.place)
        return {"revoked": key}

    @router.get("/audit", dependencies=[admin], summary="Who changed what")
    def log(limit: Limit = 100, before: int | None = Query(None, ge=1, le=LARGEST_ROW)) -> Document:
        """The newest first. before: only what is older than this entry."""
        with gallery.database.reading() as connection:
            found = audit.entries(connection, limit, before)
        return {
            "entries": [asdict(one) for one in found],
            "next": found[-1].number if len(found) == limit else None,
        }

    @router.get("/system", dependencies=[admin], summary="Versions, counts and limits")
    def system() -> Document:
        """Versions and networks, how much is stored, and the limits in force."""
        with gallery.database.reading() as connection:
            counts = {
                table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
                for table in _COUNTED
            }
        limits = asdict(settings)
        return {
            "version": __version__,
            "gallery": gallery.place,
            "weights": recognizer.embedder.name,
            "detector": recognizer.detector.name,
            "people": counts["person"],
            "templates": counts["template"],
            "strangers": counts["stranger"],
            "faces": counts["album_face"],
            "photos": counts["album_picture"],
            "read_only": settings.read_only,
            "rate": recognizer.rate,
            "caveat": recognizer.caveat,
            "settings": [{"name": name, "value": _shown(value)} for name, value in limits.items()],
        }

    @router.get("/strictness", dependencies=[admin], summary="How sure the answers are")
    def strictness() -> Document:
        """The threshold in use and those of other rates, with their intervals."""
        return sure.document(gallery.matrix())

    @router.post(
        "/strictness/check", dependencies=[admin], status_code=202, summary="Check recognition on your people"
    )
    def check() -> JSONResponse:
        """A job: each picture of people with two or more is left out in turn and decided like a new one."""
        return accepted(jobs.ask("own_people", {}))

    @router.post("/backup", dependencies=[admin], status_code=202, summary="Write a backup")
    def backup() -> JSONResponse:
        """A job. Its result holds the address of the archive."""
        return accepted(jobs.ask("backup", {}))

    @router.get("/backup/{name}", dependencies=[admin], summary="Download a backup")
    def load(name: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]) -> FileResponse:
        """An archive for `multiface people import`. It holds biometric data."""
        file = None if settings.backups is None else FilePath(settings.backups) / f"{name}{SUFFIX}"
        if file is None or not file.is_file():
            raise NotInGallery("there is no such backup; its time may be over")
        return FileResponse(file, media_type="application/x-tar", filename=f"people{SUFFIX}")

    return router


def _shown(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
