"""Cameras over HTTP: given by an administrator; seen, paused and removed by keys for cameras.

No answer holds a password or the whole address of a webhook.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from multiface.gallery import Gallery
from multiface.gallery.names import clean_text
from multiface.gallery.service import camera_rows
from multiface.gallery.service.camera_rows import Camera, Lease
from multiface.net.post import webhook_address
from multiface.serve.access import Access
from multiface.serve.cameras.camera_source import CameraSource, camera_source, require_allowed
from multiface.serve.problems import Problem
from multiface.serve.request_body import RequestBody
from multiface.serve.serve_settings import ServeSettings

Document = dict[str, Any]
CAMERA_ID = "^c_[0-9a-z]{16}$"
Id = Annotated[str, Path(pattern=CAMERA_ID)]
_UNBEATEN = timedelta(seconds=60)
"""A lease that nobody counted up for so long is nobody's."""


class NewCamera(RequestBody):
    """A camera that is wanted."""

    name: str = Field(min_length=1, max_length=200)
    source: str = Field(
        description="rtsp://USER@HOST/PATH and the like, or a webcam's number.", max_length=2000
    )
    password: str | None = Field(None, description="Of the user of the source.", max_length=500)
    webhook: str | None = Field(
        None, description="http(s) address that each event is sent to.", max_length=2000
    )
    keep_strangers: float | None = Field(
        None,
        description="Keep people whom nobody enrolled, with a picture, for so many days.",
        gt=0,
        le=36500,
    )
    unknown_alert: bool = Field(False, description='An event "unknown" for each of them.')
    paused: bool = False


class CameraChange(RequestBody):
    """Omitted fields stay as they are; null clears one. `source`, `password` and `webhook` need a key with admin."""

    name: str | None = Field(None, min_length=1, max_length=200)
    source: str | None = Field(None, max_length=2000)
    password: str | None = Field(None, max_length=500)
    webhook: str | None = Field(None, max_length=2000)
    keep_strangers: float | None = Field(None, gt=0, le=36500)
    unknown_alert: bool | None = None
    paused: bool | None = None


def camera_routes(
    gallery: Gallery,
    access: Access,
    settings: ServeSettings,
    wake: Callable[[], None],
    route: type[APIRoute],
) -> APIRouter:
    """The routes. wake: called after a change."""
    router = APIRouter(prefix="/v1", tags=["cameras"], route_class=route)
    database, place = gallery.database, gallery.place
    admin, cameras_ = access.needs("admin"), Depends(access.needs("cameras"))

    @router.get("/cameras", dependencies=[cameras_], summary="List cameras")
    def cameras() -> Document:
        """By name, each with its state: running, starting, waiting (`detail` says why) or stopped."""
        with database.reading() as connection:
            lease = camera_rows.lease(connection)
            return {"cameras": [_document(one, lease) for one in camera_rows.cameras(connection)]}

    @router.post("/cameras", dependencies=[Depends(admin)], status_code=201, summary="Add a camera")
    def add(wanted: NewCamera) -> JSONResponse:
        """It is watched from now on, unless paused."""
        source = camera_source(wanted.source, wanted.password)
        require_allowed(source, settings.camera_hosts)
        with database.writing() as connection:
            number = camera_rows.add_camera(
                connection,
                _name(wanted.name),
                source.address,
                source.password,
                _webhook(wanted.webhook),
                wanted.keep_strangers,
                wanted.unknown_alert,
                wanted.paused,
            )
            made = camera_rows.camera(connection, number, place)
            lease = camera_rows.lease(connection)
        wake()
        return JSONResponse(_document(made, lease), 201, {"Location": f"/v1/cameras/{number}"})

    @router.get("/cameras/{camera}", dependencies=[cameras_], summary="One camera")
    def one(camera: Id) -> Document:
        """As in the list."""
        with database.reading() as connection:
            return _document(camera_rows.camera(connection, camera, place), camera_rows.lease(connection))

    @router.patch("/cameras/{camera}", dependencies=[cameras_], summary="Change or pause a camera")
    async def change(camera: Id, wanted: CameraChange, request: Request) -> Document:
        """A new source keeps the password only if host and port stay the same."""
        asked = wanted.model_dump(exclude_unset=True)
        if asked.keys() & {"source", "password", "webhook"}:
            await admin(request)
        for field in ("name", "source", "unknown_alert", "paused"):
            if field in asked and asked[field] is None:
                raise Problem(422, "invalid", f"{field}: cannot be null")

        def work() -> Document:
            with database.reading() as connection:
                before = camera_rows.camera(connection, camera, place)
            new = {**asked, **_source_change(before, asked, settings)}
            if "name" in new:
                new["name"] = _name(new["name"])
            if "webhook" in new:
                new["webhook"] = _webhook(new["webhook"])
            with database.writing() as connection:
                camera_rows.change_camera(connection, camera, new)
                after = camera_rows.camera(connection, camera, place)
                lease = camera_rows.lease(connection)
            return _document(after, lease)

        document = await run_in_threadpool(work)
        wake()
        return document

    @router.delete("/cameras/{camera}", dependencies=[cameras_], summary="Remove a camera")
    def remove(camera: Id) -> Document:
        """Its events go too. It stops within two seconds."""
        with database.writing() as connection:
            camera_rows.camera(connection, camera, place)
            camera_rows.remove_camera(connection, camera)
        database.purge_log()
        wake()
        return {"removed": camera}

    return router


def _source_change(before: Camera, asked: Document, settings: ServeSettings) -> Document:
    """The source and password that a camera has after a change of one of them."""
    if not asked.keys() & {"source", "password"}:
        return {}
    old = CameraSource(before.source, before.password)
    text = asked.get("source", before.source)
    given = camera_source(text, asked.get("password"))
    if "password" not in asked and given.password is None and _place(given) == _place(old):
        given = CameraSource(given.address, before.password)
    require_allowed(given, settings.camera_hosts)
    return {"source": given.address, "password": given.password}


def _place(source: CameraSource) -> str:
    """Scheme, user, host and port."""
    scheme, _, rest = source.address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _name(text: str) -> str:
    name = clean_text("name", text).strip()
    if not name:
        raise Problem(422, "invalid", "a camera has a name")
    return name


def _webhook(url: str | None) -> str | None:
    if url is not None:
        webhook_address(url)
    return url


def _document(camera: Camera, lease: Lease | None) -> Document:
    runs = lease is not None and datetime.now(UTC) - datetime.fromisoformat(lease.beaten) < _UNBEATEN
    state, detail = camera.state, camera.detail
    if camera.paused:
        state, detail = "stopped", "paused"
    elif not runs and state == "running":
        state, detail = "waiting", "no service runs the cameras just now"
    return {
        "camera": camera.id,
        "name": camera.name,
        "source": CameraSource(camera.source, None).shown,
        "state": state,
        "detail": detail,
        "since": camera.since,
        "paused": camera.paused,
        "snapshots": camera.keep_strangers is not None,
        "keep_strangers": camera.keep_strangers,
        "unknown_alert": camera.unknown_alert,
        "webhook": None if camera.webhook is None else webhook_address(camera.webhook).shown,
        "webhook_problem": camera.webhook_problem,
    }
