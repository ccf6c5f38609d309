"""The application: routes, errors and limits around one recogniser with its gallery."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from multiface.album import Album
from multiface.errors import UsageError
from multiface.images import PictureLimits, limit_pictures
from multiface.recognition import Recognizer
from multiface.serve.access import Access
from multiface.serve.admin_routes import admin_routes
from multiface.serve.camera_routes import camera_routes
from multiface.serve.cameras.supervisor import Supervisor
from multiface.serve.description import described_by
from multiface.serve.error_answers import answer_errors
from multiface.serve.event_routes import event_routes
from multiface.serve.guard import Guard
from multiface.serve.job_kinds import doing
from multiface.serve.job_routes import job_routes
from multiface.serve.jobs import Jobs
from multiface.serve.page_files import page_routes
from multiface.serve.people_routes import people_routes
from multiface.serve.photo_routes import photo_routes
from multiface.serve.recognition_routes import recognition_routes
from multiface.serve.request_rate import RequestRate
from multiface.serve.serve_settings import ServeSettings
from multiface.serve.sessions import session_routes
from multiface.serve.sprite_routes import sprite_routes
from multiface.serve.stranger_routes import stranger_routes
from multiface.serve.system_routes import Figures, system_routes
from multiface.serve.tidying import Tidying
from multiface.serve.work import Work
from multiface.serve.write_route import write_route
from multiface.version import __version__

_SILENT: Any = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI has telemetry of its own, which would send addresses (they may hold names) wherever the environment says.
Versions without it take no notice.
"""


def make_app(recognizer: Recognizer, settings: ServeSettings) -> Guard:
    """The service as an ASGI application.

    recognizer: with a gallery; it stays open when the application ends. It sets the limits on pictures of the whole
    process. Raises UsageError.
    """
    gallery = recognizer.gallery
    if gallery is None:
        raise UsageError("a service needs a gallery", hint="give the recogniser one")
    limit_pictures(PictureLimits(max_decoded=settings.largest_picture, max_file=settings.largest_body))
    work, figures = Work(settings.at_once, settings.waiting), Figures()
    access = Access(
        gallery,
        RequestRate(settings.each_key),
        open_=not settings.keys,
        read_only=settings.read_only,
        tls=settings.tls,
    )
    album, route = Album(recognizer, as_it_is=settings.read_only), write_route(access, gallery)
    backups = None if settings.backups is None else Path(settings.backups)
    cameras = Supervisor(recognizer, settings.camera_hosts)
    jobs = Jobs(gallery, doing(recognizer, gallery, album, backups))
    tidying = Tidying(gallery, backups)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        if not settings.read_only:
            jobs.start()
            cameras.start()
            tidying.start()
        yield
        await run_in_threadpool(cameras.close)
        await run_in_threadpool(tidying.close)
        jobs.close()
        work.close()

    # The pages of FastAPI load scripts from elsewhere; `/openapi.json` is the documentation for programs.
    app = FastAPI(
        title="MultiFace",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        telemetry=_SILENT,
    )
    app.openapi = described_by(app)  # type: ignore[method-assign]  # FastAPI's own way to change it
    routers = (
        recognition_routes(recognizer, access, work),
        people_routes(recognizer, gallery, album, access, work, route),
        stranger_routes(album, gallery, access, route),
        photo_routes(album, gallery, access, work, jobs, route),
        sprite_routes(gallery, access, route),
        job_routes(gallery, access, route),
        admin_routes(recognizer, gallery, access, jobs, settings, route),
        camera_routes(gallery, access, settings, cameras.wake, route),
        event_routes(gallery, access, route),
        system_routes(gallery, access, work, figures),
        session_routes(gallery, open_=not settings.keys, tls=settings.tls),
        page_routes(),
    )
    for router in routers:
        app.include_router(router)

    answer_errors(app, gallery.place, routers)
    return Guard(app, settings, figures.seen)
